"""Sessions: how one begins, whose it is while it is open, and how it ends."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.contrib.sessions.models import Session as BrowserSession
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.accounts import passwords, second_factor, tokens
from partners.accounts.errors import LoginRefused
from partners.accounts.models import AccessLink, Session, User
from partners.accounts.tokens import TokenPair

SEEN_EVERY = timedelta(seconds=20)    # a write for each page would cost more than the page
KEPT = timedelta(days=90)
LONGEST_AGENT = 200


@transaction.atomic
def begin_session(*, user: User, factor: Session.Factor, channel: Session.Channel, actor: Actor, agent: str = "") -> Session:
    """The person is signed in. Raises SecondFactorNeeded or SecondFactorMissing where a password alone is not enough, and LoginRefused
    where their access was changed since they were asked."""
    person = User.objects.select_for_update().filter(id=user.id, is_active=True, token_epoch=user.token_epoch).first()
    if person is None:
        raise LoginRefused
    if factor == Session.Factor.PASSWORD:
        second_factor.refuse_password_alone(person)
    passwords.forget_failures(person)
    User.objects.filter(id=person.id).update(last_login=timezone.now())
    session = Session.objects.create(
        user=person, token_epoch=person.token_epoch, channel=channel, factor=factor, address=actor.address, agent=agent[:LONGEST_AGENT]
    )
    who = replace(actor, kind="operator" if person.is_staff else "user", id=str(person.id), label=person.name, role=person.role)
    detail = {"factor": factor, "channel": channel, "session": str(session.id)}
    record(action=Action.USER_LOGGED_IN, actor=who, object_kind="user", object_id=person.id, detail=detail)
    return session


def sign_in_for_tokens(*, user: User, otp: str, actor: Actor, agent: str = "") -> TokenPair:
    """Tokens for a person whose password was right. Raises CodeRefused, SecondFactorNeeded or SecondFactorMissing."""
    factor = second_factor.check_code(user=user, code=otp, actor=actor) if otp else Session.Factor.PASSWORD
    session = begin_session(user=user, factor=factor, channel=Session.Channel.API, actor=actor, agent=agent)
    return tokens.issue_tokens(session.user, session=session)


def open_sessions(user: User) -> Sequence[Session]:
    """Where this person is signed in, who was there last first."""
    return list(Session.objects.filter(tokens.is_open(), user=user).select_related("user").order_by("-seen_at"))


def session_of(session_id: uuid.UUID, *, is_use: bool = True) -> Session | None:
    """The session with its person, None once it has ended; looking is using it, unless a page looks by itself."""
    found = Session.objects.filter(tokens.is_open(), id=session_id).select_related("user").first()
    now = timezone.now()
    if found is not None and is_use and now - found.seen_at >= SEEN_EVERY:
        Session.objects.filter(id=found.id).update(seen_at=now)
    return found


@transaction.atomic
def end_session(*, user: User, session_id: uuid.UUID, actor: Actor) -> None:
    """This session of the person has ended, with its tokens."""
    if tokens.end_session(session_id, user):
        detail = {"session": str(session_id)}
        record(action=Action.SESSION_ENDED, actor=actor, object_kind="user", object_id=user.id, detail=detail)


def forget_old_sessions() -> None:
    """Sessions and links that were over 90 days ago are gone, what browsers' cookies no longer open, and counts of failures that count no
    more."""
    before = timezone.now() - KEPT
    Session.objects.filter(Q(ended_at__lt=before) | Q(seen_at__lt=before)).delete()
    AccessLink.objects.filter(expires_at__lt=before).delete()
    BrowserSession.objects.filter(expire_date__lt=timezone.now()).delete()
    passwords.forget_old_failures()
