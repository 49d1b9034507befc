"""Exports: the file holds the list as it is filtered, for whoever may see it, sealed, and opens once through a link of their own."""

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as parquet
import pytest
from django.db import connection
from django.utils import timezone
from openpyxl import load_workbook  # type: ignore[import-untyped]

from audit.context import SYSTEM
from audit.errors import SealBroken
from audit.models import Outbox
from partners.accounts.services import change_user, revoke_api_key
from partners.tenancy import tenant_context
from portal.exports import reading, storage
from portal.exports.errors import ExportNotReady, ExportRefused, ExportUnknown, LinkSpent, ListNotYours, ListUnknown
from portal.exports.lists import every_list
from portal.exports.models import Export, Schedule
from portal.exports.services import writing
from portal.exports.services.asking import MOST_OPEN, ask_export, schedule_export, stop_schedule
from portal.exports.services.clock import begin_due_exports
from portal.exports.services.opening import forget_old_exports, open_link, take_file
from portal.exports.services.writing import unattended, write_export
from portal.exports.turns import next_time
from scoring.engine.inert import inert
from scoring.engine.writing import KINDS
from scoring.errors import FilterRefused
from scoring.models import Applicant, Batch, Channel, Decision
from scoring.services.challengers import set_challenger
from scoring.services.score import ApplicantDetails, score_applicants
from tests.approvals.factories import acting, add_product, receive
from tests.conftest import House
from tests.exports.factories import content, exported, recorded, wanted
from tests.scoring.factories import SLUG, a_batch, add_version, an_item, by_key, put_in_force

HOSTILE = ["=1+1", "-2+3|x", "@SUM(A1)", "＝cmd", "\t=1", " =1", "'=1", "-5", "plain"]


@pytest.fixture
def house(new_partner: Callable[..., House]) -> Iterator[House]:
    made = new_partner()
    with tenant_context(made.partner):
        add_product()
        yield made


def score(*references: str, **details: Any) -> None:
    people = [ApplicantDetails(reference=reference, **details) for reference in references]
    for number, one in enumerate(people):
        actor = by_key(HOSTILE[number % len(HOSTILE)])
        score_applicants(product_slug=SLUG, items=[an_item(applicant=one)], actor=actor, channel=Channel.API)


def rows(kind: str, raw: bytes) -> list[dict[str, Any]]:
    """A file as somebody else's library reads it."""
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    if kind == "json":
        return list(json.loads(raw)["data"])
    if kind == "parquet":
        return list(parquet.read_table(io.BytesIO(raw)).to_pylist())
    header, *lines = load_workbook(io.BytesIO(raw)).active.iter_rows(values_only=True)
    return [dict(zip(header, line, strict=True)) for line in lines]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_applicants", [False, True])
def test_the_file_holds_the_list(house: House, kind: str, with_applicants: bool) -> None:
    score("A-1", "=evil", name="Zuri Ali")
    actor = acting(house, "officer")

    export = exported(actor, wanted(kind=kind, with_applicants=with_applicants))
    found = rows(kind, content(export, actor))

    expected = list(Decision.objects.order_by("-created_at", "-id").values("id", "score", "request_id", "probability"))
    assert (export.state, export.rows, len(found)) == ("done", 2, 2)
    assert [uuid.UUID(one["id"]) for one in found] == [one["id"] for one in expected]
    assert [float(one["probability"]) for one in found] == [one["probability"] for one in expected]
    assert [int(one["score"]) for one in found] == [one["score"] for one in expected]
    shown = str if kind == "json" else inert
    assert [one["request_id"] for one in found] == [shown(one["request_id"]) for one in expected]
    assert ("reference" in found[0]) == with_applicants
    if with_applicants:
        assert {(one["reference"], one["name"]) for one in found} == {("A-1", "Zuri Ali"), (shown("=evil"), "Zuri Ali")}


def test_the_database_makes_inert_what_python_makes_inert(house: House) -> None:
    signs = "=+-@＝＋－＠\r\n\xa0\u200b'"
    texts = [*HOSTILE, *(lead + rest for lead in signs for rest in ("", "1", "1+1", " x", "SUM(A1)")), "x ", "+.5e3"]
    for number, text in enumerate(texts):
        score_applicants(product_slug=SLUG, items=[an_item(f"A-{number}")], actor=by_key(text[:64]), channel=Channel.API)
    actor = acting(house, "officer")

    found = rows("csv", content(exported(actor, wanted()), actor))

    assert sorted(one["request_id"] for one in found) == sorted(inert(text) for text in texts)


