"""One application as its page shows it: who asks, why the score is not higher, and what this person can do about it now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from partners.accounts.models import User
from partners.accounts.roles import Permission
from portal.approvals import selectors
from portal.approvals.four_eyes import ABOVE_LIMIT, is_override, why_two
from portal.approvals.models import Application, ApplicationFile, ApprovalPolicy, Review, SecondOpinion
from portal.approvals.people import has_entered, is_applicant
from portal.approvals.sealed import open_text
from portal.approvals.selectors.notices import notices_sent
from portal.approvals.services.files import name_of
from portal.approvals.services.policies import policy_in_force
from portal.approvals.services.work import next_in_queue, previous_in_queue
from portal.approvals.transitions import DECIDED, TOLD, MoveName, moves_from
from portal.approvals.web.queue import deciding_people
from portal.approvals.web.queue_words import because_words
from portal.approvals.web.words import (
    INFORMATION,
    MOVED,
    REFUSALS,
    USUAL,
    happened,
    reason_words,
    why_two_words,
)
from portal.templatetags.vouch import money
from scoring import registry
from scoring import selectors as scores
from scoring.engine.product import Product
from scoring.engine.recourse import Alternative
from scoring.selectors.figures import ScoreBin, score_spread
from scoring.web.charts import Columns, score_chart
from scoring.web.evidence import evidence
from scoring.web.written import in_page_language, language_of_page

CHOICES: Mapping[str, MoveName] = {
    "approve": MoveName.APPROVE, "counter": MoveName.COUNTER_OFFER, "decline": MoveName.DECLINE, "ask": MoveName.ASK_INFORMATION,
}  # fmt: skip
KEYS: Mapping[str, str] = {"approve": "a", "counter": "o", "decline": "d", "ask": "i"}
OTHER_MOVES = (MoveName.ACCEPT_OFFER, MoveName.RECONSIDER, MoveName.RESUME, MoveName.WITHDRAW)
_EARLIER = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of the panel. `two`: why a second person is needed; `reasons`: code and words; without `has_usual` one must be chosen."""

    value: str
    key: str
    title: str
    button: str
    two: str
    reasons: list[tuple[str, str]]
    has_usual: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the timeline."""

    title: str
    who: str
    reason: str
    note: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where the score stands among the product's latest."""

    chart: Columns
    bins: tuple[ScoreBin, ...]
    total: int
    lower_share: float


