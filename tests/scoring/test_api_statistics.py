"""Figures of the last days, what a model looks at, and the names that earlier systems had for them."""

import re
from datetime import UTC, datetime

import pytest

from portal import urls
from scoring.api.urls import EARLIER_V2
from tests.conftest import PRODUCT, House
from tests.isolation.routes import routes
from tests.portal.test_pages import score


def test_decisions_of_the_last_days_are_counted(north: House) -> None:
    score(north, "S-1", "S-2", "S-3")

    found = north.api().get("/api/v1/statistics", {"days": 7}).json()

    assert found["total"] == 3
    assert sum(found["by_outcome"].values()) == sum(found["by_band"].values()) == 3
    assert found["by_product"] == {PRODUCT: 3}
    assert found["by_answer"] == {"model": 3, "rules": 0}
    assert len(found["by_day"]) == 7
    assert sum(found["by_day"][-1][outcome] for outcome in ("approve", "refer", "decline")) == 3
    assert found["by_day"][-1]["day"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("days", ["0", "367", "some"])
def test_so_many_days_are_not_counted(north: House, days: str) -> None:
    assert north.api().get("/api/v1/statistics", {"days": days}).status_code == 400


def test_what_the_model_in_force_looks_at_is_listed_from_its_card(north: House) -> None:
    found = north.api().get("/api/v1/top-features").json()
    card = north.api().get("/api/v1/models/1/card").json()["card"]

    assert (found["product"], found["version"]) == (PRODUCT, 1)
    assert [[one["name"], one["log_odds"]] for one in found["features"]] == card["importance"]["features"]
    assert [[one["name"], one["log_odds"]] for one in found["groups"]] == card["importance"]["groups"]
    assert north.api().get("/api/v1/top-features", {"version": 99}).status_code == 404


def test_the_second_edition_of_an_earlier_system_answers_and_names_its_successors(north: House) -> None:
    there = {route.pattern.removeprefix("/api/v2/") for route in routes(urls) if route.pattern.startswith("/api/v2/")}
    assert there == set(EARLIER_V2)
    body = {"product": PRODUCT, "applicant": {"reference": "V-2"}, "inputs": dict(north.inputs)}

    made = north.api().post("/api/v2/predict", body, content_type="application/json")
    counted = north.api().get("/api/v2/stats")

    assert (made.status_code, made["Deprecation"][0]) == (201, "@")
    assert counted.json()["total"] == 1
    assert '</api/v1/statistics>; rel="successor-version"' in counted["Link"]
    described = north.api().get("/openapi.json").json()["paths"]
    assert described["/api/v2/top-features"]["get"]["deprecated"] is True


def test_the_description_can_be_read_without_the_network_and_without_styles_of_others(north: House) -> None:
    page = north.client().get("/redoc")

    assert page.status_code == 200
    assert set(re.findall(r'(?:src|href|spec-url)="([^"]*)"', page.content.decode())) == {
        "data:,", "/openapi.json", "/static/drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js",
    }  # fmt: skip
    assert "unsafe" not in page["Content-Security-Policy"]