def test_filters_of_the_page_are_those_of_the_file(house: House) -> None:
    score("A-1", "A-2", "A-3")
    actor = acting(house, "officer")

    assert exported(actor, wanted(filters={"reference": "A-2"})).rows == 1
    assert exported(actor, wanted(filters={"score_below": "300"})).rows == 0
    assert exported(actor, wanted(filters={"since": "2020-01-01", "product": SLUG})).rows == 3


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_list_and_card_can_be_taken_away(house: House, kind: str) -> None:
    score("A-1")
    receive()
    put_in_force(1)
    add_version(2)
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    batch = a_batch(SLUG, "reference,amount\nA-1,5\n")
    Batch.objects.filter(id=batch.id).update(figures={"outcomes": {"approve": 3}})
    model = {"product": SLUG, "version": "1"}
    about = {
        "batch-figures": {"batch": str(batch.id)}, "model-card": model, "model-figures": model, "comparison": {"product": SLUG},
        "what-if": {"product": SLUG, "approve_from": "600", "decline_below": "500", "days": "30", "margin": "15", "loss": "60"},
    }  # fmt: skip
    actor = acting(house, "admin")

    made = {
        one.name: exported(actor, wanted(one.name, kind, about.get(one.name, {}), with_applicants=one.applicants is not None))
        for one in every_list()
    }

    assert {(name, export.state, export.problem) for name, export in made.items()} == {(name, "done", "") for name in made}
    assert (made["applications"].rows, made["decisions"].rows, made["applicants"].rows) == (1, 2, 2)
    assert (made["products"].rows, made["promotions"].rows, made["people"].rows) == (1, 1, len(house.users))
    (application,) = rows(kind, content(made["applications"], actor))
    assert float(application["amount"]) == 60_000.0
    for name in ("overview", "model-card", "comparison", "what-if"):
        assert made[name].rows > 10, name


def test_a_card_says_each_figure_as_a_number(house: House) -> None:
    score("A-1", "A-2", "A-3")
    actor = acting(house, "officer")

    told = rows("json", content(exported(actor, wanted("overview", "json")), actor))

    figures = {(one["table"], one["row"], one["figure"]): one["number"] for one in told}
    assert figures["", "", "total"] == 3.0
    assert sum(figures["by_outcome", "", name] for name in ("approve", "refer", "decline")) == 3.0
    assert figures["by_product", "", SLUG] == 3.0


def test_the_record_is_taken_away_in_part(house: House) -> None:
    actor = acting(house, "compliance")

    export = exported(actor, wanted("events", "json", filters={"action": "product.created", "since": "2020-01-01"}))

    assert [one["action"] for one in rows("json", content(export, actor))] == ["product.created"]


def test_an_erased_applicant_is_nobody(house: House) -> None:
    score("A-1")
    erased = dict.fromkeys(("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index"))
    Applicant.objects.update(**erased)
    actor = acting(house, "officer")

    (row,) = rows("json", content(exported(actor, wanted(kind="json", with_applicants=True)), actor))

    assert row["reference"] is None


def test_nothing_lies_in_clear_on_the_disk_or_in_the_tables(house: House) -> None:
    score("canary-reference-77", name="Canary Name")
    export = exported(acting(house, "officer"), wanted(filters={"reference": "canary-reference-77"}, with_applicants=True))

    assert export.lease is not None
    kept = storage.path_of(export.lease).read_bytes()

    assert export.rows == 1
    assert storage.path_of(export.lease).stat().st_mode & 0o77 == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(e::text, '') FROM exports_export e")
        told = cursor.fetchone()[0].encode()
        cursor.execute("SELECT string_agg(e::text, '') FROM audit_event e")
        told += cursor.fetchone()[0].encode()
    for canary in (b"canary-reference-77", b"Canary Name"):
        assert canary not in kept + told
        assert canary.hex().encode() not in told


