"""GET of usage: what each key asked for is counted, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.context import SYSTEM
from partners.accounts.services import create_api_key, revoke_api_key
from partners.tenancy import tenant_context
from tests.conftest import House
from tests.scoring.test_api_scores import BATCHES, SCORES, as_role, body_of, post

USAGE = "/api/v1/usage"


def usage(house: House, **query: str) -> Any:
    answer = as_role(house, "developer").get(USAGE, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_decisions_are_counted_by_key_and_day(north: House) -> None:
    with tenant_context(north.partner):
        branch, idle, old = (create_api_key(name=name, actor=SYSTEM) for name in ("branch", "idle", "old"))
        revoke_api_key(key_id=old.key.id, actor=SYSTEM)
    before = usage(north)
    items = [{name: part for name, part in body_of(north).items() if name != "product"} for _ in range(3)]

    assert post(north.api(branch.secret), SCORES, body_of(north)).status_code == 201
    assert post(north.api(branch.secret), BATCHES, {"product": north.product, "items": items}).status_code == 201
    assert post(as_role(north, "officer"), SCORES, body_of(north)).status_code == 201

    after = usage(north)
    told = {one["name"]: one for one in after["data"]}
    today = datetime.now(UTC).date().isoformat()
    assert after["decisions"] == before["decisions"] + 4
    assert (told["branch"]["decisions"], told["branch"]["by_day"]) == (4, [{"day": today, "decisions": 4}])
    assert told["branch"]["hint"] == branch.secret[-4:]
    assert (told["idle"]["decisions"], told["idle"]["by_day"]) == (0, [])
    assert "old" not in told


def test_only_the_asked_span_is_counted(north: House) -> None:
    post(north.api(), SCORES, body_of(north))
    now = datetime.now(UTC)

    assert usage(north)["decisions"] == 1
    assert usage(north, **{"created_at[lt]": (now - timedelta(minutes=5)).isoformat()})["decisions"] == 0
    assert usage(north, **{"created_at[gte]": (now - timedelta(minutes=5)).isoformat()})["decisions"] == 1


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_span_that_makes_no_sense_is_refused(north: House, days: int) -> None:
    until = datetime(2026, 6, 1, tzinfo=UTC)
    query = {"created_at[gte]": (until - timedelta(days=days)).isoformat(), "created_at[lt]": until.isoformat()}

    answer = as_role(north, "admin").get(USAGE, query)

    assert answer.status_code == 400
    assert [one["parameter"] for one in answer.json()["errors"]] == ["created_at[gte]"]
