"""Hours that are over: counted once, equal to a count of everything, and never in the way of what comes later."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from partners.tenancy import tenant_context
from scoring import selectors
from scoring.models import Channel, HourFigures
from scoring.selectors.shadows import LATE
from scoring.services.figures import roll_up_hours
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import SLUG, add_product, an_item, by_force, by_key

ZONES = [UTC, ZoneInfo("Africa/Nairobi"), ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Asia/Kolkata")]
MANY = 40


@pytest.fixture
def spread(new_partner: Callable[..., House]) -> House:
    """Forty decisions, some hours apart, the newest now."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        items = [an_item(f"F-{number}", income=50.0 + 90 * number) for number in range(MANY)]
        made = score_applicants(product_slug=SLUG, items=items, actor=by_key(), channel=Channel.API)
    for place, one in enumerate(made):
        moment = (datetime.now(UTC) - timedelta(hours=3, minutes=7) * place).isoformat()
        by_force(house, "scoring_decision", "UPDATE scoring_decision SET created_at = %s WHERE id = %s", moment, one.id)
    return house


def test_counted_hours_say_what_counting_all_says(spread: House) -> None:
    with tenant_context(spread.partner):
        before = [selectors.overview(7, zone=zone) for zone in ZONES]
        counted = sum(roll_up_hours() for _ in range(3))
        after = [selectors.overview(7, zone=zone) for zone in ZONES]
        rolled = sum(row[-1] for one in HourFigures.objects.all() for row in one.counts)

    assert after == before
    assert before[0].total == MANY
    assert counted > 30
    assert rolled >= MANY - 2    # what is younger than an hour and some minutes is not counted for good


def test_counting_again_changes_nothing(spread: House) -> None:
    with tenant_context(spread.partner):
        while roll_up_hours():
            pass
        kept = list(HourFigures.objects.order_by("hour").values_list("hour", "counts"))

        assert roll_up_hours() == 0
        assert list(HourFigures.objects.order_by("hour").values_list("hour", "counts")) == kept


def test_the_hour_that_can_still_get_decisions_is_not_counted(spread: House) -> None:
    with tenant_context(spread.partner):
        while roll_up_hours():
            pass
        newest = HourFigures.objects.latest("hour").hour

    assert newest + timedelta(hours=1) <= datetime.now(UTC) - LATE


def test_what_comes_after_the_counted_hours_is_counted_too(spread: House) -> None:
    with tenant_context(spread.partner):
        while roll_up_hours():
            pass
        score_applicants(product_slug=SLUG, items=[an_item("F-new")], actor=by_key(), channel=Channel.API)

        assert selectors.overview(7).total == MANY + 1


def test_who_has_decided_nothing_has_no_hours(new_partner: Callable[..., House]) -> None:
    with tenant_context(new_partner().partner):
        assert roll_up_hours() == 0
        assert not HourFigures.objects.exists()
