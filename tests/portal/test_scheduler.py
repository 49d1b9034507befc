"""The clock's duties: each for every active partner, in its schema; one partner's trouble stays with it."""

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from audit import vault
from audit.context import SYSTEM
from audit.ids import uuid7
from audit.models import Checkpoint, Event, Idempotency
from audit.services import forget_old_answers
from audit.verification import check_record
from audit.verify import Wrong
from partners.accounts.operators import create_operator
from partners.errors import NoPartner
from partners.models import Partner
from partners.tenancy import as_owner, current_schema, public_context, tenant_context
from portal.scheduler import DUTIES, OPERATORS_DUTIES, Duty, Scheduler
from tests.conftest import PASSWORD, House


def schemas_seen(found: list[str], *, failing: str = "") -> Callable[[], None]:
    def look() -> None:
        found.append(current_schema())
        if found[-1] == failing:
            raise RuntimeError("trouble")

    return look


def test_each_duty_runs_in_every_active_partners_schema(north: House, south: House) -> None:
    found: list[str] = []

    Scheduler([Duty("look", 60, schemas_seen(found))]).run_due()

    assert set(found) >= {"t_north", "t_south"}
    assert "public" not in found
    with pytest.raises(NoPartner):
        current_schema()


def test_a_switched_off_partner_rests(north: House, south: House) -> None:
    with as_owner("public"):
        Partner.objects.filter(slug="south").update(is_active=False)
    found: list[str] = []

    Scheduler([Duty("look", 60, schemas_seen(found))]).run_due()

    assert "t_south" not in found
    assert "t_north" in found


def test_one_partners_trouble_does_not_stop_the_others(north: House, south: House, caplog: pytest.LogCaptureFixture) -> None:
    found: list[str] = []

    with caplog.at_level(logging.ERROR):
        Scheduler([Duty("look", 60, schemas_seen(found, failing="t_north"))]).run_due()

    assert "t_south" in found
    assert [record.getMessage() for record in caplog.records] == ["duty failed: RuntimeError; it is tried again in 1 s"]


def test_what_keeps_failing_is_tried_ever_less_often(
    north: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("portal.scheduler.time.monotonic", lambda: clock[0])
    found: list[str] = []
    scheduler = Scheduler([Duty("look", 1, schemas_seen(found, failing="t_north"))])

    with caplog.at_level(logging.ERROR):
        for _second in range(240):
            scheduler.run_due()
            clock[0] += 1

    assert found.count("t_north") == 9    # after 1, 3, 7, 15, 31, 63, 123 and 183 seconds again
    assert [record.exc_info is not None for record in caplog.records] == [True, *[False] * 8]


def test_a_duty_waits_for_its_time(north: House) -> None:
    found: list[str] = []
    scheduler = Scheduler([Duty("look", 60, schemas_seen(found)), Duty("often", 0, schemas_seen([]))])

    scheduler.run_due()
    once = len(found)
    scheduler.run_due()

    assert len(found) == once > 0


def test_the_record_of_a_new_partner_is_sealed_by_the_clock(new_partner: Callable[..., House]) -> None:
    house = new_partner()

    Scheduler().run_due()

    with tenant_context(house.partner):
        newest = Checkpoint.objects.order_by("-size").first()
        assert newest is not None
        assert newest.size == Event.objects.count() > 0


def test_the_operators_own_record_is_sealed_and_can_be_checked(new_partner: Callable[..., House], tmp_path: Path) -> None:
    create_operator(email=f"{uuid7().hex}@vouch.example", password=PASSWORD, actor=SYSTEM)
    vault._rings.pop("public", None)    # a test that was rolled back may have left its own here

    Scheduler([], OPERATORS_DUTIES[:1]).run_due()

    told = io.StringIO()
    call_command("audit_verify", "public", json=True, stdout=told, stderr=io.StringIO())
    found = json.loads(told.getvalue())
    with public_context():
        assert (found["holds"], found["decisions"]) == (True, 0)
        assert found["events"] == Checkpoint.objects.order_by("-size")[0].size == Event.objects.count() - 1    # this check is recorded
    call_command("audit_export", "public", to=tmp_path / "record", stdout=io.StringIO(), stderr=io.StringIO())
    with public_context(), transaction.atomic():
        with as_owner("public"), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
            cursor.execute("UPDATE audit_event SET actor_label = 'nobody' WHERE id = (SELECT event_id FROM audit_leaf WHERE position = 0)")
        with pytest.raises(Wrong, match="0"):
            check_record(lambda _events: None)
        transaction.set_rollback(True)


def test_answers_older_than_a_day_are_forgotten(in_north: House) -> None:
    for hours in (23, 25):
        Idempotency.objects.create(
            route="scores", key=f"k{hours}", actor_id="a", body_digest=b"d" * 32, status=201, sealed_response=b"s",
            created_at=datetime.now(UTC) - timedelta(hours=hours),
        )  # fmt: skip

    assert forget_old_answers() == 1
    assert [row.key for row in Idempotency.objects.all()] == ["k23"]


def test_the_duties_are_those_that_are_promised() -> None:
    promised = {
        "seal": 1.0, "forget-answers": 600.0, "ring-for-challengers": 5.0, "ring-for-jobs": 5.0, "forget-results": 600.0,
        "ring-for-applications": 30.0, "lapse-proposals": 60.0, "expire-applications": 600.0,
        "forget-uploads": 600.0, "roll-up-hours": 60.0, "begin-retraining": 600.0, "ring-for-months": 30.0,
        "deliver-events": 1.0, "forget-deliveries": 600.0, "ring-for-mail": 5.0, "forget-sessions": 3600.0, "forget-requests": 600.0,
        "ring-for-exports": 5.0, "begin-exports": 60.0, "forget-exports": 600.0, "ring-for-verifications": 5.0,
        "back-up": 600.0,
        "publish-erasures": 60.0, "ring-for-replay": 600.0,
        "ring-for-retention": 5.0,
    }  # fmt: skip
    assert {duty.name: duty.seconds for duty in DUTIES} == promised
    assert {duty.name for duty in OPERATORS_DUTIES} == {"seal-operators", "check-operators", "forget-sessions-of-operators"}
