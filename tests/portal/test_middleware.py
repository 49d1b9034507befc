"""What every answer carries, and what passes the API by."""

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string

from audit.context import SYSTEM
from partners.accounts.services import change_user
from partners.tenancy import tenant_context
from tests.conftest import House

UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PAGE_ONLY = [name for name in settings.MIDDLEWARE if name.rpartition(".")[2].startswith("Page")]


def test_a_sound_request_id_is_echoed_and_any_other_is_replaced() -> None:
    client = Client()

    assert client.get("/live", HTTP_X_REQUEST_ID="order-17:a")["X-Request-ID"] == "order-17:a"
    for offered in ("", "a b", "x" * 65, "Ä", "a\x00b", "-a"):
        assert UUID_7.fullmatch(client.get("/live", HTTP_X_REQUEST_ID=offered)["X-Request-ID"])


@pytest.mark.parametrize("path", ["/live", "/nowhere", "/api/v1/nowhere"])
def test_every_answer_carries_the_security_headers(path: str, db: None) -> None:
    answer = Client().get(path)

    assert answer["Content-Security-Policy"] == settings.CONTENT_SECURITY_POLICY
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert int(answer["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("path", ["/static/js/keys.js", "/api/v1/nowhere", "/login"])
def test_no_answer_allows_another_origin(path: str, db: None) -> None:
    answer = Client(HTTP_HOST="localhost").get(path, HTTP_ORIGIN="https://elsewhere.example")
    answer.close()    # a static file is open until then

    assert [name for name in answer.headers if name.startswith("Access-Control")] == []


@pytest.mark.parametrize("name", PAGE_ONLY)
def test_page_middleware_lets_the_api_pass_by(name: str) -> None:
    def endpoint(request: HttpRequest) -> HttpResponse:
        assert not hasattr(request, "session")
        assert not hasattr(request, "user")
        assert not hasattr(request, "htmx")
        return HttpResponse("as it is")

    middleware: Callable[[HttpRequest], HttpResponse] = import_string(name)(endpoint)
    answer = middleware(RequestFactory().post("/api/v1/scores", "{}", content_type="application/json"))

    assert answer.content == b"as it is"
    assert dict(answer.headers) == {"Content-Type": "text/html; charset=utf-8"}


def test_the_api_needs_no_csrf_token_and_a_page_does() -> None:
    csrf: Any = import_string("portal.middleware.PageCsrfMiddleware")(lambda _request: HttpResponse())
    factory = RequestFactory()

    assert csrf.process_view(factory.post("/api/v1/scores"), lambda _request: HttpResponse(), (), {}) is None
    refused = csrf.process_view(factory.post("/login"), lambda _request: HttpResponse(), (), {})
    assert refused is not None
    assert refused.status_code == 403


@pytest.mark.parametrize("changes", [[{"role": "viewer"}], [{"is_active": False}, {"is_active": True}]])
def test_a_session_ends_with_the_role_or_access_it_was_opened_with(north: House, changes: list[dict[str, Any]]) -> None:
    client = north.client("officer")
    assert client.get("/").status_code == 200

    with tenant_context(north.partner):
        for change in changes:
            change_user(user_id=north.users["officer"].id, actor=SYSTEM, **change)

    assert client.get("/").status_code == 302


def test_a_session_of_one_partner_is_nobody_at_another(north: House, south: House) -> None:
    client = north.client("admin")
    client.defaults["HTTP_HOST"] = south.host

    request = client.get("/nowhere").wsgi_request

    assert not request.user.is_authenticated


@pytest.mark.parametrize("path", ["/login", "/api/v1/auth/token"])
def test_a_database_that_is_away_is_one_line_of_the_log(
    path: str, north: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(HTTP_HOST=north.host, raise_request_exception=False)
    connection.close()
    monkeypatch.setattr("partners.middleware._known", {})
    with monkeypatch.context() as away, caplog.at_level(logging.WARNING):
        away.setitem(connection.settings_dict, "HOST", "/nowhere")
        answer = client.post(path, {"email": "a@b.example", "password": "x"}, content_type="application/json")

    assert answer.status_code == 503
    assert ["database_unavailable" in record.getMessage() for record in caplog.records] == [True]
    assert not any(record.exc_info or "exc_info" in record.getMessage() for record in caplog.records)


def test_a_form_behind_a_proxy_that_hides_its_scheme_is_told_so(north: House) -> None:
    client = Client(HTTP_HOST=north.host, enforce_csrf_checks=True)

    answer = client.post("/login", {"email": "a@b.example"}, HTTP_ORIGIN=f"https://{north.host}")

    assert answer.status_code == 403
    assert "X-Forwarded-Proto" in answer.content.decode()
    assert "signed in or out" not in answer.content.decode()
