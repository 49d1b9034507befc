"""Users, their sessions and links, API keys and refresh tokens: one set in each partner's schema, one in the shared one for operators."""

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from audit.ids import uuid7
from partners.accounts.roles import Permission, Role, permissions_of

# What to look for, in this order: most browsers also call themselves by the names of others.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"))


class People(BaseUserManager["User"]):
    """Finds people by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this e-mail address."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who works for the partner. `token_epoch` goes up when every token of theirs must end."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=12, choices=Role)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    language = models.CharField(max_length=8, default="en")
    time_zone = models.CharField(max_length=40, default="UTC")
    token_epoch = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[People] = People()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "role"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session holds against its person: it ends with every token when role, access or password change."""
        return f"{super()._get_session_auth_hash(secret=secret)}.{self.token_epoch}"  # type: ignore[misc] # Django's own, not in the stubs

    @property
    def has_joined(self) -> bool:
        """Whether they chose a password; somebody invited has none yet."""
        return self.has_usable_password()

    def allows(self, permission: Permission) -> bool:
        """Whether this person may do it now."""
        return self.is_active and permission in permissions_of(self.role)


class ApiKey(models.Model):
    """A machine's credential. Only its SHA-256 is kept; `hint` is its last four characters."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, default="live")
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=4)
    scopes = models.JSONField(default=list)
    created_by = models.CharField(max_length=200, blank=True)
    created_by_id = models.UUIDField(null=True)    # the person; their keys end with their access
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    replaced_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="replaces")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(kind__in=["live", "test"]), name="apikey_kind_known")]

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"

    def state(self, now: datetime) -> str:
        """active; ending, when a successor was made and it still works; expired; or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active" if self.replaced_by_id is None else "ending"


class ApiRequest(models.Model):
    """One call of the API: what was asked by whom and how it was answered, nothing of what was sent. `id` sorts by time.

    `request_digest` is a keyed hash by which a call is found; `request_id` is whole only where a machine made it up."""

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64)
    request_digest = models.BinaryField(max_length=16, db_index=True)
    credential_kind = models.CharField(max_length=8)    # api_key, user, or empty
    credential_id = models.UUIDField(null=True)
    method = models.CharField(max_length=8)
    route = models.CharField(max_length=120)    # its pattern, never what stood in the place of a parameter
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=60)    # of the problem, or empty
    is_replayed = models.BooleanField()
    microseconds = models.PositiveIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["credential_id", "id"], name="apirequest_by_credential"),
            models.Index(fields=["route", "id"], name="apirequest_by_route"),
            models.Index(fields=["id"], condition=Q(status__gte=400), name="apirequest_refused"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status}"

    @property
    def milliseconds(self) -> float:
        """What it took."""
        return self.microseconds / 1000


class Usage(models.Model):
    """How often one credential called one route on one day (UTC), and how that was answered. Without a credential its id is all zeros."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField()
    credential_kind = models.CharField(max_length=8)
    credential_id = models.UUIDField()
    method = models.CharField(max_length=8)
    route = models.CharField(max_length=120)
    answered = models.PositiveBigIntegerField()
    refused = models.PositiveBigIntegerField()
    failed = models.PositiveBigIntegerField()
    microseconds = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "credential_id", "method", "route"], name="usage_one_line")]

    def __str__(self) -> str:
        return f"{self.day} {self.method} {self.route}"


class Session(models.Model):
    """One sign-in of a person, in a browser or on the API, and what proved who they are. It is open until `ended_at`, while it is neither
    idle nor too old, and while nothing raised the person's `token_epoch`."""

    class Channel(models.TextChoices):
        PAGE = "page"
        API = "api"

    class Factor(models.TextChoices):
        PASSWORD = "password"  # noqa: S105 - nothing beside it
        TOTP = "totp"
        PASSKEY = "passkey"
        RECOVERY_CODE = "recovery_code"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_epoch = models.PositiveIntegerField()
    channel = models.CharField(max_length=4, choices=Channel)
    factor = models.CharField(max_length=13, choices=Factor)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=200, blank=True)
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def browser(self) -> str:
        """What it called itself, for people: "Firefox, Linux"; empty for something unheard of."""
        known = [next((name for mark, name in names if mark in self.agent), "") for names in (_BROWSERS, _SYSTEMS)]
        return ", ".join(name for name in known if name)


class AccessLink(models.Model):
    """A link by which a person chooses a password, once. Of the link only its SHA-256 is kept; a reset has none until it is mailed, and
    no user where nobody has the address that was asked for."""

    class Purpose(models.TextChoices):
        INVITATION = "invitation"
        RESET = "reset"
        SANDBOX = "sandbox"    # a ticket into the sandbox: kept so that nobody shows it twice

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=10, choices=Purpose)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="links")
    digest = models.BinaryField(max_length=32, null=True, unique=True)
    origin = models.CharField(max_length=300, blank=True)    # scheme, host and port of the pages
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """One refresh token, by digest. A family is the session that one login led to; using a member twice ends the family."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    family = models.UUIDField(db_index=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    issued_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class LoginAttempt(models.Model):
    """Failed logins of one e-mail address or network address since `began_at`, as a keyed hash of it."""

    subject = models.BinaryField(max_length=32, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField()

    def __str__(self) -> str:
        return bytes(self.subject).hex()[:8]
