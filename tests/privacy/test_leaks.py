"""A thousand personal values go through everything that the portal does, and none of them is in clear where others may look."""

import base64
import http.client
import io
import json
import logging
import logging.config
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from audit import vault
from audit.alerts import raise_noted
from audit.models import Alert, RetentionPolicy
from audit.privacy import requests
from audit.sealer import seal
from partners.postgres.roles import current_role_name
from partners.tenancy import tenant_context
from partners.webhooks.delivering import hand_out
from partners.webhooks.models import Delivery
from partners.webhooks.services import create_endpoint
from portal import scheduler
from portal.approvals.models import Application, Notice
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.files import add_file
from portal.approvals.services.moves import Why
from portal.approvals.services.notices import change_notice_settings, send_notice
from portal.approvals.services.work import write_note
from portal.approvals.transitions import MoveName
from portal.backups import programs
from portal.embedded import postgres
from portal.exports.services.asking import ask_export, schedule_export
from portal.logs import WithoutValues
from portal.web import applicants as applicant_pages
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.policy import Policy
from scoring.errors import TableRefused
from scoring.models import Applicant
from scoring.services import work
from scoring.services.batches import map_columns, settled, start_batch
from scoring.services.products import create_product
from tests.approvals.factories import Browser, acting
from tests.conftest import House, Site, address_of
from tests.exports.factories import content, exported, wanted
from tests.scoring.factories import INPUTS, a_batch, a_definition, by_key

# Every value holds one of these, so that one search finds any of a thousand.
LETTERS, DIGITS = "Zqxkwjv", "90417752836"
PEOPLE = [
    {"reference": f"{LETTERS}-ref-{one}", "name": f"{LETTERS}{one} Kamau", "phone": f"+{DIGITS}{one:03d}",
     "national_id": f"ID{DIGITS}X{one}"} for one in range(250)
]    # fmt: skip
TOLD = ["decision.made", "application.scored", "application.decided", "batch.completed", "export.ready"]
SENDER = {"sender": "Umoja Credit", "address": "Kenyatta Avenue 1, Nairobi", "email": "letters@umoja.example", "authority": "The authority"}
VALUES = [value for one in PEOPLE for value in one.values()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif("DATABASE_URL" not in os.environ["VOUCH_TEST_EMBEDDED"].split(), reason="needs the files of the server"),
]


def forms_of(text: str) -> dict[str, bytes]:
    """How a text may stand in a file: as it is, in other cases and alphabets, and as hex or base64 at each of its three places."""
    raw = text.encode()
    base = {f"base64 {at}": base64.b64encode(b"\0" * at + raw)[4 if at else 0 : -4] for at in range(3)}
    return {
        "plain": raw, "lower case": raw.lower(), "upper case": raw.upper(), "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
        "utf-16": text.encode("utf-16-le"), "utf-16 be": text.encode("utf-16-be"), **base,
    }  # fmt: skip


FORMS = {f"{text}, {name}": form for text in (LETTERS, DIGITS) for name, form in forms_of(text).items()}


def found_in(content: bytes) -> list[str]:
    """Which values are there in which form, with what stands around the first."""
    seen = {name: content.find(form) for name, form in FORMS.items()}
    return [f"{name}: ...{content[max(0, at - 60) : at + 60]!r}" for name, at in seen.items() if at >= 0]


