"""Counts what one request sends to PostgreSQL. As a program: `python -m bench.statements REQUEST.json` prints it for a known key."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.db import connection

WARMING = 3


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that goes to PostgreSQL meanwhile, as libpq's own trace tells it."""
    sent: list[str] = []
    with connection.cursor(), tempfile.TemporaryFile("w+") as trace:
        driver = connection.connection.pgconn
        driver.trace(trace.fileno())
        yield sent
        driver.untrace()
        trace.seek(0)
        sent += [line for line in trace if re.search(r"\tF\t\d+\t(Query|Execute)\b", line)]


def main() -> None:
    from django.test import Client

    request = json.loads(Path(sys.argv[1]).read_text())
    client = Client(HTTP_HOST=request["host"], HTTP_X_API_KEY=request["key"])
    for turn in range(WARMING):  # what a process reads once: partner, key, product, keyring
        _send(client, request, f"warming-{turn}")
    with statements() as sent:
        status = _send(client, request, "counted")
    sys.stdout.write(json.dumps({"status": status, "statements": len(sent)}) + "\n")


def _send(client: "object", request: dict[str, object], name: str) -> int:
    body = {**request["body"], "applicant": {"reference": f"{name}-{os.getpid()}"}}  # type: ignore[dict-item]
    answer = client.post(request["path"], body, content_type="application/json", HTTP_IDEMPOTENCY_KEY=f"{name}-{os.getpid()}")  # type: ignore[attr-defined]
    return int(answer.status_code)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    main()
