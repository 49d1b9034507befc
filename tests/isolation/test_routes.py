"""No route gives one partner anything of another: every address and method, with the other's credentials and with the other's ids.

The ways to say who one is: a live key, a token and a session of the other partner, of a partner's sandbox and of a sandbox's partner (whose
keys are test keys), an operator's session, nothing at all; and on the operators' host each of a partner's."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from audit.actions import Action
from audit.alerts import raise_alert
from audit.context import SYSTEM, Actor
from audit.holds import place_hold
from audit.models import Event
from audit.privacy.requests import open_request
from partners.accounts.models import Session
from partners.accounts.operators import create_operator
from partners.accounts.roles import Role
from partners.accounts.services import create_api_key, create_user
from partners.accounts.tokens import issue_tokens
from partners.sandboxes import refresh_sandbox
from partners.tenancy import as_owner, tenant_context
from partners.webhooks.services import create_endpoint, send_test
from portal import urls, urls_public
from portal.approvals.models import Application
from portal.approvals.services.applications import Asked, receive_application
from portal.approvals.services.files import add_file
from portal.approvals.services.views import save_view
from portal.exports.services.asking import Asked as Taken
from portal.exports.services.asking import ask_export, schedule_export
from scoring import registry
from scoring.models import Channel
from scoring.services.files import KIND
from scoring.services.jobs import begin_job
from scoring.services.models import store_model_version
from scoring.services.products import create_product
from scoring.services.promotions import ask_promotion
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from tests.conftest import PASSWORD, House, of_operator
from tests.isolation.routes import Route, routes
from tests.scoring.factories import a_batch, a_bundle, card_of

CANARY = "canary-7f3a9c"
REFUSED = {401, 404}
PAGE_REFUSED = {302, 401, 403, 404, 405}
OPEN = {"root", "token", "token-refresh", "nothing-here", "openapi", "docs", "redoc"}
BODIES: dict[str, Any] = {
    "webhook": {"is_active": False},
    "user": {"role": "viewer", "is_active": False}, "api-key-rotate": {"overlap_seconds": 0},
    "model": {"state": "retired", "reason": "So."}, "retraining-plan": {"every": "monday"}, "product-rollback": {"reason": "So."},
    "product-challenger": {"version": 1},
    "approval-policy": {
        "four_eyes": "never", "limits": [], "override_reasons": {}, "proposal_hours": 1, "due_hours": 1, "lifetime_days": 1,
        "notice_days": 1, "reason": "So.",
    },
    "product-rules": {"base_probability": 0.5, "rules": [], "reason": "So."}, "promotion-refuse": {"answer": "So."},
    "application-decisions": {"decision": "withdraw", "reason_code": "so", "revision": 1},
    "application-second-opinion": {"answer": "agree", "revision": 1}, "application-release": {"revision": 1},
    "application-assign": {"assignee_id": "019aa000-0000-7000-8000-000000000000", "revision": 1},
    "application-notes": {"note": "So."}, "application-snooze": {"until": None, "revision": 1},
    "privacy-request-actions": {"action": "withdraw"},
    "hold-lift": {"reason": "So."}, "hold-lift-answer": {"agrees": True}, "retention-run-answer": {"agrees": True},
    "application-escalate": {"revision": 1}, "application-tags": {"tags": [], "revision": 1},
}  # fmt: skip


@dataclass(frozen=True)
class Other:
    """South, with something of every kind that north must never see, and what would betray it."""

    house: House
    values: dict[str, Any]
    canaries: tuple[bytes, ...]
    bearer: str
    cookie: str


@pytest.fixture
def other(south: House) -> Other:
    """South has an applicant, a decision, a product and a key that north knows the ids of."""
    return filled(south)


@pytest.fixture
def trial(north: House) -> House:
    """North's sandbox, with a person of every role and a key."""
    sandbox = refresh_sandbox(north.partner, actor=SYSTEM)
    with tenant_context(sandbox):
        people = {
            str(role): create_user(email=f"{role}@trial.example", role=role, name=f"Trial {role.label}", password=PASSWORD, actor=SYSTEM)
            for role in Role
        }
        return House(sandbox, people, create_api_key(name="trials", actor=SYSTEM).secret)


