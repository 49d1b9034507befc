"""A bounded load on one local HTTP server: so many clients, for so long or so many requests, then a summary as one JSON line.

One thread, prepared bytes and no client library: it shares the cores with what it measures, and says what it spent itself."""

import argparse
import json
import math
import selectors
import socket
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30.0
_CREATED = b"201"
_UNIQUE = "00000000-0000-0000-0000-000000000000"    # each one in a request becomes an id that was never used


@dataclass(frozen=True, slots=True)
class Request:
    """One POST as bytes, cut where the ids go: an applicant never seen before, and an Idempotency-Key."""

    pieces: tuple[bytes, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any], port: int) -> "Request":
        """From {path, headers, body}; the body's applicant is replaced."""
        body = json.dumps({**told["body"], "applicant": {"reference": f"load-{_UNIQUE}"}})
        headers = {
            "Host": f"127.0.0.1:{port}", "Content-Type": "application/json", **told["headers"], "Idempotency-Key": _UNIQUE,
            "Content-Length": str(len(body.encode())),
        }  # fmt: skip
        text = f"POST {told['path']} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + f"\r\n{body}"
        return cls(tuple(text.encode().split(_UNIQUE.encode())))

    def written(self) -> bytes:
        """The bytes with new ids."""
        first, *others = self.pieces
        return b"".join([first, *(part for piece in others for part in (str(uuid.uuid4()).encode(), piece))])


@dataclass(slots=True)
class _Client:
    """One keep-alive connection with at most one request on its way. `began`: when that was sent or, at a given rate, due."""

    connection: socket.socket
    began: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    length: int | None = None

    def status(self) -> bytes | None:
        """Reads what has come: the status once the answer is whole."""
        piece = self.connection.recv(262_144)
        if not piece:
            raise ConnectionResetError
        self.received += piece
        if self.length is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self.received[:end]).lower()
            self.length = end + 4 + int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self.received) < self.length:
            return None
        status = bytes(self.received[9:12])
        self.received.clear()
        self.length = None
        return status


class Load:
    """`clients` connections that send requests until `total` or `seconds` are over, closed loop or at `rate` a second over all."""

    def __init__(
        self, *, port: int, requests: Sequence[Mapping[str, Any]], clients: int, total: int | None, seconds: float | None,
        rate: float | None,
    ) -> None:  # fmt: skip
        self.port, self.rate, self.total, self.most_seconds = port, rate, total or sys.maxsize, seconds or math.inf
        self.turns: Iterator[Request] = cycle([Request.of(one, port) for one in requests])
        self.idle = [_Client(self._connected()) for _ in range(clients)]
        self.seconds: list[float] = []
        self.failures: Counter[str] = Counter()
        self.sent = 0

    def run(self) -> dict[str, object]:
        """Sends everything. Seconds are wall clock from when a request was due (at a rate) or sent to the last byte of its answer."""
        spent, began = time.process_time(), time.perf_counter()
        with selectors.DefaultSelector() as self.selector:
            while self._send(began) or self.selector.get_map():
                self._receive(began)
        wall, spent = time.perf_counter() - began, time.process_time() - spent
        for client in self.idle:
            client.connection.close()
        ordered = sorted(self.seconds) or [float("nan")]
        return {
            "requests": len(self.seconds), "failures": dict(self.failures), "per_second": len(self.seconds) / wall,
            "p50_ms": 1000 * statistics.median(ordered), "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)], "seconds": wall,
            "client_microseconds": 1e6 * spent / max(1, self.sent),
        }  # fmt: skip

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _due(self, began: float) -> float:
        return began + self.sent / self.rate if self.rate else time.perf_counter()

    def _send(self, began: float) -> bool:
        """Sends what is due over idle connections; whether more is to come."""
        while (now := time.perf_counter()) - began < self.most_seconds and self.sent < self.total:
            due = self._due(began)
            if not self.idle or due > now + 1e-5 and self.rate:
                return True
            client = self.idle.pop()
            client.connection.sendall(next(self.turns).written())
            client.began = min(due, now)
            self.sent += 1
            self.selector.register(client.connection, selectors.EVENT_READ, client)
        return False

    def _receive(self, began: float) -> None:
        is_waiting = self.rate and self.idle and self.sent < self.total
        timeout = max(0.0, self._due(began) - time.perf_counter()) if is_waiting else PATIENCE_SECONDS
        ready = self.selector.select(timeout)
        if not ready and timeout == PATIENCE_SECONDS:
            raise TimeoutError(f"no answer on port {self.port} within {PATIENCE_SECONDS:g} s")
        for key, _ in ready:
            self._answered(key.data)

    def _answered(self, client: _Client) -> None:
        connection = client.connection
        try:
            status = client.status()
        except OSError as problem:
            status = type(problem).__name__.encode()
            connection.close()
            client = _Client(self._connected(), client.began)
        if status is None:
            return
        self.selector.unregister(connection)
        if status == _CREATED:
            self.seconds.append(time.perf_counter() - client.began)
        else:
            self.failures[status.decode()] += 1
        self.idle.append(client)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True, help="file with a JSON list of {path, headers, body}, sent in turn")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--total", type=int, help="so many requests at most")
    parser.add_argument("--seconds", type=float, help="nothing is sent after so many seconds")
    parser.add_argument("--rate", type=float, help="requests per second over all clients; default: as fast as they go")
    chosen = vars(parser.parse_args())
    if not chosen["total"] and not chosen["seconds"]:
        parser.error("give --total or --seconds: a load has an end")
    chosen["requests"] = json.loads(chosen["requests"].read_text())
    sys.stdout.write(json.dumps(Load(**chosen).run()) + "\n")


if __name__ == "__main__":
    main()
