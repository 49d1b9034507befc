"""The Python client and the Postman collection: as the API is now, and against a portal that runs."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import settings

from portal.management.commands.make_client import COLLECTION, written
from tests.conftest import Site

ROOT = settings.BASE_DIR / "clients" / "python"
sys.path.insert(0, str(ROOT))

from vouch_client import Client, Refused, Unreachable  # noqa: E402 - a package of its own, not installed here


def test_what_is_written_is_what_the_description_says() -> None:
    for path, content in written().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is not up to date: run manage.py make_client"


def test_the_client_is_typed() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--config-file", "", "-p", "vouch_client"], cwd=ROOT,
                          capture_output=True, text=True, timeout=200)  # fmt: skip

    assert done.returncode == 0, done.stdout


def test_every_operation_is_in_the_collection_with_its_example() -> None:
    items = [one for folder in json.loads(COLLECTION.read_text())["item"] for one in folder["item"]]
    (score,) = [one for one in items if one["name"] == "Score one applicant"]

    assert len(items) >= 60
    assert json.loads(score["request"]["body"]["raw"])["product"] == "market-loan"
    assert "Idempotency-Key" in {header["key"] for header in score["request"]["header"]}


@pytest.fixture
def any_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names below localhost are this machine, as browsers take them; not every resolver does."""
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more: found("127.0.0.1" if host.endswith(".localhost") else host, *more))


@pytest.mark.usefixtures("any_localhost")
def test_the_client_scores_lists_and_is_refused_in_words(site: Site) -> None:
    client = Client(site.url("").rstrip("/"), site.house.api_key)
    asked: Any = {"product": site.house.product, "applicant": {"reference": "client-1"}, "inputs": dict(site.house.inputs)}

    made = client.score_create(asked, idempotency_key="client-1")
    again = client.score_create(asked, idempotency_key="client-1")

    assert made == again
    assert made["id"] in {one["id"] for one in client.score_list(reference="client-1", created_at_gte="2020-01-01T00:00:00Z")["data"]}
    wrong: Any = {**asked, "inputs": {}}
    with pytest.raises(Refused) as refusal:
        client.score_create(wrong)
    assert (refusal.value.status, refusal.value.code) == (422, "invalid_request")
    assert refusal.value.errors


@pytest.mark.usefixtures("any_localhost")
def test_the_clients_page_works_when_pasted(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}

    for block in blocks:
        exec(block.replace("http://north.localhost:8000", site.url("").rstrip("/")).replace("vk_live_...", site.house.api_key), names)

    said = capsys.readouterr().out
    assert len(blocks) == 4
    assert said.startswith(names["decision"]["outcome"])
    assert "422 invalid_request" in said
    assert "/inputs/loan_amount" in said
    assert f"{names['decision']['id']} {names['decision']['outcome']}" in said


class Moody(BaseHTTPRequestHandler):
    """A server that does what it is asked and then fails to say so, twice."""

    keys: list[str | None] = []
    failures: list[str] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Moody.keys.append(self.headers["Idempotency-Key"])
        failure = Moody.failures.pop(0) if Moody.failures else ""
        if failure == "hang up":
            self.connection.close()
            return
        self.send_response(503 if failure else 201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PATCH = do_POST  # noqa: N815 - the library's way to name it

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def moody() -> Iterator[str]:
    Moody.keys, Moody.failures = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_repeated_post_has_one_key_and_a_new_call_another(moody: str) -> None:
    Moody.failures = ["busy", "hang up"]
    client = Client(moody, "vk", first_pause=0.001)

    client.webhook_test("w")
    client.webhook_test("w")

    assert len(Moody.keys) == 4
    assert None not in Moody.keys
    assert Moody.keys[0] == Moody.keys[1] == Moody.keys[2] != Moody.keys[3]


def test_who_gives_up_is_told_the_key_and_what_no_key_guards_is_tried_once(moody: str) -> None:
    Moody.failures = ["hang up"] * 3
    client = Client(moody, "vk", first_pause=0.001, attempts=2)

    with pytest.raises(Unreachable) as gone:
        client.webhook_test("w")
    assert gone.value.key == Moody.keys[0] == Moody.keys[1]
    with pytest.raises(Unreachable):
        client._call("PATCH", "/any", body={})
    assert len(Moody.keys) == 3