@pytest.fixture(scope="module")
def places(site: Site, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with everything that others may look at, after the portal has done everything it does."""
    folder = tmp_path_factory.mktemp("looked-at")
    logs = logging.FileHandler(folder / "app.log")
    shape = settings.LOGGING["formatters"]["json"]
    logs.setFormatter(shape["()"](processors=shape["processors"], foreign_pre_chain=shape["foreign_pre_chain"]))
    logs.addFilter(WithoutValues())
    logging.getLogger().addHandler(logs)
    with django_db_blocker.unblock():
        try:
            with tenant_context(site.house.partner):
                a_product_that_takes_any_word()
                create_endpoint(url="https://hooks.example.com/", event_types=TOLD, actor=by_key())
            over_http(site)
            with tenant_context(site.house.partner):
                by_people(site.house)
                by_a_table(site.house)
                by_faults(site.house)
                assert len(VALUES) == 1_000
                assert Applicant.objects.exclude(wrapped_key=None).count() >= 200
                while hand_out():
                    pass
                assert Delivery.objects.count() > 50
                ask_export(asked=wanted(list_name="applicants", filters={"q": PEOPLE[5]["name"]}), actor=acting(site.house, "admin"))
                scheduler.ring_for_jobs()
                scheduler.ring_for_exports()
                seal()
                taken_away(site.house, folder)
            looked_at(site, folder)
        finally:
            logging.getLogger().removeHandler(logs)
            logs.close()
            vault.broken.clear()
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        yield folder


def a_product_that_takes_any_word() -> None:
    """One of its inputs is a text that anybody writes."""
    definition = a_definition("any-word")
    free = Input(name="why", kind=InputKind.CATEGORY, accepts_other=True, required=False)
    contract = Contract((*definition.contract.inputs, free))
    create_product(definition=replace(definition, contract=contract), policy=Policy(851, 300, bands=(800, 700, 600, 500)), actor=by_key())


def over_http(site: Site) -> None:
    """Scores, applications, refusals and searches, each with somebody's values."""
    inputs, product = site.house.inputs, site.house.product
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)) as line:

        def send(method: str, path: str, body: object = None, **headers: str) -> int:
            said = {"Host": f"{site.house.host}:{site.port}", "X-API-Key": site.house.api_key, **headers}
            line.request(method, path, None if body is None else json.dumps(body), {**said, "Content-Type": "application/json"})
            answer = line.getresponse()
            answer.read()
            return answer.status

        for at in range(0, 200, 50):
            batch = {"product": product, "items": [{"applicant": one, "inputs": inputs} for one in PEOPLE[at : at + 50]]}
            assert send("POST", "/api/v1/score-batches", batch, **{"Idempotency-Key": f"b{at}"}) in {200, 201}
        for number, one in enumerate(PEOPLE[200:210]):
            asked = {"product": "any-word", "applicant": one, "inputs": {**INPUTS, "why": one["name"]},
                     "amount": {"amount": "3000", "currency": "KES"}}  # fmt: skip
            assert send("POST", "/api/v1/applications", asked, **{"Idempotency-Key": f"a{number}"}) == 201
        bad = PEOPLE[210]
        assert send("POST", "/api/v1/scores", {"product": product, "applicant": bad, "inputs": {**inputs, "stall": bad["name"]}}) == 422
        assert send("POST", "/api/v1/scores", {"product": bad["name"], "applicant": bad, "inputs": inputs}) in {404, 422}
        assert send("POST", "/api/v1/scores", {bad["name"]: bad["phone"]}) in {400, 422}
        for path in ("scores?reference=", "applications?reference=", "applicants?q=", "scores/", "applications/"):
            assert send("GET", f"/api/v1/{path}{bad['reference']}") in {200, 400, 404}, path


