"""Pages through HTTP: who sees which, what the address means, what never leaves them, and what they carry."""

import math
import random
import re
import shlex
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from html import escape, unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.management import get_commands, load_command_class
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone

from audit.context import SYSTEM, Actor
from audit.errors import DomainError
from audit.ids import uuid7
from audit.privacy.requests import open_request
from audit.selectors import EventFilters, events
from partners.accounts.models import User
from partners.accounts.roles import Role, permissions_of
from partners.accounts.services import create_api_key, create_user
from partners.services import create_partner
from partners.tenancy import tenant_context
from partners.webhooks.services import create_endpoint, send_test
from portal import urls, urls_public
from portal.admin import officers
from portal.approvals.services.applications import Asked, receive_application
from portal.errors import TABLE as TABLE_OF_ERRORS
from portal.errors import outcome_of
from portal.exports.lists import every_list
from portal.handlers import page
from portal.reference.admin import Carried
from portal.templatetags.vouch import decimals, share
from scoring import registry, selectors
from scoring.engine.contract import Contract, ContractViolation, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.policy import Condition
from scoring.engine.product import Rule, Rules
from scoring.errors import ApplicantErased
from scoring.models import Channel, Decision, ModelVersion
from scoring.selectors import Explanation
from scoring.services.products import create_product
from scoring.services.promotions import ask_promotion
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from scoring.web.shown import contributions, factors, speaking_for
from tests.conftest import PASSWORD, PRODUCT, House
from tests.isolation.routes import Route, routes
from tests.scoring.factories import SLUG, a_batch, a_definition, add_product, add_version, card_of

EVERYBODY = frozenset(str(role) for role in Role)
DECIDERS = frozenset({"officer", "approver", "analyst", "developer", "admin"})
PROMOTERS = EDITORS = frozenset({"analyst", "scientist", "admin"})
REVIEWERS = frozenset({"officer", "approver", "admin"})    # who decides about applications
KEEPERS = frozenset({"developer", "admin"})    # who connects other systems
READERS = DECIDERS | {"compliance"}    # who may know who was scored
EXAMINERS = frozenset({"analyst", "compliance", "admin"})    # who may read the record
ADMINISTRATORS = frozenset({"admin"})
RECORD_READERS = frozenset({"analyst", "compliance", "admin"})    # who enters the admin
ADMIN_LISTS = {f"{one.route(kind)}": one for one in officers._registry.values() for kind in ("changelist", "change")}  # type: ignore[attr-defined]
CARRIED = {one.opts.app_label + "_" + str(one.opts.model_name): one for one in officers._registry.values() if isinstance(one, Carried)}
ADMIN_DEEDS = {"index", "accounts_apikey_revoke", "audit_verification_ask",
               *(f"{name}_{way}" for name in CARRIED for way in ("import", "export"))}  # fmt: skip
SEERS_OF_PEOPLE = ADMINISTRATORS | {"compliance"}
OFFICERS = frozenset({"compliance", "admin"})    # who answers applicants
STRANGER = "stranger"


@dataclass(frozen=True)
class Access:
    """What a page answers those who may see it, who they are, and what it answers a stranger."""

    status: int
    who: frozenset[str] = EVERYBODY
    stranger: int = 302


def who_sees(one: Any) -> frozenset[str]:
    """Who reads the record and may see this list of the admin."""
    return frozenset(role for role in RECORD_READERS if one.permission in permissions_of(role))


def who_brings(one: Any) -> frozenset[str]:
    """Who may bring a file to it."""
    return frozenset(role for role in who_sees(one) if one.table.permission in permissions_of(role))


