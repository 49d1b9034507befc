"""Signing in, people and keys over HTTP."""

import json
from typing import Any

import pytest
from django.test import Client

from audit.actions import Action
from audit.models import Event, Idempotency
from partners.accounts.models import ApiKey, User
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from tests.conftest import PASSWORD, House

API = "/api/v1"


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    return client.generic(method, f"{API}{path}", raw, content_type="application/json", **headers)  # type: ignore[arg-type]


def as_role(house: House, role: str) -> Client:
    with tenant_context(house.partner):
        token = issue_tokens(house.users[role]).access
    return bearer(house, token)


def bearer(house: House, token: str) -> Client:
    return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {token}")


def log_in(house: House, role: str = "viewer", password: str = PASSWORD, **headers: str) -> Any:
    return send(
        Client(HTTP_HOST=house.host), "POST", "/auth/token", {"email": f"{role}@{house.slug}.example", "password": password}, **headers
    )


def test_a_login_gives_tokens_that_open_the_api(north: House) -> None:
    answer = log_in(north)

    tokens = answer.json()
    assert answer.status_code == 200
    assert (tokens["token_type"], set(tokens)) == ("Bearer", {"access", "refresh", "token_type", "expires_in"})
    assert bearer(north, tokens["access"]).get(f"{API}/products").status_code == 200


@pytest.mark.parametrize("email", ["officer@north.example", "nobody@north.example"])
def test_a_failed_login_says_the_same_whoever_it_was(north: House, email: str) -> None:
    answer = send(Client(HTTP_HOST=north.host), "POST", "/auth/token", {"email": email, "password": "wrong"})

    assert (answer.status_code, answer.json()["code"]) == (401, "login_refused")


def test_a_failed_login_counts_even_with_an_idempotency_key(north: House) -> None:
    for at in range(10):
        assert log_in(north, password="wrong", HTTP_IDEMPOTENCY_KEY=f"try-{at}").status_code == 401

    assert log_in(north).status_code == 401
    with tenant_context(north.partner):
        assert not Idempotency.objects.filter(route="POST /api/v1/auth/token").exists()


def test_a_known_idempotency_key_neither_lets_in_nor_spares_a_guess(north: House) -> None:
    assert log_in(north, HTTP_IDEMPOTENCY_KEY="nightly").status_code == 200

    for _ in range(10):
        assert log_in(north, password="wrong", HTTP_IDEMPOTENCY_KEY="nightly").status_code == 401

    assert log_in(north, HTTP_IDEMPOTENCY_KEY="nightly").status_code == 401  # locked, whatever was answered before


def test_a_refresh_with_the_key_of_another_is_ones_own(north: House) -> None:
    client = Client(HTTP_HOST=north.host)
    theirs = send(client, "POST", "/auth/refresh", {"refresh": log_in(north).json()["refresh"]}, HTTP_IDEMPOTENCY_KEY="daily")

    mine = send(client, "POST", "/auth/refresh", {"refresh": log_in(north).json()["refresh"]}, HTTP_IDEMPOTENCY_KEY="daily")

    assert (theirs.status_code, mine.status_code) == (200, 200)
    assert mine.content != theirs.content


