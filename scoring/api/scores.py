"""Scores over HTTP: make one or many, list them, look at one, ask why."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import LARGEST, read_body
from partners.api.description import PAGING as PAGING_PARAMETERS
from partners.api.description import described, path, query
from partners.api.errors import PermissionMissing
from partners.api.idempotency import REPLAYED, attempt_of
from partners.api.queries import PAGE, PAGING, Reader, moment, one_of, read_query, text, whole_number
from partners.api.views import ApiView, answer, answer_bytes, identifier, principal_of
from scoring import selectors
from scoring.api import examples
from scoring.api.answers import Explanation, Score, ScoreBatch, ScorePage, batch_of, score_detail, score_listed, score_of
from scoring.api.bodies import ScoreBatchRequest, ScoreRequest, read_batch, read_score
from scoring.api.explanations import explanation_of
from scoring.api.language import language_of
from scoring.decided import Decided
from scoring.errors import DecisionUnknown
from scoring.models import AnsweredBy, BandCode, Channel, OutcomeCode
from scoring.services.looks import note_look
from scoring.services.score import score_applicants, score_once

BATCH_LARGEST = 4 * LARGEST
_ROUTE = "POST /api/v1/scores"
_BATCH_ROUTE = "POST /api/v1/score-batches"

_FILTERS: Mapping[str, Reader] = {
    "product": text,
    "band": one_of(*BandCode.values),
    "outcome": one_of(*OutcomeCode.values),
    "answered_by": one_of(*AnsweredBy.values),
    "channel": one_of(*Channel.values),
    "model_version": whole_number(1, 1_000_000),
    "reference": text,
    "created_at[gte]": moment,
    "created_at[lt]": moment,
    **PAGING,
}
_FILTER_PARAMETERS = (
    query("product", "Only this product."),
    query("band", "Only this band.", type="string", enum=BandCode.values),
    query("outcome", "Only this outcome.", type="string", enum=OutcomeCode.values),
    query("answered_by", "Only what a model, or the rules, answered.", type="string", enum=AnsweredBy.values),
    query("channel", "Only what came this way.", type="string", enum=Channel.values),
    query("model_version", "Only what this version of the product's model answered.", type="integer", minimum=1),
    query("reference", "Only this applicant, by your own reference."),
    query("created_at[gte]", "Only from this moment on.", type="string", format="date-time"),
    query("created_at[lt]", "Only before this moment.", type="string", format="date-time"),
    *PAGING_PARAMETERS,
)


class ScoresView(ApiView):
    """The decisions of the partner."""

    permissions = {"POST": Permission.DECISION_MAKE, "GET": Permission.DECISION_READ}
    credential_is_guarded = True  # the statement that stores a decision looks at the credential again

    @described(
        "Score one applicant",
        operation="score_create",
        takes=ScoreRequest,
        gives=Score,
        status=201,
        refuses=(409,),
        example=examples.SCORE,
        text="The decision is stored, recorded and explained before it is answered. `Accept-Language` chooses the language of the reasons.",
    )
    def post(self, request: Request) -> HttpResponse:
        """201 with the decision, once it is durable."""
        received_at = datetime.now(UTC)
        raw = read_body(request)
        actor, language = principal_of(request).actor, language_of(request)
        attempt = attempt_of(request, route=_ROUTE, actor=actor, body=raw)
        product, items = read_score(raw)
        asked: dict[str, Any] = {
            "product_slug": product, "items": items, "actor": actor, "channel": Channel.API, "received_at": received_at,
            "language": language,
        }  # fmt: skip
        if attempt is None:
            made = score_of(score_applicants(**asked)[0])
            return answer_bytes(msgspec.json.encode(made), status=201, headers=_created(made.id))

        def render(decided: Sequence[Decided]) -> bytes:
            return msgspec.json.encode(score_of(decided[0]))

        once = score_once(attempt=attempt, render=render, **asked)
        headers = _created(msgspec.json.decode(once.body, type=_Made).id)
        return answer_bytes(once.body, status=once.status, headers={**headers, **(REPLAYED if once.is_replayed else {})})

    @described("List decisions", operation="score_list", gives=ScorePage, refuses=(400, 404), parameters=_FILTER_PARAMETERS)
    def get(self, request: Request) -> HttpResponse:
        """A page of decisions, newest first."""
        wanted = read_query(request, _FILTERS)
        shows = principal_of(request).allows(Permission.APPLICANT_READ)
        if "reference" in wanted and not shows:
            raise PermissionMissing(f"To search by reference needs the permission {Permission.APPLICANT_READ}.")
        cursor, limit = wanted.pop("cursor", None), wanted.pop("limit", PAGE)
        since, until = wanted.pop("created_at[gte]", None), wanted.pop("created_at[lt]", None)
        page = selectors.decisions(selectors.DecisionFilters(**wanted, since=since, until=until), cursor=cursor, limit=limit)
        return answer(ScorePage([score_listed(one, shows_applicant=shows) for one in page.decisions], page.next_cursor, page.has_more))


class ScoreView(ApiView):
    """One decision."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "Look at one decision",
        operation="score_read",
        gives=Score,
        refuses=(404,),
        parameters=(path("score_id", "The decision.", type="string", format="uuid"),),
    )
    def get(self, request: Request, score_id: str) -> HttpResponse:
        """The decision as it was made."""
        detail, shows = _shown(request, score_id)
        return answer(score_detail(detail, shows_applicant=shows))


