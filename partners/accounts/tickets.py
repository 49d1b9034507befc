"""Tickets from a partner's pages into its sandbox: signed there, shown here once, within a minute, while the session there is open."""

import uuid
from datetime import timedelta

from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.context import Actor
from partners.accounts.errors import LinkRefused
from partners.accounts.keys import digest_of
from partners.accounts.models import AccessLink, Session, User
from partners.accounts.services import create_user
from partners.accounts.tokens import is_open
from partners.errors import NotASandbox
from partners.selectors import current_partner, other_side
from partners.tenancy import current_schema, is_sandbox, tenant_context

LIFETIME = timedelta(seconds=60)
_FACTS = ("email", "name", "role", "language", "time_zone")


def ticket_for(session: Session, *, sandbox: str) -> str:
    """What lets the session's person into the sandbox with this schema, as signed in as they are here."""
    return signing.dumps(str(session.id), salt=_salt(sandbox))


@transaction.atomic
def use_ticket(*, ticket: str, actor: Actor) -> tuple[User, Session.Factor]:
    """The ticket's person, with the role they have with the partner, and what proved there who they are.

    Raises NotASandbox, and LinkRefused for a ticket that is another sandbox's, too old, was shown before, or whose session has ended."""
    schema = current_schema()
    if not is_sandbox(schema):
        raise NotASandbox
    try:
        session = _session(uuid.UUID(signing.loads(ticket, salt=_salt(schema), max_age=LIFETIME)))
    except signing.BadSignature as error:
        raise LinkRefused from error
    facts = {name: getattr(session.user, name) for name in _FACTS}
    user = User.objects.select_for_update().filter(email=facts["email"]).first() or create_user(**facts, password=None, actor=actor)
    User.objects.filter(id=user.id).update(**facts, is_active=True)
    now = timezone.now()
    try:
        with transaction.atomic():
            AccessLink.objects.create(
                purpose=AccessLink.Purpose.SANDBOX, user=user, digest=digest_of(ticket), expires_at=now + LIFETIME, used_at=now
            )
    except IntegrityError as error:
        raise LinkRefused from error
    user.refresh_from_db()
    return user, Session.Factor(session.factor)


def _session(session_id: uuid.UUID) -> Session:
    """The session with the partner; nobody ends its person's access until this transaction is over. Raises LinkRefused."""
    partner = other_side(current_partner())
    if partner is None:
        raise LinkRefused
    with tenant_context(partner):
        found = Session.objects.filter(is_open(), id=session_id).select_related("user").select_for_update(of=("user",)).first()
    if found is None:
        raise LinkRefused
    return found


def _salt(schema: str) -> str:
    return f"vouch.sandbox:{schema}"
