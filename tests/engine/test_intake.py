"""Files that mean harm are refused quickly and without filling the memory, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.hostile import HOSTILE, MB

ROOT = Path(__file__).resolve().parents[2]
SECONDS, GROWTH = 5.0, 150 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="the highest use of memory is read from /proc")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_means_harm_is_refused_quickly_in_little_memory(kind: str) -> None:
    command = [sys.executable, "-m", "tests.engine.hostile", kind]

    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)

    found = json.loads(answer.stdout.splitlines()[-1])
    assert "Fix: " in found["told"], found
    assert found["seconds"] < SECONDS, found
    assert found["grown"] < GROWTH, found
