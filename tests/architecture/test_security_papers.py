"""What the papers on security say is there: every requirement once, every place that is named, a reason for every finding."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASVS, FINDINGS = ROOT / "docs/security/asvs.md", ROOT / "docs/security/findings.md"
# Of levels 1 and 2, by chapter: of 253 those of OAuth (29) and WebRTC (7) do not apply.
REQUIREMENTS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16}
_ROW = re.compile(r"^\| (\d+)\.\d+\.\d+ \| [12] \| (yes|partly|no|n/a) \| [^|]+ \| ([^|]*)\|$", re.MULTILINE)
_PLACE = re.compile(r"`([\w./-]+/[\w./-]+|[A-Z_]+\.md|pyproject\.toml)(?:::(\w+))?`")


def test_every_requirement_is_answered_once() -> None:
    text = ASVS.read_text()
    numbers = re.findall(r"^\| (\d+\.\d+\.\d+) \|", text, re.MULTILINE)

    assert Counter(int(row[0]) for row in _ROW.findall(text)) == REQUIREMENTS
    assert len(set(numbers)) == len(numbers) == 217


def test_every_answer_but_what_does_not_apply_names_a_place() -> None:
    unshown = [row for row in _ROW.findall(ASVS.read_text()) if row[1] != "n/a" and not _PLACE.search(row[2])]

    assert unshown == []


@pytest.mark.parametrize("paper", [ASVS, FINDINGS], ids=lambda paper: paper.stem)
def test_every_place_that_is_named_is_there(paper: Path) -> None:
    named = _PLACE.findall(paper.read_text())

    missing = [place for place, test in named if not (ROOT / place).exists() or (test and f"def {test}(" not in (ROOT / place).read_text())]

    assert len(named) > 10
    assert missing == []


def test_every_finding_of_the_baseline_has_its_reason() -> None:
    found = json.loads((ROOT / ".secrets.baseline").read_text())["results"]

    assert [place for place in found if f"`{place}`" not in FINDINGS.read_text()] == []
