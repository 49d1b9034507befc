"""Months counted by the clock: what the summary reads is what counting would say, and it is counted again when it is due."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from partners.accounts.models import User
from portal.approvals.models import Application, MonthFigures
from portal.approvals.selectors import last_months, month_of_applications, months_of_applications
from portal.approvals.services.figures import count_months, months_due
from tests.approvals.factories import REFERS, acting, add_product, receive
from tests.conftest import House

NAIROBI = ZoneInfo("Africa/Nairobi")
MONTHS = 4    # with an application, or between


@pytest.fixture
def shop(in_north: House) -> House:
    """North with three applications, two of them of three months ago, and everybody in one time zone."""
    acting(in_north, "officer")
    add_product(REFERS)
    ago = last_months(MONTHS, NAIROBI)[0][0] + timedelta(days=5)
    for one in [receive() for _ in range(3)][:2]:
        Application.objects.filter(id=one.id).update(created_at=ago)
    User.objects.update(time_zone="Africa/Nairobi")
    return in_north


def test_months_follow_one_another_and_the_last_one_runs() -> None:
    months = last_months(14, NAIROBI)

    assert len(months) == 14
    assert all(until == since for (_, until), (since, _) in zip(months, months[1:], strict=False))
    assert {(since.day, since.hour, since.tzinfo) for since, _ in months} == {(1, 0, NAIROBI)}
    assert months[-1][0] <= datetime.now(UTC) < months[-1][1]


def test_what_is_kept_is_what_counting_says(shop: House) -> None:
    spans = last_months(6, NAIROBI)
    counted = [month_of_applications(*span) for span in spans]

    assert count_months() == MonthFigures.objects.count() == MONTHS    # none from before the first application
    Application.objects.all().update(state="withdrawn")
    kept = months_of_applications(spans)

    assert [month for month, _at in kept] == counted
    assert sum(month.received for month, _at in kept) == 3
    assert sum(month.by_state.get("withdrawn", 0) for month, _at in kept) == 0    # nothing was counted again


def test_a_month_is_counted_again_when_it_is_due(shop: House) -> None:
    count_months()
    assert months_due() == []

    MonthFigures.objects.update(counted_at=datetime.now(UTC) - timedelta(minutes=2))
    assert months_due() == [span for span in reversed(last_months(MONTHS, NAIROBI)) if datetime.now(UTC) - span[0] < timedelta(days=62)]
    MonthFigures.objects.update(counted_at=datetime.now(UTC) - timedelta(hours=2))
    assert len(months_due()) == MONTHS
    MonthFigures.objects.update(seconds=200.0)    # who took long rests long
    assert months_due() == []


def test_who_looks_from_another_zone_has_months_of_that_zone(shop: House) -> None:
    count_months()
    User.objects.filter(id=shop.users["viewer"].id).update(time_zone="America/Bogota")

    assert count_months() == MONTHS
    assert MonthFigures.objects.count() == 2 * MONTHS


def test_nothing_is_counted_where_nobody_applied(in_north: House) -> None:
    assert count_months() == 0
