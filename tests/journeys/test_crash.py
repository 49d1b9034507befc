"""An acknowledged decision survives kill -9 of the web workers and of PostgreSQL, and none is doubled."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 4
KILLS = 3
READY_SECONDS = 150
pytestmark = [pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.skipif("DATABASE_URL" in os.environ, reason="kills the embedded PostgreSQL; one of yours is left alone")]


@dataclass
class Portal:
    """A portal of its own, started as a person would."""

    port: int
    home: Path
    process: subprocess.Popen[bytes]
    host: str = ""
    api_key: str = ""
    body: dict[str, object] = field(default_factory=dict)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"Host": self.host or "localhost", "X-API-Key": self.api_key, "Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/ready")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def wait_until_ready(self) -> None:
        limit = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None, "the portal stopped by itself"
            assert time.monotonic() < limit, f"not ready within {READY_SECONDS} s"
            time.sleep(0.2)

    def workers(self) -> list[psutil.Process]:
        """The web workers: children of the granian process."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        web = [child for child in family if any("granian" in word for word in child.cmdline()) and any(other.pid == child.ppid() and any("granian" in word for word in other.cmdline()) for other in family)]
        return web or [child for child in family if any("granian" in word for word in child.cmdline())]

    def postgres(self) -> int:
        return int(next(self.home.rglob("postmaster.pid")).read_text().splitlines()[0])


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "home"
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}}
    environment["VOUCH_HOME"] = str(home)
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:2]:
        os.chmod(parent, 0o755)    # the embedded server's own user must be able to pass
    process = subprocess.Popen([sys.executable, "manage.py", "up", "--demo", "--port", str(port)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    log: list[bytes] = []
    reader = threading.Thread(target=lambda: log.extend(process.stdout or ()), daemon=True)
    reader.start()
    portal = Portal(port=port, home=home, process=process)
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_no_acknowledged_decision_is_lost_or_doubled(portal: Portal) -> None:
    demo = json.loads((portal.home / "demo.json").read_text())
    partner = demo["partners"][0]
    portal.host, portal.api_key, portal.body = partner["host"], partner["api_key"], partner["example"]
    acknowledged: dict[str, str] = {}
    lock, stop = threading.Lock(), threading.Event()

    def client() -> None:
        while not stop.is_set():
            key = str(uuid.uuid4())
            body = json.dumps({**portal.body, "applicant": {"reference": f"crash-{key}"}}).encode()
            for _ in range(200):                       # the same request again until somebody answers, as a careful client does
                try:
                    status, _, answer = portal.request("POST", "/api/v1/scores", body, **{"Idempotency-Key": key})
                except (OSError, http.client.HTTPException):
                    time.sleep(0.1)
                    continue
                if status == http.client.CREATED:
                    with lock:
                        assert acknowledged.setdefault(key, json.loads(answer)["id"]) == json.loads(answer)["id"]
                    break
                assert status >= 500, answer
                time.sleep(0.1)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for kill in range(2 * KILLS):
        at_least = len(acknowledged) + 40
        limit = time.monotonic() + 60
        while len(acknowledged) < at_least and time.monotonic() < limit:
            time.sleep(0.02)
        assert len(acknowledged) >= at_least, f"decisions stopped after kill {kill}"
        victims = [portal.postgres()] if kill % 2 else [worker.pid for worker in portal.workers()]
        assert victims
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        portal.wait_until_ready()
    stop.set()
    for thread in clients:
        thread.join()

    for key, decision in acknowledged.items():
        status, _, answer = portal.request("GET", f"/api/v1/scores/{decision}")
        assert status == http.client.OK, f"{decision} was acknowledged and is gone"
        assert json.loads(answer)["id"] == decision
        found = json.loads(portal.request("GET", f"/api/v1/scores?applicant=crash-{key}")[2])["data"]
        assert [row["id"] for row in found] == [decision]
