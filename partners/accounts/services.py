"""Writes about people and keys: each one transaction, one event, one actor."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.accounts import keys, passwords, tokens
from partners.accounts.errors import (
    ApiKeyRefused,
    ApiKeyUnknown,
    LastAdministrator,
    LoginRefused,
    PasswordRefused,
    UserExists,
    UserRefused,
    UserUnknown,
)
from partners.accounts.models import AccessLink, ApiKey, User
from partners.accounts.roles import KEY_SCOPES, Role
from partners.selectors import sandbox_beside
from partners.tenancy import current_schema, slug_of, tenant_context

ROTATION_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made; `secret` is shown now and never again."""

    key: ApiKey
    secret: str


# ---- people


@transaction.atomic
def create_user(
    *, email: str, role: str, password: str | None, actor: Actor, name: str = "", language: str = "en", time_zone: str = "UTC"
) -> User:
    """The person can sign in on the partner's host; without a password, once they chose one. Raises UserExists, UserRefused or
    PasswordRefused."""
    current_schema()
    email = email.strip().lower()
    faults = faults_of_person(email=email, role=role, password=password, name=name, language=language, time_zone=time_zone)
    if faults:
        raise PasswordRefused(fields=faults) if set(faults) == {"password"} else UserRefused(fields=faults)
    if User.objects.filter(email=email).exists():
        raise UserExists(f"There is already a user {email}.")
    user = User(email=email, name=name.strip() or email.partition("@")[0], role=role, language=language, time_zone=time_zone)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:  # somebody made the same person at the same moment
        raise UserExists(f"There is already a user {email}.") from error
    record(action=Action.USER_CREATED, actor=actor, object_kind="user", object_id=user.id, detail={"role": role})
    return user


def faults_of_person(
    *, email: str | None = None, role: str | None = None, password: str | None = None, name: str | None = None,
    language: str | None = None, time_zone: str | None = None, is_active: bool | None = None,
) -> dict[str, str]:  # fmt: skip
    """What is wrong with a person's details, by name; what is None is not looked at."""
    faults: dict[str, str] = {}
    if email is not None and (fault := _fault_of_email(email.strip().lower())):
        faults["email"] = fault
    if role is not None and role not in Role.values:
        faults["role"] = f"{role!r} is not a role: {', '.join(Role.values)}."
    if name is not None and not name.isprintable():
        faults["name"] = "The name has a character that cannot be shown."
    if language is not None and language not in dict(settings.LANGUAGES):
        faults["language"] = f"{language!r} is not a language of ours: {', '.join(dict(settings.LANGUAGES))}."
    if time_zone is not None and time_zone not in available_timezones():
        faults["time_zone"] = f"{time_zone!r} is not a time zone; one is Africa/Nairobi."
    if password is not None:
        try:
            passwords.check_password_choice(password, User(email=email or "", name=name or ""))
        except PasswordRefused as refusal:
            faults |= refusal.fields
    return faults


def _fault_of_email(email: str) -> str:
    try:
        validate_email(email)
    except ValidationError:
        return f"{email!r} is not an e-mail address."
    return "" if email.isascii() else "The e-mail address has a letter that only looks like another: write it with plain letters."


@transaction.atomic
def change_user(*, user_id: uuid.UUID, actor: Actor, role: str | None = None, is_active: bool | None = None) -> User:
    """The person has this role and access; earlier tokens have ended. Raises UserUnknown, UserRefused or LastAdministrator."""
    joined = User.objects.select_for_update().exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    administrators = list(joined.filter(role=Role.ADMIN, is_active=True).order_by("id"))
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserUnknown
    if faults := faults_of_person(role=role):
        raise UserRefused(fields=faults)
    before = (user.role, user.is_active)
    user.role = role or user.role
    user.is_active = user.is_active if is_active is None else is_active
    if administrators == [user] and (user.role != Role.ADMIN or not user.is_active):
        raise LastAdministrator
    if (user.role, user.is_active) == before:
        return user
    user.save(update_fields=["role", "is_active"])
    if user.is_active != before[1]:
        action = Action.USER_SWITCHED_ON if user.is_active else Action.USER_SWITCHED_OFF
        record(action=action, actor=actor, object_kind="user", object_id=user.id)
        _end_keys_of(user, actor)
    if user.role != before[0]:
        detail = {"role": user.role, "before": before[0]}
        record(action=Action.USER_CHANGED, actor=actor, object_kind="user", object_id=user.id, detail=detail)
    tokens.end_all(user)
    _end_in_sandbox(user, actor)
    return user


