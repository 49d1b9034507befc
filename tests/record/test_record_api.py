"""The record over HTTP: found by what one knows, proven, exported, and bundled for a stranger; nothing personal for who may not see it."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from audit import verify
from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.errors import VerificationRunning
from audit.models import Event, Verification
from audit.sealer import seal
from audit.services import record
from audit.vault import keyring
from audit.verification import ask_verification, verifications_left, work_on_verification
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal.record import bundle
from portal.record.keys import keys_document
from scoring.models import Channel, Decision
from scoring.services.score import ScoreItem, score_applicants
from tests.audit.test_proofs import by_force
from tests.conftest import House
from tests.scoring.factories import INPUTS, PERSON, SLUG, add_product, put_in_force

MOMENT = "recorded_at[gte]"


@dataclass(frozen=True)
class Lender:
    """A partner with three sealed decisions about one person, two with a model."""

    house: House
    decisions: list[uuid.UUID]

    def client(self, role: str = "compliance") -> Client:
        with tenant_context(self.house.partner):
            token = issue_tokens(self.house.users[role]).access
        return Client(HTTP_HOST=self.house.host, HTTP_AUTHORIZATION=f"Bearer {token}")

    def get(self, path: str, role: str = "compliance", **query: Any) -> Any:
        """The answer; the test stays in the partner's schema."""
        try:
            return self.client(role).get(f"/api/v1/audit/{path}", query)
        finally:
            connection.set_tenant(self.house.partner)  # type: ignore[attr-defined]


@pytest.fixture
def lender(new_partner: Any) -> Iterator[Lender]:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        made = [decide() for _ in range(3)]
        seal()
        yield Lender(house, made)


def decide() -> uuid.UUID:
    from scoring import registry  # noqa: PLC0415 - as it is then

    values = registry.current(SLUG).validator.check(INPUTS)
    actor = Actor(kind="system", label="Tests", request_id="req-of-tests")
    return score_applicants(product_slug=SLUG, items=[ScoreItem(PERSON, values)], actor=actor, channel=Channel.API)[0].id


