"""Pages about the record: searched, one event with its proof, summed up, checked."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.errors import CheckpointUnknown, EventNotSealed, EventUnknown, TreeBroken, VerificationRunning
from audit.models import Event, Verification
from audit.proofs import Inclusion, inclusion, newest_checkpoint
from audit.selectors import EventFilters, actions_recorded, event
from audit.services import is_untouched, receipt_of
from audit.verification import ask_verification, last_verification
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.record.search import EventPage, about_applicant, actors_called, event_page
from portal.record.web.words import ACTION_WORDS, NOUN_WORDS, action_words
from scoring.errors import CursorRefused, FilterRefused
from scoring.selectors.asked import day_of

_TEXTS = ("person", "applicant", "request", "object")
FILTERS = (*_TEXTS, "action", "since", "until")    # as the address has them
_LONGEST = 200
_MONTH = timedelta(days=30)


class EventListPage(Page):
    """Everything that was recorded, newest first; the address is the state."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The events that the address asks for."""
        wanted = {name: value for name in FILTERS if (value := request.GET.get(name, "").strip())}
        may_read = self.user.allows(Permission.APPLICANT_READ)
        context: dict[str, Any] = {"wanted": wanted, "nouns": NOUN_WORDS.items(), "actions": ACTION_WORDS.items(), "may_read": may_read,
                                   "last": last_verification()}  # fmt: skip
        if "applicant" in wanted and not may_read:
            context["problem"] = _("Your role does not see who was scored, so it cannot search by reference.")
            return render(request, "record/event_list.html", context, status=403)
        try:
            page = event_page(filters_of(wanted), cursor=request.GET.get("cursor") or None)
        except (FilterRefused, CursorRefused) as refusal:
            return render(request, "record/event_list.html", {**context, "problem": refusal.detail}, status=422)
        context |= {"rows": _rows(page), "next": urlencode({**wanted, "cursor": page.next_cursor}) if page.next_cursor else ""}
        return render(request, "record/event_list.html", context)


def filters_of(wanted: Mapping[str, str]) -> EventFilters:
    """What the address asks for. Raises FilterRefused."""
    if any(len(value) > _LONGEST or not value.isprintable() for value in wanted.values()):
        raise FilterRefused(_("What is looked for has at most 200 characters."))
    action = wanted.get("action")
    if action is not None and action not in ACTION_WORDS and action not in NOUN_WORDS:
        raise FilterRefused(_("There is no such action."))
    return EventFilters(
        action=action, request_id=wanted.get("request"), object_id=wanted.get("object"),
        actors=actors_called(wanted["person"]) if "person" in wanted else None,
        objects=about_applicant(wanted["applicant"]) if "applicant" in wanted else None,
        since=day_of(wanted.get("since")), until=day_of(wanted.get("until")),
    )  # fmt: skip


def _rows(page: EventPage) -> list[tuple[Event, str, int | None]]:
    return [(one, action_words(one.action), one.leaf.position if hasattr(one, "leaf") else None) for one in page.events]


class EventDetailPage(Page):
    """One event: what changed, who did it, and the proof that it stands where it was put."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest, event_id: uuid.UUID) -> HttpResponse:
        """The event, or 404."""
        try:
            found = event(event_id)
        except EventUnknown as error:
            raise Http404 from error
        proof = _proof(found)
        context = {
            "event": found, "words": action_words(found.action), "detail": sorted(found.detail.items()), "proof": proof,
            "receipt": receipt_of(found), "is_untouched": is_untouched(found) and proof is not None, "is_sealed": hasattr(found, "leaf"),
            "root": bytes(proof.checkpoint.root).hex() if proof else "", "leaf_hash": bytes(found.leaf_hash).hex(),
        }  # fmt: skip
        return render(request, "record/event_detail.html", context)


def _proof(found: Event) -> Inclusion | None:
    """None until the event is sealed, and where the tables do not lead to the signed root."""
    try:
        return inclusion(found, newest_checkpoint())
    except (EventNotSealed, CheckpointUnknown, TreeBroken):
        return None


class RecordSummaryPage(Page):
    """What was recorded in a time, by action and by who acted."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """Counts; of the last 30 days unless another time is asked for."""
        wanted = {name: value for name in ("since", "until") if (value := request.GET.get(name, "").strip())}
        context: dict[str, Any] = {"wanted": wanted}
        try:
            until = day_of(wanted.get("until")) or timezone.now()
            since = day_of(wanted.get("since")) or until - _MONTH
        except FilterRefused as refusal:
            return render(request, "record/record_summary.html", {**context, "problem": refusal.detail}, status=422)
        counts = actions_recorded(since, until)
        rows = [(action, action_words(action), kind, count) for action, kind, count in counts]
        days = {"since": timezone.localdate(since), "until": timezone.localdate(until) + timedelta(days=1 - ("until" in wanted))}
        context |= {"rows": rows, "total": sum(count for *_others, count in counts), "since": since, "until": until,
                    "days": urlencode(days)}  # fmt: skip
        return render(request, "record/record_summary.html", context)


class RecordCheckPage(Page):
    """The check of the whole record: begun by a button, followed while it runs, its result kept."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """How far it is, or what came of it."""
        last = last_verification()
        is_live = last is not None and last.finished_at is None
        percent = min(100, 100 * last.checked // max(1, last.total)) if last else 0
        took = (last.finished_at - last.created_at).total_seconds() if last and last.finished_at else 0
        context = {"last": last, "is_live": is_live, "percent": percent, "took": took, "state": Verification.State}
        return render(request, "record/record_check.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Begins one, unless one runs already."""
        with suppress(VerificationRunning, CheckpointUnknown):
            ask_verification(actor=self.actor)    # the scheduler calls a worker
        return HttpResponseRedirect(reverse("record:record-check"))


def since_ever() -> datetime:
    """Before the first event."""
    return datetime(1970, 1, 1, tzinfo=UTC)
