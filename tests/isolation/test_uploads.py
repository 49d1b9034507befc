"""Whatever is sent to any route, it is refused within seconds and without filling memory or disk: every route, every kind of bomb."""

import gzip
import io
import tempfile
import time
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from audit.context import SYSTEM
from partners.tenancy import public_context
from portal import urls
from scoring.engine.intake import MOST_UNPACKED
from scoring.engine.writing import SheetWriter
from scoring.models import Batch
from scoring.services import batches, jobs, uploads, work
from tests.conftest import House
from tests.isolation.routes import Route, routes
from tests.isolation.test_routes import Other, filled

MB = 1024**2
SECONDS, GROWTH = 5.0, 150 * MB
TAKE_FILES = {"batch-new": "table", "file-add": "file"}
BOUNDARY = "----bomb"


def _gzip_bomb(size: int) -> bytes:
    packer, empty = zlib.compressobj(1, wbits=31), bytes(MB)
    return b"".join(packer.compress(empty) for _ in range(size // MB)) + packer.flush()


def _sheet(rows: bytes, *, head: bytes = b"", times: int = 1) -> bytes:
    plain, made = io.BytesIO(), io.BytesIO()
    with SheetWriter(plain) as book:
        book.sheet("Table", [["id"]])
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            if "sheet1" not in name:
                new.writestr(name, old.read(name))
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            part.write(head + b"<worksheet><sheetData>")
            for _ in range(times):
                part.write(rows)
            part.write(b"</sheetData></worksheet>")
    return made.getvalue()


BODIES: Mapping[str, tuple[str, bytes, dict[str, str]]] = {
    "deep lists": ("application/json", b"[" * 900_000, {}),
    "deep objects": ("application/json", b'{"a":' * 180_000 + b"1" + b"}" * 180_000, {}),
    "deep members": ("application/json", b'{"inputs":' + b"[" * 400_000 + b"]" * 400_000 + b"}", {}),
    "20,000 members": ("application/json", b"{" + b",".join(b'"m%d":1' % number for number in range(20_000)) + b"}", {}),
    "a list of 1,000,000": ("application/json", b"[" + b"1," * 1_000_000 + b"1]", {}),
    "a number of 900,000 digits": ("application/json", b'{"version":' + b"9" * 900_000 + b"}", {}),
    "UTF-16": ("application/json", '{"list": "decisions"}'.encode("utf-16"), {}),
    "a body in gzip": ("application/json", _gzip_bomb(256 * MB), {"Content-Encoding": "gzip"}),
    "gzip that does not say so": ("application/json", gzip.compress(b"{}" * 1_000), {}),
    "12 MB": ("application/json", b'{"a": "' + b"x" * 12 * MB + b'"}', {}),
    "entities": ("application/xml", b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>', {}),
}  # fmt: skip
FILES: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "header of 1,000,000 columns": ("t.csv", lambda _header: b"c," * 1_000_000 + b"c\n1,2\n"),
    "row of 1,000,000 columns": ("t.csv", lambda header: header + b"1," * 1_000_000 + b"1\n"),
    "quoted newlines": ("t.csv", lambda header: header + b'A-1,"' + b"\n" * 16 * MB + b'"\n'),
    "one endless line": ("t.csv", lambda header: header + b"A-1," + b"x" * 16 * MB),
    "UTF-16": ("t.csv", lambda _header: ("a,b\n" + "1,2\n" * 500_000).encode("utf-16")),
    "NUL bytes": ("t.csv", lambda header: header + b"\0" * 4 * MB),
    "a zip that says it is CSV": ("t.csv", lambda _header: b"PK\x03\x04" + b"x" * MB),
    "a packed table of 256 MiB": ("t.csv.gz", lambda _header: _gzip_bomb(256 * MB)),
    "a workbook of 512 MiB": ("t.xlsx", lambda _header: _sheet(b" " * MB, times=MOST_UNPACKED // MB + 1)),
    "a workbook with entities": (
        "t.xlsx", lambda _header: _sheet(b"<row><c><v>&b;</v></c></row>", head=b'<!DOCTYPE x [<!ENTITY b "ha">]>')
    ),
    "a row of 1,000,000 cells": ("t.xlsx", lambda _header: _sheet(b"<row>" + b"<c><v>1</v></c>" * 1_000_000 + b"</row>")),
    "a program": ("t.xlsx", lambda _header: b"\x7fELF" + bytes(range(256)) * 4096),
}  # fmt: skip


@pytest.fixture
def other(north: House) -> Other:
    return filled(north)


def form_of(name: str, raw: bytes, field: str, **said: str) -> bytes:
    """The form with a file in the middle, as browsers write it."""
    texts = "".join(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n' for key, text in said.items())
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    return b"".join([texts.encode(), head.encode(), raw, f"\r\n--{BOUNDARY}--\r\n".encode()])


class Measured:
    """What a block of work cost this process, in seconds and in memory above what it had."""

    def __enter__(self) -> "Measured":
        Path("/proc/self/clear_refs").write_text("5")    # the highest is now
        self._before, self._began = _memory("VmRSS"), time.process_time()
        return self

    def __exit__(self, *_of: Any) -> None:
        self.seconds, self.grown = time.process_time() - self._began, _memory("VmHWM") - self._before

    def holds(self) -> bool:
        """Whether it was little."""
        return self.seconds < SECONDS and self.grown < GROWTH


def _memory(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def writing_routes(urlconf: Any) -> list[tuple[Route, str]]:
    return [(route, method) for route in routes(urlconf) for method in route.methods if method not in {"GET", "DELETE"}]


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_of_a_bomb_is_read_by_any_route_of_the_api(north: House, other: Other, kind: str) -> None:
    content_type, raw, headers = BODIES[kind]
    sent = [(route, method) for route, method in writing_routes(urls) if route.is_api]
    client = Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {other.bearer}")
    assert len(sent) > 40

    for route, method in sent:
        with Measured() as cost:
            answer = client.generic(
                method, route.path(other.values), raw, content_type=content_type, headers={**headers, "Idempotency-Key": str(uuid.uuid4())}
            )
        assert 400 <= answer.status_code < 500, (route.name, method, answer.status_code)
        assert cost.holds(), (route.name, cost.seconds, cost.grown)


def test_no_form_but_two_takes_a_file(north: House, other: Other) -> None:
    raw, folder = form_of("t.csv", b"x" * 4 * MB, "file"), Path(tempfile.gettempdir())
    sent = [(route, method) for route, method in writing_routes(urls) if not route.is_api and route.name not in {*TAKE_FILES, "logout"}]
    assert len(sent) > 40
    client = north.client("admin")
    before = set(folder.glob("*.upload*"))

    for route, method in sent:
        with Measured() as cost:
            answer = client.generic(
                method, route.path({**other.values, "object_id": "1"}), raw, content_type=f"multipart/form-data; boundary={BOUNDARY}"
            )
        assert answer.status_code < 500, (route.name, answer.status_code)
        assert cost.holds(), (route.name, cost.seconds, cost.grown)
        assert cost.seconds < 1.0, (route.name, cost.seconds)
        assert not answer.wsgi_request.FILES, route.name
    assert set(folder.glob("*.upload*")) == before


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_means_harm_is_refused_where_files_are_taken(in_north: House, kind: str) -> None:
    other, wanted = filled(in_north), batches.asked_for("applicants", in_north.product)
    name, make = FILES[kind]
    raw = make(",".join(one.name for one in wanted).encode() + b"\n")
    kept = len(list(uploads.folder().iterdir()))

    client = in_north.client("admin")
    for route in (one for one in routes(urls) if one.name in TAKE_FILES):
        form = form_of(name, raw, TAKE_FILES[route.name], kind="applicants", product=in_north.product)
        with Measured() as cost:
            with public_context():
                answer = client.generic("POST", route.path(other.values), form, content_type=f"multipart/form-data; boundary={BOUNDARY}")
            told = checked(answer["Location"]) if answer.status_code == 302 else answer.content.decode()
        assert (answer.status_code, route.name) in {(422, route.name), (302, "batch-new")}, told[:300]
        assert told.strip(" []"), route.name
        assert cost.holds(), (route.name, cost.seconds, cost.grown)
    assert len(list(uploads.folder().iterdir())) <= kept + 1


def checked(address: str) -> str:
    """What the check of a table says that was taken, with its columns under their own names."""
    batch = Batch.objects.get(id=address.split("/")[2])
    named = {one.name: one.name for one in batches.asked_for(batch.kind, batch.product.slug)}
    job = batches.map_columns(batch_id=batch.id, mapping=named, currency="KES", actor=SYSTEM).checking
    assert job is not None
    while work.work_on(job):
        pass
    work.end(job)
    return f"{jobs.progress(job).problem} {[one.fix for one in batches.findings(Batch.objects.get(id=batch.id)).first]}"
