"""Keys change hands under load: no call fails while one is rotated, and every call fails soon after one is revoked."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from http.client import HTTPConnection
from itertools import count
from typing import Any

import pytest

from audit.context import SYSTEM
from audit.ids import uuid7
from partners.accounts.services import NewApiKey, create_api_key, revoke_api_key
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from tests.conftest import Site

pytestmark = pytest.mark.slow
CALLS, CALLERS = 5_000, 8
ROTATED_AT = (1_000, 2_500, 4_000)


class Caller(AbstractContextManager["Caller"]):
    """One connection to the site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.link = HTTPConnection("127.0.0.1", site.port, timeout=60)

    def __exit__(self, *_raised: object) -> None:
        self.link.close()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        sent = None if body is None else json.dumps(body).encode()
        self.link.request(method, path, sent, {"Host": self.site.house.host, "Content-Type": "application/json", **headers})
        answer = self.link.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")


def new_key(site: Site, django_db_blocker: Any) -> NewApiKey:
    with django_db_blocker.unblock(), tenant_context(site.house.partner):
        return create_api_key(name=f"load {uuid7()}", actor=SYSTEM)


def test_no_call_of_five_thousand_fails_while_keys_are_rotated(site: Site, django_db_blocker: Any) -> None:
    made = new_key(site, django_db_blocker)
    with django_db_blocker.unblock(), tenant_context(site.house.partner):
        bearer = f"Bearer {issue_tokens(site.house.users['developer']).access}"
    secrets, ids, numbers = [made.secret], [str(made.key.id)], count()
    statuses: Counter[int] = Counter()
    counting = threading.Lock()

    def rotate() -> None:
        with Caller(site) as engineer:
            path = f"/api/v1/api-keys/{ids[-1]}/rotate"
            status, told = engineer.ask("POST", path, {"overlap_seconds": 600}, Authorization=bearer)
        assert status == 201, told
        ids.append(told["key"]["id"])
        secrets.append(told["secret"])

    def work(caller_number: int) -> None:
        with Caller(site) as caller:
            ask(caller, caller_number)

    def ask(caller: Caller, caller_number: int) -> None:
        while (number := next(numbers)) < CALLS:
            if number in ROTATED_AT:
                rotate()
            late = caller_number % 2 and len(secrets) > 1    # half of the callers still use the key of before
            key = {"X-API-Key": secrets[-2 if late else -1]}
            if number % 5 == 0:
                body = {"product": site.house.product, "applicant": {"reference": f"r-{number}"}, "inputs": dict(site.house.inputs)}
                status, _ = caller.ask("POST", "/api/v1/scores", body, **key)
            else:
                status, _ = caller.ask("GET", "/api/v1/products", **key)
            with counting:
                statuses[status] += 1

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(work, range(CALLERS)))

    assert statuses == {200: CALLS - CALLS // 5, 201: CALLS // 5}
    assert len(secrets) == 1 + len(ROTATED_AT)


def test_a_revoked_key_is_refused_within_a_second(site: Site, django_db_blocker: Any) -> None:
    made = new_key(site, django_db_blocker)
    sent: list[tuple[float, int]] = []

    with Caller(site) as caller:

        def ask() -> int:
            """A call that is refused before anything is stored: only what the process remembers of the key answers it."""
            sent.append((time.monotonic(), caller.ask("POST", "/api/v1/scores", {}, **{"X-API-Key": made.secret})[0]))
            return sent[-1][1]

        assert ask() == 422
        with django_db_blocker.unblock(), tenant_context(site.house.partner):
            revoke_api_key(key_id=made.key.id, actor=SYSTEM)
        revoked_at = time.monotonic()
        while time.monotonic() < revoked_at + 1.3:
            ask()

    assert {status for at, status in sent if at > revoked_at + 1} == {401}
