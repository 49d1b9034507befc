"""The bench's own parts: what it sends and counts, how it times, what it keeps. No figure of a machine is judged here."""

import json
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.__main__ import merged
from bench.load import Load
from bench.pictures import bars
from bench.site import row
from bench.steps import Steps


class _Service:
    """A server that keeps what it was sent and answers each path with a status."""

    def __init__(self, status: int) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                service.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                service.keys.append(self.headers["Idempotency-Key"])
                self.send_response(status)
                self.send_header("Content-Length", "70000")
                self.end_headers()
                self.wfile.write(b"x" * 70_000)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def running(self) -> Iterator[int]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(self.server.server_address[1])
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


def _load(port: int, **wanted: Any) -> dict[str, Any]:
    requests = [{"path": "/x", "headers": {}, "body": {"inputs": {"ä": number}}} for number in (1, 2)]
    chosen = {"clients": 3, "total": None, "seconds": None, "rate": None, **wanted}
    return dict(Load(port=port, requests=requests, **chosen).run())


def test_a_load_sends_so_many_requests_each_about_an_applicant_of_its_own() -> None:
    service = _Service(201)

    with service.running() as port:
        seen = _load(port, total=20)

    assert seen["requests"] == 20
    assert seen["failures"] == {}
    assert len({body["applicant"]["reference"] for body in service.bodies}) == len(set(service.keys)) == 20
    assert sorted(body["inputs"]["ä"] for body in service.bodies) == [1] * 10 + [2] * 10


def test_what_is_not_created_is_a_failure_and_no_latency() -> None:
    with _Service(503).running() as port:
        seen = _load(port, total=5)

    assert seen["failures"] == {"503": 5}
    assert seen["requests"] == 0


def test_at_a_rate_requests_leave_when_they_are_due_and_wait_counts_from_then() -> None:
    with _Service(201).running() as port:
        seen = _load(port, total=10, rate=100.0)

    assert seen["seconds"] >= 0.09
    assert seen["requests"] == 10


def test_an_answer_that_is_cut_off_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def cut() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n12")

        thread = threading.Thread(target=cut)
        thread.start()
        seen = _load(listening.getsockname()[1], total=1, clients=1)
        socket.create_connection(listening.getsockname()).close()
        thread.join(5)

    assert seen["failures"] == {"ConnectionResetError": 1}
    assert seen["requests"] == 0


def test_a_step_is_what_its_functions_spend_without_those_below_and_everything_is_put_back() -> None:
    class Work:
        def outer(self) -> None:
            _spend(0.01)
            self.inner()

        def inner(self) -> None:
            _spend(0.03)

    plain = vars(Work)["outer"]
    steps = Steps({"above": [(Work, "outer")], "below": [(Work, "inner")]})

    with steps:
        Work().outer()

    assert vars(Work)["outer"] is plain
    assert steps.spent["above"] == pytest.approx(10e6, rel=0.2)
    assert steps.spent["below"] == pytest.approx(30e6, rel=0.2)


def _spend(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_partial_run_replaces_its_own_rows_and_keeps_the_others() -> None:
    earlier = [{"measurement": "explain", "name": "a"}, {"measurement": "batch", "name": "b"}, {"measurement": "explain", "name": "gone"},
               {"name": "c"}, {"name": "old"}]  # fmt: skip

    rows = merged(earlier, {"explain": [{"name": "a", "ours": 1}, {"name": "c", "ours": 2}]})

    assert rows == [
        {"measurement": "explain", "name": "a", "ours": 1}, {"measurement": "explain", "name": "c", "ours": 2},
        {"measurement": "batch", "name": "b"}, {"name": "old"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "required", "holds"),
    [
        ({}, None, None),
        ({"at_most": 5}, "<= 5", True),
        ({"at_most": 3}, "<= 3", False),
        ({"ratio": 0.95, "at_least": 0.9}, ">= 0.9x", True),
        ({"ratio": 0.85, "at_least": 0.9}, ">= 0.9x", False),
    ],
)
def test_a_row_holds_when_its_figure_or_its_ratio_does(wanted: dict[str, float], required: str | None, holds: bool | None) -> None:
    made = row("x", 4.0, "ms", **wanted)

    assert (made["required"], made["holds"]) == (required, holds)


def test_a_picture_has_title_axes_units_and_a_bar_of_each_part() -> None:
    picture = ElementTree.fromstring(bars("Cost <by> size", "size", "us", ["1", "10"], {"here": [300.0, 400.0], "there": [100.0, 800.0]}))

    texts = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Cost <by> size", "size", "us", "1", "10", "here", "there", "400", "1,200"} <= set(texts)
    filled = [one.get("fill") for one in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert filled.count("#2f6690") == filled.count("#e0a458") == 3
