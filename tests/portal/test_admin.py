"""The compliance officer's place: who enters which admin, what it shows, and that nothing in it changes what was recorded."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from audit.alerts import raise_alert
from audit.context import SYSTEM, Actor
from audit.holds import ask_lift, place_hold
from audit.ids import uuid7
from audit.models import Event
from audit.privacy.requests import open_request
from audit.sealer import seal
from audit.verification import work_on_verification
from partners.accounts import second_factor
from partners.accounts.models import User
from partners.accounts.operators import create_operator
from partners.accounts.roles import Role, permissions_of
from partners.accounts.services import create_api_key
from partners.tenancy import public_context, tenant_context
from portal import urls, urls_public
from portal.admin import officers
from portal.scheduler import seal_operators
from tests.conftest import PASSWORD, House, of_operator
from tests.isolation.routes import Route, routes
from tests.isolation.test_routes import fingerprint
from tests.partners.test_sign_in import SECRET, code_at
from tests.portal.test_pages import score

HOST = "localhost"
ENTERS = {"analyst", "compliance", "admin"}
OPERATOR = "olu@vouch.example"
NEW = "a lamp beside nine quiet rivers"


@pytest.fixture
def operator(db: None) -> User:
    """Somebody who runs Vouch for all partners."""
    return create_operator(email=OPERATOR, password=PASSWORD, actor=SYSTEM)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def admin_routes(urlconf: Any) -> list[Route]:
    """Every address of an admin."""
    return [route for route in routes(urlconf) if route.pattern.startswith("/admin/")]


# who enters


@pytest.mark.parametrize("role", sorted(Role.values))
def test_a_partners_admin_opens_to_who_may_read_the_record(north: House, role: str) -> None:
    assert north.client(role).get("/admin/").status_code == (200 if role in ENTERS else 403)


def test_a_stranger_is_sent_to_sign_in_and_back(north: House) -> None:
    assert north.client().get("/admin/audit/event/?q=x")["Location"] == "/login?next=%2Fadmin%2Faudit%2Fevent%2F%3Fq%3Dx"


def test_an_officer_of_one_partner_is_a_stranger_elsewhere(north: House, south: House) -> None:
    client = north.client("admin")
    for host in (south.host, HOST):
        elsewhere = Client(HTTP_HOST=host)
        elsewhere.cookies = client.cookies
        assert elsewhere.get("/admin/").status_code == 302


def test_a_host_of_nobody_has_no_admin_and_no_way_in(operator: User) -> None:
    for address in ("/admin/", "/login", "/admin/audit/event/"):
        assert Client(HTTP_HOST="nobody.localhost").get(address).status_code == 404


def test_a_partners_administrator_is_no_operator(operator: User) -> None:
    with public_context():
        User.objects.filter(id=operator.id).update(is_staff=False)

    assert of_operator(operator).get("/admin/").status_code == 403


# how an operator comes in


def test_an_operator_sets_up_a_second_factor_and_comes_in(operator: User) -> None:
    client = Client(HTTP_HOST=HOST)

    assert client.post("/login", {"email": OPERATOR, "password": PASSWORD})["Location"] == "/account/second-factor"
    assert client.get("/admin/").status_code == 302
    assert client.get("/account/second-factor").status_code == 200
    secret = client.session["new_secret"]
    assert "I have kept them" in client.post("/account/second-factor", {"code": code_at(secret=secret)}).content.decode()
    assert client.get("/admin/").status_code == 200
    with public_context():
        event = Event.objects.get(action=Action.USER_LOGGED_IN)
    assert (event.actor_kind, event.actor_id) == ("operator", str(operator.id))


def test_an_operator_with_a_factor_is_asked_for_it(operator: User) -> None:
    with public_context():
        second_factor.add_totp(user=operator, secret=SECRET, code=code_at(-1), actor=SYSTEM)
    client = Client(HTTP_HOST=HOST)

    assert client.post("/login", {"email": OPERATOR, "password": PASSWORD})["Location"] == "/login/code"
    assert client.post("/login/code", {"code": "000000"}).status_code == 422
    assert client.post("/login/code", {"code": code_at()})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_operators_are_locked_out_as_everybody_is(operator: User) -> None:
    client = Client(HTTP_HOST=HOST)
    for _ in range(10):
        assert client.post("/login", {"email": OPERATOR, "password": "wrong"}).status_code == 422

    assert client.post("/login", {"email": OPERATOR, "password": PASSWORD}).status_code == 422


def test_the_command_makes_an_operator(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))

    call_command("create_operator", "new@vouch.example", password_stdin=True, stdout=io.StringIO(), stderr=io.StringIO())

    with public_context():
        assert User.objects.get(email="new@vouch.example").is_staff


def test_an_operator_has_an_account_with_a_password_of_their_own(operator: User) -> None:
    client = of_operator(operator)
    address = page(client, "/admin/")
    assert 'href="/account"' in address
    assert "Operator" in page(client, "/account")
    assert client.get("/")["Location"] == "/admin/"

    wrong = client.post("/account", {"current": "not it at all", "new": NEW})
    right = client.post("/account", {"current": PASSWORD, "new": NEW})

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert page(client, "/account/recovery-codes")
    assert page(client, "/account/second-factor")
    with public_context():
        event = Event.objects.get(action=Action.PASSWORD_CHANGED)
        assert User.objects.get(id=operator.id).check_password(NEW)
    assert (event.actor_kind, event.actor_id) == ("operator", str(operator.id))


def test_an_operators_account_is_for_who_is_signed_in(operator: User) -> None:
    stranger = Client(HTTP_HOST=HOST)
    for address in ("/account", "/account/recovery-codes", "/account/second-factor"):
        assert stranger.get(address).status_code == 302, address
        assert stranger.post(address, {}).status_code in {302, 401}, address


@pytest.mark.parametrize("lost", [False, True])
def test_a_link_brings_an_operator_back_in_and_skips_no_factor(operator: User, lost: bool) -> None:
    with public_context():
        second_factor.add_totp(user=operator, secret=SECRET, code=code_at(-1), actor=SYSTEM)
    printed, client = io.StringIO(), Client(HTTP_HOST=HOST)

    call_command("operator_link", OPERATOR, lost_factor=lost, stdout=printed, stderr=io.StringIO())

    link = printed.getvalue().splitlines()[0]
    assert client.get(urlsplit(link).path)["Location"] == "/link"
    assert "You will sign in as" in page(client, "/link")
    assert client.post("/link", {"password": NEW})["Location"] == "/login?chosen=1"
    assert client.get("/admin/").status_code == 302
    assert client.get(urlsplit(link).path).status_code == 410    # it was used
    step = "/account/second-factor" if lost else "/login/code"
    assert client.post("/login", {"email": OPERATOR, "password": NEW})["Location"] == step
    assert client.get("/admin/").status_code == 302
    with public_context():
        asked = Event.objects.get(action=Action.PASSWORD_RESET_ASKED)
        assert Event.objects.filter(action=Action.SECOND_FACTOR_RESET).exists() == lost
    assert (asked.actor_kind, asked.object_id) == ("operator", str(operator.id))


def test_no_link_is_made_for_who_is_no_operator(operator: User, north: House) -> None:
    with public_context():
        User.objects.filter(id=operator.id).update(is_active=False)
    for email in (OPERATOR, north.users["admin"].email):
        with pytest.raises(CommandError, match="There is no operator"):
            call_command("operator_link", email, stdout=io.StringIO(), stderr=io.StringIO())


# what it shows


def test_the_index_says_how_the_record_stands(north: House) -> None:
    shown = page(north.client("compliance"), "/admin/")

    for text in ("North", "Last check", "Last checkpoint", "Events not sealed yet", "all as they were recorded", "/admin/audit/event/"):
        assert text in shown


def test_the_index_leads_to_what_waits(north: House) -> None:
    client, today = north.client("compliance"), timezone.now().date()
    quiet = page(client, "/admin/")
    assert quiet.count("none open") == 2
    decision = score(north, "ADM-W1", "ADM-W2")[0]
    by = Actor(kind="user", id=str(north.users["admin"].id), label="Ada", role="admin")
    with tenant_context(north.partner):
        late = open_request(kind="access", reference="ADM-W1", received_on=today - timedelta(days=35), actor=by)
        open_request(kind="erasure", reference="ADM-W2", received_on=today, actor=by)
        raise_alert(kind="seal_broken", object_kind="scoring_decision.sealed", object_id=str(decision), detail={})
        hold = place_hold(kind="decision", object_id=decision, reason="A case in court.", until=None, actor=by)
        ask_lift(hold_id=hold.id, reason="It is over.", actor=by)

    shown = page(client, "/admin/")

    assert "2 open; the next one due: 5 days late" in shown
    assert "1 open" in shown
    assert "1 stands; to lift 1 of them a second person is asked" in shown
    requests = page(client, "/admin/audit/privacyrequest/")
    assert requests.index("5 days late") < requests.index("30 days")
    assert "days late" in page(client, f"/admin/audit/privacyrequest/{late.id}/")
    assert "A case in court." in page(client, "/admin/audit/hold/?q=standing")
    assert "Requests of applicants" not in page(north.client("analyst"), "/admin/")


def test_a_check_of_the_record_is_begun_in_the_admin_and_its_result_is_shown(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    client = house.client("compliance")
    with tenant_context(house.partner):
        seal()
    assert 'action="/admin/audit/verification/ask/"' in page(client, "/admin/")
    assert 'action="/admin/audit/verification/ask/"' in page(client, "/admin/audit/event/")

    row = client.post("/admin/audit/verification/ask/")["Location"]

    live = page(client, row)
    assert "data-live" in live
    assert "0 of" in live
    assert client.post("/admin/audit/verification/ask/")["Location"] == row
    with tenant_context(house.partner):
        done = work_on_verification()
        assert done is not None
    assert "events are as they were recorded, signed and published" in page(client, row)
    assert f"all {done.total} events in order" in page(client, "/admin/")
    with tenant_context(house.partner):
        event = Event.objects.get(action=Action.RECORD_VERIFIED)
    assert event.actor_id == str(house.users["compliance"].id)


@pytest.mark.usefixtures("new_partner")    # really committed: nothing else is sealed
def test_the_operators_record_is_sealed_and_checked_by_the_clock() -> None:
    client = of_operator(create_operator(email=f"{uuid7().hex}@vouch.example", password=PASSWORD, actor=SYSTEM))
    with public_context():
        seal_operators()

    assert "/admin/audit/verification/" in client.post("/admin/audit/verification/ask/")["Location"]

    with public_context():
        done = work_on_verification()
        assert done is not None
    assert f"all {done.total} events in order" in page(client, "/admin/")


def test_events_are_found_by_what_is_indexed(north: House) -> None:
    decision = score(north, "ADM-1")[0]
    client = north.client("compliance")
    with tenant_context(north.partner):
        event = Event.objects.get(object_kind="decision", object_id=str(decision))

    for term in ("decision.made", f"decision {decision}", str(event.id), event.recorded_at.date().isoformat()):
        assert str(decision) in page(client, f"/admin/audit/event/?q={term}"), term
    for term in ("nonsense", "decision.unmade", "2026-13-40", "'; DROP TABLE audit_event; --"):
        assert str(decision) not in page(client, f"/admin/audit/event/?q={term}"), term


def test_an_event_says_whether_it_is_as_it_was_recorded(north: House) -> None:
    with tenant_context(north.partner):
        event = Event.objects.order_by("-id").first()
        assert event is not None
    client = north.client("compliance")
    address = f"/admin/audit/event/{event.id}/"

    assert "still give the hash" in page(client, address)
    with tenant_context(north.partner):
        false = {name: getattr(event, name) for name in ("actor_kind", "object_kind", "object_id", "recorded_at", "leaf_hash")}
        planted = Event.objects.create(id=uuid7(), action="user.changed", **false)
    assert "was changed after it was recorded" in page(client, f"/admin/audit/event/{planted.id}/")
    assert "1 of" in page(client, "/admin/")


def test_a_decision_is_shown_without_what_is_sealed(north: House) -> None:
    decision = score(north, "ADM-2", name="Zuri Ali")[0]
    client = north.client("compliance")

    shown = page(client, f"/admin/scoring/decision/?q={decision}") + page(client, f"/admin/scoring/decision/{decision}/")

    assert str(decision) in shown
    assert "ADM-2" not in shown
    assert "Zuri" not in shown


@pytest.mark.parametrize("list_of", ["audit/event", "scoring/decision"])
def test_no_list_is_narrowed_or_sorted_by_its_address(north: House, list_of: str) -> None:
    client = north.client("admin")
    for query in ("request_id=x", "actor_label__icontains=a", "sealed__gt=a"):
        assert client.get(f"/admin/{list_of}/?{query}").status_code in {302, 400}, query
    with CaptureQueriesContext(connection) as queries:
        page(client, f"/admin/{list_of}/?o=-3.2&all=")
    assert all("LIMIT 10000" in query["sql"] for query in queries if "COUNT(" in query["sql"])
    assert any("COUNT(" in query["sql"] for query in queries)


def test_it_speaks_french(north: House) -> None:
    with tenant_context(north.partner):
        User.objects.filter(role="compliance").update(language="fr")
    client = north.client("compliance")

    assert "Dernier point de contrôle" in page(client, "/admin/")
    assert "Trouver" in page(client, "/admin/audit/event/")


@pytest.mark.parametrize("address", ["/admin/", "/admin/audit/event/", "/admin/scoring/decision/"])
def test_no_page_needs_what_the_policy_refuses(north: House, address: str) -> None:
    answer = north.client("compliance").get(address)

    assert "script-src 'self'; style-src 'self'" in answer["Content-Security-Policy"]
    assert re.findall(rb"<style|<script(?![^>]*src=)| style=| on[a-z]+=", answer.content) == []


@pytest.mark.parametrize("role", sorted(ENTERS))
def test_every_list_and_row_opens_to_whom_it_is_for(north: House, role: str) -> None:
    client = north.client(role)
    with tenant_context(north.partner):
        rows = {model: model._default_manager.order_by("-pk").first() for model in officers._registry}
    seen = {
        model.__name__ for model, how in officers._registry.items() if how.permission in permissions_of(role)  # type: ignore[attr-defined]
    }

    for model, row in rows.items():
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for address in (base, f"{base}?q=nothing", *([f"{base}{row.pk}/"] if row else [])):
            assert client.get(address).status_code == (200 if model.__name__ in seen else 403), address
    assert "Event" in seen
    assert ("User" in seen) == (role != "analyst")


def test_operators_see_partners_and_operators_and_nobodys_people(operator: User, north: House) -> None:
    client = of_operator(operator)

    people = page(client, "/admin/accounts/user/")
    assert OPERATOR in people
    assert "@north.example" not in people
    assert "north" in page(client, "/admin/partners/partner/?q=north")
    assert page(client, f"/admin/partners/partner/{north.partner.pk}/")
    assert client.get("/admin/scoring/decision/").status_code == 404


def test_a_key_is_revoked_through_the_service_and_the_record_says_by_whom(north: House) -> None:
    with tenant_context(north.partner):
        key = create_api_key(name="old one", actor=SYSTEM).key
    client, row = north.client("admin"), f"/admin/accounts/apikey/{key.id}/"
    assert f'href="{row}revoke/"' in page(client, row)
    assert f'href="{row}revoke/"' not in page(north.client("compliance"), row)
    assert north.client("compliance").post(f"{row}revoke/").status_code == 403
    assert "old one" in page(client, f"{row}revoke/")

    assert client.post(f"{row}revoke/")["Location"] == row

    assert "The key was revoked." in page(client, row)
    assert client.post(f"{row}revoke/").status_code == 404
    with tenant_context(north.partner):
        event = Event.objects.get(action=Action.API_KEY_REVOKED, object_id=str(key.id))
    assert event.actor_id == str(north.users["admin"].id)


# nothing is changed


FORMS: tuple[dict[str, Any], ...] = (
    {"action": "delete_selected", "_selected_action": "1", "post": "yes"}, {"_save": "1", "action": "export", "outcome": "approve"},
)  # fmt: skip
OF_LISTS = ("", "add/", "process_import/", "import/", "ask/")
OF_ROWS = ("", "change/", "delete/", "history/")


def attempts(client: Client, row: str) -> Iterator[tuple[str, str, int]]:
    """Every address of stock admin and of ours for each list, by every method: what was tried, how, and the answer."""
    for model in officers._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for end in (*OF_LISTS, *(f"{row}/{end}" for end in OF_ROWS)):
            for method in ("PUT", "PATCH", "DELETE"):
                yield base + end, method, client.generic(method, base + end, b"", "application/x-www-form-urlencoded").status_code
            for form in FORMS:
                yield base + end, "POST", client.post(base + end, form).status_code


@pytest.mark.parametrize("role", ["admin", "compliance", "officer", "superuser", "stranger"])
def test_whoever_tries_whatever_nothing_in_the_record_changes(north: House, role: str) -> None:
    decision = score(north, f"RO-{role}")[0]
    client = north.client(None if role == "stranger" else "admin" if role == "superuser" else role)
    if role == "superuser":
        with tenant_context(north.partner):
            User.objects.filter(role="admin").update(is_staff=True)
    before = record_of(north)
    assert {"audit_event", "scoring_decision"} <= set(before)

    tried = list(attempts(client, str(decision)))

    assert len(tried) >= 100
    assert {status for address, _, status in tried if not address.endswith(SERVICES)} <= {401, 403, 404, 405}
    assert {status for address, _, status in tried if address.endswith(SERVICES)} <= {302, 401, 403, 404, 405, 422}
    assert record_of(north) == before


@pytest.mark.parametrize("urlconf", [urls, urls_public], ids=["officers", "operators"])
def test_an_admin_has_lists_and_rows_and_nothing_else(urlconf: Any) -> None:
    assert {route.name.rpartition("_")[2] for route in admin_routes(urlconf)} - DEEDS == {"index", "changelist", "change"}


DEEDS = {"revoke", "ask", "import", "export"}
SERVICES = ("/ask/", "/import/")    # what is sent there goes through a service, or nowhere
UNTOUCHED = "django_session", "accounts_session"    # when somebody was seen last


def record_of(house: House) -> dict[str, Any]:
    """Each table of the house as one checksum, but who is signed in."""
    return {table: digest for table, digest in fingerprint(house.schema).items() if table not in UNTOUCHED}
