"""Refusals and failures: one form, one table, nothing told that is nobody's business."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

import audit.errors
import partners.accounts.errors
import partners.api.errors
import partners.errors
import scoring.errors
from audit.errors import DomainError
from portal.errors import TABLE, outcome_of
from scoring import selectors
from tests.conftest import House

MODULES = (audit.errors, partners.errors, partners.accounts.errors, partners.api.errors, scoring.errors)


def subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_refusal_of_the_house_has_a_row_of_its_own() -> None:
    ours = {kind for kind in subclasses(DomainError) if kind.__module__ in {module.__name__ for module in MODULES}}

    assert ours
    assert {kind.__name__ for kind in ours - set(TABLE)} == set()


def test_of_very_many_faults_the_first_are_listed(north: House) -> None:
    item = {"applicant": {"reference": "A"}, "inputs": {}, "one": 1, "two": 2, "three": 3}
    body = json.dumps({"product": north.product, "items": [item] * 1000})

    answer = north.api().post("/api/v1/score-batches", body, content_type="application/json")

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 1000
    assert "The first 1,000 faults" in answer.json()["detail"]


def test_what_nobody_foresaw_is_told_without_detail() -> None:
    outcome = outcome_of(ZeroDivisionError("secret"))

    assert (outcome.status, outcome.code) == (500, "internal_error")
    assert "secret" not in outcome.advice


def problem(answer: Any) -> dict[str, Any]:
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer["X-Request-ID"]
    assert int(answer["Content-Length"]) == len(answer.content)
    assert {"type", "title", "status", "detail", "code", "request_id", "instance"} <= set(body)
    return body


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", {}, b"", 404, "not_found"),
        ("POST", "/api/", {}, b"", 404, "not_found"),
        ("GET", "/api/v9/scores", {}, b"", 404, "not_found"),
        ("PUT", "/api/v1/scores", {}, b"{}", 405, "method_not_allowed"),
        ("OPTIONS", "/api/v1/scores", {}, b"", 405, "method_not_allowed"),
        ("GET", "/api/v1/scores", {"HTTP_ACCEPT": "text/html"}, b"", 406, "not_acceptable"),
        ("GET", "/api/v1/scores/none", {}, b"", 404, "decision_unknown"),
        ("GET", "/api/v1/scores/%00", {}, b"", 404, "decision_unknown"),
        ("GET", "/api/v1/products/none", {}, b"", 404, "product_unknown"),
        ("GET", "/api/v1/products/%00", {}, b"", 404, "not_found"),
        ("GET", "/api/v1/models/99999999999999999999", {}, b"", 404, "model_version_unknown"),
        ("GET", "/api/v1/scores?cursor=none", {}, b"", 400, "cursor_refused"),
        ("POST", "/api/v1/scores", {"content_type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/api/v1/scores", {"content_type": "application/json; charset=latin-1"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/api/v1/scores", {"HTTP_IDEMPOTENCY_KEY": "x" * 256}, b"{}", 400, "invalid_idempotency_key"),
        ("POST", "/api/v1/scores", {"HTTP_IDEMPOTENCY_KEY": ""}, b"{}", 400, "invalid_idempotency_key"),
        ("POST", "/api/v1/scores", {"HTTP_IDEMPOTENCY_KEY": "Ä"}, b"{}", 400, "invalid_idempotency_key"),
        ("POST", "/api/v1/scores", {"HTTP_X_API_KEY": "vk_live_north_wrong"}, b"{}", 401, "credential_refused"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_problem(north: House, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    sent = {"content_type": "application/json", **headers}

    answer = north.api().generic(method, path, body, **sent)  # type: ignore[arg-type]

    assert problem(answer)["code"] == code
    assert answer.status_code == status
    assert (status == 401) == answer.has_header("WWW-Authenticate")
    assert (status == 405) == answer.has_header("Allow")


def test_an_unknown_host_is_a_problem_too(north: House) -> None:
    answer = Client(HTTP_HOST="nobody.localhost").get("/api/v1/scores")

    assert answer.status_code == 404
    assert problem(answer)["code"] == "host_unknown"
    assert "http://<partner>.localhost" in problem(answer)["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_compressed_body_is_refused_by_name(north: House, encoding: str) -> None:
    body = gzip.compress(b"{}", mtime=0)
    answer = north.api().post("/api/v1/scores", body, content_type="application/json", HTTP_CONTENT_ENCODING=encoding)
    undeclared = north.api().post("/api/v1/scores", body, content_type="application/json")

    for one in (answer, undeclared):
        assert (one.status_code, problem(one)["code"]) == (415, "unsupported_encoding")
        assert "Compressed bodies are not accepted" in problem(one)["detail"]
        assert "without Content-Encoding" in problem(one)["detail"]


def test_a_query_is_refused_with_every_fault(north: House) -> None:
    answer = north.api().get("/api/v1/scores?limit=201&band=NICE&created_at[gte]=yesterday&nonsense=1&outcome=refer&outcome=decline")

    assert {(one["parameter"], one["code"]) for one in problem(answer)["errors"]} == {
        ("limit", "invalid_value"),
        ("band", "invalid_value"),
        ("created_at[gte]", "invalid_value"),
        ("nonsense", "unknown_parameter"),
        ("outcome", "duplicate_parameter"),
    }
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(OperationalError("connection to 10.0.0.7 refused"), 503, "database_unavailable"), (KeyError("Amina Otieno"), 500, "internal_error")],
)
def test_a_fault_of_ours_is_told_without_its_cause(
    north: House, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(selectors, "products", fail)

    answer = north.api().get("/api/v1/products")

    assert answer.status_code == status
    assert problem(answer)["code"] == code
    assert b"Amina" not in answer.content
    assert b"10.0.0.7" not in answer.content
    assert answer.has_header("Retry-After") == (status == 503)


def test_a_request_id_of_the_callers_own_is_echoed(north: House) -> None:
    answer = north.api().get("/api/v1/nowhere", HTTP_X_REQUEST_ID="order-17")

    assert problem(answer)["request_id"] == "order-17"


def test_what_is_left_of_the_limit_is_told_with_refusals_too(north: House) -> None:
    for path in ("/api/v1/products", "/api/v1/products/none", "/api/v1/users"):
        answer = north.api().get(path)

        assert answer["X-RateLimit-Limit"] == "10000000"
        assert int(answer["X-RateLimit-Remaining"]) < 10_000_000
        assert answer["RateLimit-Policy"].startswith('"hour";q=10000000')
