"""POST and GET of scores: what a right request gets, and what each wrong one is told."""

import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.ids import uuid7
from audit.models import Event, Outbox
from bench.statements import statements
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from scoring.models import Applicant, Decision
from tests.conftest import House

SCORES = "/api/v1/scores"
BATCHES = "/api/v1/score-batches"


def body_of(house: House, **changes: Any) -> dict[str, Any]:
    inputs = {**house.inputs, **changes.pop("inputs", {})}
    return {"product": house.product, "applicant": {"reference": f"loan-{uuid7()}", "name": "Amina Otieno"}, "inputs": inputs, **changes}


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, raw, content_type="application/json", **headers)  # type: ignore[arg-type]


def counts(house: House) -> tuple[int, ...]:
    with tenant_context(house.partner):
        return tuple(kind.objects.count() for kind in (Decision, Applicant, Event, Outbox))


def as_role(house: House, role: str) -> Client:
    with tenant_context(house.partner):
        token = issue_tokens(house.users[role]).access
    return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {token}")


def test_a_score_answers_with_everything_a_lender_needs(north: House) -> None:
    body, before = body_of(north), counts(north)

    answer = post(north.api(), SCORES, body, HTTP_X_REQUEST_ID="order-17")

    score = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"{SCORES}/{score['id']}"
    assert answer["Content-Type"] == "application/json"
    assert int(answer["Content-Length"]) == len(answer.content)
    assert list(score) == [
        "id", "product", "applicant", "probability", "score", "band", "outcome", "reasons", "answered_by", "model", "policy", "receipt",
        "request_id", "processing_ms", "created_at",
    ]  # fmt: skip
    assert score["applicant"] == {"reference": body["applicant"]["reference"]}
    assert 0 < score["probability"] < 1
    assert 300 <= score["score"] <= 850
    assert score["band"] in {"VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH"}
    assert score["outcome"] in {"approve", "refer", "decline"}
    assert len(score["reasons"]) <= 4
    assert all(set(reason) == {"code", "text"} and reason["text"] for reason in score["reasons"])
    assert (score["answered_by"], score["model"], score["policy"]) == ("model", {"version": 1}, {"version": 1})
    assert set(score["receipt"]) == {"event_id", "leaf_hash", "issued_at", "signature", "key_id"}
    assert score["request_id"] == "order-17"
    assert 0 < score["processing_ms"] < 60_000
    assert score["created_at"].endswith("Z")
    assert counts(north) == (before[0] + 1, before[1] + 1, before[2] + 1, before[3] + 1)


def test_a_stored_score_reads_as_it_was_answered(north: House) -> None:
    made = post(north.api(), SCORES, body_of(north))

    read = north.api().get(made["Location"])

    assert read.status_code == 200
    assert read.json() == made.json()


def test_an_explanation_adds_up(north: House) -> None:
    made = post(north.api(), SCORES, body_of(north)).json()

    explained = north.api().get(f"{SCORES}/{made['id']}/explanation").json()

    total = explained["base"] + sum(one["log_odds"] for one in explained["contributions"])
    assert total == pytest.approx(explained["log_odds"], abs=1e-9)
    assert math.log(made["probability"] / (1 - made["probability"])) == pytest.approx(total, abs=1e-9)
    assert explained["top"] == explained["contributions"][:10]
    effects = [abs(one["log_odds"]) for one in explained["contributions"]]
    assert effects == sorted(effects, reverse=True)
    assert explained["reasons"] == made["reasons"]
    assert {name: explained["inputs"][name] for name in north.inputs} == north.inputs
    raising = [one for one in explained["contributions"] if one["log_odds"] < 0]
    assert all(one["points"] > 0 for one in raising)


