"""One attempt: signed as the stock library checks it, to the address that was checked, within its time, whatever the other side does."""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from partners.webhooks.sender import Letter, Network, send
from partners.webhooks.signing import new_secret
from tests.partners.receivers import Received, certificate, receiver
from tests.partners.test_webhook_targets import PUBLIC, found

HOST = "hooks.example.com"
BODY = '{"type":"application.decided","data":{"id":"é"}}'.encode()


@pytest.fixture(autouse=True)
def trials(settings: Any) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True


def letter(url: str, *secrets: str) -> Letter:
    return Letter(url, "019aa000-0000-7000-8000-000000000000", BODY, secrets or (new_secret(),))


def to(url: str, **network: Any) -> Any:
    return send(letter(url), Network(**network))


def test_the_stock_library_verifies_what_is_sent() -> None:
    new, old = new_secret(), new_secret()
    with receiver() as server:
        outcome = send(letter(server.url, new, old))

    got = server.received[0]
    assert (outcome.status, outcome.is_delivered, outcome.problem) == (204, True, "")
    assert got.headers["content-type"] == "application/json"
    for secret in (new, old):
        assert Webhook(secret).verify(got.body, got.headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(got.body + b" ", got.headers)
    assert len(base64.b64decode(new.removeprefix("whsec_"))) == 32


def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_meant(tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path, HOST)
    asked, connected, names = [], [], []

    def resolve(host: str, port: int, **named: Any) -> Any:
        asked.append(host)
        return found(PUBLIC if len(asked) == 1 else "127.0.0.1")(host, port, **named)    # a name that changes its answer

    server_side.sni_callback = lambda _socket, name, _context: names.append(name)
    with receiver(context=server_side) as server:

        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            connected.append(address)
            return socket.create_connection(("127.0.0.1", server.port), timeout)

        outcome = to(f"https://{HOST}:8443/in?x=1", resolve=resolve, connect=connect, context=lambda: client_side)

    assert (outcome.status, outcome.problem) == (204, "")
    assert asked == [HOST]
    assert connected == [(PUBLIC, 8443)]
    assert names == [HOST]
    assert (server.received[0].headers["host"], server.received[0].path) == (f"{HOST}:8443", "/in?x=1")


def test_a_certificate_of_another_name_is_not_believed(tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path, "other.example.com")
    with receiver(context=server_side) as server:
        local: Any = lambda _address, timeout: socket.create_connection(("127.0.0.1", server.port), timeout)  # noqa: E731
        for context in (client_side, ssl.create_default_context()):
            outcome = to(f"https://{HOST}/", resolve=found(PUBLIC), connect=local, context=lambda context=context: context)

            assert (outcome.status, outcome.problem) == (None, "tls_failed")
    assert server.received == []


def test_nothing_is_connected_when_one_address_is_not_public() -> None:
    def connect(*_: Any) -> socket.socket:
        raise AssertionError("connected")

    for addresses in (["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::ffff:127.0.0.1"], []):
        outcome = to(f"https://{HOST}/", resolve=found(*addresses), connect=connect)

        assert (outcome.status, outcome.problem) == (None, "address_refused")


def test_the_next_address_is_tried_and_then_no_more() -> None:
    tried = []

    def connect(address: tuple[str, int], _timeout: float) -> socket.socket:
        tried.append(address[0])
        raise ConnectionRefusedError

    outcome = to(f"https://{HOST}/", resolve=found(*(f"93.184.216.{n}" for n in range(1, 9))), connect=connect)

    assert outcome.problem == "not_reached"
    assert tried == [f"93.184.216.{n}" for n in (1, 2, 3)]


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with receiver() as inside, receiver(lambda _got: (307, {"Location": inside.url}, b"moved")) as server:
        outcome = to(server.url)

    assert (outcome.status, outcome.answer, outcome.is_delivered) == (307, "moved", False)
    assert inside.received == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        outcome = to(server.url)

    assert outcome.is_delivered
    assert (len(server.received), proxy.received) == (1, [])


def test_only_the_first_kib_of_an_answer_is_kept_and_as_text() -> None:
    def much(_got: Received) -> tuple[int, dict[str, str], bytes]:
        return 500, {"Retry-After": "120"}, b"\x00\xff" + b"x" * 5_000_000

    with receiver(much) as server:
        outcome = to(server.url)

    assert (outcome.status, outcome.retry_seconds) == (500, 120)
    assert outcome.answer == "\ufffd\ufffd" + "x" * 1022


@contextmanager
def wild(*replies: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that reads a little and writes these bytes, each after a pause, without end."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                with listening.accept()[0] as caller:
                    caller.recv(65_536)
                    for reply in replies:
                        caller.sendall(reply)
                    while pause and not stop.wait(pause):
                        caller.sendall(replies[-1])
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://localhost:{listening.getsockname()[1]}/"
        stop.set()
    thread.join(5)


@pytest.mark.parametrize(
    "replies",
    [(b"",), (b"HTTP/1.1 200 OK\r\n",), (b"H",), (b"HTTP/1.1 200 OK\r\nA: b\r\n",), (b"HTTP/1.1 100 Continue\r\n\r\n",)],
    ids=["silence", "half a head", "a drip", "ever more headers", "ever more interim answers"],
)
def test_an_endpoint_that_drips_is_left_after_its_time(replies: tuple[bytes, ...]) -> None:
    with wild(*replies, pause=0.05) as url:
        began = time.monotonic()
        outcome = to(url, seconds=0.6)

    assert time.monotonic() - began < 3
    assert outcome.status is None
    assert outcome.problem in {"timed_out", "broken_off"}


@pytest.mark.parametrize("reply", [b"\x00\xff garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500])
def test_an_answer_that_is_none_breaks_the_attempt_and_nothing_else(reply: bytes) -> None:
    with wild(reply) as url:
        outcome = to(url)

    assert (outcome.status, outcome.problem) == (None, "broken_off")


def test_an_answer_that_breaks_off_after_its_status_has_been_given() -> None:
    with wild(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf") as url:
        outcome = to(url)

    assert (outcome.status, outcome.is_delivered) == (200, True)


def test_what_cannot_be_sent_to_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    assert to(f"http://localhost:{port}/").problem == "not_reached"
    assert to(f"https://{HOST}/", resolve=unknown).problem == "name_unknown"
    assert to("https://127.0.0.1/").problem == "url_refused"
