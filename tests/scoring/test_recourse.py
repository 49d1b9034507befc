"""What would change a stored decision: over the API and on its page, by what decided, for those who may see the inputs."""

import uuid
from typing import Any

import pytest
from django.test import Client

from audit.context import SYSTEM
from partners.accounts.tokens import issue_tokens
from partners.tenancy import public_context, tenant_context
from scoring import registry
from scoring.engine.product import Product as Definition
from scoring.models import Applicant, Channel, Decision
from scoring.models import Product as ProductRow
from scoring.services.products import change_product
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from tests.conftest import PRODUCT, House
from tests.scoring.factories import by_force

POOR: dict[str, Any] = {"loan_amount": 90_000.0, "mobile_deposits_30d": 3, "savings_balance": 500.0, "longest_delay_days": 25.0}


@pytest.fixture
def refused(north: House) -> uuid.UUID:
    return decide(north)


def decide(house: House, **changed: Any) -> uuid.UUID:
    """A decision that is no approval."""
    with tenant_context(house.partner):
        values = registry.current(PRODUCT).validator.check({**house.inputs, **POOR, **changed})
        item = ScoreItem(ApplicantDetails(reference="R-1"), values)
        made = score_applicants(product_slug=PRODUCT, items=[item], actor=SYSTEM, channel=Channel.API)[0]
    assert made.outcome != "approve"
    return made.id


def asked(client: Client, decision_id: uuid.UUID, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = client.get(f"/api/v1/scores/{decision_id}/recourse", **headers)  # type: ignore[arg-type]
    return answer.status_code, answer.json()


def scored(house: House, **inputs: Any) -> dict[str, Any]:
    body = {"product": PRODUCT, "applicant": {"reference": "R-2"}, "inputs": {**house.inputs, **POOR, **inputs}}
    return house.api().post("/api/v1/scores", body, content_type="application/json").json()  # type: ignore[no-any-return]


def test_each_alternative_holds_when_the_applicant_comes_back_with_it(north: House, refused: uuid.UUID) -> None:
    status, found = asked(north.api(), refused)

    assert status == 200
    assert 1 <= len(found["alternatives"]) <= 3
    assert (found["id"], found["nothing"], found["text"]) == (str(refused), None, None)
    for one in found["alternatives"]:
        again = scored(north, **{change["input"]: change["after"] for change in one["changes"]})
        assert (again["outcome"], again["score"], again["probability"]) == (one["outcome"], one["score"], one["probability"])
        assert all(change["before"] == {**north.inputs, **POOR}[change["input"]] for change in one["changes"])
        assert {change["input"] for change in one["changes"]} <= {"loan_amount", "term_months", "savings_balance"}


def test_the_sentences_are_in_the_language_that_was_asked_for(north: House, refused: uuid.UUID) -> None:
    found = asked(north.api(), refused, HTTP_ACCEPT_LANGUAGE="fr")[1]

    assert all(" au lieu de " in one["text"] for one in found["alternatives"])


def test_the_product_says_now_what_may_change(north: House, refused: uuid.UUID) -> None:
    with tenant_context(north.partner):
        written = ProductRow.objects.get(slug=PRODUCT).definition
        inputs = [{**one, "change": "never"} for one in written["inputs"]]
        change_product(definition=Definition.from_dict({**written, "inputs": inputs}), actor=SYSTEM)

    found = asked(north.api(), refused)[1]

    assert (found["alternatives"], found["nothing"]) == ([], "nothing_may_change")
    assert found["text"].startswith("Nothing would change the answer: the product names")


def test_an_erased_applicant_and_an_altered_decision_have_no_recourse(north: House, refused: uuid.UUID) -> None:
    other = decide(north, months_trading=2)
    with tenant_context(north.partner):
        by_force(north, "scoring_decision", "UPDATE scoring_decision SET score = score + 1 WHERE id = %s", other)
        columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
        altered = asked_inside(north, other)
        Applicant.objects.filter(id=Decision.objects.get(id=refused).applicant_id).update(**dict.fromkeys(columns))

    assert altered == (500, "decision_altered")
    status, problem = asked(north.api(), refused)
    assert (status, problem["code"]) == (409, "applicant_erased")


def asked_inside(house: House, decision_id: uuid.UUID) -> tuple[int, str]:
    with public_context():
        status, problem = asked(house.api(), decision_id)
    return status, problem["code"]


def test_who_may_not_see_inputs_sees_no_recourse(north: House, refused: uuid.UUID) -> None:
    with tenant_context(north.partner):
        token = issue_tokens(north.users["viewer"]).access

    status, problem = asked(Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {token}"), refused)

    assert (status, problem["code"]) == (403, "permission_missing")
    assert "What would change it" not in north.client("viewer").get(f"/decisions/{refused}").content.decode()


def test_the_page_says_it_without_a_script(north: House, refused: uuid.UUID) -> None:
    shown = north.client("officer").get(f"/decisions/{refused}").content.decode()

    assert "What would change it" in shown
    assert all(change["text"] in shown for one in asked(north.api(), refused)[1]["alternatives"] for change in one["changes"])


def test_a_decision_that_nobody_made_is_unknown(north: House) -> None:
    assert asked(north.api(), uuid.uuid4())[0] == 404
