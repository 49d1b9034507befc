"""The demo's applications: of every state, some late, some put off, some waiting for a second person, with notes and tags."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from audit.context import SYSTEM, Actor
from audit.vault import keyring
from partners.accounts.models import User
from partners.accounts.roles import Role
from partners.money import decimals
from portal.approvals.models import Application, ApprovalPolicy
from portal.approvals.services.applications import Asked, receive_application
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.moves import Why
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.services.queue import escalate_application, open_application, snooze_application, tag_application
from portal.approvals.services.sweeps import expire_applications
from portal.approvals.services.work import assign_application, write_note
from portal.approvals.transitions import WAITING, MoveName
from scoring.models import Channel, Product
from scoring.services.score import ScoreItem

LIMIT = 60_000    # of the currency: above it two people decide
# When those that wait are due, in minutes from now; then half an hour more for each further one.
_DUE = (-25, 20, 72, 100, 125, 150)
Step = Callable[[Application, Actor, Actor], object]


def add_applications(product_slug: str, items: Sequence[ScoreItem], amounts: Sequence[float], currency: str, language: str) -> None:
    """Each of these applicants has an application, and people have worked on those that wait. Who has one keeps it as it is."""
    product = Product.objects.get(slug=product_slug)
    places = decimals(currency)
    if not ApprovalPolicy.objects.filter(product=product).exists():
        change_approval_policy(product_slug=product_slug, actor=SYSTEM, limits={currency: LIMIT * 10**places})
    known = set(Application.objects.filter(product=product).values_list("applicant_id", flat=True))
    officer, approver = _person(Role.OFFICER), _person(Role.APPROVER)
    waiting = []
    for place, (item, amount) in enumerate(zip(items, amounts, strict=True)):
        if keyring().applicant_id(item.applicant.reference) in known:
            continue
        asked = Asked(product_slug, item.applicant, item.values, round(amount) * 10**places, currency, language)
        sent_by = officer if place % 4 == 3 else SYSTEM
        receive_application(asked=asked, actor=sent_by, channel=Channel.PORTAL if sent_by is officer else Channel.API, render=_nothing)
        made = Application.objects.select_related("applicant").get(applicant_id=keyring().applicant_id(item.applicant.reference))
        if made.state in WAITING:
            waiting.append(made)
    for place, one in enumerate(waiting):
        _worked_on(one, place, officer, approver)
    expire_applications()


def _worked_on(one: Application, place: int, officer: Actor, approver: Actor) -> None:
    minutes = _DUE[place] if place < len(_DUE) else 150 + 30 * (place - len(_DUE) + 1)
    changed: dict[str, datetime] = {"due_at": datetime.now(UTC) + timedelta(minutes=minutes)}
    step = _STEPS[place % len(_STEPS)]
    if step is _lapse:
        changed["expires_at"] = datetime.now(UTC)
    Application.objects.filter(id=one.id).update(**changed)
    if step is not None:
        step(one, officer, approver)


def _nothing(made: Application) -> bytes:
    return made.id.bytes


def _person(role: Role) -> Actor:
    user = User.objects.filter(role=role).order_by("created_at")[0]
    return Actor(kind="user", id=str(user.id), label=user.name, role=user.role)


def _look(one: Application, officer: Actor, approver: Actor) -> None:
    open_application(application_id=one.id, actor=officer)
    assign_application(application_id=one.id, assignee_id=_id(officer), actor=officer)


def _keep_open(one: Application, officer: Actor, approver: Actor) -> None:
    open_application(application_id=one.id, actor=approver)


def _ask(one: Application, officer: Actor, approver: Actor) -> None:
    _look(one, officer, approver)
    write_note(application_id=one.id, text="Called at noon; the March statement comes tomorrow.", actor=officer)
    _decide(one, MoveName.ASK_INFORMATION, officer, "documents_missing", "Bring the bank statement of March.")


def _approve(one: Application, officer: Actor, approver: Actor) -> None:
    _decide(one, MoveName.APPROVE, officer, "income_proven", "Statements of six months were seen.")


def _offer(one: Application, officer: Actor, approver: Actor) -> None:
    _decide(one, MoveName.COUNTER_OFFER, officer, "good_history_here", "Half of it now, the rest after three payments.", half=True)


def _decline(one: Application, officer: Actor, approver: Actor) -> None:
    _decide(one, MoveName.DECLINE, officer, "documents_in_doubt", "The licence could not be confirmed.")


def _withdraw(one: Application, officer: Actor, approver: Actor) -> None:
    _decide(one, MoveName.WITHDRAW, officer, "applicant_withdrew", "")


def _lapse(one: Application, officer: Actor, approver: Actor) -> None:
    """It expires with the sweep."""


def _put_off(one: Application, officer: Actor, approver: Actor) -> None:
    snooze_application(application_id=one.id, until=datetime.now(UTC) + timedelta(hours=20), actor=officer)


def _escalate(one: Application, officer: Actor, approver: Actor) -> None:
    escalate_application(application_id=one.id, actor=officer)


def _tag(one: Application, officer: Actor, approver: Actor) -> None:
    tag_application(application_id=one.id, tags=["second-loan", "visit"], actor=officer)
    write_note(application_id=one.id, text="The stall was visited on Tuesday.", actor=officer)


def _decide(one: Application, move: MoveName, who: Actor, code: str, note: str, *, half: bool = False) -> None:
    offered = one.amount_minor // 2 if half else None
    decide_application(application_id=one.id, move=move, why=Why(code, note), actor=who, offered_minor=offered)


def _id(actor: Actor) -> uuid.UUID:
    return uuid.UUID(actor.id)


_STEPS: Sequence[Step | None] = (
    None, _ask, _look, None, _approve, None, _put_off, _tag, None, _offer, _escalate, None, _decline, _withdraw, None, _keep_open, None,
    _lapse,
)  # fmt: skip