def test_who_may_not_see_applicants_gets_scores_without_them(north: House) -> None:
    made = post(north.api(), SCORES, body_of(north)).json()
    viewer = as_role(north, "viewer")

    assert viewer.get(f"{SCORES}/{made['id']}").json()["applicant"] == {"reference": None}
    assert viewer.get(f"{SCORES}/{made['id']}/explanation").json()["inputs"] is None
    assert viewer.get(SCORES).json()["data"][0]["applicant"] == {"reference": None}
    assert viewer.get(f"{SCORES}?reference=loan-1").status_code == 403


def test_that_somebody_was_shown_an_applicant_is_recorded_and_a_look_at_figures_is_not(north: House) -> None:
    made = post(north.api(), SCORES, body_of(north)).json()
    paths = (f"{SCORES}/{made['id']}", f"{SCORES}/{made['id']}/explanation")

    for client in (as_role(north, "viewer"), north.api()):
        assert [client.get(path).status_code for path in paths] == [200, 200]
    for role in ("viewer", "officer"):
        assert north.client(role).get(f"/decisions/{made['id']}").status_code == 200

    with tenant_context(north.partner):
        seen = Event.objects.filter(action="decision.viewed").order_by("id")
        assert list(seen.values_list("actor_kind", "object_kind", "object_id")) == [
            (kind, "decision", made["id"]) for kind in ("api_key", "api_key", "user")
        ]


def test_reasons_are_in_the_callers_language(north: House) -> None:
    body = body_of(north, inputs={"longest_delay_days": 60.0, "previous_loans": 0, "savings_balance": 0.0})

    english = post(north.api(), SCORES, body, HTTP_ACCEPT_LANGUAGE="de, en;q=0.5").json()["reasons"]
    french = post(north.api(), SCORES, body, HTTP_ACCEPT_LANGUAGE="fr-SN, en;q=0.5").json()["reasons"]

    assert english
    assert [one["code"] for one in english] == [one["code"] for one in french]
    assert all(one["text"] != other["text"] for one, other in zip(english, french, strict=True))


def test_scores_are_listed_page_by_page_newest_first(north: House) -> None:
    made = [post(north.api(), SCORES, body_of(north, applicant={"reference": f"loan-{uuid7()}"})).json()["id"] for _ in range(5)]

    seen: list[str] = []
    path = f"{SCORES}?limit=2"
    while True:
        page = north.api().get(path).json()
        assert len(page["data"]) <= 2
        assert page["has_more"] == (page["next_cursor"] is not None)
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"] or len(seen) >= 6:
            break
        path = f"{SCORES}?limit=2&cursor={page['next_cursor']}"

    assert seen[:5] == made[::-1]


def test_filters_choose_scores(north: House) -> None:
    reference = f"filtered-{uuid7()}"
    made = post(north.api(), SCORES, body_of(north, applicant={"reference": reference})).json()

    def found(query: str) -> bool:
        answer = north.api().get(f"{SCORES}?{query}")
        assert answer.status_code == 200, answer.content
        return made["id"] in {one["id"] for one in answer.json()["data"]}

    moment = made["created_at"].replace("+", "%2B")
    assert found(f"reference={reference}")
    assert not found("reference=somebody-else")
    assert found(f"product={north.product}&band={made['band']}&outcome={made['outcome']}&answered_by=model&channel=api")
    assert not found("answered_by=rules")
    assert not found("channel=file")
    assert found(f"created_at[gte]={moment}")
    assert found("created_at[gte]=2020-01-01T00:00:00%2B23:59:59.999999")
    assert not found(f"created_at[lt]={moment}")


# ---- wrong requests

Make = Callable[[House], bytes]


def with_inputs(text: str) -> Make:
    """A body whose inputs are this text, for what json.dumps would never write."""
    return lambda house: json.dumps(body_of(house)).encode().replace(json.dumps(dict(house.inputs)).encode(), text.encode())


def changed(**changes: Any) -> Make:
    return lambda house: json.dumps(body_of(house, **changes)).encode()


def replaced(old: str, new: str) -> Make:
    return lambda house: json.dumps(body_of(house)).replace(old, new).encode()