TABLE: Mapping[tuple[str, str], Access] = {
    ("overview", "GET"): Access(200),
    ("summary", "GET"): Access(200),
    ("applicant-list", "GET"): Access(200, READERS),
    ("applicant-detail", "GET"): Access(200, READERS),
    ("applicant-detail", "POST"): Access(422, DECIDERS, stranger=401),
    ("help-list", "GET"): Access(200),
    ("help", "GET"): Access(200),
    ("practice", "GET"): Access(200),
    ("decision-list", "GET"): Access(200),
    ("decision-detail", "GET"): Access(200),
    ("decision-new", "GET"): Access(200, DECIDERS),
    ("decision-new", "POST"): Access(422, DECIDERS, stranger=401),
    ("outcome", "GET"): Access(200, DECIDERS),
    ("outcome", "POST"): Access(422, DECIDERS, stranger=401),
    ("batch-list", "GET"): Access(200),
    ("batch-new", "GET"): Access(200, DECIDERS),
    ("batch-new", "POST"): Access(422, DECIDERS, stranger=401),
    ("batch-template", "GET"): Access(200, DECIDERS),
    ("batch-detail", "GET"): Access(200),
    ("batch-detail", "POST"): Access(409, DECIDERS, stranger=401),
    ("batch-columns", "GET"): Access(200, DECIDERS),
    ("batch-columns", "POST"): Access(422, DECIDERS, stranger=401),
    ("batch-result", "GET"): Access(404, READERS),
    ("batch-errors", "GET"): Access(404, READERS),
    ("application-list", "GET"): Access(200),
    ("application-new", "GET"): Access(200, DECIDERS),
    ("application-new", "POST"): Access(422, DECIDERS, stranger=401),
    ("application-take", "POST"): Access(302, REVIEWERS, stranger=401),
    ("application-chosen", "POST"): Access(302, REVIEWERS, stranger=401),
    ("view-save", "POST"): Access(302, stranger=401),
    ("view-remove", "POST"): Access(302, stranger=401),
    ("application-work", "POST"): Access(422, REVIEWERS, stranger=401),
    ("file-add", "POST"): Access(422, REVIEWERS, stranger=401),
    ("file-read", "GET"): Access(404, READERS),
    ("product-list", "GET"): Access(200),
    ("product-detail", "GET"): Access(200),
    ("product-rules", "GET"): Access(200, EDITORS),
    ("product-rules", "POST"): Access(422, EDITORS, stranger=401),
    ("product-policy", "GET"): Access(200, EDITORS),
    ("product-policy", "POST"): Access(422, EDITORS, stranger=401),
    ("policy", "GET"): Access(200, EDITORS),
    ("policy", "POST"): Access(422, EDITORS, stranger=401),
    ("model-list", "GET"): Access(200),
    ("model-detail", "GET"): Access(200),
    ("model-card", "GET"): Access(200),
    ("model-card-pdf", "GET"): Access(200),
    ("model-act", "POST"): Access(422, PROMOTERS, stranger=401),
    ("model-history", "GET"): Access(200),
    ("model-compare", "GET"): Access(200),
    ("model-retraining", "GET"): Access(200),
    ("model-retraining", "POST"): Access(422, frozenset({"scientist", "admin"}), stranger=401),
    ("application-detail", "GET"): Access(200),
    ("application-detail", "POST"): Access(422, REVIEWERS, stranger=401),
    ("letter", "GET"): Access(409, READERS),    # nobody said yet who writes letters
    ("letter", "POST"): Access(409, REVIEWERS, stranger=401),
    ("letter-pdf", "GET"): Access(409, READERS),
    ("notice-list", "GET"): Access(200, READERS),
    ("notice-settings", "GET"): Access(200, EDITORS),
    ("notice-settings", "POST"): Access(422, EDITORS, stranger=401),
    ("retention", "GET"): Access(200, EXAMINERS),
    ("retention", "POST"): Access(422, frozenset({"compliance", "admin"}), stranger=401),
    ("retention-trial", "GET"): Access(200, EXAMINERS),
    ("certificate-json", "GET"): Access(404, EXAMINERS),    # no run is done
    ("certificate-pdf", "GET"): Access(404, EXAMINERS),
    ("compliance-report", "GET"): Access(200, EXAMINERS),
    ("endpoint-list", "GET"): Access(200, KEEPERS),
    ("endpoint-new", "GET"): Access(200, KEEPERS),
    ("endpoint-new", "POST"): Access(422, KEEPERS, stranger=401),
    ("endpoint-detail", "GET"): Access(200, KEEPERS),
    ("endpoint-detail", "POST"): Access(422, KEEPERS, stranger=401),
    ("endpoint-change", "GET"): Access(200, KEEPERS),
    ("endpoint-change", "POST"): Access(422, KEEPERS, stranger=401),
    ("delivery-detail", "GET"): Access(200, KEEPERS),
    ("delivery-detail", "POST"): Access(302, KEEPERS, stranger=401),
    ("developers", "GET"): Access(302, KEEPERS),
    ("key-list", "GET"): Access(200, KEEPERS),
    ("key-new", "GET"): Access(200, KEEPERS),
    ("key-new", "POST"): Access(422, KEEPERS, stranger=401),
    ("key-detail", "GET"): Access(200, KEEPERS),
    ("key-rotate", "POST"): Access(422, KEEPERS, stranger=401),
    ("key-revoke", "POST"): Access(302, KEEPERS, stranger=401),
    ("request-list", "GET"): Access(200, KEEPERS),
    ("queue-list", "GET"): Access(200, KEEPERS),
    ("guide", "GET"): Access(200, KEEPERS),
    ("export-list", "GET"): Access(200),
    ("export-new", "GET"): Access(200),
    ("export-new", "POST"): Access(422, stranger=401),
    ("export-detail", "GET"): Access(404),    # of somebody else
    ("export-link", "POST"): Access(404, stranger=401),
    ("export-file", "GET"): Access(404),
    ("schedule-stop", "POST"): Access(404, stranger=401),
    ("sandbox", "GET"): Access(200, KEEPERS),
    ("sandbox", "POST"): Access(404, KEEPERS, stranger=401),    # these houses have none
    ("sandbox-open", "GET"): Access(404, KEEPERS),
    ("sandbox-enter", "GET"): Access(404, stranger=404),
    ("privacy-list", "GET"): Access(200, OFFICERS),
    ("privacy-new", "GET"): Access(200, OFFICERS),
    ("privacy-new", "POST"): Access(422, OFFICERS, stranger=401),
    ("privacy-detail", "GET"): Access(200, OFFICERS),
    ("privacy-detail", "POST"): Access(422, OFFICERS, stranger=401),
    ("copy-json", "GET"): Access(200, OFFICERS),
    ("copy-pdf", "GET"): Access(200, OFFICERS),
    ("answered-json", "GET"): Access(409, OFFICERS),    # it is still open
    ("answered-pdf", "GET"): Access(409, OFFICERS),
    ("privacy-terms", "GET"): Access(200, OFFICERS),
    ("privacy-terms", "POST"): Access(422, OFFICERS, stranger=401),
    ("alert-close", "POST"): Access(302, OFFICERS, stranger=401),
    ("account", "GET"): Access(200),
    ("account", "POST"): Access(422, stranger=401),
    ("time-zone", "POST"): Access(422, stranger=401),
    ("factor-new", "GET"): Access(200),
    ("factor-new", "POST"): Access(422),
    ("factor-remove", "GET"): Access(404),
    ("factor-remove", "POST"): Access(404, stranger=401),
    ("recovery-codes", "GET"): Access(200),
    ("recovery-codes", "POST"): Access(422, stranger=401),
    ("session-end", "POST"): Access(302, stranger=401),
    ("team", "GET"): Access(200, SEERS_OF_PEOPLE),
    ("invite", "GET"): Access(200, ADMINISTRATORS),
    ("invite", "POST"): Access(422, ADMINISTRATORS, stranger=401),
    ("person", "GET"): Access(200, SEERS_OF_PEOPLE),
    ("person", "POST"): Access(400, ADMINISTRATORS, stranger=401),
    ("code", "GET"): Access(302),
    ("code", "POST"): Access(302),
    ("forgotten", "GET"): Access(200, stranger=200),
    ("forgotten", "POST"): Access(422, stranger=422),
    ("passkey", "POST"): Access(200, stranger=200),
    ("link", "GET"): Access(410, stranger=410),
    ("link", "POST"): Access(410, stranger=410),
    ("link-followed", "GET"): Access(410, stranger=410),
    ("login", "GET"): Access(302, stranger=200),
    ("login", "POST"): Access(422, stranger=422),
    ("logout", "POST"): Access(302),
    ("language", "POST"): Access(400, stranger=400),
    ("event-list", "GET"): Access(200, EXAMINERS),
    ("event-detail", "GET"): Access(200, EXAMINERS),
    ("record-summary", "GET"): Access(200, EXAMINERS),
    ("record-check", "GET"): Access(200, EXAMINERS),
    ("record-check", "POST"): Access(302, EXAMINERS, stranger=401),
    ("record-export", "GET"): Access(404, EXAMINERS),    # nothing is sealed in a transaction that is rolled back
    ("record-bundle", "GET"): Access(200, EXAMINERS),
    ("record-bundle", "POST"): Access(422, EXAMINERS, stranger=401),
    ("record-verifier", "GET"): Access(200, EXAMINERS),
    ("record-keys", "GET"): Access(200, EXAMINERS),
    ("index", "GET"): Access(200, RECORD_READERS),
    ("index", "POST"): Access(405, RECORD_READERS, stranger=401),
    **{(name, "GET"): Access(404 if name.endswith("_change") else 200, who_sees(one)) for name, one in ADMIN_LISTS.items()},
    **{(name, "POST"): Access(405, RECORD_READERS, stranger=401) for name in ADMIN_LISTS},
    **{(f"{name}_export", "GET"): Access(400, who_sees(one)) for name, one in CARRIED.items()},    # in no format
    **{(f"{name}_export", "POST"): Access(405, RECORD_READERS, stranger=401) for name in CARRIED},
    **{(f"{name}_import", "GET"): Access(200, who_brings(one)) for name, one in CARRIED.items()},
    **{(f"{name}_import", "POST"): Access(422, who_brings(one), stranger=401) for name, one in CARRIED.items()},
    ("audit_verification_ask", "GET"): Access(302, RECORD_READERS),
    ("audit_verification_ask", "POST"): Access(302, RECORD_READERS, stranger=401),
    ("accounts_apikey_revoke", "GET"): Access(404, ADMINISTRATORS),
    ("accounts_apikey_revoke", "POST"): Access(404, ADMINISTRATORS, stranger=401),
    ("docs", "GET"): Access(200, stranger=200),
    ("redoc", "GET"): Access(200, stranger=200),
    ("openapi", "GET"): Access(200, stranger=200),
}
PAGES: Mapping[str, Route] = {route.name: route for route in routes(urls) if not route.is_api}
SHOWING = ("overview", "summary", "applicant-list", "applicant-detail", "help-list", "help", "practice",
           "application-list", "application-new",
           "decision-list", "decision-detail", "decision-new", "product-list", "product-detail", "product-rules",
           "product-policy", "policy", "model-list", "model-detail", "model-card", "model-history", "model-compare", "model-retraining",
           "account", "outcome",
           "key-list", "key-new", "key-detail", "request-list", "queue-list", "guide",
           "batch-list", "batch-new", "batch-detail", "batch-columns",
           "event-list", "event-detail", "record-summary", "record-check", "record-bundle",
           "application-detail", "letter", "notice-list", "notice-settings", "retention", "retention-trial", "compliance-report",
           "export-list", "export-new",
           "endpoint-list", "endpoint-new", "endpoint-detail", "endpoint-change", "delivery-detail", "sandbox",
           "privacy-list", "privacy-new", "privacy-detail", "privacy-terms",
           "factor-new", "recovery-codes", "team", "invite", "person", "forgotten", "link")  # fmt: skip
