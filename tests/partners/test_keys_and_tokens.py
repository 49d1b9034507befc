"""Keys and tokens open one partner's door, once or for a time, and nothing else."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import connection
from django.utils import timezone

from audit import vault
from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event, Keyring
from audit.vault import keyring, refresh_keyring, rotate_key
from partners.accounts import services, tokens
from partners.accounts.authentication import principal_of_key
from partners.accounts.errors import CredentialRefused, LastAdministrator, LoginRefused, PasswordRefused, RefreshRefused, UserExists
from partners.accounts.keys import ALPHABET, make_key, parse_key
from partners.accounts.models import ApiKey, RefreshToken, Session, User
from partners.accounts.roles import ROLE_PERMISSIONS, Permission, Role
from partners.accounts.sign_in import begin_session
from partners.tenancy import tenant_context
from tests.conftest import PASSWORD, House

PARALLEL = 20


def test_a_key_names_its_partner() -> None:
    parsed = parse_key(make_key("south-bank"))

    assert parsed is not None
    assert parsed.slug == "south-bank"


def test_any_single_typo_in_a_key_is_noticed() -> None:
    key = make_key("north")

    for place in range(len(key)):
        for letter in (ALPHABET[1], ALPHABET[-1], "_"):
            if letter != key[place]:
                assert parse_key(key[:place] + letter + key[place + 1 :]) is None


def test_a_key_opens_its_own_partner_only(in_north: House, south: House) -> None:
    assert principal_of_key(in_north.api_key).actor.kind == "api_key"
    with tenant_context(south.partner), pytest.raises(CredentialRefused):
        principal_of_key(in_north.api_key)


def test_a_revoked_key_opens_nothing(in_north: House) -> None:
    made = services.create_api_key(name="short", actor=SYSTEM)
    principal_of_key(made.secret)

    services.revoke_api_key(key_id=made.key.id, actor=SYSTEM)

    with pytest.raises(CredentialRefused):
        principal_of_key(made.secret)


def test_a_key_tells_to_the_minute_when_it_was_last_used(in_north: House) -> None:
    made = services.create_api_key(name="used", actor=SYSTEM)
    noted = ApiKey.objects.filter(id=made.key.id).values_list("last_used_at", flat=True)
    assert noted.get() is None

    principal_of_key(made.secret)
    first = noted.get()
    principal_of_key(made.secret)
    assert first is not None
    assert noted.get() == first

    ApiKey.objects.filter(id=made.key.id).update(last_used_at=first - timedelta(minutes=2))
    principal_of_key(made.secret)
    again = noted.get()
    assert again is not None
    assert again > first


def test_rotation_keeps_the_old_key_until_the_overlap_ends(in_north: House) -> None:
    old = services.create_api_key(name="turning", actor=SYSTEM)

    new = services.rotate_api_key(key_id=old.key.id, actor=SYSTEM, overlap=timedelta(hours=1))
    gone = services.rotate_api_key(key_id=new.key.id, actor=SYSTEM, overlap=timedelta(0))

    assert principal_of_key(old.secret).permissions == principal_of_key(gone.secret).permissions
    with pytest.raises(CredentialRefused):
        principal_of_key(new.secret)


def test_only_a_digest_of_a_key_is_stored(in_north: House) -> None:
    made = services.create_api_key(name="secret", actor=SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM accounts_apikey k UNION ALL SELECT row_to_json(e)::text FROM audit_event e")
        stored = "\n".join(text for (text,) in cursor.fetchall())

    assert made.secret.split("_")[3] not in stored


def access_of(house: House, role: Role = Role.OFFICER) -> str:
    return tokens.issue_tokens(house.users[role]).access


def claims_of(text: str) -> dict[str, Any]:
    payload = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def test_an_access_token_opens_its_own_partner_only(in_north: House, south: House) -> None:
    text = access_of(in_north)

    assert tokens.read_access(text).user_id == in_north.users[Role.OFFICER].id
    with tenant_context(south.partner), pytest.raises(CredentialRefused):
        tokens.read_access(text)


def test_a_token_outlives_a_change_of_the_key_and_no_longer_than_its_own_time(in_north: House) -> None:
    before, stale = access_of(in_north), keyring()
    rotate_key("token")
    after = access_of(in_north)

    assert tokens.read_access(before)
    vault._rings[in_north.schema] = stale    # as another process has it
    tokens._looked.clear()
    assert tokens.read_access(after)
    vault._rings[in_north.schema] = stale    # it does not look again at once, whatever version somebody invents
    with pytest.raises(CredentialRefused):
        tokens.read_access(after)
    Keyring.objects.filter(purpose="token", version=stale.token_version).update(retired_at=timezone.now() - tokens.ACCESS_LIFETIME * 1.1)
    refresh_keyring()
    with pytest.raises(CredentialRefused):
        tokens.read_access(before)
    assert tokens.read_access(after)


def forgeries(claims: dict[str, Any]) -> dict[str, Callable[[], str]]:
    secret = keyring().token_key.hex()
    return {
        "no algorithm": lambda: jwt.encode(claims, "", algorithm="none"),
        "other algorithm": lambda: jwt.encode(claims, secret, algorithm="HS512"),
        "other key": lambda: jwt.encode(claims, "0" * 64, algorithm="HS256"),
        "other audience": lambda: jwt.encode({**claims, "aud": "elsewhere"}, secret, algorithm="HS256"),
        "other issuer": lambda: jwt.encode({**claims, "iss": "vouch/t_south"}, secret, algorithm="HS256"),
        "other partner": lambda: jwt.encode({**claims, "tid": "t_south"}, secret, algorithm="HS256"),
        "other kind": lambda: jwt.encode({**claims, "typ": "refresh"}, secret, algorithm="HS256"),
        "no partner": lambda: jwt.encode({name: value for name, value in claims.items() if name != "tid"}, secret, algorithm="HS256"),
        "expired": lambda: jwt.encode({**claims, "exp": int(time.time()) - 1}, secret, algorithm="HS256"),
        "not a token": lambda: "hello",
    }


@pytest.mark.parametrize(
    "name",
    ["no algorithm", "other algorithm", "other key", "other audience", "other issuer", "other partner", "other kind", "no partner",
     "expired", "not a token"],
)
def test_a_forged_access_token_is_refused(in_north: House, name: str) -> None:
    text = forgeries(claims_of(access_of(in_north)))[name]()

    with pytest.raises(CredentialRefused):
        tokens.read_access(text)


def test_a_refresh_token_works_once_and_its_late_reuse_ends_the_family(in_north: House) -> None:
    first = tokens.issue_tokens(in_north.users[Role.OFFICER])
    second = tokens.refresh_tokens(first.refresh)
    RefreshToken.objects.exclude(used_at=None).update(used_at=timezone.now() - tokens.TWIN_GRACE - timedelta(seconds=1))

    with pytest.raises(RefreshRefused, match="sign in again"):
        tokens.refresh_tokens(first.refresh)
    assert Event.objects.filter(action=Action.TOKEN_REUSED, object_id=str(in_north.users[Role.OFFICER].id)).count() == 1

    with pytest.raises(RefreshRefused):
        tokens.refresh_tokens(second.refresh)


def test_one_person_made_twice_at_once_is_one_person(new_partner: Callable[..., House]) -> None:
    house = new_partner()

    def make(_: int) -> str:
        try:
            with tenant_context(house.partner):
                return services.create_user(email="twin@p.example", role=Role.OFFICER, password=PASSWORD, actor=SYSTEM).email
        except UserExists:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = [email for email in pool.map(make, range(8)) if email]

    assert made == ["twin@p.example"]


def test_parallel_refreshes_of_one_token_give_one_pair(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        first = tokens.issue_tokens(house.users[Role.OFFICER])

    def refresh(_: int) -> str:
        try:
            with tenant_context(house.partner):
                return tokens.refresh_tokens(first.refresh).refresh
        except RefreshRefused:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(PARALLEL) as pool:
        given = [text for text in pool.map(refresh, range(PARALLEL)) if text]

    assert len(given) == 1
    with tenant_context(house.partner):
        assert tokens.refresh_tokens(given[0]).access


def test_changing_the_password_ends_every_token(in_north: House) -> None:
    user = User.objects.get(id=in_north.users[Role.OFFICER].id)
    pair = tokens.issue_tokens(user)

    services.change_password(user=user, current=PASSWORD, new="an entirely different sentence", actor=SYSTEM)

    user.refresh_from_db()
    assert user.token_epoch > tokens.read_access(pair.access).token_epoch
    with pytest.raises(RefreshRefused):
        tokens.refresh_tokens(pair.refresh)


@pytest.mark.parametrize("password", ["short", "password1234", "x" * 1_001])
def test_a_poor_password_is_refused(in_north: House, password: str) -> None:
    with pytest.raises(PasswordRefused):
        services.change_password(user=in_north.users[Role.OFFICER], current=PASSWORD, new=password, actor=SYSTEM)


def test_a_long_password_of_small_letters_is_fine(in_north: House) -> None:
    user = User.objects.get(id=in_north.users[Role.OFFICER].id)

    services.change_password(user=user, current=PASSWORD, new="many small letters and nothing else " * 3, actor=SYSTEM)

    user.refresh_from_db()
    assert user.check_password("many small letters and nothing else " * 3)


def test_failed_logins_say_the_same_whoever_was_asked_for(in_north: House) -> None:
    told = set()
    for email in ("officer@north.example", "nobody@north.example"):
        with pytest.raises(LoginRefused) as refusal:
            services.check_login(email=email, password="wrong", actor=SYSTEM)
        told.add(refusal.value.detail)

    assert len(told) == 1


def test_too_many_failures_lock_the_address_even_for_the_right_password(in_north: House) -> None:
    for _ in range(10):
        with pytest.raises(LoginRefused):
            services.check_login(email="officer@north.example", password="wrong", actor=SYSTEM)

    with pytest.raises(LoginRefused):
        services.check_login(email="officer@north.example", password=PASSWORD, actor=SYSTEM)


def test_a_login_is_recorded_and_so_is_its_failure(in_north: House) -> None:
    user = services.check_login(email="Viewer@north.example ", password=PASSWORD, actor=SYSTEM)
    begin_session(user=user, factor=Session.Factor.PASSWORD, channel=Session.Channel.PAGE, actor=SYSTEM)
    with pytest.raises(LoginRefused):
        services.check_login(email="officer@north.example", password="wrong", actor=SYSTEM)

    recorded = list(Event.objects.filter(action__startswith="user.log").order_by("id").values_list("action", flat=True))
    assert recorded == ["user.logged_in", "user.login_failed"]


def test_the_last_administrator_stays_one(in_north: House) -> None:
    administrator = in_north.users[Role.ADMIN]

    with pytest.raises(LastAdministrator):
        services.change_user(user_id=administrator.id, role=Role.VIEWER, actor=SYSTEM)
    with pytest.raises(LastAdministrator):
        services.change_user(user_id=administrator.id, is_active=False, actor=SYSTEM)


def test_every_role_is_described_and_only_administrators_manage_users() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert {role for role, permissions in ROLE_PERMISSIONS.items() if Permission.USER_MANAGE in permissions} == {Role.ADMIN}


def test_a_key_of_an_unknown_partner_is_refused_without_the_database(in_north: House, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0), pytest.raises(CredentialRefused):
        principal_of_key(make_key(f"x{uuid.uuid4().hex[:8]}"))