def listed(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return list(answer.json()["data"])


def test_events_are_found_by_what_one_knows(lender: Lender) -> None:
    admin = lender.house.users["admin"]
    by_admin = Actor(kind="user", id=str(admin.id), label=admin.name)
    record(action=Action.PRODUCT_CHANGED, actor=by_admin, object_kind="product", object_id="x")

    found = {
        "request": listed(lender.get("events", request_id="req-of-tests")),
        "person": listed(lender.get("events", person="ADMIN@")),
        "applicant": listed(lender.get("events", applicant=PERSON.reference)),
        "action": listed(lender.get("events", action="decision.made")),
        "noun": listed(lender.get("events", action="decision")),
        "object": listed(lender.get("events", object_kind="decision", object_id=str(lender.decisions[1]))),
        "nobody": [*listed(lender.get("events", applicant="nobody")), *listed(lender.get("events", person="nobody"))],
        "long ago": listed(lender.get("events", **{"recorded_at[lt]": "2001-01-01T00:00:00Z"})),
    }

    counts = {what: len(events) for what, events in found.items()}
    assert counts == {"request": 3, "person": 1, "applicant": 3, "action": 3, "noun": 3, "object": 1, "nobody": 0, "long ago": 0}
    assert found["person"][0]["actor_id"] == str(admin.id)
    assert [one["object_id"] for one in found["applicant"]] == [str(one) for one in reversed(lender.decisions)]


def test_pages_of_events_have_no_gap_and_a_wrong_cursor_is_told(lender: Lender) -> None:
    whole = [one["id"] for one in listed(lender.get("events", limit=200))]
    seen: list[str] = []
    after: dict[str, Any] = {"limit": 4}
    while after.get("cursor", "") is not None:
        page = lender.get("events", **after).json()
        seen += [one["id"] for one in page["data"]]
        after["cursor"] = page["next_cursor"]

    assert seen == whole
    assert lender.get("events", cursor="nonsense").status_code == 400
    assert lender.get("events", action="nonsense").status_code == 400


def test_an_analyst_who_may_see_applicants_searches_by_them_and_others_do_not(lender: Lender) -> None:
    assert lender.get("events", role="analyst", applicant=PERSON.reference).status_code == 200
    assert lender.get("events", role="viewer").status_code == 403


def test_every_event_is_proven_and_its_proof_is_right(lender: Lender) -> None:
    for one in listed(lender.get("events", limit=200)):
        told = lender.get(f"events/{one['id']}/proof").json()
        head = verify.read_note(told["checkpoint"])
        head.check(keyring().public_keys())
        leaf = hashlib.sha256(b"\0" + told["attested"].encode()).digest()
        proof = [verify._bytes(node) for node in told["proof"]]

        assert verify.includes(leaf=leaf, position=told["position"], size=told["size"], proof=proof, root=head.root)
        verify.check_receipt(told["receipt"], lender.house.schema, keyring().public_keys())
    assert lender.get(f"events/{uuid.uuid4()}/proof").json()["code"] == "event_unknown"
    assert lender.get("events/nonsense/proof").status_code == 404


def test_checkpoints_are_listed_and_continue_one_another(lender: Lender) -> None:
    with tenant_context(lender.house.partner):
        record(action=Action.PRODUCT_CHANGED, actor=SYSTEM, object_kind="product", object_id="x")
        seal()
    newest, oldest = listed(lender.get("checkpoints"))

    both: dict[str, Any] = {"from": oldest["size"], "to": newest["size"]}
    told = lender.get("consistency", **both).json()

    verify.check_consistency(told, keyring().public_keys(), [oldest["note"]])
    assert told == lender.get("consistency", **{**both, "to": newest["size"]}).json()
    assert listed(lender.get("checkpoints", cursor=newest["size"])) == [oldest]
    assert lender.get("consistency", **{**both, "from": 3}).json()["code"] == "checkpoint_unknown"


def test_the_summary_counts_what_was_recorded(lender: Lender) -> None:
    told = lender.get("summary").json()

    counts = {(one["action"], one["actor_kind"]): one["count"] for one in told["actions"]}
    assert counts["decision.made", "system"] == 3
    assert told["events"] == Event.objects.count() == sum(counts.values())
    assert told["size"] <= told["events"]
    assert lender.get("summary", **{MOMENT: "2999-01-01T00:00:00Z", "recorded_at[lt]": "2999-02-01T00:00:00Z"}).json()["events"] == 0


def test_the_export_verifies_and_taking_it_is_an_event(lender: Lender) -> None:
    answer = lender.get("export")
    lines = b"".join(answer).splitlines()

    found = verify.verify(lines, verify.read_keys(keys_document()))
    assert (found.decisions, found.origin) == (3, f"vouch/{lender.house.schema}")
    event = Event.objects.filter(action=Action.RECORD_EXPORTED).get()
    assert (event.detail["format"], event.detail["events"]) == ("jsonl", found.events)
    assert event.actor_id == str(lender.house.users["compliance"].id)
    assert b"".join(lender.get("export/json")).splitlines()[1] == lines[1]
    assert lender.get("export", action="decision").status_code == 400
    assert lender.get("export", **{MOMENT: "2999-01-01T00:00:00Z"}).json()["code"] == "period_empty"


def test_a_period_of_the_record_verifies(lender: Lender) -> None:
    middle = Event.objects.order_by("id")[10].recorded_at

    lines = b"".join(lender.get("export", **{MOMENT: middle.isoformat()})).splitlines()

    assert verify.verify(lines, keyring().public_keys()).first == 10


def test_the_table_of_events_is_inert_and_filtered(lender: Lender) -> None:
    with tenant_context(lender.house.partner):
        record(action=Action.PRODUCT_CHANGED, actor=Actor(kind="user", id="1", label="=1+1"), object_kind="product", object_id="@x")

    rows = list(csv.DictReader(io.StringIO(b"".join(lender.get("export/csv", action="product.changed")).decode())))

    assert [(row["actor_label"], row["object_id"]) for row in rows][-1] == ("'=1+1", "'@x")
    assert {row["action"] for row in rows} == {"product.changed"}
    assert Event.objects.filter(action=Action.RECORD_EXPORTED, detail__format="csv").count() == 1


# decisions and their events


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE scoring_decision SET score = 850 WHERE id = %s", "is not as its event recorded it"),
        ("DELETE FROM scoring_decision WHERE id = %s", "is not there"),
        ("DELETE FROM audit_leaf WHERE event_id = (SELECT id FROM audit_event WHERE object_id = %s::text);"
         "DELETE FROM audit_event WHERE object_id = %s::text", "was taken out"),
    ],
)  # fmt: skip
def test_a_decision_that_was_changed_taken_away_or_left_without_its_event_is_named(lender: Lender, damage: str, told: str) -> None:
    statement = damage.replace("%s", f"'{lender.decisions[1]}'")
    by_force(lender.house, statement, "scoring_decision")

    with pytest.raises(verify.Wrong) as caught:
        verify.verify(b"".join(lender.get("export")).splitlines(), keyring().public_keys())

    assert told in caught.value.detail
    assert str(lender.decisions[1]) in caught.value.detail or told == "was taken out"


