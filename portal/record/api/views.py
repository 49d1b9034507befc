"""The record over HTTP: searched, summed up, proven."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from audit.actions import Action
from audit.errors import EventUnknown
from audit.models import Checkpoint
from audit.proofs import consistency, inclusion, newest_checkpoint
from audit.selectors import EventFilters, actions_recorded, event
from partners.accounts.authentication import Principal
from partners.accounts.roles import Permission
from partners.api.description import BY_ID, described, paging, path, query
from partners.api.errors import PermissionMissing
from partners.api.queries import PAGE, PAGING, Reader, moment, one_of, read_query, text, whole_number
from partners.api.views import ApiView, answer, identifier, principal_of
from portal.record.api.answers import (
    ActionCount,
    CheckpointPage,
    ConsistencyProof,
    EventPage,
    InclusionProof,
    RecordSummary,
    checkpoint_listed,
    consistency_of,
    event_listed,
    inclusion_of,
)
from portal.record.search import about_applicant, actors_called, event_page

SUMMED = timedelta(days=30)
_LARGEST = 2**62
_NOUNS = sorted({str(action).partition(".")[0] for action in Action})

FILTERS: Mapping[str, Reader] = {
    "action": one_of(*Action, *_NOUNS),
    "actor_id": text,
    "person": text,
    "applicant": text,
    "object_kind": text,
    "object_id": text,
    "request_id": text,
    "recorded_at[gte]": moment,
    "recorded_at[lt]": moment,
}
FILTER_PARAMETERS = (
    query("action", "Only this action, such as `decision.made`, or all about one thing, such as `decision`.",
          type="string", enum=[*Action, *_NOUNS]),
    query("actor_id", "Only what this person or key did."),
    query("person", "Only what people or keys did whose name or e-mail holds this."),
    query("applicant", "Only what is about this applicant, by your own reference."),
    query("object_kind", "Only about things of this kind, such as `product`."),
    query("object_id", "Only about the thing with this id."),
    query("request_id", "Only what this request did."),
    query("recorded_at[gte]", "Only from this moment on.", type="string", format="date-time"),
    query("recorded_at[lt]", "Only before this moment.", type="string", format="date-time"),
)


def filters_of(wanted: dict[str, Any], principal: Principal) -> EventFilters:
    """What is looked for. Raises PermissionMissing for a search by applicant without the right to see applicants."""
    person, reference = wanted.pop("person", None), wanted.pop("applicant", None)
    if reference is not None and not principal.allows(Permission.APPLICANT_READ):
        raise PermissionMissing(f"To search by applicant needs the permission {Permission.APPLICANT_READ}.")
    times = {"since": "recorded_at[gte]", "until": "recorded_at[lt]"}
    return EventFilters(
        **{name: wanted.pop(parameter, None) for name, parameter in times.items()},
        actors=None if person is None else actors_called(person),
        objects=None if reference is None else about_applicant(reference),
        **wanted,
    )


class EventsView(ApiView):
    """The events of the partner."""

    permissions = {"GET": Permission.RECORD_READ}

    @described("Search the record", operation="audit_event_list", gives=EventPage, refuses=(400,),
               parameters=(*FILTER_PARAMETERS, *BY_ID))  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """A page of events, newest first."""
        wanted = read_query(request, {**FILTERS, **PAGING})
        cursor, limit = wanted.pop("cursor", None), wanted.pop("limit", PAGE)
        page = event_page(filters_of(wanted, principal_of(request)), cursor=cursor, limit=limit)
        return answer(EventPage([event_listed(one) for one in page.events], page.next_cursor, page.next_cursor is not None))


class SummaryView(ApiView):
    """How much happened."""

    permissions = {"GET": Permission.RECORD_READ}

    @described("Sum up what was recorded", operation="audit_summary", gives=RecordSummary, refuses=(400,),
               parameters=FILTER_PARAMETERS[-2:], text="Of the last 30 days unless another time is asked for.")  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Counts by action and by who acted."""
        wanted = read_query(request, dict.fromkeys(("recorded_at[gte]", "recorded_at[lt]"), moment))
        until = wanted.get("recorded_at[lt]") or datetime.now(UTC)
        since = wanted.get("recorded_at[gte]") or until - SUMMED
        counts = [ActionCount(*one) for one in actions_recorded(since, until)]
        newest = Checkpoint.objects.order_by("-size").first()
        sealed = (newest.size, newest.created_at) if newest else (0, None)
        return answer(RecordSummary(since, until, sum(one.count for one in counts), counts, *sealed))


class ProofView(ApiView):
    """That one event is in the record."""

    permissions = {"GET": Permission.RECORD_READ}

    @described("Prove that an event is in the record", operation="audit_event_proof", gives=InclusionProof, refuses=(404, 409),
               parameters=(path("event_id", "The event.", type="string", format="uuid"),),
               text="An RFC 9162 inclusion proof under the newest checkpoint, and the receipt. 409 until it is sealed.")  # fmt: skip
    def get(self, request: Request, event_id: str) -> HttpResponse:
        """The event, its place, the hashes that lead to the checkpoint."""
        wanted = identifier(event_id)
        if wanted is None:
            raise EventUnknown
        found = event(wanted)
        return answer(inclusion_of(found, inclusion(found, newest_checkpoint())))


class ConsistencyView(ApiView):
    """That the record only grew."""

    permissions = {"GET": Permission.RECORD_READ}

    @described(
        "Prove that a checkpoint continues an older one", operation="audit_consistency", gives=ConsistencyProof, refuses=(400, 404),
        parameters=(
            query("from", "The size of the older checkpoint.", type="integer", minimum=1, maximum=_LARGEST),
            query("to", "The size of the newer one; the newest when left out.", type="integer", minimum=1, maximum=_LARGEST),
        ),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Both signed notes, and the hashes between them."""
        size = whole_number(1, _LARGEST)
        wanted = read_query(request, {"from": size, "to": size})
        newest = newest_checkpoint().size
        return answer(consistency_of(consistency(wanted.get("from", newest), wanted.get("to", newest))))


class CheckpointsView(ApiView):
    """The signed heads of the tree."""

    permissions = {"GET": Permission.RECORD_READ}

    @described("List checkpoints", operation="audit_checkpoint_list", gives=CheckpointPage, refuses=(400,),
               parameters=paging(type="integer", minimum=1, maximum=_LARGEST),
               text="Keep one of them where nobody else can change it: it shows later that the record was not written anew.")  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """A page of them, newest first."""
        wanted = read_query(request, {**PAGING, "cursor": whole_number(1, _LARGEST)})
        limit, before = wanted.get("limit", PAGE), wanted.get("cursor")
        found = Checkpoint.objects.defer("frontier").order_by("-size")
        rows = list((found if before is None else found.filter(size__lt=before))[: limit + 1])
        following = str(rows[limit - 1].size) if len(rows) > limit else None
        return answer(CheckpointPage([checkpoint_listed(one) for one in rows[:limit]], following, following is not None))