def filled(south: House) -> Other:
    """The house with something of every kind."""
    admin = south.users["admin"]
    with tenant_context(south.partner):
        active = registry.current(south.product)
        details = ApplicantDetails(
            reference=f"{CANARY}-reference", name=f"{CANARY} name", phone="+254711223344", national_id=f"{CANARY}-id"
        )
        item = ScoreItem(details, active.validator.check(south.inputs))
        made = score_applicants(product_slug=south.product, items=[item], actor=SYSTEM, channel=Channel.API)[0]
        create_product(definition=replace(active.definition, slug=CANARY), policy=active.policy, actor=SYSTEM)
        version = store_model_version(product_slug=CANARY, bundle=a_bundle(slug=CANARY), estimator="boosted", metrics={}, actor=SYSTEM)
        scientist = Actor(kind="user", id=str(south.users["scientist"].id), label="South")
        asked = ask_promotion(
            product_slug=CANARY, version=version.version, reason=f"{CANARY} reason", is_card_read=True, actor=scientist,
            card_sha256=card_of(version.version, CANARY),
        )
        asked_for = Asked(south.product, details, item.values, 6_000_000, "KES", tags=[CANARY])
        sent = receive_application(asked=asked_for, actor=SYSTEM, channel=Channel.API, render=lambda made: made.id.bytes)
        application = Application.objects.get(id=uuid.UUID(bytes=sent.body))
        by_admin = Actor(kind="user", id=str(admin.id), label="South", role="admin")
        file = add_file(application_id=application.id, name=f"{CANARY}.txt", content=CANARY.encode(), actor=by_admin)
        hold = place_hold(kind="applicant", object_id=made.applicant_id, reason=f"{CANARY} case", until=None, actor=SYSTEM)
        view = save_view(person=admin, name=f"{CANARY} view", query=f"tag={CANARY}")
        key = create_api_key(name=f"{CANARY} key", actor=SYSTEM)
        batch = a_batch(CANARY, f"{CANARY},amount\nA-1,5\n", name=f"{CANARY}.csv")
        hook = create_endpoint(url=f"https://{CANARY}.example.com/", event_types=["decision.made"], actor=SYSTEM).endpoint
        delivery = send_test(endpoint_id=hook.id, actor=SYSTEM)
        job = begin_job(kind=KIND, body={"product": CANARY, "destination": f"/tmp/{CANARY}.csv"}, actor=SYSTEM)
        taken = Taken(list_name="decisions", kind="csv", filters={"reference": f"{CANARY}-reference"})
        export, again = ask_export(asked=taken, actor=by_admin), schedule_export(asked=taken, every="day", actor=by_admin)
        today = timezone.now().date()
        asked_for_access = open_request(kind="access", reference=details.reference, received_on=today, statement=CANARY, actor=by_admin)
        alert = raise_alert(kind="seal_broken", object_kind=CANARY, object_id=CANARY, detail={})
        bearer = issue_tokens(admin).access
        session = Session.objects.get(user=admin)
    values = {
        "score_id": made.id, "decision_id": made.id, "user_id": admin.id, "key_id": key.key.id, "slug": CANARY, "product": CANARY,
        "product_slug": CANARY, "applicant_id": made.applicant_id, "model_version_id": registry_version(south), "path": CANARY,
        "version": 7, "promotion_id": asked.id, "application_id": application.id, "batch_id": batch.id,
        "number": application.number, "file_id": file.id, "view_id": view.id,
        "topic": CANARY, "case": 7, "factor_id": 1, "session_id": session.id, "token": CANARY,
        "event_id": made.event.id, "object_id": made.id,
        "job_id": job.id, "webhook_id": hook.id, "delivery_id": delivery.id, "export_id": export.id, "schedule_id": again.id,
        "request_number": asked_for_access.number, "alert_id": alert.id,
        "run": 7, "record_class": CANARY, "trigger": "made", "hold_id": hold.id,
    }  # fmt: skip
    told = (
        CANARY,
        "@" + admin.email.partition("@")[2],
        south.schema,
        south.host,
        str(made.event.id),
        made.receipt.signature,
        str(admin.name),
        south.api_key[-20:],
        key.secret[-20:],
    )
    cookie = south.client("admin").cookies[settings.SESSION_COOKIE_NAME].value
    return Other(south, values, tuple(one.encode() for one in told), bearer, cookie)