def test_a_file_of_many_frames_is_whole_and_a_changed_one_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "FRAME", 64)
    score("A-1", "A-2")
    actor = acting(house, "officer")
    export = exported(actor, wanted())
    assert export.lease is not None
    path = storage.path_of(export.lease)
    sealed, frame = path.read_bytes(), 64 + 29

    assert len(rows("csv", content(export, actor))) == 2
    wrong = [sealed[:-frame], sealed[: len(sealed) // frame * frame], sealed[frame : 2 * frame] + sealed[:frame] + sealed[2 * frame :],
             bytes([sealed[0], sealed[1] ^ 1, *sealed[2:]])]  # fmt: skip
    for one in wrong:
        path.write_bytes(one)
        with pytest.raises(SealBroken):
            content(export, actor)


def test_a_link_opens_once_for_a_quarter_of_an_hour_and_for_nobody_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    actor, other = acting(house, "officer"), acting(house, "admin")
    export = exported(actor, wanted())
    first, second = (open_link(export_id=export.id, actor=actor).token for _ in range(2))

    for who, token, refusal in ((other, second, ExportUnknown), (actor, first, LinkSpent), (actor, "", LinkSpent)):
        with pytest.raises(refusal):
            take_file(export_id=export.id, token=token, actor=who)
    take_file(export_id=export.id, token=second, actor=actor).frames.close()
    with pytest.raises(LinkSpent):
        take_file(export_id=export.id, token=second, actor=actor)
    late = open_link(export_id=export.id, actor=actor).token
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(minutes=15, seconds=1))
    with pytest.raises(LinkSpent):
        take_file(export_id=export.id, token=late, actor=actor)


def test_of_many_who_use_a_link_at_once_one_has_the_file(house: House) -> None:
    actor = acting(house, "officer")
    export = exported(actor, wanted())
    token = open_link(export_id=export.id, actor=actor).token

    def take(_number: int) -> bool:
        try:
            with tenant_context(house.partner):
                take_file(export_id=export.id, token=token, actor=actor).frames.close()
        except LinkSpent:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(take, range(8))) == 1


def test_what_was_asked_finished_and_taken_is_recorded_with_its_rows(house: House) -> None:
    score("A-1")
    actor = acting(house, "officer")
    export = exported(actor, wanted(filters={"reference": "A-1"}))
    content(export, actor)

    asked, finished, taken = recorded(export)

    assert asked == ("export.asked", {"list": "decisions", "format": "csv", "with_applicants": False, "filters": ["reference"]})
    assert finished == ("export.finished", {"list": "decisions", "format": "csv", "rows": 1, "bytes": export.size_bytes})
    assert taken == ("export.downloaded", {"list": "decisions", "format": "csv", "rows": 1})
    (told,) = Outbox.objects.filter(topic="export.ready")
    assert (told.object_id, told.body) == (str(export.id), {"list": "decisions", "format": "csv", "rows": 1})


