"""Who may ask for what: a table of every route of the API and the roles it lets in."""

import json

import pytest
from django.test import Client

from audit.ids import uuid7
from partners.accounts.roles import Role
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal import urls
from tests.conftest import House
from tests.isolation.routes import routes

EVERYBODY = {str(role) for role in Role}
DECIDERS = {"officer", "approver", "analyst", "developer", "admin"}
REVIEWERS = {"officer", "approver", "admin"}
KEEPERS = {"developer", "admin"}
PROMOTERS = {"analyst", "scientist", "admin"}
SEERS_OF_PEOPLE = {"compliance", "admin"}
EXAMINERS = {"analyst", "compliance", "admin"}
KEY = "key"  # an API key with every scope that a key can have

# Route name and method: who is let in. None: anybody, without a credential.
TABLE: dict[tuple[str, str], set[str] | None] = {
    ("root", "GET"): None,
    ("token", "POST"): None,
    ("token-refresh", "POST"): None,
    ("scores", "POST"): DECIDERS | {KEY},
    ("scores", "GET"): EVERYBODY | {KEY},
    ("score", "GET"): EVERYBODY | {KEY},
    ("score-explanation", "GET"): EVERYBODY | {KEY},
    ("score-recourse", "GET"): DECIDERS | {"compliance", KEY},
    ("score-outcomes", "GET"): EVERYBODY | {KEY},
    ("outcomes", "POST"): DECIDERS | {KEY},
    ("score-batches", "POST"): DECIDERS | {KEY},
    ("applications", "POST"): DECIDERS | {KEY},
    ("applications", "GET"): EVERYBODY | {KEY},
    ("application", "GET"): EVERYBODY | {KEY},
    ("application-events", "GET"): EVERYBODY | {KEY},
    ("application-decisions", "POST"): REVIEWERS,
    ("application-second-opinion", "POST"): REVIEWERS,
    ("application-assign", "POST"): REVIEWERS,
    ("application-release", "POST"): REVIEWERS,
    ("application-take-next", "POST"): REVIEWERS,
    ("applications-assign", "POST"): REVIEWERS,
    ("application-notes", "POST"): REVIEWERS,
    ("application-snooze", "POST"): REVIEWERS,
    ("application-escalate", "POST"): REVIEWERS,
    ("application-tags", "POST"): REVIEWERS,
    ("score-job", "GET"): EVERYBODY | {KEY},
    ("products", "GET"): EVERYBODY | {KEY},
    ("product", "GET"): EVERYBODY | {KEY},
    ("models", "GET"): EVERYBODY | {KEY},
    ("model", "GET"): EVERYBODY | {KEY},
    ("model-card", "GET"): EVERYBODY | {KEY},
    ("model-comparison", "GET"): EVERYBODY | {KEY},
    ("model", "PATCH"): {"scientist", "admin"},
    ("product-in-force", "GET"): EVERYBODY | {KEY},
    ("product-changes", "GET"): EVERYBODY | {KEY},
    ("approval-policy", "GET"): EVERYBODY | {KEY},
    ("approval-policy", "PUT"): PROMOTERS,
    ("product-rules", "GET"): EVERYBODY | {KEY},
    ("product-rules", "POST"): PROMOTERS,
    ("product-rollback", "POST"): PROMOTERS,
    ("product-challenger", "POST"): PROMOTERS,
    ("product-challenger", "DELETE"): PROMOTERS,
    ("retrainings", "GET"): EVERYBODY | {KEY},
    ("retrainings", "POST"): {"scientist", "admin"},
    ("retraining", "GET"): EVERYBODY | {KEY},
    ("retraining-plan", "GET"): EVERYBODY | {KEY},
    ("retraining-plan", "PUT"): {"scientist", "admin"},
    ("earlier-monitor-retrain", "POST"): {"scientist", "admin"},
    ("statistics", "GET"): EVERYBODY | {KEY},
    ("top-features", "GET"): EVERYBODY | {KEY},
    ("earlier-v2-predict", "POST"): DECIDERS | {KEY},
    ("earlier-v2-predict-batch", "POST"): DECIDERS | {KEY},
    ("earlier-v2-stats", "GET"): EVERYBODY | {KEY},
    ("earlier-v2-top-features", "GET"): EVERYBODY | {KEY},
    ("earlier-v2-api-keys-stats", "GET"): KEEPERS,
    ("promotions", "GET"): EVERYBODY | {KEY},
    ("promotions", "POST"): PROMOTERS,
    ("promotion", "GET"): EVERYBODY | {KEY},
    ("promotion-confirm", "POST"): PROMOTERS,
    ("promotion-refuse", "POST"): PROMOTERS,
    ("promotion-withdraw", "POST"): PROMOTERS,
    ("retention-policies", "GET"): EXAMINERS,
    ("retention-policies", "POST"): SEERS_OF_PEOPLE,
    ("retention-policy", "DELETE"): SEERS_OF_PEOPLE,
    ("retention-preview", "GET"): EXAMINERS,
    ("retention-runs", "GET"): EXAMINERS,
    ("retention-runs", "POST"): SEERS_OF_PEOPLE,
    ("retention-run-answer", "POST"): SEERS_OF_PEOPLE,
    ("retention-certificate", "GET"): EXAMINERS,
    ("holds", "GET"): EXAMINERS,
    ("holds", "POST"): SEERS_OF_PEOPLE,
    ("hold-lift", "POST"): SEERS_OF_PEOPLE,
    ("hold-lift-answer", "POST"): SEERS_OF_PEOPLE,
    ("compliance-report-data", "GET"): EXAMINERS,
    ("earlier-audit-cleanup", "POST"): SEERS_OF_PEOPLE,
    ("logout", "POST"): EVERYBODY | {KEY},
    ("change-password", "POST"): EVERYBODY | {KEY},
    ("users", "GET"): SEERS_OF_PEOPLE,
    ("users", "POST"): {"admin"},
    ("user", "GET"): SEERS_OF_PEOPLE,
    ("user", "PATCH"): {"admin"},
    ("user-invitation", "POST"): {"admin"},
    ("user-second-factor", "DELETE"): {"admin"},
    ("invitations", "POST"): {"admin"},
    ("roles", "GET"): SEERS_OF_PEOPLE,
    ("api-keys", "GET"): KEEPERS,
    ("api-keys", "POST"): KEEPERS,
    ("sandbox-reset", "POST"): DECIDERS | {KEY},    # here 404: this is none
    ("api-key", "DELETE"): KEEPERS,
    ("api-key-rotate", "POST"): KEEPERS,
    ("webhooks", "GET"): KEEPERS,
    ("webhooks", "POST"): KEEPERS,
    ("webhook", "GET"): KEEPERS,
    ("webhook", "PATCH"): KEEPERS,
    ("webhook", "DELETE"): KEEPERS,
    ("webhook-rotate", "POST"): KEEPERS,
    ("webhook-test", "POST"): KEEPERS,
    ("webhook-deliveries", "GET"): KEEPERS,
    ("webhook-delivery", "GET"): KEEPERS,
    ("webhook-resend", "POST"): KEEPERS,
    ("api-key-stats", "GET"): KEEPERS,
    ("requests", "GET"): KEEPERS,
    ("queues", "GET"): KEEPERS,
    ("exports", "POST"): EVERYBODY | {KEY},    # each list has a permission of its own
    ("exports", "GET"): EVERYBODY | {KEY},
    ("export", "GET"): EVERYBODY | {KEY},
    ("export-link", "POST"): EVERYBODY | {KEY},
    ("export-file", "GET"): EVERYBODY | {KEY},
    ("privacy-requests", "GET"): SEERS_OF_PEOPLE,
    ("privacy-requests", "POST"): SEERS_OF_PEOPLE,
    ("privacy-request", "GET"): SEERS_OF_PEOPLE,
    ("privacy-request-actions", "POST"): SEERS_OF_PEOPLE,
    ("privacy-request-copies", "POST"): SEERS_OF_PEOPLE,
    ("signing-keys", "GET"): EVERYBODY | {KEY},
    ("usage", "GET"): KEEPERS,
    ("audit-events", "GET"): EXAMINERS,
    ("audit-proof", "GET"): EXAMINERS,
    ("audit-summary", "GET"): EXAMINERS,
    ("audit-consistency", "GET"): EXAMINERS,
    ("audit-checkpoints", "GET"): EXAMINERS,
    ("audit-export", "GET"): EXAMINERS,
    ("audit-bundle", "GET"): EXAMINERS,
    ("earlier-audit-logs", "GET"): EXAMINERS,
    ("earlier-audit-export-csv", "GET"): EXAMINERS,
    ("earlier-audit-export-json", "GET"): EXAMINERS,
    ("earlier-score-user", "POST"): DECIDERS | {KEY},
    ("earlier-predict", "POST"): DECIDERS | {KEY},
    ("earlier-predict-batch", "POST"): DECIDERS | {KEY},
    ("earlier-batch-predict", "POST"): DECIDERS | {KEY},
    ("earlier-model-info", "GET"): EVERYBODY | {KEY},
    ("earlier-models-info", "GET"): EVERYBODY | {KEY},
    ("earlier-models-status", "GET"): EVERYBODY | {KEY},
}
ROUTES = {route.name: route for route in routes(urls) if route.is_api and route.name != "nothing-here"}
VALUES = {"score_id": uuid7(), "user_id": uuid7(), "key_id": uuid7(), "slug": "nothing", "version": 99, "promotion_id": uuid7(),
          "application_id": uuid7(), "job_id": uuid7(), "webhook_id": uuid7(), "delivery_id": uuid7(), "export_id": uuid7(),
          "event_id": uuid7(), "request_number": 0,
          "record_class": "nothing", "trigger": "made", "run": 99, "hold_id": uuid7()}  # fmt: skip