class Case:
    """An application opened for one person."""

    def __init__(self, application: Application, user: User) -> None:
        self.application, self.user = application, user
        assert application.decision_id is not None
        self.language = language_of_page()
        self.detail = scores.decision_detail(application.decision_id, language=self.language)
        self.policy = policy_in_force(application.product_id)
        self.proposal = selectors.open_proposal(application)
        self.may_read = user.allows(Permission.APPLICANT_READ)

    def context(self) -> dict[str, Any]:
        """All that the page shows."""
        one, panel = self.application, self.panel()
        product = in_page_language(registry.current(one.product.slug).definition)
        return {
            "one": one, "panel": panel, "is_erased": one.applicant is None or one.applicant.is_erased,
            "choices": self.choices() if panel == "decide" else [], "proposal": self._proposal(),
            "here_because": "" if one.because == "referred" else because_words(one.because),
            "decided": self._decided(), "others": self._others(panel), "limit": self._limit(), "refusals": list(REFUSALS.items()),
            "holds_it": self._holds(), "following": next_in_queue(one, self.user) if self._decides() else None,
            "preceding": previous_in_queue(one, self.user) if self._decides() else None,
            "letters": notices_sent(one) if self.may_read else [], "owes_letter": one.state in TOLD,
            "files": self._files(), "may_work": self._decides(), "people": deciding_people() if panel == "decide" else [],
            **self._evidence(product), "timeline": self._timeline(), "applications": self._others_of_applicant(),
        }  # fmt: skip

    def panel(self) -> str:
        """What this person can do: decide, second, proposer, waits, own, locked, erased, look, decided."""
        one = self.application
        if self.proposal is not None:
            return self._panel_of_proposal(self.proposal)
        if not one.is_waiting:
            return "decided"
        if not self._decides():
            return "look"
        if one.applicant is None or one.applicant.is_erased:
            return "erased"
        if is_applicant(self.user, one.applicant):
            return "own"
        return "locked" if self._is_locked() else "decide"

    def choices(self) -> list[Choice]:
        """The answers of the panel that the state allows."""
        possible = moves_from(self.application.state)
        return [self._choice(value, move) for value, move in CHOICES.items() if move in possible]

    def _panel_of_proposal(self, proposal: SecondOpinion) -> str:
        if proposal.proposed_by_id == self.user.id:
            return "proposer"
        if not self.user.allows(Permission.APPLICATION_APPROVE):
            return "waits"
        if self.application.applicant is not None and is_applicant(self.user, self.application.applicant):
            return "own"
        return "entered" if has_entered(self.user.id, self.application) else "second"

    def _decides(self) -> bool:
        return self.user.allows(Permission.APPLICATION_DECIDE)

    def _is_locked(self) -> bool:
        one = self.application
        return one.locked_by_id not in {None, self.user.id} and one.locked_until is not None and one.locked_until > datetime.now(UTC)

    def _holds(self) -> bool:
        one = self.application
        return one.locked_by_id == self.user.id and one.locked_until is not None and one.locked_until > datetime.now(UTC)

    def _limit(self) -> str:
        """The most that one person may lend; empty without a limit."""
        limits: Mapping[str, int] = self.policy.limits
        found = limits.get(self.application.currency)
        return "" if found is None else money(found, self.application.currency)

    def _choice(self, value: str, move: MoveName) -> Choice:
        one = self.application
        asked = money(one.amount_minor, one.currency)
        titles = {"approve": _("Approve %(amount)s") % {"amount": asked}, "counter": _("Offer something else"), "decline": _("Decline"),
                  "ask": _("Ask for information")}  # fmt: skip
        if value == "ask":
            words = [(code, str(text)) for code, text in INFORMATION.items()]
            return Choice(value, KEYS[value], titles[value], _("Ask, open the next"), "", words, has_usual=True)
        because = why_two(self.policy, one, move)
        if value == "counter":    # the amount is not known yet
            because = [reason for reason in because if reason != ABOVE_LIMIT]
        buttons = {"approve": _("Approve, open the next"), "counter": _("Send the offer, open the next"),
                   "decline": _("Decline, open the next")}  # fmt: skip
        button = _("Propose it, open the next") if because else buttons[value]
        against = is_override(move, one.outcome)
        reasons = self._reasons(value, against)
        return Choice(value, KEYS[value], titles[value], button, self._two(value, because, asked), reasons, has_usual=not against)

    def _two(self, value: str, because: list[str], asked: str) -> str:
        said = why_two_words(because, self._limit(), asked)
        if said:
            return _("A second person must agree. %(why)s") % {"why": said}
        if value == "counter" and self._limit():
            return _("Above %(limit)s a second person must agree.") % {"limit": self._limit()}
        return ""

    def _reasons(self, value: str, against: bool) -> list[tuple[str, str]]:
        texts: Mapping[str, Mapping[str, str]] = self.policy.override_reasons
        own = [(code, reason_words(code, texts, self.language)) for code in texts]
        if against:
            return own
        usual = USUAL[value]
        return [(usual, reason_words(usual, {}, self.language)), *own]

    def _words_of(self, code: str, policy: ApprovalPolicy | None = None) -> str:
        return reason_words(code, (policy or self.policy).override_reasons, self.language)

    def _proposal(self) -> dict[str, Any] | None:
        """What waits for a second person, with the words of who proposed it."""
        found, one = self.proposal, self.application
        if found is None:
            return None
        amount = money(found.offered_minor or one.amount_minor, one.currency)
        titles = {
            MoveName.APPROVE: _("%(who)s approves %(amount)s"), MoveName.COUNTER_OFFER: _("%(who)s offers %(amount)s instead"),
            MoveName.DECLINE: _("%(who)s declines"),
        }  # fmt: skip
        agrees = {
            MoveName.APPROVE: _("Agree, approve %(amount)s"), MoveName.COUNTER_OFFER: _("Agree, offer %(amount)s"),
            MoveName.DECLINE: _("Agree, decline"),
        }  # fmt: skip
        move = MoveName(found.move)
        return {
            "row": found, "who": found.proposed_by.name, "agree": agrees[move] % {"amount": amount},
            "title": titles[move] % {"who": found.proposed_by.name, "amount": amount}, "reason": self._words_of(found.reason_code),
            "note": open_text(one, found) if self.may_read else None, "move": MOVED[move],
            "why": why_two_words(list(found.because), self._limit(), amount),
        }  # fmt: skip

    def _decided(self) -> Review | None:
        """Who decided, when and why."""
        if self.application.state not in DECIDED:
            return None
        moves = [*(str(move) for move in CHOICES.values()), str(MoveName.ACCEPT_OFFER)]
        found = self.application.reviews.filter(move__in=moves, to_state=self.application.state)
        return found.select_related("second_opinion__proposed_by").order_by("-revision").first()

    def _others(self, panel: str) -> list[tuple[str, str]]:
        """The rarer moves that are possible now."""
        if not self._decides() or panel in {"own", "locked", "second", "entered", "waits", "proposer"}:
            return []
        titles = {
            MoveName.ACCEPT_OFFER: _("The applicant accepted the offer"), MoveName.RECONSIDER: _("Open it again"),
            MoveName.RESUME: _("What was asked for is here: go on"), MoveName.WITHDRAW: _("The applicant withdrew it"),
        }  # fmt: skip
        possible = moves_from(self.application.state)
        return [(str(move), titles[move]) for move in OTHER_MOVES if move in possible]

    def _evidence(self, product: Product) -> dict[str, Any]:
        found = evidence(self.detail, product, self.user)
        recourse = found["recourse"]
        return {
            **found, "paths": [(one, self._offer(one, product)) for one in recourse.alternatives] if recourse else [],
            "place": None if found["is_rules_only"] else self._place(),
        }  # fmt: skip

    def _offer(self, way: Alternative, product: Product) -> str:
        """The amount to offer, where lending less is all that changes; else empty."""
        change, currency = way.changes[0], self.application.currency
        units = {one.name: one.unit for one in product.contract.inputs}
        asked, before, after = Decimal(self.application.amount), change.before, change.after
        if len(way.changes) > 1 or units.get(change.input) != currency or not isinstance(before, int | float) or Decimal(before) != asked:
            return ""
        return f"{after:.0f}" if isinstance(after, int | float) and 0 < after < before else ""

    def _place(self) -> Place | None:
        """Among the latest scores of the product; None while there are too few to say anything."""
        spread = score_spread(self.application.product_id, self.detail.summary.score)
        if spread.total < 20:
            return None
        policy, score = registry.current(self.application.product.slug).policy, self.detail.summary.score
        chart = score_chart(spread.bins, cut_offs=sorted({policy.decline_below, policy.approve_from}), chosen=score)
        return Place(chart, spread.bins, spread.total, spread.lower / spread.total)

    def _others_of_applicant(self) -> list[Application]:
        one = self.application
        if not self.may_read or one.applicant is None:
            return []
        found = selectors.applications_of(one.applicant.id, at_most=_EARLIER + 1)
        return [row for row in found if row.id != one.id][:_EARLIER]

    def _files(self) -> list[tuple[ApplicationFile, str | None]]:
        """The documents with their names, which only those learn who may know who applied."""
        if not self.may_read:
            return []
        is_erased = self.application.applicant is None or self.application.applicant.is_erased
        found = self.application.files.select_related("application__applicant")
        return [(one, None if is_erased else name_of(one)) for one in found]

    def _timeline(self) -> list[Happened]:
        """What happened, the newest first."""
        found = [
            Happened(
                happened(entry.event.action, entry.detail), entry.event.actor_label or _("Vouch"),
                self._words_of(str(entry.detail["reason_code"])) if self._says_why(entry.detail) else "",
                entry.note if self.may_read else None, entry.event.recorded_at,
            )  # fmt: skip
            for entry in selectors.history(self.application)
        ]
        return found[::-1]

    @staticmethod
    def _says_why(detail: Mapping[str, Any]) -> bool:
        return bool(detail.get("reason_code")) and detail.get("move") not in {MoveName.TAKE, MoveName.EXPIRE}
