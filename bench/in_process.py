"""Decisions through the portal's own WSGI application in one process, and what each costs (`bench.inside` is the program)."""

import io
import json
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

from bench.site import family, output, processor_seconds

BLOCK = 25    # decisions that are made one way before the next way has its turn
WARMING = 4    # blocks


class Client:
    """Sends requests to the application as a web server does."""

    def __init__(self, requests: Sequence[Mapping[str, Any]]) -> None:
        from portal.wsgi import application

        self.application: Any = application
        self.requests = [(one, json.dumps(one["body"])) for one in requests]
        self.draw = random.Random(7)

    def decide(self) -> None:
        """One decision about a new applicant, by a request drawn from all. Raises AssertionError unless it was made."""
        request, body = self.draw.choice(self.requests)
        raw = f'{body[:-1]}, "applicant": {{"reference": "in-{uuid.uuid4()}"}}}}'.encode()
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": request["path"], "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)), "HTTP_IDEMPOTENCY_KEY": str(uuid.uuid4()), "HTTP_HOST": request["headers"]["Host"],
            "HTTP_X_API_KEY": request["headers"]["X-API-Key"], "wsgi.input": io.BytesIO(raw), "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip
        status: list[str] = []
        answer = self.application(environ, lambda line, headers: status.append(line))
        told = b"".join(answer)
        answer.close()
        if not status[0].startswith("201"):
            raise AssertionError(f"not decided: {status[0]} {told[:500]!r}")

    def warm(self) -> None:
        """Every partner has had so many decisions that what is read once is read and what is planned anew at first is planned."""
        hosts = {one[0]["headers"]["Host"]: one for one in self.requests}
        several, self.requests = self.requests, list(hosts.values())
        for _ in range(8 * len(hosts) + BLOCK):
            self.decide()
        self.requests = several

    def block(self) -> list[float]:
        """The thread's processor time of each decision of a block, in us."""
        spent = []
        for _ in range(BLOCK):
            began = time.thread_time_ns()
            self.decide()
            spent.append((time.thread_time_ns() - began) / 1000)
        return spent

    def interleaved(self, ways: Mapping[str, AbstractContextManager[object]], decisions: int) -> dict[str, list[float]]:
        """`decisions` each way, in turns by blocks; each decision's processor time in us."""
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(WARMING + decisions // BLOCK):
            for name, way in ways.items():
                with way:
                    seen = self.block()
                if turn >= WARMING:
                    spent[name] += seen
        return spent


def postgres() -> list[psutil.Process]:
    """The database's processes."""
    return [one for one in family(os.environ["VOUCH_HOME"], "portal.embedded") if "postgres" in one.name()]


def cost(client: Client, decisions: int) -> dict[str, Any]:
    """Medians in us of processor time of one decision, and what PostgreSQL spent on each."""
    client.warm()
    before, spent = processor_seconds(postgres()), []
    for _ in range(decisions // BLOCK):
        spent += client.block()
    database = 1e6 * (processor_seconds(postgres()) - before) / len(spent)
    return {"median": statistics.median(spent), "mean": statistics.fmean(spent), "postgres": database}


def measured(
    what: str, environment: Mapping[str, str], folder: Path, requests: Sequence[Mapping[str, Any]], decisions: int
) -> dict[str, Any]:
    """What `bench.inside` prints: this process keeps the portal out of its own memory."""
    file = folder / "in-process.json"
    file.write_text(json.dumps(list(requests)))
    command = [sys.executable, "-W", "ignore", "-m", "bench.inside", what, str(file), str(decisions)]
    answer: dict[str, Any] = json.loads(output(command, environment).splitlines()[-1])
    return answer