def registry_version(house: House) -> Any:
    with tenant_context(house.partner):
        return registry.current(house.product).model_version_id


def fingerprint(schema: str) -> dict[str, Any]:
    """Each table's rows as one checksum."""
    with as_owner(schema), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        tables = [name for (name,) in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(
                f'SELECT count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), \'\')) FROM "{schema}"."{table}" t'
            )
            found[table] = cursor.fetchone()
    return found


def ask(client: Client, route: Route, method: str, values: dict[str, Any]) -> HttpResponse:
    """The answer to one request with a body that would do something."""
    client.raise_request_exception = False
    address = route.path(values)
    if route.is_api:
        body = b"" if method in {"GET", "DELETE"} else json.dumps(BODIES.get(route.name, {})).encode()
        return client.generic(  # type: ignore[return-value]
            method, address, body, content_type="application/json", headers={"If-Match": '"0"'} if method == "PUT" else {}
        )
    return client.generic(method, address)  # type: ignore[return-value]


def probes(urlconf: Any, north: House, other: Other, more: dict[str, Client]) -> Iterator[tuple[str, Route, str, HttpResponse, bool]]:
    """Every request of the matrix with its answer, and whether it must be refused outright."""
    strangers = {
        "the other's key": Client(HTTP_HOST=north.host, HTTP_X_API_KEY=other.house.api_key),
        "the other's token": Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {other.bearer}"),
        "the other's session": Client(HTTP_HOST=north.host),
    }
    strangers["the other's session"].cookies[settings.SESSION_COOKIE_NAME] = other.cookie
    strangers |= more
    with tenant_context(north.partner):
        token = issue_tokens(north.users["admin"]).access
    for route in routes(urlconf):
        for method in route.methods:
            for what, client in strangers.items():
                yield what, route, method, ask(client, route, method, other.values), True
            own = Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {token}") if route.is_api else north.client("admin")
            yield "the other's ids", route, method, ask(own, route, method, other.values), bool(route.parameters)


def findings(urlconf: Any, north: House, other: Other, more: dict[str, Client] | None = None) -> list[str]:
    """Everything that is not as it must be, with these further strangers."""
    wrong = []
    before = fingerprint(other.house.schema)
    for what, route, method, answer, must_refuse in probes(urlconf, north, other, more or {}):
        request = f"{method} {route.pattern} with {what}"
        allowed = REFUSED if route.is_api else PAGE_REFUSED
        if must_refuse and route.name not in OPEN and answer.status_code not in allowed and not is_public(route):
            wrong.append(f"{request}: {answer.status_code}")
        if answer.status_code >= 500:
            wrong.append(f"{request}: {answer.status_code}")
        content = b"".join(answer) if answer.streaming else answer.content
        seen = content + repr(sorted(answer.headers.items())).encode()
        # What the caller sent in the address may come back; nothing else of it may.
        address = route.path(other.values)
        for echoed in (address, quote(address, safe="")):
            seen = seen.replace(echoed.encode(), b"")
        wrong += [f"{request} shows {canary!r}" for canary in other.canaries if canary in seen]
    after = fingerprint(other.house.schema)
    wrong += [f"{table} of the other partner changed" for table in before.keys() | after.keys() if before.get(table) != after.get(table)]
    return wrong


def is_public(route: Route) -> bool:
    """Whether a page says the same to everybody, signed in or not."""
    return not route.is_api and route.name in {
        "login", "logout", "language", "set_language", "code", "forgotten", "passkey", "link", "link-followed", "sandbox-enter",
    }


def test_no_route_gives_one_partner_anything_of_another(north: House, other: Other) -> None:
    operators = Client(HTTP_HOST=north.host)
    operators.cookies = of_operator(create_operator(email="olu@vouch.example", password=PASSWORD, actor=SYSTEM)).cookies

    assert findings(urls, north, other, {"nothing": Client(HTTP_HOST=north.host), "an operator's session": operators}) == []


def test_no_route_of_operators_opens_to_a_partners_people(north: House) -> None:
    host = settings.BASE_DOMAIN
    with tenant_context(north.partner):
        token = issue_tokens(north.users["admin"]).access
    strangers = {
        "nothing": Client(HTTP_HOST=host), "a session": Client(HTTP_HOST=host),
        "a key": Client(HTTP_HOST=host, HTTP_X_API_KEY=north.api_key),
        "a token": Client(HTTP_HOST=host, HTTP_AUTHORIZATION=f"Bearer {token}"),
    }  # fmt: skip
    strangers["a session"].cookies = north.client("admin").cookies
    values = {"object_id": uuid.uuid4()}

    found = [
        f"{method} {route.pattern} with {what}: {answer.status_code}"
        for route in routes(urls_public) if not is_public(route)
        for method in route.methods
        for what, client in strangers.items()
        if (answer := ask(client, route, method, values)).status_code not in PAGE_REFUSED
    ]

    assert found == []
    assert len(routes(urls_public)) > 10


def test_no_route_of_a_partner_gives_anything_of_its_sandbox(north: House, trial: House) -> None:
    there = filled(trial)
    shown = {trial.host.encode()}    # where the sandbox is, is told to whoever may go there
    with tenant_context(trial.partner):
        earlier = set(Event.objects.values_list("id", flat=True))

    found = findings(urls, north, replace(there, canaries=tuple(one for one in there.canaries if one not in shown)))

    # The one thing a partner does to its sandbox: its administrator brings the products there up to date, which that record tells.
    assert found == ["audit_event of the other partner changed"]
    with tenant_context(trial.partner):
        assert [event.action for event in Event.objects.exclude(id__in=earlier)] == [Action.SANDBOX_REFRESHED]


def test_no_route_of_a_sandbox_gives_anything_of_the_partner(north: House, trial: House) -> None:
    there = filled(north)
    shown = {north.schema.encode(), north.host.encode()}    # the sandbox's own begin or end so, and its page leads back

    assert findings(urls, trial, replace(there, canaries=tuple(one for one in there.canaries if one not in shown))) == []


def test_the_matrix_is_not_empty(north: House) -> None:
    found = routes(urls)

    assert len([route for route in found if route.is_api]) >= 20
    assert {"score_id", "user_id", "key_id", "slug", "version"} <= {name for route in found for name in route.parameters}


def leak(_request: HttpRequest, user_id: str) -> HttpResponse:
    """A view that reads by id, from whichever schema has it."""
    with as_owner("t_south"), connection.cursor() as cursor:
        cursor.execute("SELECT email FROM t_south.accounts_user WHERE id = %s", [user_id])
        return HttpResponse(str(cursor.fetchone()))


def test_a_planted_leak_is_found(north: House, other: Other) -> None:
    planted = ModuleType("planted")
    planted.urlpatterns = [path("api/v1/leaks/<str:user_id>", leak, name="leak"), *urls.urlpatterns]  # type: ignore[attr-defined]
    settings_before, settings.ROOT_URLCONF = settings.ROOT_URLCONF, planted
    try:
        found = findings(planted, north, other)
    finally:
        settings.ROOT_URLCONF = settings_before

    assert found
    assert all("/leaks/" in one for one in found)
    assert any("shows" in one for one in found)
