"""The API under hands that are many, and under hands that are wild; over HTTP, on a real server."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from audit.ids import uuid7
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from scoring.models import Decision
from tests.conftest import House, Site

pytestmark = pytest.mark.slow


def post(site: Site, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=60)
    try:
        sent = {"Host": site.house.host, "X-API-Key": site.house.api_key, "Content-Type": "application/json", **headers}
        connection.request("POST", path, body, sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def body_of(site: Site, reference: str) -> bytes:
    return json.dumps({"product": site.house.product, "applicant": {"reference": reference}, "inputs": dict(site.house.inputs)}).encode()


def test_fifty_parallel_requests_with_one_key_make_one_decision(site: Site, django_db_blocker: Any) -> None:
    reference, key = f"parallel-{uuid7()}", str(uuid7())
    body = body_of(site, reference)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(site, "/api/v1/scores", body, **{"Idempotency-Key": key}), range(50)))

    assert {status for status, _, _ in answers} == {201}
    assert len({content for _, _, content in answers}) == 1
    assert sum("idempotency-replayed" not in headers for _, headers, _ in answers) == 1
    with django_db_blocker.unblock(), tenant_context(site.house.partner):
        assert Decision.objects.filter(id=json.loads(answers[0][2])["id"]).count() == 1
        applicant_id = Decision.objects.get(id=json.loads(answers[0][2])["id"]).applicant_id
        assert Decision.objects.filter(applicant_id=applicant_id).count() == 1


def test_a_chunked_or_endless_body_does_not_hold_a_worker(site: Site) -> None:
    headers = {"Host": site.house.host, "X-API-Key": site.house.api_key, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    # In one piece: the server may answer and close before a second one is sent.
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(f"POST /api/v1/scores HTTP/1.1\r\n{head}\r\n1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n".encode())
        status = int(connection.recv(100).split()[1])

    assert status in {400, 411, 422}


def test_five_megabytes_are_refused_and_the_caller_hears_it(site: Site) -> None:
    body = json.dumps({"product": "x" * 5_000_000}).encode()
    began = time.monotonic()
    status, _, content = post(site, "/api/v1/scores", body)

    assert (status, json.loads(content)["code"]) == (413, "body_too_large")
    assert time.monotonic() - began < 1


def test_what_is_far_too_large_is_refused_before_it_is_read(site: Site) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=10)
    connection.putrequest("POST", "/api/v1/scores", skip_host=True)
    sent = {"Host": site.house.host, "X-API-Key": site.house.api_key, "Content-Type": "application/json", "Content-Length": "50000000"}
    for name, value in sent.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    status, content = answer.status, json.loads(answer.read())
    connection.close()

    assert (status, content["code"]) == (413, "body_too_large")


# `SCHEMATHESIS_CASES=50000 python -m pytest -s tests/portal/test_api_load.py -k generated` sends that many, in slices.
CASES = int(os.environ.get("SCHEMATHESIS_CASES", "0"))
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "7"))
EXAMPLES = 15 if CASES else 6    # of each operation, in one slice
RULES, TOKEN = (Path(__file__).with_name(name) for name in ("schemathesis.toml", "schemathesis_token.py"))


@pytest.mark.timeout(max(300, CASES))
def test_generated_requests_find_no_failure(site: Site, new_partner: Callable[..., House]) -> None:
    total = place = 0
    while total < max(CASES, 100):
        # What covers the description is the same whatever the seed: once with a key, once with a token.
        phases = ["examples", "coverage"] * (CASES > 0 and place < 2) + ["fuzzing"] + ["stateful"] * (CASES > 0)
        began, seed = time.monotonic(), SEED + place
        cases = generated(site, new_partner(with_product=True), ",".join(phases), seed=seed, is_key=place % 2 == 0)
        total, place = total + cases, place + 1
        sys.stdout.write(f"\nseed {seed}, {', '.join(phases)}: {cases:,} cases in {time.monotonic() - began:.0f} s; {total:,} in all")
        sys.stdout.flush()


def generated(site: Site, house: House, phases: str, *, seed: int, is_key: bool) -> int:
    """How many requests were made up and held to every check; at a partner of their own, whose models go and whose keys are revoked."""
    environment = {**os.environ, "NO_COLOR": "1", "VOUCH_SITE": site.address, "VOUCH_HOST": house.host}
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(RULES), "run", site.address + "/openapi.json", "--url", site.address,
        "--header", f"Host: {house.host}", "--checks", "all", "--phases", phases, "--seed", str(seed),
        "--max-examples", str(EXAMPLES), "--workers", "1", "--max-response-time", "20", "--continue-on-failure",
        "--exclude-path-regex", "/auth/logout|/auth/change-password", "--exclude-deprecated", "--generation-database", "none",
        "--suppress-health-check", "all", "--warnings", "off",
    ]  # fmt: skip
    if is_key:
        command += ["--header", f"X-API-Key: {house.api_key}"]
    else:
        with tenant_context(house.partner):
            environment |= {"VOUCH_REFRESH": issue_tokens(house.users["admin"]).refresh, "SCHEMATHESIS_HOOKS": str(TOKEN)}

    done = subprocess.run(command, cwd=os.environ["VOUCH_HOME"], capture_output=True, text=True, env=environment)

    found = re.search(r"(\d+) generated", done.stdout)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return int(found[1])