def by_people(house: House) -> None:
    """Notes, files, letters, searches, saved views, requests of applicants, an erasure."""
    admin, second, one = acting(house, "admin"), acting(house, "compliance"), PEOPLE[200]
    first, *others = Application.objects.order_by("id")
    write_note(application_id=first.id, text=f"Called {one['phone']}", actor=admin)
    add_file(application_id=first.id, name=f"{one['national_id']}.txt", content=one["name"].encode(), actor=admin)
    change_notice_settings(said=SENDER, reason_texts={}, actor=admin)
    for waiting in others:
        decide_application(application_id=waiting.id, move=MoveName.DECLINE, why=Why("as_reasoned", f"{one['name']} said no"), actor=admin)
        send_notice(application_id=waiting.id, way=Notice.Way.POST, language=None, actor=admin)
    browser = Browser(house, "admin")
    known = vault.keyring().applicant_id(one["reference"])
    sought = (f"/applicants?q={one['name']}", f"/decisions?reference={one['reference']}", f"/applications?q={one['reference']}",
              f"/audit?q={one['reference']}")  # fmt: skip
    for path in (*sought, f"/applicants/{known}", "/decisions", "/applications", f"/applications/{first.number}", "/summary"):
        browser.get(path)
    browser.post("/applications/views", {"name": "mine", "back": f"?tab=all&q={one['name']}"})
    schedule_export(asked=wanted(list_name="applicants", filters={"q": one["name"]}, with_applicants=True), every="day", actor=admin)
    exported(admin, wanted(list_name="applicants", kind="xlsx", filters={"q": one["name"]}, with_applicants=True))
    today = timezone.now().date()
    made = requests.open_request(
        kind="rectification", reference=one["reference"], received_on=today, statement=f"I am {one['name']}", actor=admin
    )
    requests.rectify(number=made.number, changes={"phone": PEOPLE[211]["phone"]}, actor=admin)
    copy = requests.open_request(kind="access", reference=one["reference"], received_on=today, actor=admin)
    for form in ("json", "pdf"):
        assert browser.get(f"/privacy/{copy.number}/data.{form}").status_code == 200
    RetentionPolicy.objects.all().delete()
    gone = requests.open_request(kind="erasure", reference=PEOPLE[0]["reference"], received_on=today, actor=admin)
    requests.propose_erasure(number=gone.number, actor=admin)
    requests.confirm_erasure(number=gone.number, actor=second)


def by_a_table(house: House) -> None:
    """A table of forty people, one of whose cells cannot be read, is checked and scored by workers, and taken away."""
    columns = list(house.inputs)
    rows = [[one["reference"], one["name"], *map(str, house.inputs.values())] for one in PEOPLE[210:]]
    rows[0][2] = PEOPLE[210]["phone"] + "x"    # a finding that quotes somebody
    lines = [["reference", "name", *columns], *rows]
    batch, admin = a_batch(house.product, "\n".join(",".join(row) for row in lines) + "\n"), acting(house, "admin")
    map_columns(batch_id=batch.id, mapping={"@reference": "reference", **{name: name for name in columns}}, currency="KES", actor=admin)
    worked_on(batch)
    browser = Browser(house, "admin")
    browser.get(f"/batches/{batch.id}")
    settled(batch)
    start_batch(batch_id=batch.id, currency="KES", actor=admin)
    worked_on(batch)
    browser.get(f"/batches/{batch.id}")
    a_batch(house.product, "reference\nA\n", name=f"{PEOPLE[249]['name']}.csv")
    with pytest.raises(TableRefused):    # nobody wrote a header above these
        a_batch(house.product, f"{PEOPLE[249]['name']},{PEOPLE[249]['phone']}\nA,1\n")


def worked_on(batch: Any) -> None:
    """What the queue's workers do."""
    batch.refresh_from_db()
    for job in (batch.checking, batch.working):
        while job is not None and work.work_on(job):
            job.refresh_from_db()
        if job is not None:
            work.end(job)


def by_faults(house: House) -> None:
    """A row that somebody tampered with, a page that fails while it holds a person, a statement that PostgreSQL refuses."""
    one, other = Applicant.objects.exclude(wrapped_key=None).order_by("id")[:2]
    kept = bytes(one.sealed_profile or b"")
    Applicant.objects.filter(id=one.id).update(sealed_profile=other.sealed_profile)
    browser = Browser(house, "admin")
    browser.client.raise_request_exception = False
    assert browser.get(f"/applicants/{one.id}").status_code == 500
    raise_noted()
    assert Alert.objects.exists()
    Applicant.objects.filter(id=one.id).update(sealed_profile=kept)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(applicant_pages, "render", _fails)
        assert browser.get(f"/applicants?q={PEOPLE[20]['name']}").status_code == 500
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT %s::text::uuid", [PEOPLE[21]["reference"]])
    try:
        raise KeyError(PEOPLE[22]["name"])
    except KeyError as error:
        said = {"name": "scoring.x", "id": uuid.uuid4(), "description": "raised", "exc": repr(error)}
        logging.getLogger("celery.app.trace").exception("Task %(name)s[%(id)s] %(description)s: %(exc)s", said)