ELSEWHERE_SHOWN = {"sandbox-enter", "sandbox-open", *ADMIN_DEEDS, *ADMIN_LISTS,    # tests/portal/test_admin.py
                   "code", "link-followed", "factor-remove",    # tests/portal/test_pages_sign_in.py
                   "login", "docs", "redoc", "openapi", "developers", "export-detail"}  # fmt: skip
FILES = {"export-file", "model-card-pdf", "batch-template", "batch-result", "batch-errors", "file-read", "letter-pdf", "record-export",
         "record-verifier", "record-keys", "copy-json", "copy-pdf", "certificate-json", "certificate-pdf", "answered-json",
         "answered-pdf"}  # fmt: skip

# Pages that show no list of their own, or one that leaves the portal by another way; all others have an export.
NOT_EXPORTED: Mapping[str, frozenset[str]] = {
    "a form, or the sign-in": frozenset({
        "application-new", "decision-new", "outcome", "batch-new", "batch-columns", "product-rules", "policy", "notice-settings",
        "endpoint-new", "endpoint-change", "key-new", "privacy-new", "privacy-terms", "invite", "factor-new", "factor-remove",
        "recovery-codes", "login", "code", "forgotten", "link", "link-followed", "sandbox", "sandbox-open", "sandbox-enter",
        "accounts_apikey_revoke", "audit_verification_ask", "export-new",
    }),
    "a text": frozenset({"help-list", "help", "practice", "guide", "docs", "redoc", "openapi", "index"}),
    "leads to a list": frozenset({"developers"}),
    "about one applicant, whose data leaves by a request for a copy, recorded": frozenset({"applicant-detail"}),
    "about one case, which leaves as an examiner bundle or a letter": frozenset({
        "decision-detail", "application-detail", "letter", "event-detail", "record-check", "record-bundle", "privacy-detail",
    }),
    "about one thing, a line of a list that is exported": frozenset({"product-detail", "person", "delivery-detail", "export-detail"}),
    "a person's own sign-ins, which nobody else sees": frozenset({"account"}),
    "has files of its own: CSV, JSON, PDF": frozenset({"compliance-report"}),
    "the admin: the same rows as the pages, with files of its own": frozenset({
        *ADMIN_LISTS, *(f"{name}_{way}" for name in CARRIED for way in ("import", "export")),
    } - FILES),
}  # fmt: skip
# Lists whose page shows them only once something happened, and where that is tried: tests/exports/test_exports_cards.py.
SHOWN_LATER = {"batch-figures", "comparison", "what-if", "alerts"}


def score(house: House, *references: str, **details: Any) -> list[uuid.UUID]:
    """Decisions about applicants with these references, all with the house's inputs."""
    with tenant_context(house.partner):
        values = registry.current(PRODUCT).validator.check(house.inputs)
        items = [ScoreItem(ApplicantDetails(reference=reference, **details), values) for reference in references]
        return [one.id for one in score_applicants(product_slug=PRODUCT, items=items, actor=SYSTEM, channel=Channel.API)]


def bring(house: House) -> uuid.UUID:
    """A batch whose columns are not matched yet."""
    with tenant_context(house.partner):
        return a_batch(PRODUCT, "reference,amount\nA-1,5\n").id


def apply(house: House) -> str:
    """The number of an application with the house's inputs."""
    with tenant_context(house.partner):
        values = registry.current(PRODUCT).validator.check(house.inputs)
        what = Asked(PRODUCT, ApplicantDetails(reference="T-asks", name="Zuri Ali"), values, 6_000_000, "KES")
        made = receive_application(asked=what, actor=SYSTEM, channel=Channel.API, render=lambda one: one.number.encode())
    return made.body.decode()


def asks(house: House, reference: str) -> int:
    """The number of a request for access."""
    with tenant_context(house.partner):
        return open_request(kind="access", reference=reference, received_on=timezone.now().date(), actor=SYSTEM).number


def known_as(house: House, reference: str) -> uuid.UUID:
    """The applicant of this reference."""
    with tenant_context(house.partner):
        found = selectors.applicant(reference)
    assert found is not None
    return found.id


def key_of(house: House) -> uuid.UUID:
    """A key that the house made last."""
    with tenant_context(house.partner):
        return create_api_key(name="table", actor=SYSTEM).key.id


def things(house: House, *, name: str = "Amina Otieno") -> dict[str, Any]:
    """What the house's pages are about: a decision, its applicant, a batch, an application."""
    return {"decision_id": score(house, "T-1", name=name)[0], "batch_id": bring(house), "number": apply(house),
            "applicant_id": known_as(house, "T-1"), "user_id": house.users["viewer"].id, "key_id": key_of(house),
            "event_id": newest_event(house), "request_number": asks(house, "T-1"), **a_webhook(house)}  # fmt: skip


def newest_event(house: House) -> uuid.UUID:
    """The event that was recorded last."""
    with tenant_context(house.partner):
        return events(EventFilters(), limit=1)[0].id


def a_webhook(house: House) -> dict[str, uuid.UUID]:
    """An endpoint, and a test event on its way to it."""
    with tenant_context(house.partner):
        made = create_endpoint(url="https://hooks.example.com/", event_types=["decision.made"], actor=SYSTEM).endpoint
        return {"webhook_id": made.id, "delivery_id": send_test(endpoint_id=made.id, actor=SYSTEM).id}


def path_of(page: str, **about: Any) -> str:
    """A page's address, filled in with what every house has, or with what it is to be about."""
    usual = {"decision_id": uuid7(), "batch_id": uuid7(), "slug": PRODUCT, "product": PRODUCT, "version": 1, "number": "0000-0000",
             "view_id": uuid7(), "file_id": uuid7(), "applicant_id": uuid7(), "topic": "decide", "case": 1, "event_id": uuid7(),
             "webhook_id": uuid7(), "delivery_id": uuid7(), "key_id": uuid7(), "export_id": uuid7(), "schedule_id": uuid7(),
             "request_number": 0, "alert_id": uuid7(), "run": 99, "object_id": uuid7(),
             "factor_id": 1, "session_id": uuid7(), "token": "none", "user_id": uuid7()}  # fmt: skip
    return PAGES[page].path({**usual, **about})


def text_of(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]