def _end_in_sandbox(user: User, actor: Actor) -> None:
    """Who lost access, or has another role, is in the sandbox no longer either; a ticket of now lets them in again as who they are now."""
    sandbox = sandbox_beside(current_schema())
    if sandbox is None:
        return
    with tenant_context(sandbox):
        person = User.objects.select_for_update().filter(email=user.email).first()
        if person is not None:
            person.is_active = False
            person.save(update_fields=["is_active"])
            tokens.end_all(person)
            if not user.is_active:
                _end_keys_of(person, actor)


def _end_keys_of(user: User, actor: Actor) -> None:
    """Who has no access any more has none by a key either; whoever rotates it first makes it their own."""
    if not user.is_active:
        for key_id in ApiKey.objects.filter(created_by_id=user.id, revoked_at=None).values_list("id", flat=True):
            revoke_api_key(key_id=key_id, actor=actor)


def change_password(*, user: User, current: str, new: str, actor: Actor, kept: uuid.UUID | None = None) -> None:
    """The password is the new one, and every token, link and session of before has ended, but the session that is `kept`. A wrong guess of
    the current one counts like a failed login. Raises PasswordRefused."""
    is_locked = passwords.is_locked(user.email, actor.address)
    if len(current) > passwords.LONGEST or not user.check_password(current) or is_locked:
        _note_failed_guess(user, actor, is_locked=is_locked)
        message = "The current password is not right, or there were too many attempts; then wait 15 minutes."
        raise PasswordRefused(fields={"current": message})
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=user.id)
        passwords.check_password_choice(new, user, field="new")
        user.set_password(new)
        user.save(update_fields=["password"])
        AccessLink.objects.filter(user=user, used_at=None).update(used_at=timezone.now())
        tokens.end_all(user, kept=kept)
        record(action=Action.PASSWORD_CHANGED, actor=actor, object_kind="user", object_id=user.id)


@transaction.atomic
def choose_time_zone(*, user: User, time_zone: str, actor: Actor) -> None:
    """Pages tell the person times of this zone. Raises UserRefused."""
    if faults := faults_of_person(time_zone=time_zone):
        raise UserRefused(fields=faults)
    if User.objects.filter(id=user.id).exclude(time_zone=time_zone).update(time_zone=time_zone):
        record(action=Action.USER_CHANGED, actor=actor, object_kind="user", object_id=user.id, detail={"time_zone": time_zone})


@transaction.atomic
def choose_language(*, user: User, language: str, actor: Actor) -> None:
    """Pages speak this language to the person, and their decisions are reasoned in it. Raises UserRefused."""
    if faults := faults_of_person(language=language):
        raise UserRefused(fields=faults)
    before = User.objects.select_for_update().get(id=user.id).language
    if before != language:
        User.objects.filter(id=user.id).update(language=language)
        detail = {"language": language, "before": before}
        record(action=Action.USER_CHANGED, actor=actor, object_kind="user", object_id=user.id, detail=detail)


@transaction.atomic
def _note_failed_guess(user: User, actor: Actor, *, is_locked: bool) -> None:
    passwords.note_failure(user.email, actor.address)
    detail = {"locked": is_locked, "at": "password_change"}
    record(action=Action.USER_LOGIN_FAILED, actor=actor, object_kind="user", object_id=user.id, detail=detail)


def check_login(*, email: str, password: str, actor: Actor) -> User:
    """Whose password this is; what else is asked for, `sign_in` knows. One answer in one time for an unknown address, a wrong password
    and too many attempts. Raises LoginRefused."""
    email = email.strip().lower()
    user = User.objects.filter(email=email).first() if len(password) <= passwords.LONGEST else None
    is_locked = passwords.is_locked(email, actor.address)
    if user is None:
        make_password(password[: passwords.LONGEST])    # as slow as checking one
        is_right = False
    else:
        is_right = user.check_password(password) and user.is_active
    if user is None or not is_right or is_locked:
        with transaction.atomic():
            passwords.note_failure(email, actor.address)
            found = user.id if user else ""
            record(action=Action.USER_LOGIN_FAILED, actor=actor, object_kind="user", object_id=found, detail={"locked": is_locked})
        raise LoginRefused
    return user


