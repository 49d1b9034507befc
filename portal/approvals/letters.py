"""The letter about a decline or a counter-offer: why, what could change it, score, rights; in the applicant's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import override

from audit.vault import keyring
from portal.approvals.errors import NoticeNotDue, NoticeSettingsMissing
from portal.approvals.four_eyes import is_override
from portal.approvals.letter_texts import TEXTS
from portal.approvals.models import Application, NoticeSettings, Review
from portal.approvals.services.policies import policy_in_force
from portal.approvals.transitions import TOLD, MoveName, State
from portal.templatetags.vouch import money, numbers
from scoring import registry
from scoring.applicants import details_of
from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE
from scoring.engine.reasons import MOST_REASONS
from scoring.errors import ApplicantErased
from scoring.models import AnsweredBy, Decision
from scoring.services.told import Told, told_to_applicant
from scoring.typesetting import typeset

LANGUAGES = tuple(TEXTS)
_MOST_FACTORS = 4


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter, word for word, as the page and the file set it. `facts`: name and value."""

    language: str
    number: str
    sender: list[str]
    recipient: list[str]
    title: str
    greeting: str
    opening: str
    reasons: list[str]
    accept: str
    change_title: str
    changes: list[str]
    score_title: str
    facts: list[tuple[str, str]]
    rights_title: str
    rights: list[str]
    signed: str
    words: dict[str, str]


@dataclass(frozen=True)
class _Wording:
    """The texts of one language, with money and days as they are written there."""

    language: str

    def say(self, text: str, /, **given: str) -> str:
        return TEXTS[self.language][text].format_map(given)

    def money(self, minor: int, currency: str) -> str:
        """KES 120,000; cents only when there are some."""
        with override(self.language):
            return money(minor, currency)

    def numbers(self, text: str) -> str:
        """A text of the product, with its numbers as they are written there."""
        with override(self.language):
            return numbers(text)

    def day(self, moment: datetime) -> str:
        with override(self.language):
            return date_format(timezone.localtime(moment), "j F Y")


def settings_in_force() -> NoticeSettings | None:
    """The newest version of who writes the letters."""
    return NoticeSettings.objects.order_by("-version").first()


def letter_of(application: Application, *, language: str | None = None) -> Letter:
    """The letter as it would be sent now, in the language the applicant asked in unless another one is asked for.

    Raises NoticeNotDue, NoticeSettingsMissing, ApplicantErased, DecisionAltered."""
    if application.state not in TOLD or application.decided_at is None or application.decision_id is None:
        raise NoticeNotDue
    settings = settings_in_force()
    if settings is None:
        raise NoticeSettingsMissing
    details = None if application.applicant is None else details_of(keyring(), application.applicant)
    if details is None:
        raise ApplicantErased
    told = told_to_applicant(decision_id=application.decision_id, language=language, texts=settings.reason_texts)
    words = _Wording(language if language in LANGUAGES else told.language if told.language in LANGUAGES else LANGUAGES[0])
    decision = Decision.objects.defer("sealed").get(id=application.decision_id)
    kind, said = "declined", {"amount": words.money(application.amount_minor, application.currency)}
    if application.state == State.COUNTER_OFFERED and application.offered_minor is not None:
        kind, said["offer"] = "offered", words.money(application.offered_minor, application.currency)
    asked = words.say("application", number=application.number, date=words.day(application.created_at))
    return Letter(
        language=words.language,
        number=application.number,
        sender=[settings.sender, *settings.address.splitlines()],
        recipient=[details.name or details.reference, asked],
        greeting=words.say("greeting", name=details.name) if details.name else words.say("greeting_unnamed"),
        title=words.say(f"{kind}_title", **said),
        opening=words.say(kind, date=words.day(application.decided_at), **said),
        accept=_accept(application, words),
        reasons=_reasons(application, told, words),
        change_title=words.say("change"),
        changes=[words.numbers(one.text) for one in told.recourse.alternatives] if told.recourse and not _goes_against(application) else [],
        score_title=words.say("score"),
        facts=_facts(application, told, decision, words),
        rights_title=words.say("rights"),
        rights=_rights(application, settings, words),
        signed=settings.sender,
        words={"letter": words.say("letter"), "page": words.say("page")},
    )


def letter_pdf(letter: Letter) -> bytes:
    """The file that can be read aloud: the same bytes for the same letter."""
    return typeset("approvals/letter.typ", given={"letter": msgspec.json.encode(letter).decode()})


def _accept(application: Application, words: _Wording) -> str:
    """Until when an offer stands; nothing without one."""
    if application.state != State.COUNTER_OFFERED or application.expires_at is None:
        return ""
    return words.say("accept", date=words.day(application.expires_at))


def _reasons(application: Application, told: Told, words: _Wording) -> list[str]:
    """What people gave as their reason first, then what the model said, unless they decided against it."""
    own = _own_reason(application, words.language)
    by_model = [] if own and _goes_against(application) else [words.numbers(one.text) for one in told.reasons]
    return [*([own] if own else []), *by_model][:MOST_REASONS] or [words.say("no_reasons")]


def _facts(application: Application, told: Told, decision: Decision, words: _Wording) -> list[tuple[str, str]]:
    """The score, its scale, its day and what counted; nothing where no model answered or people decided against it."""
    if decision.answered_by != AnsweredBy.MODEL or _goes_against(application):
        return []
    product = registry.current(application.product.slug).definition
    scale = words.say("scale", score=str(decision.score), low=str(LOWEST_SCORE), high=str(HIGHEST_SCORE))
    labels = {one.name: product.label(one, words.language) for one in product.features}
    factors = [labels.get(one.feature, one.feature) for one in told.reasons if one.points][:_MOST_FACTORS]
    found = [(words.say("score_name"), scale), (words.say("made_on"), words.day(decision.created_at))]
    return [*found, (words.say("factors"), "; ".join(factors))] if factors else found


def _rights(application: Application, settings: NoticeSettings, words: _Wording) -> list[str]:
    phone = words.say("phone", phone=settings.phone) if settings.phone else ""
    asked = words.say("rights_text", email=settings.email, phone=phone, number=application.number)
    return [asked, f"{words.say('complain')} {', '.join(settings.authority.splitlines())}"]


def _goes_against(application: Application) -> bool:
    """Whether people decided otherwise than the model: then its reasons are not theirs."""
    move = MoveName.DECLINE if application.state == State.DECLINED else MoveName.COUNTER_OFFER
    return is_override(move, application.outcome) and application.outcome == "approve"


def _own_reason(application: Application, language: str) -> str:
    """The sentence of the reason that the people who decided gave, if it is one of the policy's; else nothing."""
    decided = [MoveName.DECLINE, MoveName.COUNTER_OFFER]
    review = Review.objects.filter(application=application, move__in=decided).order_by("-revision").first()
    texts: Mapping[str, Mapping[str, str]] = policy_in_force(application.product_id).override_reasons
    found = {} if review is None else texts.get(review.reason_code, {})
    return found.get(language) or found.get("en") or next(iter(found.values()), "")
