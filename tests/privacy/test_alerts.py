"""What should not happen is refused, recorded once and shown until somebody has looked: moved ciphertext, decisions that differ."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from audit import vault
from audit.actions import Action
from audit.alerts import open_alerts, raise_noted
from audit.errors import SealBroken
from audit.models import Alert, Event, Outbox
from audit.vault import keyring
from partners.tenancy import tenant_context
from scoring.models import Applicant, Channel, Decision
from scoring.services.replay import is_nightly_due, replay_nightly
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import SLUG, add_product, an_item, by_force, by_key

Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> Iterator[House]:
    """A partner with four decisions about as many applicants."""
    vault.broken.clear()
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        score_applicants(product_slug=SLUG, items=[an_item(f"A-{one}") for one in range(4)], actor=by_key(), channel=Channel.API)
    yield house
    vault.broken.clear()


def moved_profile(house: House) -> uuid.UUID:
    """An applicant who has another one's profile."""
    with tenant_context(house.partner):
        one, other = Applicant.objects.order_by("id")[:2]
        Applicant.objects.filter(id=one.id).update(sealed_profile=other.sealed_profile)
    return one.id


def test_a_moved_profile_is_refused_and_raises_one_alert_that_counts(house: House) -> None:
    moved = moved_profile(house)
    client = house.client("compliance")

    answers = [client.get(f"/applicants/{moved}") for _ in range(2)]

    assert [one.status_code for one in answers] == [500, 500]
    with tenant_context(house.partner):
        alert = Alert.objects.get()
        assert (alert.kind, alert.object_kind, alert.object_id) == ("seal_broken", "scoring_applicant.sealed_profile", str(moved))
        assert alert.times >= 2
        event = Event.objects.get(action=Action.ALERT_RAISED)
        assert event.detail["row"] == str(moved)
        told = Outbox.objects.get(topic="alert.raised")
        assert (told.object_id, told.body) == (
            str(alert.id), {"kind": "seal_broken", "about": "scoring_applicant.sealed_profile", "about_id": str(moved)},
        )  # fmt: skip


def test_a_list_that_hides_a_damaged_row_raises_the_alert_too(house: House) -> None:
    moved = moved_profile(house)

    assert house.client("officer").get("/decisions").status_code == 200

    with tenant_context(house.partner):
        assert [one.object_id for one in Alert.objects.all()] == [str(moved)]


@pytest.mark.parametrize("change", [{"table": "scoring_decision"}, {"column": "wrapped_key"}, {"owner": uuid.UUID(int=8)}])
def test_a_seal_of_another_table_column_or_row_is_noted(house: House, change: dict[str, object]) -> None:
    with tenant_context(house.partner):
        ring, place = keyring(), {"table": "scoring_applicant", "column": "sealed_profile", "owner": uuid.UUID(int=7)}
        sealed = ring.seal(ring.partner_key, b"text", **place)  # type: ignore[arg-type]
        with pytest.raises(SealBroken):
            ring.unseal(ring.partner_key, sealed, **(place | change))  # type: ignore[arg-type]

        assert raise_noted() == 1
        assert len(open_alerts()) == 1


def test_an_alert_is_one_partners_own(house: House, new_partner: Partners) -> None:
    other = new_partner()
    with tenant_context(house.partner), pytest.raises(SealBroken):
        keyring().unseal(keyring().partner_key, bytes(60), table="t", column="c", owner="r")

    with tenant_context(other.partner):
        assert raise_noted() == 0
    with tenant_context(house.partner):
        assert raise_noted() == 1


def test_whoever_has_looked_closes_it_and_the_page_says_so(house: House) -> None:
    moved_profile(house)
    house.client("officer").get("/decisions")
    client = house.client("compliance")
    shown = client.get("/privacy").content.decode()
    with tenant_context(house.partner):
        alert = Alert.objects.get()

    client.post(f"/privacy/alerts/{alert.id}")

    assert "nobody was shown it" in shown
    assert "nobody was shown it" not in client.get("/privacy").content.decode()
    with tenant_context(house.partner):
        assert Event.objects.filter(action=Action.ALERT_CLOSED).count() == 1


def test_a_nightly_sample_is_recorded_once_a_day(house: House) -> None:
    with tenant_context(house.partner):
        assert is_nightly_due()
        replay_nightly()

        assert not is_nightly_due()
        assert Event.objects.get(action=Action.DECISIONS_REPLAYED).detail == {"checked": 4, "identical": 4, "erased": 0, "differences": 0}
        assert not Alert.objects.exists()


def test_a_decision_that_differs_is_named_by_an_alert(house: House) -> None:
    with tenant_context(house.partner):
        changed = Decision.objects.order_by("id").last()
        assert changed
        by_force(house, "scoring_decision", "UPDATE scoring_decision SET score = score - 1 WHERE id = %s", changed.id)

        found = replay_nightly()

        assert not found.holds
        alert = Alert.objects.get()
        assert (alert.kind, alert.object_id) == ("replay_differs", str(changed.id))
        assert alert.detail == {"differs_in": ["record", "score"]}