def test_every_route_of_the_api_is_in_the_table() -> None:
    assert {(route.name, method) for route in ROUTES.values() for method in route.methods} == set(TABLE)


def send(client: Client, name: str, method: str) -> tuple[int, str]:
    """The status and code of a request that is wrong in every other respect, so that it changes nothing."""
    body = b"" if method in {"GET", "DELETE"} else json.dumps({"nonsense": True}).encode()
    answer = client.generic(method, ROUTES[name].path(VALUES), body, content_type="application/json")
    return answer.status_code, answer.json().get("code", "") if answer.status_code >= 400 else ""


@pytest.mark.parametrize("role", [*sorted(EVERYBODY), KEY])
def test_a_role_is_let_in_where_the_table_says_so_and_nowhere_else(north: House, role: str) -> None:
    if role == KEY:
        client = north.api()
    else:
        with tenant_context(north.partner):
            client = Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {issue_tokens(north.users[role]).access}")

    for (name, method), allowed in TABLE.items():
        status, code = send(client, name, method)

        is_let_in = allowed is None or role in allowed
        assert (code != "permission_missing") == is_let_in, f"{role} {method} {name}: {status} {code}"
        assert status != 401, f"{role} {method} {name}"


def test_nobody_is_let_in_without_a_credential(north: House) -> None:
    client = Client(HTTP_HOST=north.host)

    for (name, method), allowed in TABLE.items():
        status, code = send(client, name, method)

        assert (code == "credential_missing") == (allowed is not None), f"{method} {name}: {status} {code}"


@pytest.mark.parametrize("name", ["scores", "score", "users"])
def test_head_asks_for_the_same_permission_as_get(north: House, name: str) -> None:
    assert Client(HTTP_HOST=north.host).head(ROUTES[name].path(VALUES)).status_code == 401
    expected = {"scores": 200, "score": 404, "users": 403}[name]
    assert north.api().head(ROUTES[name].path(VALUES)).status_code == expected


def test_a_session_cookie_opens_no_route_of_the_api(north: House) -> None:
    assert north.client("admin").get("/api/v1/users").status_code == 401
