"""Pages of the registry: act on a version, which version decided when, champion and challenger side by side."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.context import Actor
from audit.errors import DomainError
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import selectors
from scoring.errors import (
    CardUnread,
    CursorRefused,
    ModelVersionUnknown,
    MomentRefused,
    NoChallenger,
    ProductUnknown,
    PromotionUnknown,
    ReasonMissing,
    VersionInForce,
)
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.models import offer_model, retire_model, rollback_model
from scoring.services.promotions import ask_promotion, confirm_promotion, refuse_promotion, withdraw_promotion
from scoring.web.charts import gap_chart
from scoring.web.pages import model_context

_UNKNOWN = (ProductUnknown, ModelVersionUnknown, PromotionUnknown)
_TO_CORRECT = (ReasonMissing, CardUnread)
DAYS = 30
Act = Callable[[str, int, Mapping[str, str], Actor], str]


def _ask(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    ask_promotion(
        product_slug=product, version=version, reason=typed.get("reason", ""), is_card_read=typed.get("card_read") == "yes",
        card_sha256=typed.get("card_sha256", "")[:64], actor=actor,
    )  # fmt: skip
    return _("A second person has to confirm it now. Nothing has changed so far.")


def _confirm(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    confirm_promotion(request_id=_request(product, version, typed), answer=typed.get("reason", ""), actor=actor)
    return _("Version %(version)s is in force: every decision from now on is made by it.") % {"version": version}


def _refuse(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    refuse_promotion(request_id=_request(product, version, typed), answer=typed.get("reason", ""), actor=actor)
    return _("You refused. What was in force before still is.")


def _withdraw(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    withdraw_promotion(request_id=_request(product, version, typed), actor=actor)
    return _("You asked no more. What was in force before still is.")


def _roll_back(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    now = rollback_model(product_slug=product, reason=typed.get("reason", ""), actor=actor, seen=version).version
    if now is None:
        return _("No model is in force: the rules answer from the next decision on.")
    return _("Version %(version)s is in force again: every decision from now on is made by it.") % {"version": now.version}


def _challenge(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    set_challenger(product_slug=product, version=version, reason=typed.get("reason", ""), actor=actor)
    return _("Version %(version)s scores every decision in shadow from now on. It answers nobody.") % {"version": version}


def _rest(product: str, version: int, _typed: Mapping[str, str], actor: Actor) -> str:
    remove_challenger(product_slug=product, actor=actor, seen=version)
    return _("Version %(version)s scores nothing more in shadow; what it scored stays.") % {"version": version}


def _offer(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    offer_model(product_slug=product, version=version, actor=actor, reason=typed.get("reason", ""))
    return _("Version %(version)s is a candidate: anybody with the right to it may ask to put it in force.") % {"version": version}


def _retire(product: str, version: int, typed: Mapping[str, str], actor: Actor) -> str:
    retire_model(product_slug=product, version=version, reason=typed.get("reason", ""), actor=actor)
    return _("Version %(version)s is retired; what it decided stays.") % {"version": version}


_ACTS: Mapping[str, Act] = {
    "ask": _ask, "confirm": _confirm, "refuse": _refuse, "withdraw": _withdraw, "rollback": _roll_back,
    "challenge": _challenge, "rest": _rest, "offer": _offer, "retire": _retire,
}  # fmt: skip


def _request(product: str, version: int, typed: Mapping[str, str]) -> uuid.UUID:
    """The request that the button names, if it is one of this page's version: what is answered is what was looked at."""
    try:
        found = selectors.promotion_request(uuid.UUID(typed.get("request", "")))
    except ValueError as error:
        raise PromotionUnknown from error
    if (found.product, found.version) != (product, version):
        raise PromotionUnknown
    return found.id