class ScoreExplanationView(ApiView):
    """Why one decision came out as it did."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "Explain one decision",
        operation="score_explain",
        gives=Explanation,
        refuses=(404, 409),
        parameters=(path("score_id", "The decision.", type="string", format="uuid"),),
        text="Contributions are exact: with `base` they add up to `log_odds`. The ten largest come first under `top`.",
    )
    def get(self, request: Request, score_id: str) -> HttpResponse:
        """Base, contributions in log odds and points, reasons, and the inputs for those who may see them."""
        detail, shows = _shown(request, score_id)
        return answer(explanation_of(detail, shows_inputs=shows))


def _shown(request: Request, score_id: str) -> tuple[selectors.DecisionDetail, bool]:
    """The decision, and whether whose it is may be shown; that it is shown is recorded."""
    principal, detail = principal_of(request), selectors.decision_detail(_id(score_id))
    shows = principal.allows(Permission.APPLICANT_READ)
    if shows:
        note_look(detail, actor=principal.actor)
    return detail, shows


class ScoreBatchesView(ApiView):
    """Many applicants at once."""

    permissions = {"POST": Permission.DECISION_MAKE}
    credential_is_guarded = True

    @described(
        "Score up to 1,000 applicants",
        operation="score_batch_create",
        takes=ScoreBatchRequest,
        gives=ScoreBatch,
        status=201,
        refuses=(409,),
        example=examples.BATCH,
        text="All or nothing: if a field of one item cannot be used, none is scored and every fault is named, such as /items/3/inputs/age.",
    )
    def post(self, request: Request) -> HttpResponse:
        """201 with every decision and the batch in figures, once all are durable."""
        received_at = datetime.now(UTC)
        raw = read_body(request, at_most=BATCH_LARGEST)
        actor, language = principal_of(request).actor, language_of(request)
        attempt = attempt_of(request, route=_BATCH_ROUTE, actor=actor, body=raw)
        product, items = read_batch(raw)
        asked: dict[str, Any] = {
            "product_slug": product, "items": items, "actor": actor, "channel": Channel.BATCH, "received_at": received_at,
            "language": language,
        }  # fmt: skip
        if attempt is None:
            return answer(batch_of(score_applicants(**asked)), status=201)

        def render(decided: Sequence[Decided]) -> bytes:
            return msgspec.json.encode(batch_of(decided))

        once = score_once(attempt=attempt, render=render, **asked)
        return answer_bytes(once.body, status=once.status, headers=REPLAYED if once.is_replayed else None)


class _Made(msgspec.Struct):
    id: str


def _created(score_id: str) -> dict[str, str]:
    return {"Location": f"/api/v1/scores/{score_id}", "Vary": "Accept-Language"}


def _id(text: str) -> Any:
    score_id = identifier(text)
    if score_id is None:
        raise DecisionUnknown
    return score_id
