"""A real table through the real commands reaches what was asked of it."""

import json
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.conftest import ROOT, House

DATA = Path(os.environ.get("VOUCH_REAL_DATA", ROOT.parent / "shared" / "data"))
GERMAN = DATA / "german_credit" / "german_credit.csv"


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif(not GERMAN.exists(), reason=f"{GERMAN} is not there; VOUCH_REAL_DATA names the folder of the real tables")
def test_german_credit_reaches_what_was_asked(new_partner: Callable[..., House]) -> None:
    slug, out = new_partner().slug, StringIO()
    call_command("create_product", slug, "german", from_csv=str(GERMAN), target="bad", stdout=StringIO(), stderr=StringIO())
    call_command("train_model", slug, "german", csv=str(GERMAN), json=True, stdout=out, stderr=StringIO())

    cv = json.loads(out.getvalue())["cv"]

    assert cv["auc"] >= 0.778
    assert cv["ks"] >= 0.461
    assert cv["brier"] <= 0.1698
