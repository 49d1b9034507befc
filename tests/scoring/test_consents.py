"""Consents: recorded with who and when, the newest of a kind holds, and nothing that was said is lost or changed."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from audit.actions import Action
from audit.context import SYSTEM
from audit.ids import uuid7
from audit.models import Event
from scoring import selectors
from scoring.errors import ApplicantErased, ApplicantUnknown, ConsentRefused
from scoring.models import Applicant, Channel, Consent
from scoring.services.consents import record_consent
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import PERSON, SLUG, add_product, an_item

NOW = datetime.now(UTC)


@pytest.fixture
def somebody(in_north: House) -> uuid.UUID:
    """An applicant's id."""
    add_product()
    return score_applicants(product_slug=SLUG, items=[an_item(applicant=PERSON)], actor=SYSTEM, channel=Channel.API)[0].applicant_id


def say(applicant: uuid.UUID, kind: str = "sharing", *, is_given: bool = True, at: datetime = NOW, how: str = "signed") -> Consent:
    return record_consent(applicant_id=applicant, kind=kind, is_given=is_given, at=at, how=how, actor=SYSTEM)


def test_the_newest_statement_about_a_kind_holds(somebody: uuid.UUID) -> None:
    say(somebody, is_given=False, at=NOW - timedelta(days=1))
    say(somebody, "contact", at=NOW - timedelta(days=2))
    say(somebody, at=NOW - timedelta(days=3))    # recorded last, said first

    assert [(one.kind, one.is_given, one.holds) for one in selectors.consents_of(somebody)] == [
        ("sharing", False, True), ("contact", True, True), ("sharing", True, False),
    ]  # fmt: skip


def test_a_consent_is_in_the_record(somebody: uuid.UUID) -> None:
    made = say(somebody)

    event = Event.objects.get(action=Action.CONSENT_RECORDED, object_id=str(somebody))
    assert event.object_kind == "applicant"
    assert event.detail == {
        "consent": str(made.id), "kind": "sharing", "is_given": True, "at": NOW.isoformat(), "how": "signed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"kind": "everything"}, "kind"), ({"how": "dreamt"}, "how"), ({"at": NOW + timedelta(days=1)}, "at")],
)
def test_what_cannot_be_recorded_is_refused_whole(somebody: uuid.UUID, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(ConsentRefused) as caught:
        say(somebody, **wrong)  # type: ignore[arg-type]

    assert list(caught.value.fields) == [field]
    assert selectors.consents_of(somebody) == []


def test_nobody_allows_anything_for_who_is_not_there_or_erased(somebody: uuid.UUID) -> None:
    Applicant.objects.filter(id=somebody).update(
        data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None
    )

    with pytest.raises(ApplicantUnknown):
        say(uuid7())
    with pytest.raises(ApplicantErased):
        say(somebody)


@pytest.mark.parametrize("statement", ["UPDATE scoring_consent SET is_given = false", "DELETE FROM scoring_consent"])
def test_a_consent_is_never_changed(somebody: uuid.UUID, statement: str) -> None:
    say(somebody)

    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_search_finds_exactly_whom_it_names(somebody: uuid.UUID) -> None:
    score_applicants(product_slug=SLUG, items=[an_item("A-2")], actor=SYSTEM, channel=Channel.API)    # without telephone, id or name

    for text in ("A-1", "amina  ODHIAMBO", "+254 712 345678", "ab-1234567"):
        assert [one.id for one in selectors.search_applicants(text).rows] == [somebody], text
    for text in ("Amina", "A-", "xyz", "..."):
        assert selectors.search_applicants(text).rows == [], text
    assert selectors.find_applicants(phone="none of them") == []


def test_the_list_of_the_newest_shows_nothing_personal(somebody: uuid.UUID) -> None:
    page = selectors.newest_applicants(limit=1)

    assert [(one.id, one.details) for one in page.rows] == [(somebody, None)]
    assert page.rows[0].latest is not None
    assert page.rows[0].latest.product.slug == SLUG
