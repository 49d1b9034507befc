"""Requests of applicants through HTTP: an officer's way from the letter to the certificate, in the applicant's language."""

import json
from collections.abc import Callable
from datetime import date

import pytest
from django.utils import timezone

from audit import holds
from audit.privacy.certificates import is_genuine
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from scoring.models import Applicant, Channel
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import PERSON, SLUG, add_product, an_item, by_key

TODAY = timezone.now().date().isoformat()
Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> House:
    """A partner with one decision about Amina."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        score_applicants(product_slug=SLUG, items=[an_item(applicant=PERSON)], actor=by_key(), channel=Channel.API)
    return house


def taken_in(house: House, kind: str, **more: str) -> str:
    """The address of a new request."""
    form = {"kind": kind, "reference": "A-1", "received_on": TODAY, "language": "fr", **more}
    answer = house.client("compliance").post("/privacy/new", form)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def test_access_from_the_letter_to_the_certificate(house: House) -> None:
    client, address = house.client("compliance"), taken_in(house, "access")
    early = client.post(address, {"act": "complete"})
    pdf, plain = client.get(f"{address}/data.pdf"), client.get(f"{address}/data.json")
    done = client.post(address, {"act": "complete"})
    certificate = client.get(f"{address}/certificate.json")

    assert (early.status_code, done.status_code) == (422, 302)
    assert pdf.content.startswith(b"%PDF-")
    assert json.loads(plain.content)["applicant"]["name"] == PERSON.name
    assert json.loads(plain.content)["decisions"][0]["logic"]["how"]
    assert client.get(f"{address}/certificate.pdf").content.startswith(b"%PDF-")
    with tenant_context(house.partner):
        assert is_genuine(json.loads(certificate.content))
    assert client.get(f"{address}/data.json").status_code == 409


def test_an_erasure_takes_two_people_and_the_page_names_nobody_afterwards(house: House) -> None:
    officer, admin, address = house.client("compliance"), house.client("admin"), taken_in(house, "erasure")
    officer.post(address, {"act": "propose"})
    alone = officer.post(address, {"act": "confirm"})
    both = admin.post(address, {"act": "confirm"})
    shown = admin.get(address).content.decode()

    assert (alone.status_code, both.status_code) == (422, 302)
    assert "Erased applicant" in shown
    assert "Amina" not in shown
    with tenant_context(house.partner):
        assert Applicant.objects.get().is_erased


def test_a_rule_that_stands_against_it_is_shown_with_its_day(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "_checks", [lambda _one: holds.Refusal("Legal hold 7", date(2031, 5, 1))])
    address = taken_in(house, "erasure")
    shown = house.client("compliance").get(address).content.decode()
    answer = house.client("compliance").post(address, {"act": "propose"})

    assert "Legal hold 7" in shown
    assert answer.status_code == 422
    assert "until 2031-05-01" in answer.content.decode()


def test_a_correction_and_a_refusal_tell_their_faults(house: House) -> None:
    client, address = house.client("compliance"), taken_in(house, "rectification")
    bad = client.post(address, {"act": "rectify", "birth_date": "yesterday"})
    good = client.post(address, {"act": "rectify", "birth_date": "1991-01-02"})
    short = client.post(address, {"act": "refuse", "because": "no"})

    assert (bad.status_code, good.status_code, short.status_code) == (422, 302, 422)
    assert "1991-01-02" not in client.get(address).content.decode()    # evidence says which, not what


def test_terms_are_days_and_the_next_request_is_due_by_them(house: House) -> None:
    client = house.client("compliance")
    days = dict.fromkeys(("access", "portability", "rectification", "objection", "erasure"), "12")

    assert client.post("/privacy/terms", {**days, "access": "0"}).status_code == 422
    assert client.post("/privacy/terms", days).status_code == 302
    taken_in(house, "access")
    assert ">12<" in client.get("/privacy").content.decode()


def test_the_api_takes_a_request_in_once_and_does_its_steps(house: House) -> None:
    with tenant_context(house.partner):
        tokens = {role: issue_tokens(house.users[role]).access for role in ("compliance", "admin")}
    client = house.client()

    def send(path: str, body: object, role: str = "compliance", **headers: str) -> tuple[int, dict[str, object]]:
        said = {"Authorization": f"Bearer {tokens[role]}", **headers}
        answer = client.post(f"/api/v1/privacy-requests{path}", json.dumps(body), content_type="application/json", headers=said)
        return answer.status_code, answer.json()

    asked = {"kind": "erasure", "reference": "A-1", "received_on": TODAY}
    first = send("", asked, **{"Idempotency-Key": "k1"})
    again = send("", asked, **{"Idempotency-Key": "k1"})
    unknown = send("", {**asked, "reference": "nobody"})
    proposed = send("/1/actions", {"action": "propose"})
    alone = send("/1/actions", {"action": "confirm"})
    erased = send("/1/actions", {"action": "confirm"}, role="admin")

    assert (first[0], again, unknown[0]) == (201, first, 422)
    assert (proposed[0], proposed[1]["state"]) == (200, "proposed")
    assert (alone[0], alone[1]["code"]) == (409, "second_person_missing")
    assert (erased[0], erased[1]["state"]) == (200, "done")
    assert send("/1/copies", {})[0] == 409
    assert send("/99/actions", {"action": "withdraw"})[0] == 404
