"""The commands of docs/data-scientists.md, run in its order as a reader would type them."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.context import SYSTEM
from partners.tenancy import tenant_context
from scoring import selectors
from scoring.models import Decision, OutcomeSource
from scoring.services.outcomes import Observed, record_outcomes
from tests.conftest import ROOT, House
from tests.scoring.test_command_events import files

__all__ = ["files"]
BLOCKS = re.findall(r"```sh run\n(.*?)```", (ROOT / "docs" / "data-scientists.md").read_text(), re.DOTALL)
COMMANDS = [line.replace("\\\n", " ") for block in BLOCKS for line in re.split(r"(?<!\\)\n", block.strip())]


def ended(house: House, table: Path) -> None:
    """How the loans of the scored table ended becomes known."""
    bad = [line.endswith(",1") for line in table.read_text().splitlines()[1:]]
    with tenant_context(house.partner):
        made = Decision.objects.order_by("created_at", "id").values_list("id", flat=True)
        told = zip(made, bad, strict=True)
        items = [Observed("defaulted" if is_bad else "repaid", timezone.now().date(), decision_id=one) for one, is_bad in told]
        record_outcomes(items=items, source=OutcomeSource.FILE, actor=SYSTEM)


@pytest.mark.slow
def test_every_command_of_the_guide_works_in_its_order(
    new_partner: Callable[..., House], files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = new_partner()
    monkeypatch.chdir(tmp_path)
    for source, name in zip(files, ("members.csv", "payments.csv"), strict=True):
        shutil.copy(source, tmp_path / name)
    assert len(COMMANDS) == 13

    for command in COMMANDS:
        python, manage, name, partner, *given = shlex.split(command)
        assert (python, manage, partner) == ("python", "manage.py", "tafuta")
        if name == "retrain_model" and "--every" not in given:
            ended(house, tmp_path / "members.csv")
        call_command(name, house.slug, *given)

    with tenant_context(house.partner):
        assert selectors.product("group-loan").champion_version == 1
        assert [one.version for one in selectors.model_versions("group-loan")] == [3, 2, 1]
        assert selectors.model_version("group-loan", 3).metrics["retrained"]["cases"] == 320
        assert selectors.retraining_plan("group-loan").weekday == 0