class ModelActPage(Page):
    """What people do with a version: offer, ask, answer, take back, let it score in shadow, retire."""

    permission = Permission.MODEL_PROMOTE

    def post(self, request: HttpRequest, product: str, version: int) -> HttpResponse:
        """Does it and goes to the version's page, or shows that page with what stands against it."""
        typed = {name: str(request.POST.get(name, "")) for name in ("act", "reason", "request", "card_read", "card_sha256")}
        status, problem = 422, _("Press one of the buttons of this page.")
        try:
            context = model_context(self.user, product, version)
            if typed["act"] in _ACTS:
                messages.success(request, _ACTS[typed["act"]](product, version, typed, self.actor))
                return HttpResponseRedirect(reverse("scoring:model-detail", args=[product, version]))
        except _UNKNOWN as error:
            raise Http404 from error
        except DomainError as refusal:
            status, problem = 422 if isinstance(refusal, _TO_CORRECT) else 409, _told(refusal)
            context = model_context(self.user, product, version)    # what stands against it may have come meanwhile
        return render(request, "scoring/model_detail.html", {**context, "problem": problem, "typed": typed}, status=status)


def _told(refusal: DomainError) -> str:
    if isinstance(refusal, ReasonMissing):
        return _("Say why, in 1 to 500 characters; nothing was done yet.")
    if isinstance(refusal, CardUnread):
        return _("Read the card of this version first, and say that you did; nothing was done yet.")
    return refusal.detail


class ModelHistoryPage(Page):
    """Which version decided at a moment, and every change there was."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest, product: str) -> HttpResponse:
        """The answer for the moment in the address, or for now; the moment is read in the time zone that the page names."""
        try:
            summary, changes = selectors.product(product), selectors.changes(product, cursor=request.GET.get("cursor") or None)
        except ProductUnknown as error:
            raise Http404 from error
        except CursorRefused:
            return HttpResponseRedirect(reverse("scoring:model-history", args=[product]))
        typed, found, problem, status = request.GET.get("at", "").strip(), None, "", 200
        try:
            at = _moment(typed)
            found = selectors.in_force(product, at)
        except ValueError:
            at, status, problem = timezone.now(), 422, _("A moment is written like 2026-11-21T08:30; nothing could be looked up.")
        except MomentRefused:
            problem = _("The product was not there yet.")
        context = {
            "product": summary, "changes": changes.rows, "next": changes.next_cursor, "found": found, "problem": problem,
            "at": at, "is_now": not typed, "is_later_page": "cursor" in request.GET,
            "zone": timezone.get_current_timezone_name(),
            "typed": typed or timezone.localtime(at).strftime("%Y-%m-%dT%H:%M:%S"),
            "change": selectors.change_at(product, found.revision) if found else None,
        }  # fmt: skip
        return render(request, "scoring/model_history.html", context, status=status)


def _moment(text: str) -> datetime:
    """The moment typed, of the page's time zone unless it says its own; now for none. Raises ValueError."""
    if not text:
        return timezone.now()
    try:
        read = datetime.fromisoformat(text)
        at = read if timezone.is_aware(read) else timezone.make_aware(read)
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


class ModelComparePage(Page):
    """Champion and challenger on the same applicants."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest, product: str) -> HttpResponse:
        """What both decided since the day in the address, since it challenges, or of the last days. Scores nothing by itself."""
        since, problem, status = request.GET.get("since", "").strip(), "", 200
        wanted = request.GET.get("challenger", "")
        chosen = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else None
        context: dict[str, Any] = {"since": since, "found": None, "versions": selectors.challenged_versions(product), "chosen": chosen}
        try:
            context["product"] = selectors.product(product)
            context["chosen"] = number = selectors.challenger_of(product) if chosen is None else chosen
            began = _since(since, selectors.model_version(product, number).challenged_at)
            context["found"] = found = selectors.comparison(product, challenger=number, since=began)
            context["chart"] = gap_chart(found.gaps)
            context["shifts"] = [(before, tuple(after.items())) for before, after in found.shifts.items()]
        except (ProductUnknown, ModelVersionUnknown) as error:
            raise Http404 from error
        except ValueError:
            status, problem = 422, _("A day is written like 2026-11-21.")
        except NoChallenger:
            context["is_none"] = True
        except VersionInForce as refusal:
            problem = refusal.detail
        return render(request, "scoring/model_compare.html", {**context, "problem": problem}, status=status)


def _since(text: str, challenged_at: datetime | None) -> datetime:
    """The beginning of the day typed; else when it began to challenge; else a month ago. Raises ValueError."""
    if not text:
        return challenged_at or timezone.now() - timedelta(days=DAYS)
    try:
        return timezone.make_aware(datetime.combine(date.fromisoformat(text), time.min))
    except OverflowError as error:
        raise ValueError(text) from error