def people_in(answer: Any) -> list[str]:
    """What the list of decisions calls its rows, in their order."""
    return [unescape(found.strip()) for found in re.findall(r'<a class="v-who"[^>]*>([^<]*)</a>', text_of(answer))]


def client_of(house: House, role: str) -> Client:
    return house.client(None if role == STRANGER else role)


# who sees which


def test_every_page_is_in_the_table() -> None:
    assert {(route.name, method) for route in PAGES.values() for method in route.methods} == set(TABLE)


@pytest.mark.parametrize("role", [*sorted(EVERYBODY), STRANGER])
def test_a_page_opens_to_whom_the_table_says_and_to_nobody_else(north: House, role: str) -> None:
    about = things(north)
    found, expected = {}, {}

    for (name, method), access in TABLE.items():
        address = path_of(name, **about)
        answer = client_of(north, role).generic(method, address, f"product={PRODUCT}", "application/x-www-form-urlencoded")
        assert not answer.streaming or b"".join(answer)    # a file is closed when it was read
        found[name, method] = answer.status_code
        expected[name, method] = access.stranger if role == STRANGER else access.status if role in access.who else 403

    assert found == expected


def test_a_stranger_is_sent_to_sign_in_and_back(north: House) -> None:
    answer = north.client().get("/decisions?band=LOW&outcome=approve")

    address = urlsplit(answer["Location"])
    assert (address.netloc, address.path) == ("", "/login")
    assert parse_qs(address.query) == {"next": ["/decisions?band=LOW&outcome=approve"]}


def test_no_page_answers_outside_a_partner(db: None) -> None:
    of_operators = {route.pattern for route in routes(urls_public)}
    for name, route in PAGES.items():
        assert Client(HTTP_HOST="nobody.localhost").get(path_of(name)).status_code == 404, name
        if route.pattern not in of_operators:
            assert Client(HTTP_HOST="localhost").get(path_of(name)).status_code == 404, name


@pytest.mark.parametrize("host", ["localhost", "localhost:8123", "nobody.localhost", "evil.example"])
def test_an_address_without_a_partner_says_what_to_open_and_names_nobody(north: House, host: str) -> None:
    answer = Client(HTTP_HOST=host).get("/")

    assert answer.status_code == 404
    assert "Open http://<partner>.localhost, with" in unescape(answer.content.decode())
    assert "north" not in answer.content.decode().lower()


# signing in

ELSEWHERE = (
    "//evil.example", "///evil.example", "////evil.example/x", "https://evil.example/decisions", "http://evil.example", "HTTPS://evil.example",
    "https:evil.example", "https:/evil.example", "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "data:text/html,x",
    "\\\\evil.example", "/\\evil.example", "\\/evil.example", "/\\/evil.example", "https:\\\\evil.example", "\t//evil.example",
    "/\t/evil.example", "\x08//evil.example", "http://south.localhost/decisions", "//south.localhost/", "http://localhost/",
    "http://north.localhost@evil.example/", "http://north.localhost.evil.example/", "ftp://north.localhost/",
)  # fmt: skip


def where_after(house: House, wanted: str, *, by: str) -> str:
    """Where signing in leads when the address or the form asks for `wanted`."""
    data = {"email": f"viewer@{house.slug}.example", "password": PASSWORD, **({"next": wanted} if by == "form" else {})}
    address = f"/login?next={quote(wanted, safe='')}" if by == "address" else "/login"
    answer = house.client().post(address, data)
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


@pytest.mark.parametrize("by", ["form", "address"])
@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_signing_in_never_leads_to_another_host(north: House, wanted: str, by: str) -> None:
    assert where_after(north, wanted, by=by) == "/"


@pytest.mark.parametrize("wanted", ["/decisions?band=LOW", "/decisions/new", "http://north.localhost/models"])
def test_signing_in_leads_to_the_page_that_was_wanted(north: House, wanted: str) -> None:
    assert where_after(north, wanted, by="form") == wanted
    assert where_after(north, wanted, by="address") == wanted


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_who_is_signed_in_already_is_not_led_elsewhere_either(north: House, wanted: str) -> None:
    assert north.client("officer").get("/login", {"next": wanted})["Location"] == "/"


def test_a_wrong_password_signs_nobody_in(north: House) -> None:
    client = north.client()

    answer = client.post("/login", {"email": "officer@north.example", "password": "not the password"})

    assert answer.status_code == 422
    assert "do not match" in text_of(answer)
    assert "not the password" not in text_of(answer)
    assert client.get("/").status_code == 302


def test_the_password_of_one_partner_opens_no_other(north: House, south: House) -> None:
    answer = south.client().post("/login", {"email": "officer@north.example", "password": PASSWORD})

    assert answer.status_code == 422


# the list of decisions


@pytest.fixture
def listed(north: House) -> House:
    """North with 30 decisions: L-00 is the oldest, L-29 the newest."""
    for number in range(30):
        score(north, f"L-{number:02}")
    with tenant_context(north.partner):
        assert Decision.objects.count() == 30
    return north


def test_the_list_goes_on_where_it_ended(listed: House) -> None:
    client = listed.client("officer")

    first = client.get("/decisions")
    older = re.search(r'<a href="(\?[^"]*)" rel="next">', text_of(first))
    assert older
    second = client.get(f"/decisions{unescape(older[1])}")

    assert people_in(first) == [f"L-{number:02}" for number in range(29, 4, -1)]
    assert people_in(second) == [f"L-{number:02}" for number in range(4, -1, -1)]
    assert 'rel="next"' not in text_of(second)


def test_the_next_page_keeps_the_filters(listed: House) -> None:
    answer = listed.client("officer").get("/decisions?answered_by=model&product=market-loan")

    older = re.search(r'<a href="\?([^"]*)" rel="next">', text_of(answer))
    assert older
    state = parse_qs(unescape(older[1]))
    assert state.pop("cursor")
    assert state == {"answered_by": ["model"], "product": [PRODUCT]}


def test_search_finds_the_one_applicant(listed: House) -> None:
    answer = listed.client("officer").get("/decisions?reference=L-07")

    assert people_in(answer) == ["L-07"]
    assert 'name="reference" value="L-07"' in text_of(answer)


def test_search_without_a_match_says_so_and_leads_back(listed: House) -> None:
    answer = listed.client("officer").get("/decisions?reference=L-99")

    assert answer.status_code == 200
    assert people_in(answer) == []
    assert "Nobody with the reference “L-99” was scored" in text_of(answer)
    assert '<a class="btn" href="/decisions">' in text_of(answer)


def test_filters_choose_rows_and_stay_chosen(listed: House) -> None:
    with tenant_context(listed.partner):
        row = Decision.objects.order_by("-created_at").values("band", "outcome")[0]
    other_band = next(band for band in ("VERY_LOW", "HIGH") if band != row["band"])
    other_outcome = next(outcome for outcome in ("approve", "decline") if outcome != row["outcome"])
    client = listed.client("officer")

    for name, same, other in (
        ("band", row["band"], other_band), ("outcome", row["outcome"], other_outcome), ("answered_by", "model", "rules"),
        ("since", "2020-01-01", "2099-01-01"), ("until", "2099-01-01", "2020-01-01"),
    ):  # fmt: skip
        matching, empty = client.get("/decisions", {name: same}), client.get("/decisions", {name: other})
        assert len(people_in(matching)) == 25, name
        assert people_in(empty) == [], name
        assert "No decision matches all of these filters." in text_of(empty), name
        assert f'value="{same}" selected' in text_of(matching) or f'name="{name}" value="{same}"' in text_of(matching), name


