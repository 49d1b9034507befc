"""A bounded load on one local HTTP server: so many clients, so many requests, then a summary as one JSON line. Standard library only."""

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path


class Load:
    """`clients` keep-alive connections that send `total` POST requests between them, each body with a reference of its own."""

    def __init__(
        self, *, port: int, path: str, headers: dict[str, str], body: dict[str, object], clients: int, total: int, rate: float | None
    ) -> None:
        self.port, self.path, self.headers, self.body = port, path, headers, body
        self.clients, self.rate = clients, rate
        self.seconds: list[float] = []
        self.failures: dict[str, int] = {}
        self._turns = iter(range(total))
        self._lock = threading.Lock()

    def run(self) -> dict[str, object]:
        """Send everything; seconds are wall clock from sending to the last byte of the answer."""
        threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        self._began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - self._began
        ordered = sorted(self.seconds) or [float("nan")]
        return {"requests": len(self.seconds), "failures": self.failures, "per_second": len(self.seconds) / wall,
                "p50_ms": 1000 * statistics.median(ordered), "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)], "seconds": wall}

    def _take(self) -> Iterator[int]:
        while True:
            with self._lock:
                turn = next(self._turns, None)
            if turn is None:
                return
            if self.rate:
                time.sleep(max(0.0, self._began + turn / self.rate - time.perf_counter()))    # requests leave at a steady rate
            yield turn

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _ in self._take():
            applicant = {"reference": f"load-{uuid.uuid4()}"}
            body = json.dumps({**self.body, "applicant": applicant}).encode()
            began = time.perf_counter()
            try:
                connection.request("POST", self.path, body, {**self.headers, "Idempotency-Key": str(uuid.uuid4())})
                response = connection.getresponse()
                response.read()
                outcome = "" if response.status == http.client.CREATED else str(response.status)
            except (OSError, http.client.HTTPException) as problem:
                outcome = type(problem).__name__
                connection.close()
            with self._lock:
                if outcome:
                    self.failures[outcome] = self.failures.get(outcome, 0) + 1
                else:
                    self.seconds.append(time.perf_counter() - began)
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--headers", type=json.loads, required=True)
    parser.add_argument("--body", type=Path, required=True, help="file with the JSON body; its applicant is replaced in each request")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--total", type=int, default=500)
    parser.add_argument("--rate", type=float, help="requests per second over all clients; default: as fast as they go")
    chosen = parser.parse_args()
    body = json.loads(chosen.body.read_text())
    load = Load(
        port=chosen.port, path=chosen.path, headers=chosen.headers, body=body, clients=chosen.clients, total=chosen.total, rate=chosen.rate
    )
    sys.stdout.write(json.dumps(load.run()) + "\n")


if __name__ == "__main__":
    main()
