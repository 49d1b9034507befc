"""The examples of docs/integrators.md, run as a reader would paste them."""

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.context import SYSTEM
from partners.webhooks.sender import Letter, send
from partners.webhooks.services import create_endpoint, resend, send_test
from partners.webhooks.signing import new_secret
from portal.waiting import wait_until
from tests.conftest import House, Site
from tests.partners.test_webhooks import carry

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "integrators.md"
EXAMPLES = re.findall(r"```sh run\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


CHECKS = re.findall(r"```python run\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def test_a_receipt_is_checked_as_the_document_says(north: House, tmp_path: Path) -> None:
    (check,) = CHECKS
    body = {"product": north.product, "applicant": {"reference": "R-1"}, "inputs": dict(north.inputs)}
    score = north.api().post("/api/v1/scores", body, content_type="application/json").json()
    (tmp_path / "keys.json").write_bytes(north.api().get("/api/v1/signing-keys").content)

    def run() -> subprocess.CompletedProcess[str]:
        (tmp_path / "score.json").write_text(json.dumps(score))
        return subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, timeout=30)

    assert run().stdout == "The receipt is genuine.\n"
    score["receipt"]["issued_at"] = score["receipt"]["issued_at"].replace("Z", "0Z")
    assert "InvalidSignature" in run().stderr


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_documented_receiver_takes_what_is_signed_once_and_refuses_the_rest(in_north: House, settings: Any) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True
    (program,) = re.findall(r"```python receiver\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = create_endpoint(url=f"http://localhost:{port}/", event_types=["alert.raised"], actor=SYSTEM)
    environment = {"PATH": "/usr/bin:/bin", "SECRET": made.secret, "PORT": str(port)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert wait_until(lambda: listens(port), 20)
            sent = send_test(endpoint_id=made.endpoint.id, actor=SYSTEM)
            courier = carry()
            resend(endpoint_id=made.endpoint.id, delivery_id=sent.id, actor=SYSTEM)
            carry(courier)
            forged = send(Letter(made.endpoint.url, str(sent.event_id), b"{}", (new_secret(),)))
        finally:
            process.terminate()
        told = process.stdout.read() if process.stdout else ""

    assert told == f"webhook.test {made.endpoint.id}\n"
    assert list(sent.tries.values_list("status", flat=True)) == [204, 204]
    assert forged.status == 401


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_example_works_when_pasted(site: Site) -> None:
    assert len(EXAMPLES) >= 4
    names = {"VOUCH": f"http://127.0.0.1:{site.port}", "KEY": site.house.api_key, "PRODUCT": site.house.product}
    for example in EXAMPLES:
        script = example.replace("curl -s", f"curl -s -g --write-out '\\n%{{http_code}}' -H 'Host: {site.house.host}'")

        done = subprocess.run(["sh", "-c", script], env=names | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30)

        body, _, status = done.stdout.rpartition("\n")
        assert status in {"200", "201"}, f"{example}\n{body}"
        assert json.loads(body)