def record_logout(*, user: User, actor: Actor) -> None:
    """The record says that this person left."""
    record(action=Action.USER_LOGGED_OUT, actor=actor, object_kind="user", object_id=user.id)


# ---- keys


@transaction.atomic
def create_api_key(*, name: str, actor: Actor, scopes: Iterable[str] | None = None, expires_at: datetime | None = None) -> NewApiKey:
    """A machine can act for the partner with this key. Raises ApiKeyRefused."""
    chosen = sorted(KEY_SCOPES if scopes is None else set(scopes))
    if faults := faults_of_api_key(name=name, scopes=chosen, expires_at=expires_at):
        raise ApiKeyRefused(fields=faults)
    made = _new_key(name=name.strip(), scopes=chosen, expires_at=expires_at, actor=actor)
    detail = {"hint": made.key.hint, "scopes": chosen}
    record(action=Action.API_KEY_CREATED, actor=actor, object_kind="api_key", object_id=made.key.id, detail=detail)
    return made


def faults_of_api_key(
    *, name: str | None = None, scopes: Iterable[str] | None = None, expires_at: datetime | None = None
) -> dict[str, str]:
    """What is wrong with a key's details, by name; what is None is not looked at."""
    faults: dict[str, str] = {}
    if name is not None and not (name.strip() and len(name) <= 80):
        faults["name"] = "The name needs 1 to 80 characters."
    if scopes is not None:
        wanted = sorted(set(scopes))
        if unknown := [scope for scope in wanted if scope not in KEY_SCOPES]:
            faults["scopes"] = f"A key cannot have {', '.join(unknown)}; possible are {', '.join(sorted(KEY_SCOPES))}."
        elif not wanted:
            faults["scopes"] = "A key needs at least one scope."
    if expires_at is not None and expires_at <= timezone.now():
        faults["expires_at"] = "The key would have expired already."
    return faults


@transaction.atomic
def rotate_api_key(*, key_id: uuid.UUID, actor: Actor, overlap: timedelta = ROTATION_OVERLAP) -> NewApiKey:
    """A new key does what the old one did; the old one works until the overlap ends. Raises ApiKeyUnknown or ApiKeyRefused."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ApiKeyRefused(f"The overlap is 0 to {LONGEST_OVERLAP.days} days.")
    old = ApiKey.objects.select_for_update().filter(id=key_id, revoked_at=None, replaced_by=None).first()
    if old is None:
        raise ApiKeyUnknown
    made = _new_key(name=old.name, scopes=[str(scope) for scope in old.scopes], expires_at=old.expires_at, actor=actor)
    ends = timezone.now() + overlap
    old.expires_at = min(ends, old.expires_at) if old.expires_at else ends
    old.replaced_by = made.key
    old.save(update_fields=["expires_at", "replaced_by"])
    detail = {"replaced_by": str(made.key.id), "overlap_seconds": int(overlap.total_seconds())}
    record(action=Action.API_KEY_ROTATED, actor=actor, object_kind="api_key", object_id=old.id, detail=detail)
    return made


@transaction.atomic
def revoke_api_key(*, key_id: uuid.UUID, actor: Actor) -> None:
    """The key opens nothing any more; the statement that stores a decision sees to it at once. Raises ApiKeyUnknown."""
    if not ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=timezone.now()):
        raise ApiKeyUnknown
    record(action=Action.API_KEY_REVOKED, actor=actor, object_kind="api_key", object_id=key_id)


def _new_key(*, name: str, scopes: list[str], expires_at: datetime | None, actor: Actor) -> NewApiKey:
    slug = slug_of(current_schema())
    secret = keys.make_key(slug)
    key = ApiKey(name=name, digest=keys.digest_of(secret), hint=secret[-4:], scopes=scopes, expires_at=expires_at, created_by=actor.label)
    key.kind = keys.kind_of(slug)
    key.created_by_id = uuid.UUID(actor.id) if actor.kind == "user" else None
    key.created_at = timezone.now()
    key.save(force_insert=True)
    return NewApiKey(key, secret)
