"""The way in, one's own account and the team through HTTP: what is asked for, what is shown, what ends."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.accounts import links
from partners.accounts.models import ApiKey, Session, User
from partners.accounts.services import create_api_key
from partners.accounts.sign_in import open_sessions
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from tests.conftest import PASSWORD, House
from tests.partners.test_sign_in import NEW, code_at, with_app

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def words(answer: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def sign_in(house: House, role: str = "officer", password: str = PASSWORD, **more: str) -> tuple[Client, Any]:
    """A browser and the answer to its sign-in form."""
    client = Client(HTTP_HOST=house.host, HTTP_USER_AGENT=CHROME)
    return client, client.post("/login", {"email": f"{role}@{house.slug}.example", "password": password, **more})


def add_app(house: House, role: str = "officer") -> list[str]:
    with tenant_context(house.partner):
        return with_app(User.objects.get(role=role))


def recorded(house: House, action: Action) -> int:
    with tenant_context(house.partner):
        return Event.objects.filter(action=action).count()


def secret_on(answer: Any) -> str:
    found = re.search(r'<code class="v-break">([A-Z2-7 ]+)</code>', answer.content.decode())
    assert found
    return found[1].replace(" ", "")


# ---- the way in


def test_a_password_alone_leads_to_the_set_up_and_opens_no_page(north: House) -> None:
    client, answer = sign_in(north)

    assert answer["Location"] == "/account/second-factor"
    assert client.get("/applications").status_code == 302
    assert client.get("/account").status_code == 302
    assert recorded(north, Action.USER_LOGGED_IN) == 0


def test_setting_up_an_app_shows_recovery_codes_once_and_signs_in(north: House) -> None:
    client, _ = sign_in(north, next="/decisions?band=LOW")
    form = client.get("/account/second-factor")
    wrong = client.post("/account/second-factor", {"code": "000000"})
    right = client.post("/account/second-factor", {"code": code_at(secret=secret_on(form))})

    assert secret_on(wrong) == secret_on(form)
    assert (wrong.status_code, right.status_code) == (422, 200)
    assert len(set(re.findall(r"<code>(\d{8})</code>", right.content.decode()))) == 10
    assert 'href="/decisions?band=LOW"' in right.content.decode()
    assert client.get("/decisions?band=LOW").status_code == 200
    assert [recorded(north, one) for one in (Action.SECOND_FACTOR_ADDED, Action.RECOVERY_CODES_MADE, Action.USER_LOGGED_IN)] == [1, 1, 1]


def test_a_code_signs_in_and_the_same_one_nobody_else(north: House) -> None:
    add_app(north)
    shown = code_at()
    first, answer = sign_in(north, next="/models")
    second, _ = sign_in(north)

    assert answer["Location"] == "/login/code"
    assert first.post("/login/code", {"code": shown})["Location"] == "/models"
    refused = second.post("/login/code", {"code": shown})
    assert refused.status_code == 422
    assert "4 tries left before a wait of 15 minutes" in words(refused)
    assert first.get("/models").status_code == 200
    assert second.get("/models").status_code == 302


def test_a_recovery_code_signs_in_once(north: House) -> None:
    code = add_app(north)[0]
    clients = [sign_in(north)[0] for _ in range(2)]

    assert [client.post("/login/code", {"code": f"{code[:4]} {code[4:]}"}).status_code for client in clients] == [302, 422]


def test_whoever_has_a_factor_cannot_set_up_another_one_with_the_password_alone(north: House) -> None:
    add_app(north)
    client, _ = sign_in(north)

    assert client.get("/account/second-factor")["Location"] == "/login"
    assert client.post("/account/second-factor", {"code": "1"})["Location"] == "/login"


def test_the_second_step_waits_ten_minutes_and_not_for_somebody_changed(north: House) -> None:
    add_app(north)
    client, _ = sign_in(north)
    assert client.get("/login/code").status_code == 200
    with tenant_context(north.partner):
        kept = client.session
        kept["expected"] = {**kept["expected"], "until": timezone.now().timestamp() - 1}
        kept.save()
    assert client.get("/login/code")["Location"] == "/login"

    client, _ = sign_in(north)
    with tenant_context(north.partner):
        User.objects.filter(role="officer").update(is_active=False)
    assert client.post("/login/code", {"code": code_at()})["Location"] == "/login"


def test_the_session_of_before_is_not_the_one_after(north: House) -> None:
    add_app(north)
    client, _ = sign_in(north)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/login/code", {"code": code_at()})

    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


def test_an_idle_session_leads_to_the_sign_in_and_looking_by_itself_does_not_keep_it(north: House) -> None:
    client = north.client("officer")
    for ago, headers, expected in ((14, {"HTTP_X_VOUCH_BACKGROUND": "1"}, 200), (16, {}, 302)):
        with tenant_context(north.partner):
            Session.objects.update(seen_at=timezone.now() - timedelta(minutes=ago))
        assert client.get("/decisions", **headers).status_code == expected  # type: ignore[arg-type]
    assert client.get("/decisions").status_code == 302


def test_a_session_of_the_api_opens_no_page(north: House) -> None:
    client = north.client("officer")
    with tenant_context(north.partner):
        Session.objects.update(channel="api")

    assert client.get("/decisions").status_code == 302


def test_nonsense_instead_of_a_passkey_is_refused_in_words(north: House) -> None:
    add_app(north)
    expected, _ = sign_in(north)
    holder = {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "AAAAAAAAAAAAAAAAAAAAAA"}}
    for client, path in ((north.client(), "/login"), (expected, "/login/code"), (sign_in(north, "analyst")[0], "/account/second-factor")):
        assert client.post("/login/passkey").json()["publicKey"]["challenge"]
        for credential in ("", "x", "[]", "{}", "null", json.dumps(holder), "9" * 30_000, '{"response": {"userHandle": 1}}'):
            answer = client.post(path, {"credential": credential, "email": "a@b.example", "password": "x"})
            assert answer.status_code == 422, (path, credential)


# ---- tokens


def tokens_for(house: House, **body: str) -> Any:
    asked = {"email": "officer@north.example", "password": PASSWORD, **body}
    return Client(HTTP_HOST=house.host).post("/api/v1/auth/token", json.dumps(asked), content_type="application/json")


def test_tokens_need_the_second_factor_as_pages_do(north: House) -> None:
    missing = tokens_for(north)
    recovery = add_app(north)
    shown = code_at()
    answers = [tokens_for(north), tokens_for(north, otp="000000"), tokens_for(north, otp=shown), tokens_for(north, otp=shown),
               tokens_for(north, otp=recovery[1]), tokens_for(north, otp=code_at(1), password="wrong")]  # fmt: skip

    assert (missing.status_code, missing.json()["code"]) == (403, "second_factor_missing")
    told = ["second_factor_needed", "code_refused", None, "code_refused", None, "login_refused"]
    assert [one.json().get("code") for one in answers] == told
    assert [one.status_code for one in answers] == [401, 401, 200, 401, 200, 401]


def test_signing_out_ends_the_access_token_too(north: House) -> None:
    add_app(north)
    pair = tokens_for(north, otp=code_at()).json()
    client = Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert client.get("/api/v1/products").status_code == 200

    client.post("/api/v1/auth/logout", json.dumps({"refresh": pair["refresh"]}), content_type="application/json")

    assert client.get("/api/v1/products").status_code == 401


# ---- a password by link


def test_a_person_joins_by_the_link_sets_up_a_factor_and_is_in(north: House) -> None:
    admin = north.client("admin")
    made = admin.post("/team/invite", {"email": "new@north.example", "name": "New One", "role": "officer"})
    link = re.search(r"http://north\.localhost(/link/[\w-]+)", made.content.decode())
    assert link
    client = Client(HTTP_HOST=north.host)

    assert client.get(link[1])["Location"] == "/link"
    assert "You will sign in as new@north.example" in words(client.get("/link"))
    assert client.post("/link", {"password": "short"}).status_code == 422
    chosen = client.post("/link", {"password": NEW})
    assert client.post("/login", {"email": "new@north.example", "password": NEW})["Location"] == "/account/second-factor"
    assert chosen["Location"] == "/login?chosen=1"
    assert client.get(link[1]).status_code == 410
    assert client.get("/link").status_code == 410


def test_a_link_that_opens_nothing_leaves_no_session_behind(north: House) -> None:
    client = Client(HTTP_HOST=north.host)

    assert client.get("/link/guessed").status_code == 410
    assert client.cookies.get("session") is None


def test_asking_for_a_new_password_says_the_same_whoever_is_asked_for(north: House) -> None:
    told = {words(north.client().post("/login/forgotten", {"email": email})) for email in ("officer@north.example", "nobody@north.example")}

    assert len(told) == 1
    with tenant_context(north.partner):
        assert links.has_unsent()


# ---- one's own account


def test_the_account_shows_where_one_is_signed_in_and_ends_the_others(north: House) -> None:
    add_app(north)
    here, _ = sign_in(north)
    here.post("/login/code", {"code": code_at()})
    there = north.client("officer")
    page = here.get("/account")
    address = re.search(r'action="(/account/sessions/[^"]*)"', page.content.decode())

    assert address
    assert "Chrome, Linux this one" in words(page)
    assert there.get("/").status_code == 200
    here.post(address[1])
    assert there.get("/").status_code == 302
    assert here.get("/account").status_code == 200
    assert recorded(north, Action.SESSION_ENDED) == 1


def test_a_changed_password_keeps_this_session_and_ends_the_others(north: House) -> None:
    here, there = north.client("officer"), north.client("officer")
    before = here.cookies[settings.SESSION_COOKIE_NAME].value

    here.post("/account", {"current": PASSWORD, "new": NEW})

    assert here.get("/account").status_code == 200
    assert here.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert there.get("/account").status_code == 302


def test_another_factor_and_its_removal_ask_for_the_password(north: House) -> None:
    add_app(north)
    client = north.client("officer")
    remove = re.search(r'href="(/account/second-factor/\d+)"', client.get("/account").content.decode())
    assert remove

    for path in (remove[1], "/account/recovery-codes", "/account/second-factor"):
        assert client.post(path, {"current": "wrong", "code": "1"}).status_code == 422
    assert len(re.findall(r"<code>\d{8}</code>", client.post("/account/recovery-codes", {"current": PASSWORD}).content.decode())) == 10
    assert "set up another one first" in words(client.post(remove[1], {"current": PASSWORD}))
    viewer = north.client("viewer")
    add_app(north, "viewer")
    mine = re.search(r'href="(/account/second-factor/\d+)"', viewer.get("/account").content.decode())
    assert mine
    assert "Remove a second factor" in words(viewer.get(mine[1]))
    assert viewer.post(mine[1], {"current": PASSWORD})["Location"] == "/account"


def test_the_time_zone_is_chosen_and_nothing_but_one_is_taken(north: House) -> None:
    client = north.client("officer")

    assert client.post("/account/time-zone", {"time_zone": "Africa/Nairobi"}).status_code == 302
    assert client.post("/account/time-zone", {"time_zone": "Mars/Olympus"}).status_code == 422
    assert '<option selected>Africa/Nairobi</option>' in client.get("/account").content.decode()


# ---- the team


def test_the_team_shows_roles_with_what_they_may_do_and_who_was_last_here_when(north: House) -> None:
    north.client("officer").get("/")
    page = words(north.client("compliance").get("/team"))

    assert "north Viewer" not in page
    assert "Viewer See decisions · See products · See models Lending officer" in page
    assert "Agree as the second person" in page
    assert "Invite somebody" not in page
    assert "North Lending officer officer@north.example Lending officer Password sets up a second factor at the next sign-in Today" in page


def test_switching_somebody_off_ends_everything_at_once(north: House) -> None:
    officer, admin = north.users["officer"], north.client("admin")
    page = north.client("officer")
    with tenant_context(north.partner):
        create_api_key(name="theirs", actor=SYSTEM)
        ApiKey.objects.filter(name="theirs").update(created_by_id=officer.id)
    assert "1 API key of theirs" in words(admin.get(f"/team/{officer.id}"))

    admin.post(f"/team/{officer.id}", {"act": "off"})

    assert page.get("/").status_code == 302
    assert "Switched off" in words(admin.get(f"/team/{officer.id}"))
    with tenant_context(north.partner):
        assert ApiKey.objects.get(name="theirs").revoked_at
        assert open_sessions(officer) == []
    admin.post(f"/team/{officer.id}", {"act": "on"})
    assert sign_in(north)[1]["Location"] == "/account/second-factor"


def test_the_last_administrator_is_told_why_they_stay(north: House) -> None:
    admin = north.client("admin")
    for act in ({"act": "off"}, {"act": "role", "role": "viewer"}):
        answer = admin.post(f"/team/{north.users['admin'].id}", act)
        assert answer.status_code == 422
        assert "make somebody else one first" in words(answer)
    assert admin.post(f"/team/{north.users['admin'].id}", {"act": "role", "role": "king"}).status_code == 422
    assert admin.get("/team").status_code == 200


def test_an_administrator_resets_a_lost_factor_on_the_page(north: House) -> None:
    add_app(north)
    officer = north.users["officer"]
    admin = north.client("admin")

    assert admin.post(f"/team/{officer.id}", {"act": "reset"}).status_code == 302
    assert sign_in(north)[1]["Location"] == "/account/second-factor"
    assert admin.post(f"/team/{officer.id}", {"act": "nonsense"}).status_code == 400


def test_the_api_invites_again_resets_and_lists_roles(north: House) -> None:
    with tenant_context(north.partner):
        bearer = issue_tokens(north.users["admin"]).access
    client = Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {bearer}")

    def send(path: str, body: Any = None, **headers: str) -> Any:
        return client.post(f"/api/v1{path}", json.dumps(body or {}), content_type="application/json", **headers)  # type: ignore[arg-type]

    made = send("/invitations", {"email": "api@north.example", "role": "viewer"}, HTTP_IDEMPOTENCY_KEY="one")
    replay = send("/invitations", {"email": "api@north.example", "role": "viewer"}, HTTP_IDEMPOTENCY_KEY="one")
    again = send(f"/users/{made.json()['user']['id']}/invitation")
    taken = send("/invitations", {"email": "api@north.example", "role": "viewer"})
    roles = {one["name"]: one for one in client.get("/api/v1/roles").json()["data"]}

    assert (made.status_code, replay.status_code, again.status_code, taken.status_code) == (201, 201, 201, 409)
    assert made.json()["link"].startswith("http://north.localhost/link/")
    assert replay.json()["link"] is None
    assert again.json()["link"] != made.json()["link"]
    assert made.json()["user"]["has_joined"] is False
    assert [roles[name]["needs_second_factor"] for name in ("viewer", "officer", "admin")] == [False, True, True]
    assert client.delete(f"/api/v1/users/{north.users['officer'].id}/second-factor").status_code == 204
    assert client.delete(f"/api/v1/users/{north.users['admin'].id}/second-factor").status_code == 409