def without(name: str) -> Make:
    return lambda house: json.dumps({key: value for key, value in body_of(house).items() if key != name}).encode()


WRONG: list[tuple[str, Make, int, set[str]]] = [
    ("unknown product", changed(product="nothing"), 422, {"/product"}),
    ("NUL in the product", changed(product="a\0b"), 422, {"/product"}),
    ("product of another type", changed(product=7), 422, {"/product"}),
    ("no product", without("product"), 422, {"/product"}),
    ("no inputs", without("inputs"), 422, {"/inputs"}),
    ("no applicant", without("applicant"), 422, {"/applicant"}),
    ("unknown field", changed(extra=1), 422, {"/extra"}),
    ("unknown field of the applicant", changed(applicant={"reference": "a", "email": "x"}), 422, {"/applicant/email"}),
    ("empty reference", changed(applicant={"reference": " "}), 422, {"/applicant/reference"}),
    ("NUL in the reference", changed(applicant={"reference": "a\0b"}), 422, {"/applicant/reference"}),
    ("line end after the reference", changed(applicant={"reference": "a\n"}), 422, {"/applicant/reference"}),
    ("born tomorrow", changed(applicant={"reference": "a", "birth_date": "9999-12-31"}), 422, {"/applicant/birth_date"}),
    ("born before anybody", changed(applicant={"reference": "a", "birth_date": "0001-01-01"}), 422, {"/applicant/birth_date"}),
    ("text turned around", changed(applicant={"reference": "a\u202eb"}), 422, {"/applicant/reference"}),
    ("text that hides", changed(applicant={"reference": "a\u200bb"}), 422, {"/applicant/reference"}),
    ("wrong birth date", changed(applicant={"reference": "a", "birth_date": "31.12.1990"}), 422, {"/applicant/birth_date"}),
    ("unknown input", changed(inputs={"shoe_size": 44}), 422, {"/inputs/shoe_size"}),
    ("missing input", replaced('"age": 34', '"age": null'), 422, {"/inputs/age"}),
    ("input of another type", changed(inputs={"age": "34"}), 422, {"/inputs/age"}),
    ("truth value for a number", changed(inputs={"age": True}), 422, {"/inputs/age"}),
    ("input out of range", changed(inputs={"age": -1}), 422, {"/inputs/age"}),
    ("nested input", changed(inputs={"age": {"years": 34}}), 422, {"/inputs/age"}),
    ("NaN", replaced('"age": 34', '"age": NaN'), 422, {"/inputs/age"}),
    ("Infinity", replaced('"age": 34', '"age": Infinity'), 422, {"/inputs/age"}),
    ("1e400", replaced('"loan_amount": 60000.0', '"loan_amount": 1e400'), 422, {"/inputs/loan_amount"}),
    ("a number of 5,000 digits", replaced('"age": 34', f'"age": {"9" * 5000}'), 422, {"/inputs/age"}),
    ("NUL in an input", changed(inputs={"stall": "fo\0od"}), 422, {"/inputs/stall"}),
    ("lone surrogate in an input", replaced('"food"', '"\\ud800"'), 422, {"/inputs/stall"}),
    ("lone surrogate in the name", replaced('"Amina Otieno"', '"\\udfff"'), 422, {"/applicant/name"}),
    ("input twice", replaced('"age": 34', '"age": 34, "age": 35'), 422, {"/inputs/age"}),
    ("input twice, once escaped", replaced('"age": 34', '"age": 34, "\\u0061ge": 35'), 422, {"/inputs/age"}),
    ("member twice", replaced('{"product"', '{"product": "x", "product"'), 422, {"/product"}),
    ("reference twice", replaced('{"reference"', '{"reference": "x", "reference"'), 422, {"/applicant/reference"}),
    ("inputs twice", replaced('"inputs"', '"inputs": {}, "inputs"'), 422, {"/inputs"}),
    ("inputs are a list", with_inputs("[1]"), 422, {"/inputs"}),
    ("inputs are null", with_inputs("null"), 422, {"/inputs"}),
    ("wrong everywhere at once",
     changed(extra=1, applicant={"name": 5}, inputs={"age": "x", "stall": 5, "shoe_size": 1}), 422,
     {"/extra", "/applicant/reference", "/applicant/name", "/inputs/age", "/inputs/stall", "/inputs/shoe_size"}),
    ("a list", lambda house: b"[]", 422, {""}),
    ("null", lambda house: b"null", 422, {""}),
    ("nothing", lambda house: b"", 415, set()),
    ("a space", lambda house: b" ", 400, set()),
    ("no JSON", lambda house: b"product=x", 400, set()),
    ("two values", lambda house: json.dumps(body_of(house)).encode() + b"{}", 400, set()),
    ("half of it", lambda house: json.dumps(body_of(house)).encode()[:-3], 400, set()),
    ("not UTF-8", lambda house: json.dumps(body_of(house)).encode().replace(b"Amina", b"\xff\xfe"), 400, set()),
    ("10,000 levels of inputs", with_inputs("[" * 10_000 + "]" * 10_000), 400, set()),
    ("10,000 levels of objects", with_inputs('{"a":' * 10_000 + "1" + "}" * 10_000), 400, set()),
    ("10,000 levels that end nowhere", lambda house: b"[" * 10_000, 400, set()),
    ("500 levels in an input", replaced('"age": 34', f'"age": {"[" * 500}{"]" * 500}'), 422, {"/inputs/age"}),
    ("5 MB", lambda house: json.dumps(body_of(house, inputs={"stall": "x" * 5_000_000})).encode(), 413, set()),
    ("1 MB of members", with_inputs("{" + ",".join(f'"k{at}":1' for at in range(80_000)) + "}"), 422, {"/inputs/k0"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "status", "pointers"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_request_is_told_every_fault_and_stores_nothing(north: House, make: Make, status: int, pointers: set[str]) -> None:
    raw = make(north)
    before = counts(north)
    started = time.process_time()

    answer = post(north.api(), SCORES, raw)

    seconds = time.process_time() - started
    problem = answer.json()
    assert answer.status_code == status, problem
    assert answer["Content-Type"] == "application/problem+json"
    assert seconds < 1
    told = {one["pointer"] for one in problem.get("errors", [])}
    assert told == pointers if len(pointers) != 1 or status != 422 or "/inputs/k0" not in pointers else pointers <= told
    assert counts(north) == before


def test_an_unusual_but_right_body_is_scored(north: House) -> None:
    raw = json.dumps(body_of(north, applicant={"reference": 'the "A" team', "phone": None})).encode()
    raw = raw.replace(b'"age"', b'"\\u0061ge"')

    answer = post(north.api(), SCORES, raw)

    assert answer.status_code == 201
    assert answer.json()["applicant"]["reference"] == 'the "A" team'


def test_a_body_without_length_is_refused(north: House) -> None:
    client = APIClient(HTTP_HOST=north.host, HTTP_X_API_KEY=north.api_key)

    answer = client.generic("POST", SCORES, "", HTTP_TRANSFER_ENCODING="chunked", CONTENT_TYPE="application/json", CONTENT_LENGTH="")

    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


# ---- batches


def batch_of(house: House, size: int) -> dict[str, Any]:
    mark = uuid7()
    return {
        "product": house.product,
        "items": [{"applicant": {"reference": f"{mark}-{at}"}, "inputs": dict(house.inputs)} for at in range(size)],
    }


def test_a_batch_answers_each_item_and_the_portfolio(north: House) -> None:
    body, before = batch_of(north, 12), counts(north)

    answer = post(north.api(), BATCHES, body)

    batch = answer.json()
    assert answer.status_code == 201
    assert [one["applicant"]["reference"] for one in batch["results"]] == [item["applicant"]["reference"] for item in body["items"]]
    assert batch["portfolio"]["total"] == 12
    assert sum(batch["portfolio"]["by_outcome"].values()) == 12
    assert batch["portfolio"]["mean_probability"] == pytest.approx(sum(one["probability"] for one in batch["results"]) / 12)
    assert counts(north)[0] == before[0] + 12


def test_one_wrong_item_stops_the_batch_and_is_pointed_at(north: House) -> None:
    body = batch_of(north, 5)
    body["items"][3]["inputs"]["age"] = "old"
    body["items"][4]["applicant"]["reference"] = ""
    before = counts(north)

    answer = post(north.api(), BATCHES, body)

    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/items/3/inputs/age", "/items/4/applicant/reference"}
    assert counts(north) == before


@pytest.mark.parametrize(("size", "status"), [(0, 422), (1001, 422)])
def test_a_batch_has_one_to_a_thousand_items(north: House, size: int, status: int) -> None:
    answer = post(north.api(), BATCHES, batch_of(north, size))

    assert answer.status_code == status
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/items"]


# ---- idempotency


def test_the_same_key_and_body_replay_byte_for_byte(north: House) -> None:
    body, before = body_of(north), counts(north)

    first = post(north.api(), SCORES, body, HTTP_IDEMPOTENCY_KEY="order-17")
    again = post(north.api(), SCORES, body, HTTP_IDEMPOTENCY_KEY="order-17", HTTP_ACCEPT_LANGUAGE="fr")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Location"] == first["Location"]
    assert again["Idempotency-Replayed"] == "true"
    assert not first.has_header("Idempotency-Replayed")
    assert counts(north)[0] == before[0] + 1


def test_the_same_key_with_another_body_is_refused(north: House) -> None:
    post(north.api(), SCORES, body_of(north), HTTP_IDEMPOTENCY_KEY="order-18")
    before = counts(north)

    answer = post(north.api(), SCORES, body_of(north, applicant={"reference": "other"}), HTTP_IDEMPOTENCY_KEY="order-18")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert counts(north) == before


def test_a_refused_request_uses_no_key_up(north: House) -> None:
    refused = post(north.api(), SCORES, body_of(north, extra=1), HTTP_IDEMPOTENCY_KEY="order-19")
    made = post(north.api(), SCORES, body_of(north), HTTP_IDEMPOTENCY_KEY="order-19")

    assert (refused.status_code, made.status_code) == (422, 201)


def test_keys_belong_to_their_caller_and_route(north: House) -> None:
    first = post(north.api(), SCORES, body_of(north), HTTP_IDEMPOTENCY_KEY="shared")
    other = post(as_role(north, "officer"), SCORES, body_of(north), HTTP_IDEMPOTENCY_KEY="shared")
    many = batch_of(north, 1)
    batch = post(north.api(), BATCHES, many, HTTP_IDEMPOTENCY_KEY="shared")
    batch_again = post(north.api(), BATCHES, many, HTTP_IDEMPOTENCY_KEY="shared")

    assert {first.status_code, other.status_code, batch.status_code} == {201}
    assert first.json()["id"] != other.json()["id"]
    assert batch_again.content == batch.content


# ---- cost


@pytest.mark.parametrize("with_key", [False, True])
def test_a_score_takes_at_most_three_statements(north: House, with_key: bool) -> None:
    client = north.api()
    for _ in range(2):  # what a process reads once: partner, key, product, keyring
        post(client, SCORES, body_of(north, applicant={"reference": f"warm-{uuid7()}"}))
    body = body_of(north, applicant={"reference": f"counted-{uuid7()}"})

    with statements() as sent:
        answer = post(client, SCORES, body, **({"HTTP_IDEMPOTENCY_KEY": "counted"} if with_key else {}))

    assert answer.status_code == 201
    assert 2 <= len(sent) <= 3, sent
