"""The examples of docs/integrators.md, run as a reader would paste them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Site

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "integrators.md"
EXAMPLES = re.findall(r"```sh run\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


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