def _fails(*_of: Any) -> None:
    raise ValueError(f"cannot show {PEOPLE[20]}")


def taken_away(house: House, folder: Path) -> None:
    """What leaves the house for others: lists without applicants, the record, the report, a bundle."""
    officer = acting(house, "officer")
    for name in ("decisions", "applications"):
        (folder / f"{name}.csv").write_bytes(content(exported(officer, wanted(list_name=name)), officer))
    today, nowhere = timezone.now().date(), {"stdout": io.StringIO(), "stderr": io.StringIO()}
    call_command("audit_export", house.slug, to=folder / "record.jsonl", **nowhere)
    call_command("compliance_report", house.slug, out=folder / "report.json", since=today, until=today, **nowhere)


def looked_at(site: Site, folder: Path) -> None:
    """The dump, the WAL and the server's files, Redis with its queue, logs, metrics and whatever lies in the state folder."""
    address = address_of(str(connection.settings_dict["NAME"]))
    dump = [programs.program("pg_dump"), f"--role={current_role_name('owner')}", "-f", str(folder / "dump.sql"), address]
    subprocess.run(dump, check=True, capture_output=True)
    home = Path(os.environ["VOUCH_HOME"])
    wal = sorted((postgres.data_folder() / "pg_wal").glob("0*"))
    (folder / "wal").write_bytes(b"".join(path.read_bytes() for path in wal))
    (folder / "logs").write_bytes(b"".join(path.read_bytes() for path in [*home.glob("*.log"), folder / "app.log"]))
    with closing(redis.Redis.from_url(settings.REDIS_URL)) as store:
        (folder / "redis").write_bytes(b"".join(key + b"=" + value_of(store, key) for key in store.scan_iter()))
    kept = [path for name in ("redis", "files", "checkpoints", "erasures", "mail") for path in (home / name).rglob("*") if path.is_file()]
    (folder / "home").write_bytes(b"".join(path.read_bytes() for path in kept if "/upload/" not in str(path)))
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)) as line:
        line.request("GET", "/metrics")
        (folder / "metrics").write_bytes(line.getresponse().read())


def value_of(store: Any, key: bytes) -> bytes:
    """What stands under a key, as it was sent: a dump of it would be packed."""
    reads = {b"list": lambda: store.lrange(key, 0, -1), b"hash": lambda: store.hgetall(key), b"set": lambda: store.smembers(key),
             b"zset": lambda: store.zrange(key, 0, -1), b"string": lambda: store.get(key)}  # fmt: skip
    return repr(reads[store.type(key)]()).encode()


@pytest.mark.parametrize(
    "place", ["dump.sql", "wal", "redis", "home", "logs", "metrics", "decisions.csv", "applications.csv", "record.jsonl", "report.json"]
)
def test_no_personal_value_is_in_clear(places: Path, place: str) -> None:
    assert found_in((places / place).read_bytes()) == []


def test_what_is_searched_is_what_the_portal_wrote(places: Path, site: Site) -> None:
    for place in ("dump.sql", "wal"):
        assert site.house.schema.encode() in (places / place).read_bytes()
    assert b"exports.write_export" in (places / "redis").read_bytes()
    logs = (places / "logs").read_bytes()
    assert b"ValueError" in logs
    assert b"seal_broken" in logs
    assert b"Task scoring.x" in logs
    assert b"api_requests_total" in (places / "metrics").read_bytes()
    assert (places / "home").stat().st_size > 10_000


@pytest.mark.parametrize("form", ["plain", "hex", "utf-16", "base64 0", "base64 1", "base64 2"])
def test_the_search_finds_what_it_looks_for(form: str) -> None:
    value, at = PEOPLE[7]["name"], int(form[-1]) if form.startswith("base64") else 0
    hidden = {"plain": value.encode(), "hex": value.encode().hex().encode(), "utf-16": value.encode("utf-16-le")}

    assert found_in(b"before " + hidden.get(form, base64.b64encode(b"x" * at + value.encode())) + b" after")