def test_a_decision_that_somebody_wrote_without_an_event_is_named(lender: Lender) -> None:
    stray = uuid.uuid4()
    names = [str(field.column) for field in Decision._meta.concrete_fields if field.column != "id"]
    columns = ", ".join(names)
    by_force(lender.house, f"INSERT INTO scoring_decision (id, {columns}) SELECT '{stray}', {columns} FROM scoring_decision LIMIT 1")

    with pytest.raises(verify.Wrong, match=f"The decision {stray} has no event"):
        verify.verify(b"".join(lender.get("export")).splitlines(), keyring().public_keys())


# the bundle


def taken(answer: Any, tmp_path: Path) -> Path:
    assert answer.status_code == 200, answer.content
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"".join(answer.streaming_content))
    return path


def checked(path: Path, tmp_path: Path) -> int:
    (tmp_path / "keys.json").write_bytes(keys_document())
    return verify.main([str(path), "--key", str(tmp_path / "keys.json")])


def signed_anew(path: Path, files: dict[str, bytes]) -> Path:
    """The bundle with these files, as the lender itself could sign it."""
    with zipfile.ZipFile(path, "w") as packed:
        made = bundle._Bundle(packed)
        for name, content in files.items():
            if name not in {verify.MANIFEST, verify.SIGNATURE}:
                made.add(name, content)
        made.sign()
    return path


def test_the_bundle_of_a_decision_is_whole_signed_and_recorded(lender: Lender, tmp_path: Path) -> None:
    path = taken(lender.get("bundle", decision_id=lender.decisions[0]), tmp_path)

    with zipfile.ZipFile(path) as packed:
        told = json.loads(packed.read("decision.json"))
        assert {"README.txt", "verify.py", "keys.json", "events.jsonl", f"policies/{SLUG}-1.json"} <= set(packed.namelist())
    assert checked(path, tmp_path) == 0
    assert (told["id"], told["applicant"]["name"], told["inputs"]["income"]) == (str(lender.decisions[0]), PERSON.name, 900.0)
    event = Event.objects.filter(action=Action.BUNDLE_EXPORTED).get()
    assert (event.object_id, event.detail["personal_data"]) == (str(lender.decisions[0]), True)


def test_the_bundle_of_a_period_names_nobody(lender: Lender, tmp_path: Path) -> None:
    path = taken(lender.get("bundle", **{MOMENT: (datetime.now(UTC) - timedelta(days=1)).isoformat()}), tmp_path)

    with zipfile.ZipFile(path) as packed:
        content = b"".join(packed.read(name) for name in packed.namelist())
        reasons = [json.loads(line) for line in packed.read("reasons.jsonl").splitlines()]
    assert checked(path, tmp_path) == 0
    assert [one["id"] for one in reasons] == [str(one) for one in lender.decisions]
    for personal in (PERSON.name, PERSON.phone, PERSON.national_id):
        assert personal is not None
        assert personal.encode() not in content
    assert Event.objects.filter(action=Action.BUNDLE_EXPORTED, detail__personal_data=False).count() == 1