@pytest.mark.parametrize(("asked", "role", "refusal"), [
    (wanted("nothing"), "admin", ListUnknown),
    (wanted("events"), "officer", ListNotYours),
    (wanted(with_applicants=True), "viewer", ListNotYours),
    (wanted(filters={"reference": "A-1"}), "viewer", ListNotYours),
    (wanted("applicants"), "scientist", ListNotYours),
    (wanted(kind="xls"), "admin", ExportRefused),
    (wanted("models", with_applicants=True), "admin", ExportRefused),
    (wanted(filters={"colour": "red"}), "admin", ExportRefused),
    (wanted(filters={"product": "a\0b"}), "admin", ExportRefused),
    (wanted(filters={"band": "Z"}), "admin", FilterRefused),
    (wanted("applications", filters={"tab": "none"}), "admin", FilterRefused),
    (wanted("events", filters={"action": "sun.rose"}), "admin", FilterRefused),
    (wanted("events", filters={"since": "yesterday"}), "admin", FilterRefused),
])  # fmt: skip
def test_what_cannot_be_exported_is_refused_at_once(house: House, asked: Any, role: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        ask_export(asked=asked, actor=acting(house, role))

    assert not Export.objects.exists()


def test_nobody_fills_the_queue(house: House) -> None:
    actor = acting(house, "officer")
    for _ in range(MOST_OPEN):
        ask_export(asked=wanted(), actor=actor)

    with pytest.raises(ExportRefused, match="not finished yet"):
        ask_export(asked=wanted(), actor=actor)


def test_who_may_not_see_the_list_any_more_gets_no_file(house: House) -> None:
    actor, admin = acting(house, "officer"), acting(house, "admin")
    waiting, written = ask_export(asked=wanted(with_applicants=True), actor=actor), exported(actor, wanted(with_applicants=True))
    change_user(user_id=house.users["officer"].id, role="viewer", actor=admin)

    write_export(waiting.id)

    waiting.refresh_from_db()
    assert (waiting.state, "applicant.read" in waiting.problem) == ("failed", True)
    with pytest.raises(ListNotYours):
        open_link(export_id=written.id, actor=actor)


def test_a_key_that_was_revoked_gets_no_file(house: House) -> None:
    key = by_key()
    waiting = ask_export(asked=wanted(), actor=key)
    revoke_api_key(key_id=uuid.UUID(key.id), actor=acting(house, "admin"))

    write_export(waiting.id)

    waiting.refresh_from_db()
    assert waiting.state == "failed"


def test_what_a_dead_worker_left_is_written_by_another_one_and_once(house: House) -> None:
    score("A-1")
    actor = acting(house, "officer")
    export = ask_export(asked=wanted(), actor=actor)
    dead = uuid.uuid4()
    Export.objects.filter(id=export.id).update(state="running", lease=dead, lease_until=timezone.now() + timedelta(minutes=1), attempts=1)
    assert (unattended(), write_export(export.id)) == ([], False)

    Export.objects.filter(id=export.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert unattended() == [export.id]
    assert write_export(export.id)
    assert not write_export(export.id)

    export.refresh_from_db()
    assert (export.state, export.attempts, export.rows) == ("done", 2, 1)
    assert [action for action, _ in recorded(export)] == ["export.asked", "export.finished"]


def test_a_worker_that_was_overtaken_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    score("A-1")
    actor = acting(house, "officer")
    export, read = ask_export(asked=wanted(), actor=actor), writing._rows
    seen: list[uuid.UUID] = []

    def overtaken(export: Export, *arguments: Any) -> Any:
        yield from read(export, *arguments)
        seen.append(Export.objects.values_list("lease", flat=True).get(id=export.id))  # type: ignore[arg-type]
        Export.objects.filter(id=export.id).update(lease=uuid.uuid4())

    monkeypatch.setattr(writing, "_rows", overtaken)
    write_export(export.id)

    export.refresh_from_db()
    assert export.state == "running"
    assert not storage.path_of(seen[0]).exists()
    assert [action for action, _ in recorded(export)] == ["export.asked"]


def test_progress_is_told_and_the_lease_renewed_while_a_long_list_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "TOLD_SECONDS", 0.02)
    export = ask_export(asked=wanted(), actor=acting(house, "officer"))
    told: list[tuple[int, bool]] = []

    def slow(*_arguments: Any) -> Iterator[int]:
        yield 7
        before = Export.objects.get(id=export.id)
        for _ in range(500):
            now = Export.objects.get(id=export.id)
            if now.rows == 7:
                told.append((now.rows, now.lease_until > before.lease_until))  # type: ignore[operator]
                break
        yield 8

    monkeypatch.setattr(writing, "_rows", slow)
    write_export(export.id)

    assert told == [(7, True)]
    assert Export.objects.get(id=export.id).rows == 8


def test_what_fails_again_and_again_is_told_in_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    export = ask_export(asked=wanted(), actor=acting(house, "officer"))

    def broken(*_arguments: Any) -> Iterator[int]:
        raise OSError("no room")

    monkeypatch.setattr(writing, "_rows", broken)
    for _ in range(writing.MOST_ATTEMPTS):
        with pytest.raises(OSError, match="no room"):
            write_export(export.id)

    export.refresh_from_db()
    assert (export.state, export.attempts) == ("failed", writing.MOST_ATTEMPTS)
    assert "Tell whoever runs Vouch" in export.problem


def test_files_go_after_three_days_with_their_links(house: House) -> None:
    actor = acting(house, "officer")
    old, new = exported(actor, wanted()), exported(actor, wanted())
    open_link(export_id=old.id, actor=actor)
    days = timedelta(days=3, seconds=1)
    Export.objects.filter(id=old.id).update(finished_at=timezone.now() - days, created_at=timezone.now() - 2 * days)

    forget_old_exports()

    assert old.lease is not None
    assert not storage.path_of(old.lease).exists()
    with pytest.raises(ExportNotReady):
        open_link(export_id=old.id, actor=actor)
    content(new, actor)


def test_a_schedule_makes_exports_until_the_person_may_not_see_the_list(house: House) -> None:
    actor = acting(house, "officer")
    made = schedule_export(asked=wanted(with_applicants=True, filters={"reference": "A-1"}), every="day", actor=actor)
    assert begin_due_exports() == 0

    for _ in range(2):
        Schedule.objects.filter(id=made.id).update(next_at=timezone.now() - timedelta(seconds=1))
        assert begin_due_exports() == 1
        assert begin_due_exports() == 0
    change_user(user_id=house.users["officer"].id, is_active=False, actor=acting(house, "admin"))
    Schedule.objects.filter(id=made.id).update(next_at=timezone.now() - timedelta(seconds=1))
    assert begin_due_exports() == 0

    made.refresh_from_db()
    assert made.stopped_at is not None
    assert "applicant.read" in made.because
    exports = list(Export.objects.filter(schedule=made))
    assert len(exports) == 2
    assert [action for action, _ in recorded(exports[0])] == ["export.asked"]


def test_what_a_schedule_asked_for_is_written(house: House) -> None:
    score("A-1", "A-2")
    actor = acting(house, "officer")
    made = schedule_export(asked=wanted(filters={"reference": "A-1"}), every="week", actor=actor)
    Schedule.objects.filter(id=made.id).update(next_at=timezone.now() - timedelta(seconds=1))
    begin_due_exports()

    (export,) = Export.objects.all()
    write_export(export.id)

    export.refresh_from_db()
    assert (export.state, export.rows) == ("done", 1)


def test_a_person_stops_a_schedule_and_nobody_elses(house: House) -> None:
    actor = acting(house, "officer")
    made = schedule_export(asked=wanted(), every="month", actor=actor)
    with pytest.raises(ExportUnknown):
        stop_schedule(schedule_id=made.id, actor=acting(house, "admin"))

    stop_schedule(schedule_id=made.id, actor=actor)

    Schedule.objects.filter(id=made.id).update(next_at=timezone.now() - timedelta(seconds=1))
    assert begin_due_exports() == 0


def test_a_key_has_no_schedules(house: House) -> None:
    with pytest.raises(ListNotYours):
        schedule_export(asked=wanted(), every="day", actor=by_key())


@pytest.mark.parametrize(("every", "after", "expected"), [
    ("day", "2026-11-21T02:59:59+00:00", "2026-11-21T06:00:00+03:00"),
    ("day", "2026-11-21T03:00:00+00:00", "2026-11-22T06:00:00+03:00"),
    ("week", "2026-11-21T12:00:00+00:00", "2026-11-23T06:00:00+03:00"),
    ("month", "2026-11-30T22:00:00+00:00", "2026-12-01T06:00:00+03:00"),
    ("month", "2026-12-01T03:00:00+00:00", "2027-01-01T06:00:00+03:00"),
])  # fmt: skip
def test_the_turn_comes_in_the_morning_where_the_person_is(every: str, after: str, expected: str) -> None:
    assert next_time(every, datetime.fromisoformat(after), "Africa/Nairobi") == datetime.fromisoformat(expected)


def test_a_long_list_comes_whole_from_many_blocks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS_AT_A_TIME", 2)
    score(*(f"A-{number}" for number in range(5)))
    actor = acting(house, "officer")

    for asked in (wanted(), wanted(kind="xlsx", with_applicants=True)):
        found = rows(asked.kind, content(exported(actor, asked), actor))
        assert len({one["id"] for one in found}) == 5


def test_days_are_those_of_the_person(house: House) -> None:
    score("A-1")
    actor = acting(house, "officer")
    tomorrow = (timezone.now() + timedelta(days=2)).date().isoformat()

    assert exported(actor, replace(wanted(filters={"since": tomorrow}), time_zone="Africa/Nairobi")).rows == 0