REFUSED = {
    "band": "HUGE", "outcome": "maybe", "answered_by": "nobody", "product": "nothing", "since": "yesterday", "until": "2026-13-40",
    "cursor": "x",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("value", ["", "\x00", "'; DROP TABLE scoring_decision; --", "ä" * 32, "A" * 32, "_" * 32, "🙂" * 8, "9" * 400])
def test_what_cannot_be_looked_for_is_told_on_a_page(north: House, name: str, value: str) -> None:
    answer = north.client("officer").get("/decisions", {name: value or REFUSED[name]})

    is_sound_cursor = name == "cursor" and value == "A" * 32    # 24 zero bytes: a place before the first decision
    assert answer.status_code == (200 if is_sound_cursor else 422)
    assert ("That cannot be looked for." in text_of(answer)) != is_sound_cursor
    assert '<a class="v-skip"' in text_of(answer)


def test_a_wrong_filter_is_told_in_the_words_of_the_page(north: House) -> None:
    answer = north.client("officer").get("/decisions?band=HUGE")

    assert "There is no such band; they are A to E." in text_of(answer)
    assert "VERY_HIGH," not in text_of(answer)


def test_a_wrong_day_is_told_with_how_to_write_it(north: House) -> None:
    answer = north.client("officer").get("/decisions?since=yesterday")

    assert "2026-11-21" in text_of(answer)
    assert "isoformat" not in text_of(answer)


# what never leaves a page


def test_another_partners_decision_is_not_there(north: House, south: House) -> None:
    theirs = score(south, "S-1")[0]
    mine = score(north, "N-1")[0]
    client = north.client("admin")

    assert client.get(f"/decisions/{mine}").status_code == 200
    refused = client.get(f"/decisions/{theirs}")
    nowhere = client.get(f"/decisions/{uuid7()}")

    assert refused.status_code == nowhere.status_code == 404
    assert shape(refused) == shape(nowhere)
    assert people_in(client.get("/decisions")) == ["N-1"]


def shape(answer: Any) -> str:
    """The page without what differs from request to request."""
    return re.sub(r"<code>[^<]*</code>", "", text_of(answer))


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_only_who_may_know_applicants_sees_one(north: House, role: str) -> None:
    decision = score(north, "R-secret", name="Amina Otieno", phone="+254711223344", national_id="ID-998877")[0]
    score(north, "R-secret")
    client = north.client(role)

    shown = "".join(text_of(client.get(path)) for path in ("/", "/decisions", f"/decisions/{decision}"))

    assert ("R-secret" in shown) == (role in READERS)
    assert ("Amina Otieno" in shown) == (role in READERS)
    assert ("What was said" in shown) == (role in READERS)
    assert f"/decisions/{decision}" in shown
    if role not in READERS:
        assert all(re.fullmatch(r"Applicant [0-9a-f]{8}", name) for name in people_in(client.get("/decisions")))


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_only_who_may_know_applicants_can_search_for_one(north: House, role: str) -> None:
    decision = score(north, "R-secret")[0]

    answer = north.client(role).get("/decisions?reference=R-secret")
    plain = north.client(role).get("/decisions")

    assert answer.status_code == (200 if role in READERS else 403)
    assert (f"/decisions/{decision}" in text_of(answer)) == (role in READERS)
    assert ('name="reference"' in text_of(plain)) == (role in READERS)


CANARY = "\"'><script>canary()</script><img src=x onerror=canary()>"


def assert_harmless(answer: Any) -> None:
    """What was told is on the page, and only as text."""
    text = text_of(answer)
    assert "canary()" in text
    assert "<script>canary" not in text
    assert "<img src=x" not in text
    assert "\"'><" not in text


def test_what_applicants_are_called_is_only_text(north: House) -> None:
    decision = score(north, f"R{CANARY}", name=f"N{CANARY}")[0]
    client = north.client("officer")

    for path in ("/decisions", f"/decisions/{decision}"):
        assert_harmless(client.get(path))
    for searched in (f"R{CANARY}", CANARY):
        assert_harmless(client.get("/decisions", {"reference": searched}))
    assert f"N{escape(CANARY)}" in text_of(client.get(f"/decisions/{decision}"))


def test_what_is_typed_is_only_text(north: House) -> None:
    client = north.client("officer")
    wrong = {"product": PRODUCT, "token": uuid.uuid4(), "reference": CANARY, "name": CANARY, "input_0": CANARY, "input_4": CANARY}

    assert_harmless(client.post("/decisions/new", wrong))
    assert_harmless(client.get("/decisions", {"since": CANARY, "band": CANARY}))
    assert_harmless(north.client().get(f"/login?next=/{quote(CANARY)}"))
    assert_harmless(north.client().post("/login", {"email": CANARY, "next": f"/{CANARY}"}))


def test_what_products_are_called_is_only_text(north: House) -> None:
    with tenant_context(north.partner):
        active = registry.current(PRODUCT)
        contract = Contract(
            (
                Input(name="amount", kind=InputKind.NUMBER, label=f"Amount{CANARY}", minimum=0, maximum=10, unit=f"U{CANARY}", help=CANARY),
                Input(name="trade", kind=InputKind.CATEGORY, label=f"Trade{CANARY}", categories=(CANARY, "food")),
            )
        )
        rule = Rule("much", Condition("amount", "gt", 1), 0.7, {"en": f"The amount is more than usual {CANARY}."})
        definition = replace(
            active.definition, slug="canary", title=f"T{CANARY}", contract=contract,
            features=(Feature(name="amount"), Feature(name="trade")), rules=Rules(rules=(rule,)), texts={},
            id_column=None, time_column=None,
        )  # fmt: skip
        create_product(definition=definition, policy=active.policy, actor=SYSTEM)
        values = registry.current("canary").validator.check({"amount": 5.0, "trade": CANARY})
        item = ScoreItem(ApplicantDetails(reference="X-1"), values)
        decision = score_applicants(product_slug="canary", items=[item], actor=SYSTEM, channel=Channel.API)[0].id
    client = north.client("admin")

    for path in ("", "products", "products/canary", "decisions", "decisions/new", "decisions/new?product=canary", f"decisions/{decision}"):
        assert_harmless(client.get(f"/{path}"))


# what every page carries


def every_page(house: House) -> Iterator[tuple[str, Any]]:
    """Every page as an administrator sees it, the sign-in page, and the pages that say no."""
    about = things(house)
    admin = house.client("admin")
    yield from ((name, admin.get(path_of(name, **about))) for name in SHOWING)
    yield "login", house.client().get("/login")
    yield "form with errors", admin.post("/decisions/new", {"product": PRODUCT})
    yield "list with a problem", admin.get("/decisions?band=HUGE")
    yield "not there", admin.get("/nothing-here")
    yield "not for you", house.client("viewer").get("/decisions/new")
    yield "not with this method", admin.get("/logout")
    yield "not with this token", Client(HTTP_HOST=house.host, enforce_csrf_checks=True).post("/login")


def test_every_page_is_shown() -> None:
    assert set(SHOWING) | ELSEWHERE_SHOWN | FILES == {name for name, method in TABLE if method == "GET"}


def test_every_list_and_card_has_an_export_or_a_reason() -> None:
    exported = {one.page.partition(":")[2] for one in every_list()}
    excused = [name for names in NOT_EXPORTED.values() for name in names]

    assert sorted([*exported, *excused]) == sorted({name for name, method in TABLE if method == "GET"} - FILES)


def test_every_list_is_exported_from_its_page_by_who_may_see_it(north: House) -> None:
    about, admin = things(north), north.client("admin")
    for one in every_list():
        path = path_of(one.page.partition(":")[2], **about)
        seen = getattr(resolve(path).func, "view_class").permission    # noqa: B009 - mypy knows no view_class
        assert seen in {None, one.permission}, one.name
        if one.name not in SHOWN_LATER:
            (address,) = re.findall(rf'href="(/exports/new\?list={one.name}(?:&amp;[^"]*)?)"', text_of(admin.get(path)))
            assert admin.get(unescape(address)).status_code == 200, address


def test_every_page_carries_the_security_headers(north: House) -> None:
    for name, answer in every_page(north):
        policy = {part.split()[0]: part.split()[1:] for part in answer["Content-Security-Policy"].split("; ")}
        assert policy["default-src"] == policy["script-src"] == policy["style-src"] == policy["form-action"] == ["'self'"], name
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"], name
        assert {source for sources in policy.values() for source in sources} == {"'self'", "'none'", "data:"}, name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert answer["X-Frame-Options"] == "DENY", name
        assert answer["Referrer-Policy"] == "same-origin", name
        assert answer["X-Request-ID"], name


def test_no_page_is_kept_by_a_browser_or_a_proxy(north: House) -> None:
    for name, answer in every_page(north):
        assert "no-store" in answer.headers.get("Cache-Control", ""), name


def test_no_page_needs_what_its_policy_forbids(north: House) -> None:
    for name, answer in every_page(north):
        text = text_of(answer)
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == [], name
        assert re.findall(r"<script(?![^>]*\ssrc=)", text) == [], name
        assert [found for found in re.findall(r'(?:src|href|action)="([^"]*)"', text) if not found.startswith(("/", "?", "#"))] == [], name


# what is refused or fails


def heading(answer: Any) -> str:
    """The one heading of a page in our look."""
    (found,) = re.findall(r"<h1>(.*?)</h1>", text_of(answer), re.DOTALL)
    assert "vouch.css" in text_of(answer)
    return unescape(found)


REFUSALS = sorted((kind for kind in TABLE_OF_ERRORS if issubclass(kind, DomainError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_a_page_by_the_table(north: House, monkeypatch: pytest.MonkeyPatch, kind: type[DomainError]) -> None:
    refusal = kind.__new__(kind)
    DomainError.__init__(refusal, "secret detail")
    raising(monkeypatch, refusal)

    answer = north.client("admin").get("/")

    row = outcome_of(refusal)
    assert (answer.status_code, heading(answer)) == (row.status, row.title)
    assert (row.at_page or row.advice) in unescape(text_of(answer))
    assert "/api/" not in text_of(answer)
    assert answer["X-Request-ID"] in text_of(answer)
    assert ("secret detail" in text_of(answer)) == (row.status not in {404, 500, 503} and not row.at_page)


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on the overview meets this error."""

    def overview(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(selectors, "overview", overview)


def test_inputs_that_the_contract_refuses_meanwhile_are_told(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ContractViolation([]))

    answer = north.client("officer").get("/")

    assert answer.status_code == 422
    assert "has changed since you opened the form" in text_of(answer)


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (OperationalError("host=secret"), 503, "The database is away"),
        (InterfaceError("host=secret"), 503, "The database is away"),
        (ZeroDivisionError("secret"), 500, "Something went wrong on our side"),
        (SuspiciousOperation("secret"), 400, "The request cannot be used"),
        (PermissionDenied("secret"), 403, "That is not allowed"),
        (Http404("secret"), 404, "There is nothing here"),
    ],
)
def test_a_failure_is_a_page_without_its_detail(
    north: House, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, title: str
) -> None:
    raising(monkeypatch, error)
    client = north.client("officer")
    client.raise_request_exception = False

    answer = client.get("/")

    assert (answer.status_code, heading(answer)) == (status, title)
    assert "secret" not in text_of(answer)
    assert answer["X-Request-ID"] in text_of(answer)
    assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)


def test_a_failure_is_told_without_asking_the_database(north: House, django_assert_num_queries: Any) -> None:
    request = RequestFactory(HTTP_HOST=north.host).get("/")
    request.partner, request.session = north.partner, north.client("officer").session  # type: ignore[attr-defined]

    with django_assert_num_queries(0):
        answer = page(request, OperationalError())

    assert "North" in answer.content.decode()


def test_the_wrong_method_is_told(north: House) -> None:
    answer = north.client("officer").get("/logout")

    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert "press it there" in text_of(answer)


def answers(house: House, **changed: str) -> dict[str, str]:
    """The form of one applicant, filled in."""
    contract = definition_of(house).contract
    said = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in house.inputs.items()}
    places = {f"input_{place}": said[one.name] for place, one in enumerate(contract.inputs) if not one.is_protected}
    return {"product": PRODUCT, "token": str(uuid.uuid4()), "reference": "F-1", **places, **changed}


def definition_of(house: House) -> Any:
    with tenant_context(house.partner):
        return registry.current(PRODUCT).definition


def decisions_of(house: House) -> int:
    with tenant_context(house.partner):
        return Decision.objects.count()


def test_a_form_sent_twice_is_one_decision(north: House) -> None:
    client, typed = north.client("officer"), answers(north)

    first, second = client.post("/decisions/new", typed), client.post("/decisions/new", typed)

    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]
    assert decisions_of(north) == 1


def test_a_form_changed_after_it_was_sent_asks_before_it_decides_anew(north: House) -> None:
    client, typed = north.client("officer"), answers(north)
    client.post("/decisions/new", typed)

    changed = {**typed, "name": "Amina Otieno"}
    asked = client.post("/decisions/new", changed)
    offered = re.search(r'name="token" value="([^"]*)"', text_of(asked))

    assert asked.status_code == 422
    assert "that decision stands" in text_of(asked)
    assert 'value="Amina Otieno"' in text_of(asked)
    assert offered
    assert offered[1] != typed["token"]
    assert decisions_of(north) == 1
    assert client.post("/decisions/new", {**changed, "token": offered[1]}).status_code == 302
    assert decisions_of(north) == 2


def test_an_erased_applicant_is_told_at_the_reference(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ApplicantErased

    monkeypatch.setattr("scoring.web.pages.score_once", refuse)

    answer = north.client("officer").post("/decisions/new", answers(north))

    assert answer.status_code == 409
    assert 'href="#id_reference"' in text_of(answer)
    assert 'name="reference" value="F-1"' in text_of(answer)


def outdated(house: House, role: str | None, path: str, typed: Mapping[str, str], **headers: str) -> Any:
    """The answer to a form whose token is of an earlier session."""
    client = Client(HTTP_HOST=house.host, enforce_csrf_checks=True)
    client.cookies = house.client(role).cookies
    client.get("/login")
    return client.post(path, {**typed, "csrfmiddlewaretoken": "x" * 64}, **headers)  # type: ignore[arg-type]


def test_a_form_of_an_earlier_session_can_be_sent_again(north: House) -> None:
    typed = answers(north, name=CANARY)

    answer = outdated(north, "officer", "/decisions/new", typed, HTTP_ORIGIN="http://north.localhost")

    assert (answer.status_code, heading(answer)) == (403, "Your session has changed")
    assert "Go back, load the page again" in text_of(answer)
    assert_harmless(answer)
    assert decisions_of(north) == 0
    again = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text_of(answer)))
    client = answer.client
    token = again.pop("csrfmiddlewaretoken")
    assert {name: unescape(value) for name, value in again.items()} == typed
    sent = client.post("/decisions/new", {**typed, "csrfmiddlewaretoken": token}, HTTP_ORIGIN="http://north.localhost")
    assert sent.status_code == 302
    assert decisions_of(north) == 1


@pytest.mark.parametrize(
    ("role", "path", "origin"),
    [
        ("officer", "/decisions/new", "http://south.localhost"),
        ("officer", "/decisions/new", "https://north.localhost"),
        ("officer", "/decisions/new", "null"),
        ("officer", "/decisions/new", ""),
        (None, "/decisions/new", "http://north.localhost"),
        ("officer", "/account", "http://north.localhost"),
        ("officer", "/login", "http://north.localhost"),
        (None, "/login", "http://north.localhost"),
    ],
)
def test_nothing_typed_comes_back_where_it_might_be_anothers_or_a_password(north: House, role: str | None, path: str, origin: str) -> None:
    typed = {**answers(north), "name": "typed-name", "password": "typed-password", "current": "typed-password"}

    answer = outdated(north, role, path, typed, **({"HTTP_ORIGIN": origin} if origin else {}))

    is_foreign = origin not in {"", "http://north.localhost"}
    title = "The form came from another address" if is_foreign else "Your session has changed"
    assert (answer.status_code, heading(answer)) == (403, title)
    assert "typed-" not in text_of(answer)
    assert f'href="{path}"' in text_of(answer)
    assert decisions_of(north) == 0


def signed_out(house: House, path: str, typed: Mapping[str, str], **headers: str) -> Any:
    """The answer to a form that was open, with a true token, when the session ended."""
    client = Client(HTTP_HOST=house.host, enforce_csrf_checks=True)
    client.cookies = house.client("officer").cookies
    client.get("/decisions/new")
    del client.cookies[settings.SESSION_COOKIE_NAME]
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    return client.post(path, {**typed, "csrfmiddlewaretoken": token}, **headers)  # type: ignore[arg-type]


def test_a_form_that_was_open_when_the_session_ended_is_not_lost(north: House) -> None:
    typed = answers(north, name=CANARY)

    answer = signed_out(north, "/decisions/new", typed, HTTP_ORIGIN="http://north.localhost")

    assert (answer.status_code, heading(answer)) == (401, "You are signed out")
    assert_harmless(answer)
    assert 'href="/login" target="_blank"' in text_of(answer)
    assert decisions_of(north) == 0
    again = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text_of(answer)))
    client, token = answer.client, again.pop("csrfmiddlewaretoken")
    assert {name: unescape(value) for name, value in again.items()} == typed
    client.cookies = {**client.cookies, **north.client("officer").cookies}    # as after signing in on the other page
    sent = client.post("/decisions/new", {**typed, "csrfmiddlewaretoken": token}, HTTP_ORIGIN="http://north.localhost")
    assert sent.status_code == 302
    assert decisions_of(north) == 1


@pytest.mark.parametrize(("path", "origin"), [("/account", "http://north.localhost"), ("/decisions/new", "")])
def test_no_password_and_nothing_of_elsewhere_comes_back_to_who_is_signed_out(north: House, path: str, origin: str) -> None:
    typed = {**answers(north), "name": "typed-name", "current": "typed-password"}

    answer = signed_out(north, path, typed, **({"HTTP_ORIGIN": origin} if origin else {}))

    assert (answer.status_code, heading(answer)) == (401, "You are signed out")
    assert "typed-" not in text_of(answer)
    assert decisions_of(north) == 0


# what a decision and a model say


def told(contributions: Mapping[str, float], *, inputs: Mapping[str, Any] | None = None, **features: Any) -> list[tuple[str, int]]:
    """What speaks for an applicant: sentences and points, for contributions in points."""
    product = a_definition()
    product = replace(product, features=tuple(replace(one, **features.get(one.name, {})) for one in product.features))
    per_point = 1 / product.scale.points(1.0)
    in_log_odds = tuple((name, points * per_point) for name, points in contributions.items())
    score = product.scale.score(sum(value for _, value in in_log_odds))
    found = factors(Explanation(uuid7(), 0.0, 0.0, in_log_odds, ()), product, score)
    return [(one.text, one.points) for one in speaking_for(found, product, inputs, date(2026, 2, 28))]


ANSWERS = {"income": 900.0, "amount": 3000.0, "months": 14, "trade": "food", "born": "1990-02-28", "member": True}


def test_what_speaks_for_an_applicant_is_told_with_its_value() -> None:
    assert told({"income": 9, "loan_to_income": 8, "member": 7}, inputs=ANSWERS) == [
        ("income is 900.", 9),
        ("loan_to_income is 3.33.", 8),
        ("member: yes.", 7),
    ]
    assert told({"age": 5, "months": 4}, inputs={**ANSWERS, "months": None}) == [("age is 36.", 5), ("months is not known.", 4)]


def test_what_speaks_for_an_applicant_is_only_named_to_who_may_not_know_them() -> None:
    assert told({"income": 9, "loan_to_income": 8, "member": 7}) == [("income", 9), ("loan_to_income", 8), ("member", 7)]


def test_a_group_that_lowers_the_score_does_not_speak_for_the_applicant() -> None:
    contributions = {"income": 9, "months": -12, "member": 3, "age": 0.4}

    assert told(contributions, inputs=ANSWERS, income={"group": "means"}, months={"group": "means"}) == [("member: yes.", 3)]
    assert [text for text, _ in told(contributions, inputs=ANSWERS)] == ["income is 900.", "member: yes."]


@pytest.mark.parametrize("seed", range(40))
def test_the_factors_shown_lead_to_the_score(seed: int) -> None:
    draw, product = random.Random(seed), a_definition()
    grouped_features = tuple(replace(one, group="means") if one.name in {"income", "months"} else one for one in product.features)
    product = replace(product, features=grouped_features)
    parts = tuple((feature.name, draw.gauss(0, 0.3)) for feature in product.features)
    base = draw.gauss(-1.5, 0.5)
    score = product.scale.score(base + math.fsum(value for _, value in parts))

    shown = contributions(Explanation(uuid7(), base, 0.0, parts, ()), product, score)

    assert shown.base_score + sum(one.points for one in shown.bars) + shown.rest_points == score
    means = product.scale.points(sum(value for name, value in parts if name in {"income", "months"}))
    assert abs(next(one.points for one in shown.bars if one.label == "means") - means) < 1
    assert [one.feature for one in shown.table] == [name for name, _ in parts]


def test_at_an_end_of_the_scale_each_factor_is_rounded_by_itself() -> None:
    product = a_definition()
    parts = (("income", 40.0), ("months", -1.0))

    shown = contributions(Explanation(uuid7(), 0.0, 0.0, parts, ()), product, 300)

    assert [one.points for one in shown.bars] == [round(product.scale.points(40.0)), round(product.scale.points(-1.0))]


def test_figures_are_rounded_not_cut() -> None:
    assert [share(0.09758), share(0.99999), share(0.1637, 0), decimals(0.382849), decimals(-0.00006, 4)] == [
        "9.8%", "100.0%", "16%", "0.383", "\N{MINUS SIGN}0.0001",
    ]  # fmt: skip


def test_times_are_those_of_the_persons_zone(north: House) -> None:
    decided = score(north, "Z-1")[0]
    with tenant_context(north.partner):
        made = Decision.objects.get(id=decided).created_at
        User.objects.filter(role="officer").update(time_zone="Asia/Kathmandu")

    shown = text_of(north.client("officer").get(f"/decisions/{decided}"))

    assert f"{made.astimezone(ZoneInfo('Asia/Kathmandu')):%H:%M}</time>" in shown
    assert f"{made:%H:%M}</time>" in text_of(north.client("analyst").get(f"/decisions/{decided}"))


@pytest.mark.parametrize(("typed", "read"), [("60 000", 60_000.0), ("60,000", 60_000.0), ("1\u202f060,000.5", None), ("60,00", None)])
def test_thousands_may_be_grouped(north: House, typed: str, read: float | None) -> None:
    answer = north.client("officer").post("/decisions/new", {**answers(north), "input_0": typed})

    if read is None:
        assert answer.status_code == 422
        assert typed in unescape(text_of(answer))
    else:
        with tenant_context(north.partner):
            inputs = selectors.decision_detail(uuid.UUID(answer["Location"].rpartition("/")[2])).inputs
        assert inputs is not None
        assert inputs["loan_amount"] == read


def model_page(house: House, metrics: Mapping[str, Any]) -> str:
    """The page of the house's model with these figures."""
    with tenant_context(house.partner):
        ModelVersion.objects.update(metrics=metrics)
    return " ".join(text_of(house.client("viewer").get("/models/market-loan/1")).split())


CV = {"auc": 0.7341, "ks": 0.38, "brier": 0.12, "folds": [{}, {}]}


def test_a_model_is_called_by_its_product_and_number(north: House) -> None:
    title = definition_of(north).title

    assert f"<title>{title}, model 1 · Vouch</title>" in model_page(north, {})
    assert f"<h1>{title}, model 1</h1>" in model_page(north, {})
    assert f"<h1>{title}, model 1 ranks 73.4% of pairs right</h1>" in model_page(north, {"cv": CV})
    assert re.search(r"Trained by [^<]+, (today, |\d)", model_page(north, {}))


def test_a_models_curves_are_drawn_with_their_tables(north: House) -> None:
    table = [{"rows": 300, "predicted": 0.04, "observed": 0.03}, {"rows": 301, "predicted": 0.4, "observed": 0.45}]
    page_of_model = model_page(north, {"cv": CV, "roc": [[0.0, 0.0], [0.2, 0.6], [1.0, 1.0]], "calibration": table})

    assert 'd="M0.00 100.00 L20.00 40.00 L100.00 0.00"' in page_of_model
    assert "Refusing 20% of those with a good outcome (across) finds 60%" in page_of_model
    assert 'd="M8.00 94.00 L80.00 10.00"' in page_of_model
    assert "Furthest apart: 40.0% predicted, 45.0% happened" in page_of_model
    for row in ("20.0%</td><td class=\"v-num\">60.0%", "301</td><td class=\"v-num\">40.0%</td><td class=\"v-num\">45.0%"):
        assert row in page_of_model
    assert page_of_model.count("<figure") == 2
    assert "<figure" not in model_page(north, {"cv": CV})


# the first steps


@pytest.fixture
def fresh(houses: Mapping[str, House], db: None) -> House:
    """A partner with an administrator and nothing else."""
    partner = create_partner(slug="fresh", name="Fresh", country="KE", currency="KES", actor=SYSTEM)
    with tenant_context(partner):
        admin = create_user(email="admin@fresh.example", role=Role.ADMIN, password=PASSWORD, actor=SYSTEM)
    return House(partner, {"admin": admin}, api_key="")


def commands_on(answer: Any) -> list[list[str]]:
    """The commands of the first steps, as a shell splits them."""
    return [shlex.split(unescape(found)) for found in re.findall(r'<pre class="v-code">([^<]*)</pre>', text_of(answer))]


def test_a_new_partner_is_shown_the_way_to_the_first_decision(fresh: House) -> None:
    commands = commands_on(fresh.client("admin").get("/"))

    names = ("create_product", "train_model", "promote_model", "create_user", "create_api_key")
    assert [words[:3] for words in commands[:5]] == [["python", "manage.py", name] for name in names]
    for words in commands[:5]:
        name = words[2]
        command = load_command_class(get_commands()[name], name)
        assert command.create_parser("manage.py", name).parse_args(words[3:]).slug == "fresh"
    assert commands[5][:3] == ["curl", "-sS", "http://fresh.localhost/api/v1/products/first-loan"]


def test_the_first_steps_name_two_people_first_and_who_asks(fresh: House) -> None:
    with tenant_context(fresh.partner):
        add_product()
        add_version()
        asker = create_user(email="asha@fresh.example", role=Role.SCIENTIST, password=PASSWORD, actor=SYSTEM)
    client = fresh.client("admin")
    before = text_of(client.get("/"))
    with tenant_context(fresh.partner):
        person = Actor(kind="user", id=str(asker.id))
        ask_promotion(product_slug=SLUG, version=1, reason="It ranks.", is_card_read=True, card_sha256=card_of(1), actor=person)
    after = text_of(client.get("/"))

    assert before.index("One person reads the model card and asks") < before.index(f"promote_model fresh {SLUG} 1 --reason")
    assert f'<a href="/models/{SLUG}/1">The page of model 1</a>' in before
    assert f'<a href="/models/{SLUG}/1">{asker.name} asks to put model 1 of {SLUG} in force; a second person answers</a>' in after


def test_the_first_steps_go_on_where_the_partner_is(north: House) -> None:
    before = north.client("admin").get("/")
    score(north, "W-1")
    after = north.client("admin").get("/")

    assert text_of(before).count('<li class="is-done">') == 5
    assert 'href="/batches/new"' in text_of(before)
    assert [words[:2] for words in commands_on(before)] == [["curl", "-sS"]]
    assert f"/api/v1/products/{PRODUCT}" in text_of(before)
    assert commands_on(after) == []


def test_a_new_partners_empty_pages_lead_to_the_first_steps(fresh: House) -> None:
    client = fresh.client("admin")

    for path in ("/products", "/decisions/new"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert '<a class="btn btn-primary" href="/">Show the first steps</a>' in text_of(answer), path
    assert "train_model fresh PRODUCT" in text_of(client.get("/models"))


def test_a_form_without_a_boundary_is_refused_in_words(north: House) -> None:
    client = north.client()
    answer = client.generic("POST", "/login", b"x", content_type="multipart/form-data")

    assert answer.status_code in {400, 403}
    assert "<h1" in answer.content.decode()
