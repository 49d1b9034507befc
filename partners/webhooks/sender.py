"""One attempt to deliver: to an address that was checked, within a time, following nothing, believing nothing."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache

from partners.webhooks.errors import AddressRefused, EndpointRefused
from partners.webhooks.signing import signed_headers
from partners.webhooks.targets import Resolve, Target, addresses_of, target_of

LIMIT_SECONDS = 10.0    # for all of it, from the connection to the answer's first KiB
CONNECT_SECONDS = 4.0    # for each address
MOST_ADDRESSES = 3
ANSWER_BYTES = 1024
USER_AGENT = "Vouch-Webhooks/1"
Connect = Callable[[tuple[str, int], float], socket.socket]


class Problem(StrEnum):
    """Why there was no answer."""

    URL_REFUSED = "url_refused"
    ADDRESS_REFUSED = "address_refused"
    NAME_UNKNOWN = "name_unknown"
    NOT_REACHED = "not_reached"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    BROKEN_OFF = "broken_off"


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Network:
    """What stands between an attempt and the world: names, connections, and whose certificates are believed."""

    resolve: Resolve = socket.getaddrinfo
    connect: Connect = socket.create_connection
    context: Callable[[], ssl.SSLContext] = _trusted
    seconds: float = LIMIT_SECONDS


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What is sent, and where."""

    url: str
    event_id: str
    body: bytes
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. `status` is None where a `problem` kept it from being answered; `retry_seconds` is its Retry-After."""

    at: datetime
    milliseconds: int
    status: int | None = None
    answer: str = ""
    problem: str = ""
    retry_seconds: int = 0

    @property
    def is_delivered(self) -> bool:
        """Only 2xx counts; a redirect is not followed."""
        return self.status is not None and 200 <= self.status < 300


def send(letter: Letter, network: Network | None = None) -> Outcome:
    """One attempt. Raises nothing that the endpoint can cause."""
    at, began = datetime.now(UTC), time.monotonic()

    def outcome(status: int | None = None, answer: str = "", problem: str = "", retry_seconds: int = 0) -> Outcome:
        return Outcome(at, round((time.monotonic() - began) * 1000), status, answer, problem, retry_seconds)

    try:
        return outcome(*_exchange(letter, at, network or Network()))
    except EndpointRefused:
        return outcome(problem=Problem.URL_REFUSED)
    except AddressRefused:
        return outcome(problem=Problem.ADDRESS_REFUSED)
    except (socket.gaierror, UnicodeError):
        return outcome(problem=Problem.NAME_UNKNOWN)
    except TimeoutError:
        return outcome(problem=Problem.TIMED_OUT)
    except ssl.SSLError:
        return outcome(problem=Problem.TLS_FAILED)
    except _NotReached:
        return outcome(problem=Problem.NOT_REACHED)
    except (OSError, http.client.HTTPException, ValueError):
        return outcome(problem=Problem.BROKEN_OFF)


def _exchange(letter: Letter, at: datetime, network: Network) -> tuple[int, str, str, int]:
    target = target_of(letter.url)
    connection = _Connection(target, network, addresses_of(target, network.resolve))
    try:
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        headers = signed_headers(event_id=letter.event_id, at=at, body=letter.body, secrets=letter.secrets)
        for name, value in {
            "Host": target.authority, "Content-Type": "application/json", "Content-Length": str(len(letter.body)),
            "User-Agent": USER_AGENT, "Connection": "close", **headers,
        }.items():
            connection.putheader(name, value)
        connection.endheaders(letter.body)
        answer = connection.getresponse()
        return answer.status, _text(_beginning(answer)), "", _seconds(answer.getheader("Retry-After", ""))
    finally:
        connection.hang_up()


def _beginning(answer: http.client.HTTPResponse) -> bytes:
    """The first KiB. An answer that breaks off after its status has still been given."""
    try:
        return answer.read(ANSWER_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


class _NotReached(OSError):
    """No address took the connection."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a connection to one of the addresses that were checked; the name is only said in TLS and in the Host header."""

    def __init__(self, target: Target, network: Network, addresses: list[str]) -> None:
        super().__init__(target.host, target.port)
        self._target, self._network, self._addresses = target, network, addresses
        self._until = time.monotonic() + network.seconds
        self._reached: socket.socket | None = None

    def connect(self) -> None:
        """Connected, with TLS where the URL says so. Knows no proxy."""
        self._reached = self._reach()
        self._reached.settimeout(_left(self._until))
        if self._target.is_encrypted:
            self._reached = self._network.context().wrap_socket(self._reached, server_hostname=self._target.host)
        self.sock = _Timed(self._reached, self._until)    # all of a socket that http.client asks for

    def hang_up(self) -> None:
        """Nothing of it is open any more."""
        if self._reached is not None:
            self._reached.close()

    def _reach(self) -> socket.socket:
        for address in self._addresses[:MOST_ADDRESSES]:
            try:
                return self._network.connect((address, self._target.port), min(CONNECT_SECONDS, _left(self._until)))
            except OSError:
                continue
        _left(self._until)
        raise _NotReached


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@dataclass
class _Timed:
    """A socket of which everything together has to happen before one moment, however slowly the other side drips."""

    socket: socket.socket
    until: float

    def sendall(self, content: bytes) -> None:
        self.socket.settimeout(_left(self.until))
        self.socket.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """http.client lets go of the connection before it reads the answer; `hang_up` ends it."""


class _Reader(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:    # type: ignore[override]
        self._timed.socket.settimeout(_left(self._timed.until))
        return self._timed.socket.recv_into(buffer)
