"""Retraining over HTTP and on its page: asked for, planned, looked at, and refused in words."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from partners.tenancy import public_context
from scoring.models import Job, RetrainingPlan
from scoring.services.retraining import BY_ITSELF, WEEKLY, begin_retraining
from scoring.services.work import work_on
from tests.conftest import PRODUCT, House
from tests.portal.test_pages_registry import got
from tests.scoring.test_api_registry import person, sent
from tests.scoring.test_retraining import at_home, decide

__all__ = ["at_home"]


@pytest.fixture
def ended(in_north: House) -> House:
    """North with enough loans that are over."""
    decide(250)
    return in_north


def test_a_retraining_is_asked_for_and_looked_at(ended: House) -> None:
    scientist = person(ended, "scientist")

    status, made = sent(scientist, "POST", "retrainings", {"product": PRODUCT}, HTTP_IDEMPOTENCY_KEY="again-1")
    again = sent(scientist, "POST", "retrainings", {"product": PRODUCT}, HTTP_IDEMPOTENCY_KEY="again-1")

    assert (status, made["state"], made["because"], made["version"]) == (202, "queued", "asked", None)
    assert again == (202, made)
    assert sent(scientist, "GET", f"retrainings/{made['id']}")[1] == made
    assert sent(scientist, "GET", f"retrainings?product={PRODUCT}")[1] == {"data": [made]}
    status, refused = sent(scientist, "POST", "retrainings", {"product": PRODUCT})
    assert (status, refused["code"]) == (409, "retraining_under_way")


def test_the_earlier_name_answers_too(ended: House) -> None:
    status, made = sent(person(ended, "scientist"), "POST", "monitor/retrain", {"product": PRODUCT})

    assert (status, made["product"]) == (202, PRODUCT)


def test_too_few_outcomes_are_told(in_north: House) -> None:
    status, refused = sent(person(in_north, "scientist"), "POST", "retrainings", {"product": PRODUCT})

    assert (status, refused["code"]) == (422, "training_refused")
    assert refused["detail"].startswith("Too few outcomes: 0 decisions have one")
    assert sent(person(in_north, "scientist"), "GET", "retrainings/nonsense")[0] == 404


def test_a_plan_is_written_and_read(in_north: House) -> None:
    scientist, path = person(in_north, "scientist"), f"products/{PRODUCT}/retraining"

    assert sent(scientist, "GET", path)[1] == {"product": PRODUCT, "every": None, "next_on": None}
    status, plan = sent(scientist, "PUT", path, {"every": "monday"})

    assert (status, plan["every"]) == (200, "monday")
    assert sent(scientist, "GET", path)[1] == plan
    assert sent(scientist, "PUT", path, {"every": "someday"})[0] == 422
    assert sent(scientist, "PUT", path, {"every": None})[1]["next_on"] is None


def post(house: House, role: str, **typed: Any) -> int:
    client = house.client(role)
    with public_context():    # afterwards, the test goes on where it was
        return client.post(f"/models/{PRODUCT}/retraining", typed).status_code


def test_the_page_plans_and_begins(ended: House) -> None:
    page = f"/models/{PRODUCT}/retraining"
    assert "It was never trained again." in got(ended.client("viewer"), page)[1]
    assert "Train it again now" not in got(ended.client("viewer"), page)[1]

    assert post(ended, "scientist", act="plan", weekday="4") == 302
    assert post(ended, "scientist", act="begin") == 302
    assert post(ended, "scientist", act="begin") == 409
    assert post(ended, "scientist", act="plan", weekday="9") == 422
    assert post(ended, "analyst", act="begin") == 403

    assert RetrainingPlan.objects.get().weekday == 4
    shown = got(ended.client("scientist"), page)[1]
    assert '<option value="4" selected>Friday</option>' in shown
    assert "waits for a worker" in shown
    assert Job.objects.count() == 1


def test_why_nothing_was_trained_is_on_the_page_and_on_the_overview(in_north: House) -> None:
    decide(20)
    work_on(begin_retraining(product_slug=PRODUCT, actor=BY_ITSELF, because=WEEKLY))

    said = "Too few outcomes: 20 decisions have one"
    assert said in got(in_north.client("viewer"), f"/models/{PRODUCT}/retraining")[1]
    overview = got(in_north.client("scientist"), "/")[1]
    assert said in overview
    assert f"{PRODUCT} was not trained again" in overview
    assert Job.objects.get().created_at > timezone.now() - timedelta(hours=1)
