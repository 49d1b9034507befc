"""Reading decisions: filters, pages, one decision opened, figures that add up, and little work for the database."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from audit.actions import Action
from audit.services import verify_receipt
from audit.vault import keyring
from partners.tenancy import tenant_context
from scoring import selectors
from scoring.applicants import ApplicantDetails
from scoring.decided import Decided
from scoring.errors import CursorRefused, DecisionUnknown, FilterRefused, ModelVersionUnknown, ProductUnknown
from scoring.models import Applicant, Channel
from scoring.selectors import DecisionFilters
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import INPUTS, PERSON, SLUG, add_product, an_item, by_key, put_in_force

OTHER = "other-loan"


@pytest.fixture
def decided(in_north: House) -> list[Decided]:
    """Two decisions by rules and five by a model about `A-0` to `A-6`, and one about another product."""
    add_product()
    add_product(OTHER)
    made = [decide(f"A-{number}", income=50.0 + 400.0 * number) for number in range(2)]
    put_in_force()
    made += [decide(f"A-{number}", income=50.0 + 400.0 * number, channel=Channel.BATCH) for number in range(2, 7)]
    return [*made, decide("A-0", slug=OTHER)]


def decide(
    reference: str, *, slug: str = SLUG, channel: Channel = Channel.API, applicant: ApplicantDetails | None = None, **changed: Any
) -> Decided:
    return score_applicants(product_slug=slug, items=[an_item(reference, applicant=applicant, **changed)], actor=by_key(), channel=channel)[
        0
    ]


def listed(**filters: Any) -> list[uuid.UUID]:
    return [one.id for one in selectors.decisions(DecisionFilters(**filters), limit=100).decisions]


def test_a_list_shows_what_was_decided_newest_first(decided: list[Decided]) -> None:
    page = selectors.decisions(DecisionFilters(product=SLUG))

    assert [one.id for one in page.decisions] == [one.id for one in reversed(decided[:7])]
    newest, made = page.decisions[0], decided[6]
    for name in ("created_at", "applicant_id", "reference", "product", "probability", "score", "band", "outcome", "answered_by", "channel"):
        assert getattr(newest, name) == getattr(made, name)
    assert (newest.model_version, newest.policy_version, newest.request_id) == (1, 1, "req-1")
    assert page.next_cursor is None


def test_pages_follow_one_another_without_gap_or_double(decided: list[Decided]) -> None:
    seen, cursor = [], None
    while True:
        page = selectors.decisions(DecisionFilters(product=SLUG), cursor=cursor, limit=3)
        seen += [one.id for one in page.decisions]
        cursor = page.next_cursor
        if not page.has_more:
            break

    assert seen == [one.id for one in reversed(decided[:7])]


def test_decisions_of_one_moment_are_paged_by_id(in_north: House) -> None:
    add_product()
    made = score_applicants(product_slug=SLUG, items=[an_item(f"A-{n}") for n in range(5)], actor=by_key(), channel=Channel.FILE)

    first = selectors.decisions(limit=2)
    second = selectors.decisions(cursor=first.next_cursor, limit=2)

    assert [one.id for one in [*first.decisions, *second.decisions]] == sorted((one.id for one in made), reverse=True)[:4]


@pytest.mark.parametrize("cursor", ["", "x", "????", "A" * 32 + "=", "A" * 31, "é" * 32, "_" * 32, "A" * 4000])
def test_a_foreign_cursor_is_refused(in_north: House, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        selectors.decisions(cursor=cursor)


def test_each_filter_finds_exactly_its_decisions(decided: list[Decided]) -> None:
    first = decided[0]

    def those(matches: Callable[[Decided], bool]) -> list[uuid.UUID]:
        return [one.id for one in reversed(decided) if matches(one)]

    assert listed(product=OTHER) == [decided[7].id]
    assert listed(answered_by="rules") == those(lambda one: one.answered_by == "rules")
    assert listed(channel="batch") == those(lambda one: one.channel == "batch")
    assert listed(model_version=1) == those(lambda one: one.model_version == 1)
    assert listed(reference="A-0") == listed(applicant_id=first.applicant_id) == those(lambda one: one.reference == "A-0")
    assert listed(reference="a-0") == []
    for name in ("band", "outcome"):
        value = getattr(first, name)
        assert listed(**{name: value}) == those(partial(_has, name=name, value=value))
    middle = decided[3].created_at
    assert listed(since=middle) == those(lambda one: one.created_at >= middle)
    assert listed(until=middle) == those(lambda one: one.created_at < middle)


def test_kinds_and_scores_go_together_and_are_paged(decided: list[Decided]) -> None:
    scores, middle = sorted({one.score for one in decided}), decided[3].created_at
    low, high = scores[1], scores[-1]
    asked: list[tuple[dict[str, Any], Callable[[Decided], bool]]] = [
        ({"score_from": low}, lambda one: one.score >= low),
        ({"score_from": low, "score_below": high}, lambda one: low <= one.score < high),
        ({"score_below": high, "answered_by": "model"}, lambda one: one.score < high and one.answered_by == "model"),
        ({"score_from": low, "until": middle, "product": OTHER}, lambda one: False),
        ({"product": SLUG, "answered_by": "model", "since": middle}, lambda one: one.created_at >= middle and one.product == SLUG),
        ({"outcome": decided[0].outcome, "score_from": 300, "score_below": 851}, lambda one: one.outcome == decided[0].outcome),
        ({"score_from": 850, "score_below": 300}, lambda one: False),
    ]  # fmt: skip
    for filters, matches in asked:
        wanted, found, cursor = [one.id for one in reversed(decided) if matches(one)], list[uuid.UUID](), None
        while True:
            page = selectors.decisions(DecisionFilters(**filters), cursor=cursor, limit=2)
            found += [one.id for one in page.decisions]
            if (cursor := page.next_cursor) is None:
                break
        assert found == wanted, filters


def _has(one: Decided, *, name: str, value: object) -> bool:
    return bool(getattr(one, name) == value)


@pytest.mark.parametrize("name", ["band", "outcome", "answered_by", "channel"])
def test_a_word_that_is_none_of_ours_is_refused(name: str) -> None:
    wrong: dict[str, Any] = {name: "odd"}

    with pytest.raises(FilterRefused, match=name):
        DecisionFilters(**wrong)


def test_an_unknown_product_is_refused(in_north: House) -> None:
    for ask in (
        lambda: selectors.decisions(DecisionFilters(product="none")),
        lambda: selectors.product("none"),
        lambda: selectors.model_versions("none"),
    ):
        with pytest.raises(ProductUnknown):
            ask()


def test_counting_stops_at_its_bound(decided: list[Decided]) -> None:
    assert selectors.count_decisions(DecisionFilters(product=SLUG)) == 7
    assert selectors.count_decisions(DecisionFilters(product=SLUG), at_most=3) == 3


def test_one_decision_opens_with_all_that_is_known(in_north: House) -> None:
    add_product()
    put_in_force()
    made = decide("A-1", applicant=PERSON)

    detail = selectors.decision_detail(made.id)

    assert (detail.applicant, detail.inputs, detail.is_as_recorded) == (PERSON, INPUTS, True)
    assert (detail.actor_kind, detail.actor_label, detail.revision) == ("api_key", "tests", 2)
    assert [event.action for event in detail.timeline] == [Action.DECISION_MADE]
    assert detail.receipt == made.receipt
    verify_receipt(detail.receipt, schema=in_north.schema, public_keys=keyring().public_keys())
    explanation = detail.explanation
    assert explanation is not None
    assert explanation == selectors.decision_explanation(made.id)
    assert dict(explanation.contributions) == dict(made.contributions)
    assert [abs(value) for _, value in explanation.contributions] == sorted(
        (abs(value) for value in made.contributions.values()), reverse=True
    )
    assert [reason.code for reason in explanation.reasons] == [reason.code for reason in made.reasons]


def test_an_erased_applicants_decision_shows_what_is_not_about_them(in_north: House) -> None:
    add_product()
    made = decide("A-1", applicant=PERSON)
    columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
    Applicant.objects.filter(id=made.applicant_id).update(**dict.fromkeys(columns))

    detail = selectors.decision_detail(made.id)

    assert (detail.applicant, detail.inputs, detail.explanation, detail.summary.reference) == (None, None, None, None)
    assert (detail.summary.score, detail.is_as_recorded) == (made.score, True)
    assert selectors.decisions(DecisionFilters(reference="A-1")).decisions[0].reference is None
    assert selectors.find_applicants(phone=PERSON.phone or "") == []


def test_another_partners_decision_is_unknown(in_north: House, south: House) -> None:
    add_product()
    made = decide("A-1")

    with tenant_context(south.partner):
        for ask in (selectors.decision_detail, selectors.decision_explanation):
            with pytest.raises(DecisionUnknown):
                ask(made.id)


def test_applicants_are_found_by_reference_phone_id_and_name(in_north: House) -> None:
    add_product()
    made = decide("A-1", applicant=PERSON)

    by_reference = selectors.applicant("A-1")
    assert by_reference is not None
    assert (by_reference.id, by_reference.details) == (made.applicant_id, PERSON)
    assert selectors.applicant("A-2") is None
    for wanted in (
        {"phone": "0712345678"},
        {"national_id": "ab 1234567"},
        {"name": "ODHIAMBO  amina"},
        {"phone": "0", "name": "Amina Odhiambo"},
    ):
        assert [one.id for one in selectors.find_applicants(**wanted)] == [made.applicant_id]
    assert selectors.find_applicants(name="Amina") == []
    assert selectors.find_applicants() == []


def test_the_overview_adds_up(decided: list[Decided]) -> None:
    figures = selectors.overview(7)

    assert figures.total == sum(day.total for day in figures.volume) == sum(one.count for one in figures.histogram)
    assert figures.total == sum(figures.by_outcome.values()) == sum(figures.by_band.values()) == sum(figures.by_answer.values())
    assert figures.total >= len(decided)
    assert figures.by_product[SLUG] == 7
    assert figures.waiting == figures.by_outcome["refer"]
    assert (len(figures.volume), figures.volume[-1].day) == (7, datetime.now(UTC).date())
    assert (figures.histogram[0].low, figures.histogram[-1].high) == (300, 850)
    assert figures.median_processing_ms is not None
    assert figures.median_processing_ms >= 0


def test_the_overviews_days_are_those_of_the_zone(decided: list[Decided]) -> None:
    zone = ZoneInfo("Pacific/Kiritimati")

    figures = selectors.overview(1, zone=zone)

    assert figures.volume[0].day == datetime.now(zone).date()
    assert figures.since == datetime.combine(datetime.now(zone).date(), datetime.min.time(), zone)
    assert figures.since.astimezone(UTC) > datetime.now(UTC) - timedelta(days=1)


def test_an_overview_without_decisions_is_zeros(new_partner: Callable[..., House]) -> None:
    with tenant_context(new_partner().partner):
        figures = selectors.overview()

    assert (figures.total, figures.median_processing_ms, figures.waiting) == (0, None, 0)
    assert len(figures.volume) == 30


def test_products_and_versions_say_what_is_in_force(decided: list[Decided]) -> None:
    put_in_force(2)

    by_slug = {one.slug: one for one in selectors.products()}
    assert (by_slug[SLUG].champion_version, by_slug[OTHER].champion_version) == (2, None)
    assert selectors.product(SLUG) == by_slug[SLUG]
    versions = selectors.model_versions(SLUG)
    assert [(one.version, one.state) for one in versions] == [(2, "champion"), (1, "retired")]
    assert selectors.model_version(SLUG, 1) == versions[1]
    assert len(versions[0].bundle_sha256) == 64
    with pytest.raises(ModelVersionUnknown):
        selectors.model_version(SLUG, 3)


def test_lists_and_details_cost_a_fixed_number_of_statements(
    decided: list[Decided], django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        selectors.decisions()
    with django_assert_num_queries(3):
        selectors.decisions(DecisionFilters(product=SLUG))
    with django_assert_num_queries(2):
        selectors.decision_detail(decided[0].id)
    with django_assert_num_queries(3):
        selectors.overview()
    with django_assert_num_queries(1):
        selectors.products()


def test_a_list_reads_neither_bundles_nor_sealed_contents(decided: list[Decided]) -> None:
    statements: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        selectors.decisions()
        selectors.model_versions()
        selectors.products()

    assert not any('"bundle"' in one or '"sealed"' in one or '"definition"' in one for one in statements)
