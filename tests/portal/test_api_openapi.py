"""The description of the API: complete, true to the views, and shown without help from outside."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal import urls
from tests.conftest import House
from tests.isolation.routes import routes

UNDESCRIBED = {"nothing-here", "openapi", "docs"}


@pytest.fixture
def description(north: House) -> dict[str, Any]:
    answer = Client(HTTP_HOST=north.host).get("/openapi.json")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_every_route_and_method_is_described(description: dict[str, Any]) -> None:
    described = {(path, method.upper()) for path, methods in description["paths"].items() for method in methods}
    real = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.pattern), method)
        for route in routes(urls)
        if route.is_api and route.name not in UNDESCRIBED
        for method in route.methods
    }

    assert description["openapi"].startswith("3.1")
    assert described == real


def operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, methods in description["paths"].items() for method, operation in methods.items()]


def test_every_operation_says_what_it_takes_gives_and_refuses(description: dict[str, Any]) -> None:
    identifiers = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(set(identifiers)) == len(identifiers)
    assert [one for one in identifiers if re.search(r"_\d+$", one)] == []    # names that collided
    for path, method, operation in operations(description):
        where = f"{method} {path}"
        assert operation["summary"], where
        responses = operation["responses"]
        assert any(status.startswith("2") for status in responses), where
        assert {"406", "500", "503"} <= set(responses), where
        if method in {"post", "patch", "put"}:
            assert "application/json" in operation["requestBody"]["content"], where
            assert {"400", "413", "415", "422"} <= set(responses), where
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            is_needed = bool(description["components"]["schemas"][name].get("required"))
            assert operation["requestBody"].get("required", False) == is_needed, where
        takes_key = "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
        assert takes_key == (method == "post"), where
        for status, response in responses.items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], where
            assert "X-Request-ID" in response["headers"], where


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref":"#/([^"]+)"', json.dumps(description, separators=(",", ":"))))

    assert references
    for reference in references:
        found: Any = description
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_what_the_description_calls_right_is_taken(north: House, description: dict[str, Any]) -> None:
    with tenant_context(north.partner):
        tokens = {role: issue_tokens(north.users[role]).access for role in ("admin", "officer")}
    client, officer = (Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {tokens[role]}") for role in tokens)
    ancient, far = "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"
    asked: dict[str, dict[str, Any]] = {
        "/api/v1/requests": {"created_at[gte]": ancient, "created_at[lt]": far, "route": "\u200btill \U000f3000"},
        "/api/v1/scores": {"created_at[gte]": ancient, "created_at[lt]": far, "cursor": "AA" + "_" * 30},
        "/api/v1/audit/events": {"recorded_at[gte]": ancient, "action": "decision"},
        "/api/v1/audit/checkpoints": {"cursor": 2**62},
        "/api/v1/api-keys/stats": {"until": "0001-01-01"},
    }

    answers = {path: client.get(path, given).status_code for path, given in asked.items()}

    assert answers == dict.fromkeys(asked, 200)
    assert officer.generic("POST", "/api/v1/applications/take-next").status_code == 200
    refused = client.get("/api/v1/scores", {"cursor": "AB" + "_" * 30})
    assert refused.status_code == 400
    (cursor,) = [one for one in description["paths"]["/api/v1/scores"]["get"]["parameters"] if one["name"] == "cursor"]
    assert not re.match(cursor["schema"]["pattern"], "AB" + "_" * 30)


def test_both_kinds_of_credential_are_described(description: dict[str, Any]) -> None:
    assert set(description["components"]["securitySchemes"]) == {"key", "token"}
    for path, _, operation in operations(description):
        is_open = path in {"/api/v1/", "/api/v1/auth/token", "/api/v1/auth/refresh"}
        assert (operation.get("security", [{}]) in ([{}], [])) == is_open, path


def test_the_documentation_needs_nothing_from_elsewhere(north: House) -> None:
    client = Client(HTTP_HOST=north.host)

    page = client.get("/docs")

    html = page.content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert page.status_code == 200
    assert len(addresses) >= 5
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses)
    assert not re.search(r"<style|\sstyle=|<script>|\son\w+=", html)
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        answer.close()
    assert "SwaggerUIBundle" in client.get("/docs?script=").content.decode()


def test_a_product_describes_its_contract_with_an_example_that_scores(north: House) -> None:
    product = north.api().get(f"/api/v1/products/{north.product}").json()

    answer = north.api().post("/api/v1/scores", json.dumps(product["example"]), content_type="application/json")

    assert product["contract"]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(product["example"]["inputs"]) <= set(product["contract"]["properties"])
    assert answer.status_code == 201, answer.content


def test_products_and_models_are_listed(north: House) -> None:
    products = north.api().get("/api/v1/products").json()
    models = north.api().get("/api/v1/models").json()
    version = north.api().get("/api/v1/models/1").json()

    assert [one["slug"] for one in products["data"]] == [north.product]
    assert products["data"][0]["model"] == {"version": 1}
    assert [(one["product"], one["version"], one["state"]) for one in models["data"]] == [(north.product, 1, "champion")]
    assert version == models["data"][0]
    assert north.api().get(f"/api/v1/models/1?product={north.product}").json() == version


def test_the_root_says_what_answers_here(north: House) -> None:
    root = Client(HTTP_HOST=north.host).get("/api/v1/").json()

    assert (root["name"], root["partner"], root["documentation"]) == ("Vouch", "north", "/docs")
    assert {"scores", "models", "promotions"} <= set(root["routes"])
    assert all(Client(HTTP_HOST=north.host).get(path).status_code in {401, 405} for path in root["routes"].values())


def test_what_earlier_systems_called_a_route_still_answers_and_says_where_to_go(north: House) -> None:
    body = json.dumps({"product": north.product, "applicant": {"reference": "earlier"}, "inputs": dict(north.inputs)})

    answer = north.api().post("/api/v1/predict", body, content_type="application/json")

    assert answer.status_code == 201
    assert answer["Deprecation"].startswith("@")
    assert answer["Link"] == '</api/v1/scores>; rel="successor-version"'