def test_a_bundle_without_the_right_to_see_people_holds_nobody(lender: Lender, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    call_command("examiner_bundle", lender.house.slug, to=path, decision=lender.decisions[0], stdout=io.StringIO(), stderr=io.StringIO())

    with zipfile.ZipFile(path) as packed:
        content = b"".join(packed.read(name) for name in packed.namelist())
    assert checked(path, tmp_path) == 0
    for personal in (f'"{PERSON.reference}"', PERSON.name or "", PERSON.phone or "", "900.0"):
        assert personal.encode() not in content


@pytest.mark.parametrize("name", ["events.jsonl", "decision.json", "README.txt", "verify.py", "manifest.json", "manifest.sig"])
def test_a_bundle_with_a_changed_missing_or_added_file_is_refused(lender: Lender, tmp_path: Path, name: str) -> None:
    path = taken(lender.get("bundle", decision_id=lender.decisions[0]), tmp_path)
    with zipfile.ZipFile(path) as packed:
        files = {one: packed.read(one) for one in packed.namelist()}
    for changed in (
        {**files, name: files[name].replace(b"e", b"a", 1)}, {one: content for one, content in files.items() if one != name},
        {**files, "more.txt": b""},
    ):  # fmt: skip
        with zipfile.ZipFile(path, "w") as packed:
            for one, content in changed.items():
                packed.writestr(one, content)

        assert checked(path, tmp_path) == 1


def test_a_stranger_follows_the_readme_with_nothing_but_python(lender: Lender, tmp_path: Path) -> None:
    put_in_force()
    decision = decide()
    seal()
    path, folder = taken(lender.get("bundle", decision_id=decision), tmp_path), tmp_path / "unpacked"
    (tmp_path / "lender-keys.json").write_bytes(keys_document())
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder)
    receipt = json.loads((folder / "decision.json").read_bytes())["receipt"]
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))

    def run(what: Path, *more: str) -> str:
        command = [sys.executable, "-I", "-S", "unpacked/verify.py", str(what), "--key", "lender-keys.json", *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    whole = run(path, "--receipt", "receipt.json")
    assert whole.startswith("In order: ")
    assert "1 decision of" in whole
    assert run(folder) == whole
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        name, content = file.relative_to(folder).as_posix(), file.read_bytes()
        file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        assert checked(folder, tmp_path) == 1, name
        file.unlink()
        assert checked(folder, tmp_path) == 1, name
        file.write_bytes(content)
    assert checked(folder, tmp_path) == 0
    (folder / "mine.txt").write_bytes(b"")
    assert checked(folder, tmp_path) == 1


def test_what_a_lender_itself_writes_into_a_bundle_must_be_what_it_recorded(
    lender: Lender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_force()
    decision = decide()
    seal()
    path, model = taken(lender.get("bundle", decision_id=decision), tmp_path), f"models/{SLUG}-1.json"
    with zipfile.ZipFile(path) as packed:
        files = {one: packed.read(one) for one in packed.namelist()}
    assert checked(signed_anew(path, files), tmp_path) == 0

    for name, old, new in (
        ("decision.json", b'"score": ', b'"score": 1'), ("decision.json", b'"outcome": "', b'"outcome": "x'),
        ("decision.json", b'"id": "0', b'"id": "1'), (model, b'"bundle_sha256": "', b'"bundle_sha256": "0'),
        (model, b'"id": "', b'"id": "0'),
    ):  # fmt: skip
        changed = {**files, name: files[name].replace(old, new)}
        assert changed != files
        assert checked(signed_anew(path, changed), tmp_path) == 1
        assert f"WRONG. The bundle's {name}" in capsys.readouterr().out


def test_a_bundle_says_what_it_needs(lender: Lender) -> None:
    assert lender.get("bundle").status_code == 400
    assert lender.get("bundle", decision_id=uuid.uuid4()).status_code == 404
    assert lender.get("bundle", decision_id=lender.decisions[0], **{MOMENT: "2026-01-01T00:00:00Z"}).status_code == 400
    with pytest.raises(CommandError, match="--decision ID, or --since"):
        call_command("examiner_bundle", lender.house.slug, to=Path("/nowhere"), stderr=io.StringIO())


def test_the_model_and_its_card_are_in_the_bundle(lender: Lender, tmp_path: Path) -> None:
    with tenant_context(lender.house.partner):
        put_in_force()
        made = decide()
        seal()

    with zipfile.ZipFile(taken(lender.get("bundle", decision_id=made), tmp_path)) as packed:
        model = json.loads(packed.read(f"models/{SLUG}-1.json"))

        assert len(model["bundle_sha256"]) == 64


# checks of the whole record, and commands


def test_a_check_runs_once_and_its_result_is_kept_and_recorded(lender: Lender) -> None:
    with tenant_context(lender.house.partner):
        asked = ask_verification(actor=Actor(kind="user", id="7", label="Amina"))
        with pytest.raises(VerificationRunning):
            ask_verification(actor=SYSTEM)
        assert verifications_left()

        done = work_on_verification()

        assert done is not None
        assert (done.id, done.state, done.decisions, done.checked) == (asked.id, Verification.State.HELD, 3, done.total)
        assert (verifications_left(), work_on_verification()) == (False, None)
        event = Event.objects.filter(action=Action.RECORD_VERIFIED).get()
        assert (event.detail["holds"], event.actor_label) == (True, "Amina")


def test_a_check_that_a_dead_worker_left_is_begun_again(lender: Lender) -> None:
    with tenant_context(lender.house.partner):
        ask_verification(actor=SYSTEM)
        Verification.objects.update(state=Verification.State.RUNNING)
        assert not verifications_left()
        Verification.objects.update(seen_at=datetime.now(UTC) - timedelta(minutes=2))

        done = work_on_verification()

        assert done is not None
        assert done.state == Verification.State.HELD


def test_a_check_names_what_is_wrong_and_the_record_remembers(lender: Lender) -> None:
    with tenant_context(lender.house.partner):
        fourth = "(SELECT event_id FROM audit_leaf WHERE position = 4)"
        by_force(lender.house, f"UPDATE audit_event SET actor_label = 'Mallory' WHERE id = {fourth}")
        ask_verification(actor=SYSTEM)

        done = work_on_verification()

        assert done is not None
        assert (done.state, done.position) == (Verification.State.FAILED, 4)
        assert "is not as it was recorded" in done.problem
        assert Event.objects.get(action=Action.RECORD_VERIFIED).detail["position"] == 4


def test_commands_export_verify_and_rotate(lender: Lender, tmp_path: Path) -> None:
    slug, quiet = lender.house.slug, {"stdout": io.StringIO(), "stderr": io.StringIO()}
    call_command("rotate_key", slug, "sign", **quiet)
    with tenant_context(lender.house.partner):
        seal()
    call_command("audit_export", slug, to=tmp_path / "all.jsonl.gz", keys=tmp_path / "keys.json", **quiet)
    call_command("audit_verify", slug, **quiet)

    assert verify.main([str(tmp_path / "all.jsonl.gz"), "--key", str(tmp_path / "keys.json")]) == 0
    with tenant_context(lender.house.partner):
        actions = Event.objects.filter(actor_kind="operator").values_list("action", flat=True)
        assert {"keyring.rotated", "record.exported", "record.verified"} <= set(actions)
        given = Event.objects.filter(action=Action.COMMAND_RUN).order_by("id").values_list("object_id", flat=True)
        assert list(given) == ["rotate_key", "audit_export", "audit_verify"]
        by_force(lender.house, "UPDATE scoring_decision SET score = 850", "scoring_decision")
    said = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("audit_verify", slug, stdout=said, stderr=io.StringIO())
    assert said.getvalue().startswith("WRONG. ")