def test_a_refresh_token_works_once_and_its_retry_with_a_key_gets_the_same_answer(north: House) -> None:
    refresh = {"refresh": log_in(north).json()["refresh"]}
    client = Client(HTTP_HOST=north.host)

    first = send(client, "POST", "/auth/refresh", refresh, HTTP_IDEMPOTENCY_KEY="r-1")
    retried = send(client, "POST", "/auth/refresh", refresh, HTTP_IDEMPOTENCY_KEY="r-1")
    again = send(client, "POST", "/auth/refresh", refresh)

    assert first.status_code == 200
    assert retried.content == first.content
    assert retried["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()["code"]) == (401, "refresh_refused")


def test_logging_out_ends_the_login(north: House) -> None:
    tokens = log_in(north).json()

    answer = send(bearer(north, tokens["access"]), "POST", "/auth/logout", {"refresh": tokens["refresh"]})

    assert answer.status_code == 204
    assert send(Client(HTTP_HOST=north.host), "POST", "/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401


def test_a_changed_password_ends_every_token_of_before(north: House) -> None:
    client = bearer(north, log_in(north).json()["access"])
    new = "an entirely different phrase"

    wrong = send(client, "POST", "/auth/change-password", {"current": "wrong", "new": new})
    right = send(client, "POST", "/auth/change-password", {"current": PASSWORD, "new": new})

    assert (wrong.status_code, wrong.json()["code"]) == (422, "password_refused")
    assert [one["pointer"] for one in wrong.json()["errors"]] == ["/current"]
    assert "current password is not right" in wrong.json()["detail"]
    assert "another password" not in wrong.json()["detail"]
    assert right.status_code == 204
    assert not right.has_header("Content-Type")
    assert client.get(f"{API}/products").status_code == 401
    assert log_in(north).status_code == 401
    assert log_in(north, password=new).status_code == 200


def test_a_new_password_that_cannot_be_one_is_pointed_at(north: House) -> None:
    client = bearer(north, log_in(north).json()["access"])

    answer = send(client, "POST", "/auth/change-password", {"current": PASSWORD, "new": "short"})

    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/new"])


def test_a_key_has_no_password(north: House) -> None:
    answer = send(north.api(), "POST", "/auth/change-password", {"current": "a", "new": "b"})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")


# ---- people


def test_an_administrator_lets_a_person_in_and_out_again(north: House) -> None:
    admin = as_role(north, "admin")
    wanted = {"email": "New.Person@North.example", "role": "officer", "password": PASSWORD, "name": "New Person"}

    made = send(admin, "POST", "/users", wanted)
    person = made.json()
    changed = send(admin, "PATCH", f"/users/{person['id']}", {"role": "viewer", "is_active": False})

    assert made.status_code == 201
    assert (person["email"], person["role"], person["is_active"]) == ("new.person@north.example", "officer", True)
    assert "password" not in person
    assert (changed.json()["role"], changed.json()["is_active"]) == ("viewer", False)
    assert send(admin, "GET", f"/users/{person['id']}").json() == changed.json()
    assert person["id"] in {one["id"] for one in send(admin, "GET", "/users").json()["data"]}
    with tenant_context(north.partner):
        recorded = Event.objects.filter(object_id=person["id"]).values_list("action", "actor_id")
        assert set(recorded) == {
            (action, str(north.users["admin"].id)) for action in (Action.USER_CREATED, Action.USER_CHANGED, Action.USER_SWITCHED_OFF)
        }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "x", "role": "officer", "password": PASSWORD}, 422, "invalid_request"),
        ({"email": "nobody", "role": "officer", "password": PASSWORD}, 422, "user_refused"),
        ({"email": "a@north.example", "role": "king", "password": PASSWORD}, 422, "user_refused"),
        ({"email": "a@north.example", "role": "officer", "password": "short"}, 422, "password_refused"),
        ({"email": "officer@north.example", "role": "officer", "password": PASSWORD}, 409, "user_exists"),
        ({"email": "a@north.example", "role": "officer", "password": PASSWORD, "is_staff": True}, 422, "invalid_request"),
    ],
)
def test_a_person_who_cannot_be_let_in_is_not(north: House, body: dict[str, Any], status: int, code: str) -> None:
    with tenant_context(north.partner):
        before = User.objects.count()

    answer = send(as_role(north, "admin"), "POST", "/users", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert bool(answer.json().get("errors")) == (status == 422)
    assert PASSWORD.encode() not in answer.content
    with tenant_context(north.partner):
        assert User.objects.count() == before


def test_a_person_is_let_in_once_however_often_it_is_asked(north: House) -> None:
    admin = as_role(north, "admin")
    wanted = {"email": "twice@north.example", "role": "officer", "password": PASSWORD}

    first = send(admin, "POST", "/users", wanted, HTTP_IDEMPOTENCY_KEY="u-1")
    again = send(admin, "POST", "/users", wanted, HTTP_IDEMPOTENCY_KEY="u-1")
    other = send(admin, "POST", "/users", {**wanted, "role": "admin"}, HTTP_IDEMPOTENCY_KEY="u-1")

    assert first.status_code == 201
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_the_last_administrator_stays(north: House) -> None:
    admin = north.users["admin"]

    answer = send(as_role(north, "admin"), "PATCH", f"/users/{admin.id}", {"role": "viewer"})

    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")


def test_guesses_of_the_current_password_are_counted_and_recorded(north: House) -> None:
    client = bearer(north, log_in(north).json()["access"])

    for _ in range(10):
        assert send(client, "POST", "/auth/change-password", {"current": "wrong", "new": "an entirely different phrase"}).status_code == 422

    right = send(client, "POST", "/auth/change-password", {"current": PASSWORD, "new": "an entirely different phrase"})
    assert (right.status_code, right.json()["code"]) == (422, "password_refused")
    assert log_in(north).status_code == 401
    with tenant_context(north.partner):
        assert Event.objects.filter(action=Action.USER_LOGIN_FAILED, detail__at="password_change").count() == 11


@pytest.mark.parametrize(
    "changed",
    [
        {"time_zone": "../../../etc/passwd"},
        {"language": "xx-yy"},
        {"name": "Ada\u202eadA"},
        {"email": "off\u0131cer@north.example"},
        {"password": " " * 12},
        {"password": "abababababab"},
    ],
)
def test_a_person_who_makes_no_sense_is_not_made(north: House, changed: dict[str, str]) -> None:
    wanted = {"email": "new@north.example", "role": "officer", "password": PASSWORD, "name": "New", **changed}

    assert send(as_role(north, "admin"), "POST", "/users", wanted).status_code == 422


def pointers(answer: Any) -> set[str]:
    assert answer.status_code == 422
    return {one["pointer"] for one in answer.json()["errors"]}


def test_every_wrong_field_is_named_at_once(north: House) -> None:
    admin, developer = as_role(north, "admin"), as_role(north, "developer")
    officer = north.users["officer"].id

    assert pointers(send(admin, "POST", "/users", {"email": "zoe", "role": "boss", "x": 1})) == {"/email", "/role", "/password", "/x"}
    assert pointers(send(admin, "POST", "/users", {"email": "zoe", "role": "x", "password": "short"})) == {"/email", "/role", "/password"}
    assert pointers(send(admin, "PATCH", f"/users/{officer}", {"role": "king", "x": 1})) == {"/role", "/x"}
    assert pointers(send(admin, "PATCH", f"/users/{officer}", {"role": "king"})) == {"/role"}
    assert pointers(send(developer, "POST", "/api-keys", {"name": "", "scopes": ["root"]})) == {"/name", "/scopes"}
    late = {"name": "", "scopes": ["root", 7], "expires_at": "2020-01-01T00:00:00Z"}
    assert pointers(send(developer, "POST", "/api-keys", late)) == {"/name", "/scopes/1", "/expires_at"}


# ---- keys


def test_a_key_is_shown_once_rotated_and_revoked(north: House) -> None:
    developer = as_role(north, "developer")

    made = send(developer, "POST", "/api-keys", {"name": "till", "scopes": ["product.read"]}).json()
    rotated = send(developer, "POST", f"/api-keys/{made['key']['id']}/rotate", {"overlap_seconds": 3600})

    assert north.api(made["secret"]).get(f"{API}/products").status_code == 200
    assert north.api(made["secret"]).get(f"{API}/models").status_code == 403
    assert rotated.status_code == 201
    assert north.api(rotated.json()["secret"]).get(f"{API}/products").status_code == 200
    listed = send(developer, "GET", "/api-keys").content
    assert made["secret"].encode() not in listed
    assert rotated.json()["secret"].encode() not in listed
    assert send(developer, "DELETE", f"/api-keys/{made['key']['id']}").status_code == 204
    assert north.api(made["secret"]).get(f"{API}/products").status_code == 401
    assert send(developer, "DELETE", f"/api-keys/{made['key']['id']}").status_code == 404


def test_a_key_is_rotated_without_a_body(north: House) -> None:
    developer = as_role(north, "developer")
    made = send(developer, "POST", "/api-keys", {"name": "till", "scopes": ["product.read"]}).json()

    rotated = developer.generic("POST", f"{API}/api-keys/{made['key']['id']}/rotate")
    ended = send(developer, "DELETE", f"/api-keys/{rotated.json()['key']['id']}")

    assert rotated.status_code == 201
    assert north.api(made["secret"]).get(f"{API}/products").status_code == 200
    assert (ended.status_code, ended.has_header("Content-Type"), ended.has_header("Content-Length")) == (204, False, False)


def test_a_revoked_key_reads_nothing_more_at_once(north: House) -> None:
    developer = as_role(north, "developer")
    made = send(developer, "POST", "/api-keys", {"name": "till"}).json()
    assert north.api(made["secret"]).get(f"{API}/scores").status_code == 200

    send(developer, "DELETE", f"/api-keys/{made['key']['id']}")

    assert north.api(made["secret"]).get(f"{API}/scores").status_code == 401


@pytest.mark.parametrize("rotating", [False, True])
def test_a_repeated_request_is_not_told_the_secret_again(north: House, rotating: bool) -> None:
    developer = as_role(north, "developer")
    body: dict[str, Any] = {"name": "till", "scopes": ["product.read"]}
    path = "/api-keys"
    if rotating:
        path, body = f"/api-keys/{send(developer, 'POST', path, body).json()['key']['id']}/rotate", {"overlap_seconds": 60}

    first = send(developer, "POST", path, body, HTTP_IDEMPOTENCY_KEY="till-7")
    again = send(developer, "POST", path, body, HTTP_IDEMPOTENCY_KEY="till-7")

    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == {"key": first.json()["key"], "secret": None}
    assert north.api(first.json()["secret"]).get(f"{API}/products").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "a", "scopes": []}, 422),
        ({"name": "a", "scopes": ["user.manage"]}, 422),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "a", "expires_at": "2099-01-01T00:00:00"}, 422),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(north: House, body: dict[str, Any], status: int) -> None:
    with tenant_context(north.partner):
        before = ApiKey.objects.count()

    assert send(as_role(north, "developer"), "POST", "/api-keys", body).status_code == status
    with tenant_context(north.partner):
        assert ApiKey.objects.count() == before


def test_a_used_up_plan_is_told_when_to_come_again(north: House, settings: Any) -> None:
    settings.PLAN_REQUESTS_PER_HOUR = {**settings.PLAN_REQUESTS_PER_HOUR, north.partner.plan: 2}
    secret = send(as_role(north, "developer"), "POST", "/api-keys", {"name": "busy"}).json()["secret"]
    client = north.api(secret)

    statuses = [client.get(f"{API}/products").status_code for _ in range(2)]
    refused = client.get(f"{API}/products")

    assert statuses == [200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused["Retry-After"]) >= 1
    assert refused["X-RateLimit-Remaining"] == "0"
