"""Links by which a person chooses a password, once: an invitation, handed over by an administrator, and a reset, sent by mail or, to an
operator, handed over."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.accounts import passwords, tokens
from partners.accounts.errors import LinkRefused, UserRefused, UserUnknown
from partners.accounts.keys import digest_of
from partners.accounts.models import AccessLink, User
from partners.accounts.services import create_user

INVITATION_LIFETIME = timedelta(days=7)
RESET_LIFETIME = timedelta(minutes=30)
LONGEST = 100    # characters of what a link ends in

Purpose = AccessLink.Purpose


@dataclass(frozen=True, slots=True, repr=False)
class Invitation:
    """A person who is to choose a password, and what their link ends in: shown now and never again."""

    user: User
    token: str
    expires_at: datetime


@transaction.atomic
def invite_person(
    *, email: str, role: str, actor: Actor, name: str = "", language: str = "en", time_zone: str = "UTC"
) -> Invitation:
    """The person may join by a link within a week. Raises UserExists or UserRefused."""
    user = create_user(email=email, role=role, password=None, name=name, language=language, time_zone=time_zone, actor=actor)
    return _invited(user, actor)


@transaction.atomic
def invite_again(*, user_id: uuid.UUID, actor: Actor) -> Invitation:
    """Another link for somebody who has not joined yet; the earlier one opens nothing any more. Raises UserUnknown or UserRefused."""
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserUnknown
    if user.has_joined or not user.is_active:
        raise UserRefused("Only somebody who was invited and has not joined yet can be invited again.")
    return _invited(user, actor)


def _invited(user: User, actor: Actor) -> Invitation:
    made = _handed_over(user, Purpose.INVITATION, INVITATION_LIFETIME)
    record(action=Action.USER_INVITED, actor=actor, object_kind="user", object_id=user.id, detail={"role": user.role})
    return made


def _handed_over(user: User, purpose: AccessLink.Purpose, lifetime: timedelta) -> Invitation:
    _end_links(user)
    token = secrets.token_urlsafe(32)
    ends = timezone.now() + lifetime
    AccessLink.objects.create(purpose=purpose, user=user, digest=digest_of(token), expires_at=ends)
    return Invitation(user, token, ends)


@transaction.atomic
def hand_over_reset(*, user: User, actor: Actor) -> Invitation:
    """A link by which this person chooses another password within 30 minutes; their second factor is asked for as before."""
    made = _handed_over(user, Purpose.RESET, RESET_LIFETIME)
    record(action=Action.PASSWORD_RESET_ASKED, actor=actor, object_kind="user", object_id=user.id)
    return made


@transaction.atomic
def ask_reset(*, email: str, origin: str, actor: Actor) -> None:
    """If somebody who joined has this address, a mail will be sent; whoever asks is told and waits the same in any case."""
    email = email.strip().lower()
    if not passwords.may_ask_reset(email, actor.address):
        return
    user = User.objects.filter(email=email, is_active=True).first()
    found = user if user is not None and user.has_joined else None
    AccessLink.objects.create(purpose=Purpose.RESET, user=found, origin=origin, expires_at=timezone.now() + RESET_LIFETIME)
    record(action=Action.PASSWORD_RESET_ASKED, actor=actor, object_kind="user", object_id=found.id if found else "")


def has_unsent() -> bool:
    """Whether somebody waits for a mail."""
    return _unsent().exists()


def send_resets() -> int:
    """Who asked for a reset has the mail; how many they were. Safe to run beside itself; a mail that cannot be sent is tried again."""
    sent = 0
    for link_id in _unsent().values_list("id", flat=True):
        with transaction.atomic():
            link = _unsent().select_for_update(of=("self",), skip_locked=True).select_related("user").filter(id=link_id).first()
            if link is not None:
                _send(link)
                sent += 1
    return sent


def _unsent() -> QuerySet[AccessLink]:
    return AccessLink.objects.filter(purpose=Purpose.RESET, digest=None, used_at=None, expires_at__gt=timezone.now())


def _send(link: AccessLink) -> None:
    user, token = link.user, secrets.token_urlsafe(32)
    if user is None:
        link.delete()
        return
    _end_links(user, but=link.id)
    link.digest = digest_of(token)
    link.save(update_fields=["digest"])
    with translation.override(user.language):
        text = _(
            "Somebody, most likely you, asked for a new password at %(origin)s.\n\nChoose it within 30 minutes; the link works once:\n\n"
            "%(link)s\n\nYour second factor stays as it is. If it was not you, nothing needs to be done: your password has not changed.\n"
        ) % {"origin": link.origin, "link": f"{link.origin}/link/{token}"}
        send_mail(_("A new password for Vouch"), text, None, [user.email])


def link_of(token: str) -> AccessLink:
    """The link that ends in this. Raises LinkRefused for one that opens nothing any more."""
    return _open(token, AccessLink.objects.select_related("user"))


@transaction.atomic
def use_link(*, token: str, password: str, actor: Actor) -> User:
    """The person has this password, is signed out everywhere, and still needs the second factor. Raises LinkRefused or PasswordRefused."""
    link = _open(token, AccessLink.objects.select_for_update(of=("self",)).select_related("user"))
    assert link.user is not None
    user = User.objects.select_for_update().get(id=link.user.id)
    passwords.check_password_choice(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    _end_links(user)
    tokens.end_all(user)
    action = Action.INVITATION_ACCEPTED if link.purpose == Purpose.INVITATION else Action.PASSWORD_RESET
    record(action=action, actor=actor, object_kind="user", object_id=user.id)
    return user


def _open(token: str, links: QuerySet[AccessLink]) -> AccessLink:
    found = links.filter(digest=digest_of(token[:LONGEST]), used_at=None, expires_at__gt=timezone.now(), user__is_active=True).first()
    if found is None:
        raise LinkRefused
    return found


def _end_links(user: User, *, but: uuid.UUID | None = None) -> None:
    """What was sent or handed over before opens nothing any more."""
    links = AccessLink.objects.filter(user=user, used_at=None)
    (links if but is None else links.exclude(id=but)).update(used_at=timezone.now())
