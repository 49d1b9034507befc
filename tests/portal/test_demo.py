"""The demo: made once, whole, and found as it is afterwards."""

import shlex
import stat
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from audit.context import SYSTEM, Actor
from audit.ids import uuid7
from audit.models import Event
from partners.accounts.keys import digest_of
from partners.accounts.models import ApiKey, User
from partners.accounts.services import create_api_key
from partners.models import Partner
from partners.tenancy import tenant_context
from portal import demo
from portal.approvals.models import Application, NoticeSettings, SecondOpinion
from scoring.models import Applicant, Decision, Product


def counts() -> dict[str, tuple[int, ...]]:
    """Rows of each demo partner."""
    found = {}
    for slug in [one.slug + ending for one in demo.PARTNERS for ending in ("", "-sandbox")]:
        with tenant_context(Partner.objects.get(slug=slug)):
            found[slug] = tuple(model.objects.count() for model in (User, ApiKey, Product, Applicant, Decision, Event))
    return found


def sent(line: str) -> tuple[int, dict[str, Any]]:
    """What a line for a shell is answered."""
    words = shlex.split(line)
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    address = urlsplit(next(word for word in words if word.startswith("http")))
    body = words[words.index("-d") + 1]
    answer = Client(HTTP_HOST=address.netloc).post(address.path, body, headers=headers, content_type="application/json")
    return answer.status_code, answer.json()


@pytest.mark.slow
def test_seeding_twice_changes_nothing(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        said: list[str] = []
        first = demo.seed(report=lambda _line: None)
        after_first = counts()
        second = demo.seed(report=said.append)

        assert counts() == after_first
        with tenant_context(Partner.objects.get(slug="umoja")):
            product = Product.objects.get()
            champion = product.champion
            assert champion is not None
            outcomes = set(Decision.objects.values_list("outcome", "answered_by"))
            states = Counter(Application.objects.values_list("state", flat=True))
            proposals = SecondOpinion.objects.filter(state="open").count()
            late = Application.objects.filter(due_at__lt=timezone.now(), state="new").count()

        with tenant_context(Partner.objects.get(slug="umoja-sandbox")):
            trials = {(one.answered_by, one.outcome) for one in Decision.objects.all()}
            products, test_keys = Product.objects.count(), [bytes(one.digest) for one in ApiKey.objects.all()]

        with tenant_context(Partner.objects.get(slug="soleil")):
            titles = set(Product.objects.values_list("title", flat=True))
            sender = NoticeSettings.objects.get().sender
            made = Decision.objects.filter(product__slug="tontine-credit")
            tontine = set(made.values_list("answered_by", "outcome"))

        with tenant_context(Partner.objects.get(slug="umoja")):
            lost = create_api_key(name="demo", actor=SYSTEM)  # as when seeding is broken off before the key is kept
            theirs = create_api_key(name="demo", actor=Actor(kind="user", id=str(uuid7()), label="Ada"))
        third = demo.seed(report=said.append)
        with tenant_context(Partner.objects.get(slug="umoja")):
            live = set(ApiKey.objects.filter(revoked_at=None).values_list("digest", flat=True))

        lines = [line for line in demo.instructions(third, 8000) if line.startswith("curl ")]
        pasted = [sent(line) for line in lines]

    assert [status for status, _ in pasted] == [201, 201]
    assert pasted[1][1]["reasons"][0]["code"] == "TEST_DECLINE"
    assert {bytes(digest) for digest in live} == {digest_of(third["umoja"]["api_key"]), digest_of(theirs.secret)}
    assert digest_of(lost.secret) not in live
    assert (products, test_keys) == (1, [digest_of(first["umoja"]["test_key"])])
    assert trials >= {("model", "approve"), ("model", "refer"), ("model", "decline")}
    assert {answered_by for answered_by, _ in trials} == {"model", "rules"}
    assert third == second == first
    assert said == []
    assert {slug: numbers[:5] for slug, numbers in after_first.items()} == {
        "umoja": (8, 1, 1, 300, 344), "umoja-sandbox": (0, 1, 1, 5, 5), "soleil": (8, 1, 2, 360, 404), "soleil-sandbox": (0, 1, 2, 5, 5),
    }    # fmt: skip
    assert sum(states.values()) == demo.APPLICATIONS
    assert set(states) >= {"new", "in_review", "needs_information", "approved", "withdrawn", "expired"}
    assert states["new"] >= 8
    assert (proposals >= 2, late) == (True, 1)
    assert tontine == {("model", "approve"), ("model", "refer"), ("model", "decline")}
    assert (titles, sender) == ({"Prêt aux commerçants du marché", "Crédit tontine"}, "Soleil Microfinance")
    assert champion.version == 1
    assert {answered_by for _, answered_by in outcomes} == {"model"}
    assert {outcome for outcome, _ in outcomes} >= {"approve", "refer"}
    assert stat.S_IMODE(demo.path().stat().st_mode) == 0o600


def test_the_way_in_names_every_login_and_a_line_for_a_shell() -> None:
    access = {
        one.slug: {
            "passwords": {f"admin@{one.slug}.example": "pass-word"},
            "api_key": f"vk_live_{one.slug}_x", "test_key": f"vk_test_{one.slug}_x",
        }
        for one in demo.PARTNERS
    }    # fmt: skip

    text = "\n".join(demo.instructions(access, 8123))

    assert "http://umoja.localhost:8123" in text
    assert "http://soleil.localhost:8123" in text
    assert text.count("pass-word") == 2
    assert "curl -sS -X POST http://umoja.localhost:8123/api/v1/scores -H 'X-API-Key: vk_live_umoja_x'" in text
    assert "curl -sS -X POST http://umoja-sandbox.localhost:8123/api/v1/scores -H 'X-API-Key: vk_test_umoja_x'" in text
    assert "-H 'Idempotency-Key: " in text
