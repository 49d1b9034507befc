"""Sessions, second factors, links and the team: who comes in, with what, and whose access ends when."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import LazySettings
from django.contrib.auth import hashers
from django.contrib.sessions.models import Session as BrowserSession
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.models import Event
from partners.accounts import links, passwords, second_factor, services, sign_in, tokens
from partners.accounts.authentication import principal_of_key
from partners.accounts.errors import (
    CodeRefused,
    CredentialRefused,
    LastAdministrator,
    LinkRefused,
    LoginRefused,
    PasswordRefused,
    RefreshRefused,
    SecondFactorMissing,
    SecondFactorNeeded,
    SecondFactorRefused,
    UserRefused,
)
from partners.accounts.models import AccessLink, LoginAttempt, RefreshToken, Session, User
from partners.accounts.roles import Role, needs_second_factor
from partners.tenancy import tenant_context
from tests.conftest import PASSWORD, House

PAGE, API, TOTP, ALONE = Session.Channel.PAGE, Session.Channel.API, Session.Factor.TOTP, Session.Factor.PASSWORD
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW = "an entirely different sentence"


def code_at(steps: int = 0, secret: str = SECRET) -> str:
    """What an app shows now, or so many half minutes from now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def with_app(user: User) -> list[str]:
    """The person has an app with SECRET, whose code of half a minute ago is used up; their recovery codes."""
    second_factor.add_totp(user=user, secret=SECRET, code=code_at(-1), actor=SYSTEM)
    return second_factor.make_recovery_codes(user=user, actor=SYSTEM)


def person(role: Role = Role.OFFICER) -> User:
    return User.objects.get(role=role)


def begin(user: User, factor: Session.Factor = TOTP, channel: Session.Channel = PAGE) -> Session:
    return sign_in.begin_session(user=user, factor=factor, channel=channel, actor=SYSTEM)


def actions(*wanted: Action) -> list[str]:
    return list(Event.objects.filter(action__in=wanted).order_by("id").values_list("action", flat=True))


def in_parallel(house: House, number: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads got, None for a refusal."""

    def one(at: int) -> Any:
        try:
            with tenant_context(house.partner):
                return act(at)
        except (CodeRefused, LinkRefused, LastAdministrator):
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


# ---- the second factor


def test_only_a_viewer_comes_in_with_a_password_alone(in_north: House) -> None:
    assert {role for role in Role if not needs_second_factor(role)} == {Role.VIEWER}
    assert begin(person(Role.VIEWER), ALONE).factor == "password"
    for role in set(Role) - {Role.VIEWER}:
        with pytest.raises(SecondFactorMissing):
            begin(person(role), ALONE)


def test_whoever_set_one_up_is_asked_for_it_whatever_the_role(in_north: House) -> None:
    viewer = person(Role.VIEWER)
    with_app(viewer)

    with pytest.raises(SecondFactorNeeded):
        begin(viewer, ALONE)


def test_a_relaxed_demo_asks_nobody_to_set_one_up_and_still_asks_for_what_there_is(in_north: House, settings: LazySettings) -> None:
    settings.SECOND_FACTOR_REQUIRED = False
    assert begin(person(), ALONE)
    with_app(person(Role.ADMIN))

    with pytest.raises(SecondFactorNeeded):
        begin(person(Role.ADMIN), ALONE)


def test_a_code_works_once_and_no_earlier_one_after_it(in_north: House) -> None:
    officer = person()
    with_app(officer)
    shown, before = code_at(), code_at(-1)

    assert second_factor.check_code(user=officer, code=f" {shown[:3]} {shown[3:]} ", actor=SYSTEM) == TOTP
    for used in (shown, before):
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=officer, code=used, actor=SYSTEM)


def test_one_code_sent_by_many_at_once_works_once(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        officer = person()
        recovery = with_app(officer)
    shown = code_at()

    by_app = in_parallel(house, 4, lambda _: second_factor.check_code(user=officer, code=shown, actor=SYSTEM))
    with tenant_context(house.partner):
        passwords.forget_failures(officer)
    by_code = in_parallel(house, 4, lambda _: second_factor.check_code(user=officer, code=recovery[0], actor=SYSTEM))

    assert [one for one in by_app if one] == [TOTP]
    assert [one for one in by_code if one] == ["recovery_code"]


def test_five_wrong_codes_and_no_right_one_is_heard_until_the_wait_is_over(in_north: House) -> None:
    officer = person()
    with_app(officer)
    for _ in range(5):
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=officer, code="000000", actor=SYSTEM)

    with pytest.raises(CodeRefused):
        second_factor.check_code(user=officer, code=code_at(), actor=SYSTEM)
    LoginAttempt.objects.update(began_at=timezone.now() - timedelta(minutes=16))
    assert second_factor.check_code(user=officer, code=code_at(), actor=SYSTEM) == TOTP


def test_a_right_password_does_not_give_more_guesses_of_codes(in_north: House) -> None:
    officer = person()
    with_app(officer)
    for _ in range(5):
        services.check_login(email=officer.email, password=PASSWORD, actor=SYSTEM)
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=officer, code="000000", actor=SYSTEM)

    assert passwords.guesses_left(officer) == 0


def test_what_is_stored_of_a_second_factor_opens_nothing(in_north: House) -> None:
    codes = with_app(person())

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(a::text, ' ') FROM mfa_authenticator a")
        stored = cursor.fetchone()[0]
    assert not [one for one in (SECRET, *codes) if one in stored]


def test_new_recovery_codes_end_the_old_ones_and_each_works_once(in_north: House) -> None:
    officer = person()
    old = with_app(officer)
    new = second_factor.make_recovery_codes(user=officer, actor=SYSTEM)

    assert len(set(new)) == 10
    assert not set(new) & set(old)
    assert second_factor.check_code(user=officer, code=new[3], actor=SYSTEM) == "recovery_code"
    for gone in (new[3], old[3]):
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=officer, code=gone, actor=SYSTEM)


def test_the_last_factor_of_a_role_that_needs_one_stays(in_north: House) -> None:
    with_app(person())
    with_app(person(Role.VIEWER))
    app = Authenticator.objects.get(user=person(), type="totp").id

    with pytest.raises(SecondFactorRefused):
        second_factor.remove_factor(user=person(), factor_id=app, actor=SYSTEM)
    with pytest.raises(SecondFactorRefused):
        second_factor.remove_factor(user=person(Role.VIEWER), factor_id=app, actor=SYSTEM)
    theirs = Authenticator.objects.get(user=person(Role.VIEWER), type="totp").id
    second_factor.remove_factor(user=person(Role.VIEWER), factor_id=theirs, actor=SYSTEM)

    assert not Authenticator.objects.filter(user=person(Role.VIEWER)).exists()


def test_an_administrator_resets_a_second_factor_and_never_their_own(in_north: House) -> None:
    officer, admin = person(), person(Role.ADMIN)
    with_app(officer)
    session = begin(officer)
    by_admin = Actor(kind="user", id=str(admin.id), label=admin.name, role="admin")

    second_factor.reset_factors(user_id=officer.id, actor=by_admin)

    assert not Authenticator.objects.filter(user=officer).exists()
    assert sign_in.session_of(session.id) is None
    assert Event.objects.get(action=Action.SECOND_FACTOR_RESET).actor_id == str(admin.id)
    with pytest.raises(SecondFactorRefused):
        second_factor.reset_factors(user_id=admin.id, actor=by_admin)


# ---- sessions


def test_a_session_ends_when_idle_and_in_any_case_after_twelve_hours(in_north: House) -> None:
    session = begin(person())
    rows = Session.objects.filter(id=session.id)
    now = timezone.now()

    rows.update(seen_at=now - timedelta(minutes=14), began_at=now - timedelta(hours=11))
    assert sign_in.session_of(session.id, is_use=False)
    rows.update(seen_at=now - timedelta(minutes=16))
    assert sign_in.session_of(session.id) is None
    rows.update(seen_at=now, began_at=now - timedelta(hours=12, minutes=1))
    assert sign_in.session_of(session.id) is None


def test_using_a_session_keeps_it_and_a_page_that_looks_by_itself_does_not(in_north: House) -> None:
    session = begin(person())
    rows, before = Session.objects.filter(id=session.id), timezone.now() - timedelta(minutes=5)
    rows.update(seen_at=before)

    sign_in.session_of(session.id, is_use=False)
    assert rows.get().seen_at == before
    sign_in.session_of(session.id)
    assert rows.get().seen_at > before + timedelta(minutes=4)


@pytest.mark.parametrize("how", ["role", "off", "password", "ended"])
def test_access_ends_at_once_on_pages_and_tokens(in_north: House, how: str) -> None:
    officer = person()
    page, pair = begin(officer), tokens.issue_tokens(officer, session=begin(officer, channel=API))
    claims = tokens.read_access(pair.access)
    if how == "role":
        services.change_user(user_id=officer.id, role=Role.VIEWER, actor=SYSTEM)
    elif how == "off":
        services.change_user(user_id=officer.id, is_active=False, actor=SYSTEM)
    elif how == "password":
        services.change_password(user=officer, current=PASSWORD, new=NEW, actor=SYSTEM)
    else:
        for session in sign_in.open_sessions(officer):
            sign_in.end_session(user=officer, session_id=session.id, actor=SYSTEM)

    assert [sign_in.session_of(page.id), sign_in.session_of(claims.session_id)] == [None, None]
    with pytest.raises(RefreshRefused):
        tokens.refresh_tokens(pair.refresh)
    assert actions(Action.USER_CHANGED, Action.USER_SWITCHED_OFF, Action.PASSWORD_CHANGED, Action.SESSION_ENDED)


def test_nobody_ends_the_session_of_somebody_else(in_north: House) -> None:
    session = begin(person())

    sign_in.end_session(user=person(Role.ADMIN), session_id=session.id, actor=SYSTEM)

    assert sign_in.session_of(session.id)
    assert actions(Action.SESSION_ENDED) == []


def test_somebody_switched_off_between_password_and_code_stays_out(in_north: House) -> None:
    officer = services.check_login(email="officer@north.example", password=PASSWORD, actor=SYSTEM)
    services.change_user(user_id=officer.id, is_active=False, actor=SYSTEM)

    with pytest.raises(LoginRefused):
        begin(officer)


def test_keys_of_a_person_end_with_their_access_and_a_rotated_one_goes_on(in_north: House) -> None:
    developer = person(Role.DEVELOPER)
    by_them = Actor(kind="user", id=str(developer.id), label=developer.name)
    by_admin = Actor(kind="user", id=str(person(Role.ADMIN).id), label="Admin")
    theirs, handed_on = (services.create_api_key(name=name, actor=by_them) for name in ("theirs", "nightly"))
    rotated = services.rotate_api_key(key_id=handed_on.key.id, actor=by_admin)

    services.change_user(user_id=developer.id, is_active=False, actor=by_admin)

    for secret in (theirs.secret, handed_on.secret):
        with pytest.raises(CredentialRefused):
            principal_of_key(secret)
    assert principal_of_key(rotated.secret)
    assert principal_of_key(in_north.api_key)


def test_the_reuse_of_an_old_refresh_token_ends_its_session(in_north: House) -> None:
    pair = tokens.issue_tokens(person(), session=begin(person(), channel=API))
    claims = tokens.read_access(tokens.refresh_tokens(pair.refresh).access)
    RefreshToken.objects.exclude(used_at=None).update(used_at=timezone.now() - tokens.TWIN_GRACE - timedelta(seconds=1))

    with pytest.raises(RefreshRefused):
        tokens.refresh_tokens(pair.refresh)

    assert sign_in.session_of(claims.session_id) is None


def test_what_was_over_long_ago_is_forgotten(in_north: House) -> None:
    kept, gone = begin(person()), begin(person())
    Session.objects.filter(id=gone.id).update(seen_at=timezone.now() - timedelta(days=91))
    for name, minutes in (("over", -1), ("open", 1)):
        BrowserSession.objects.create(session_key=name, session_data="", expire_date=timezone.now() + timedelta(minutes=minutes))

    sign_in.forget_old_sessions()

    assert [one.session_key for one in BrowserSession.objects.filter(session_key__in=["over", "open"])] == ["open"]

    assert [one.id for one in Session.objects.filter(user=person())] == [kept.id]


# ---- the last administrator


@pytest.mark.parametrize("change", [{"role": Role.VIEWER}, {"is_active": False}])
def test_two_administrators_who_remove_one_another_at_once_leave_one(new_partner: Callable[..., House], change: dict[str, Any]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        second = services.create_user(email="second@p.example", role=Role.ADMIN, password=PASSWORD, actor=SYSTEM)
        ids = [house.users["admin"].id, second.id]

    done = in_parallel(house, 2, lambda at: services.change_user(user_id=ids[at], actor=SYSTEM, **change))

    assert len([one for one in done if one]) == 1
    with tenant_context(house.partner):
        assert User.objects.filter(role=Role.ADMIN, is_active=True).count() == 1


def test_somebody_who_has_not_joined_yet_is_no_other_administrator(in_north: House) -> None:
    invitation = links.invite_person(email="new@north.example", role=Role.ADMIN, actor=SYSTEM)
    with pytest.raises(LastAdministrator):
        services.change_user(user_id=in_north.users["admin"].id, role=Role.VIEWER, actor=SYSTEM)

    links.use_link(token=invitation.token, password=NEW, actor=SYSTEM)
    services.change_user(user_id=in_north.users["admin"].id, role=Role.VIEWER, actor=SYSTEM)


# ---- links


def test_an_invitation_works_once_and_for_a_week(in_north: House) -> None:
    first, second = (links.invite_person(email=f"{name}@north.example", role=Role.VIEWER, actor=SYSTEM) for name in ("first", "second"))
    with pytest.raises(LoginRefused):
        services.check_login(email="first@north.example", password="", actor=SYSTEM)

    links.use_link(token=first.token, password=NEW, actor=SYSTEM)
    AccessLink.objects.filter(user=second.user).update(expires_at=timezone.now())

    assert services.check_login(email="first@north.example", password=NEW, actor=SYSTEM) == first.user
    for token in (first.token, second.token, "nonsense"):
        with pytest.raises(LinkRefused):
            links.use_link(token=token, password="a third sentence of words", actor=SYSTEM)
    assert actions(Action.USER_INVITED, Action.INVITATION_ACCEPTED) == ["user.invited", "user.invited", "invitation.accepted"]


def test_one_link_used_by_many_at_once_sets_one_password(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        token = links.invite_person(email="new@p.example", role=Role.VIEWER, actor=SYSTEM).token

    used = in_parallel(house, 6, lambda at: links.use_link(token=token, password=f"{NEW} {at}", actor=SYSTEM))

    assert len([one for one in used if one]) == 1


def test_another_invitation_ends_the_earlier_one_and_is_for_who_has_not_joined(in_north: House) -> None:
    first = links.invite_person(email="first@north.example", role=Role.VIEWER, actor=SYSTEM)
    again = links.invite_again(user_id=first.user.id, actor=SYSTEM)

    with pytest.raises(LinkRefused):
        links.use_link(token=first.token, password=NEW, actor=SYSTEM)
    with pytest.raises(PasswordRefused):
        links.use_link(token=again.token, password="password1234", actor=SYSTEM)
    links.use_link(token=again.token, password=NEW, actor=SYSTEM)
    with pytest.raises(UserRefused):
        links.invite_again(user_id=first.user.id, actor=SYSTEM)


def sent_link() -> str:
    links.send_resets()
    return str(mail.outbox[-1].body.split("/link/")[1].split()[0])


def test_a_reset_by_mail_sets_a_password_and_skips_no_second_factor(in_north: House) -> None:
    officer = person()
    with_app(officer)
    session = begin(officer)
    links.ask_reset(email="Officer@north.example", origin="http://north.localhost", actor=SYSTEM)
    user = links.use_link(token=sent_link(), password=NEW, actor=SYSTEM)

    assert [one.to for one in mail.outbox] == [["officer@north.example"]]
    assert services.check_login(email=officer.email, password=NEW, actor=SYSTEM) == officer
    assert sign_in.session_of(session.id) is None
    with pytest.raises(SecondFactorNeeded):
        begin(user, ALONE)
    assert actions(Action.PASSWORD_RESET_ASKED, Action.PASSWORD_RESET) == ["password.reset_asked", "password.reset"]


def test_asking_for_a_reset_does_the_same_for_whoever_is_asked_for(in_north: House) -> None:
    links.invite_person(email="invited@north.example", role=Role.VIEWER, actor=SYSTEM)
    links.ask_reset(email="somebody@else.example", origin="http://north.localhost", actor=SYSTEM)    # so that the address has a count
    statements = set()
    for email in ("officer@north.example", "nobody@north.example", "invited@north.example"):
        with CaptureQueriesContext(connection) as seen:
            links.ask_reset(email=email, origin="http://north.localhost", actor=SYSTEM)
        statements.add(len(seen))

    assert len(statements) == 1
    assert links.send_resets() == 4
    assert [one.to for one in mail.outbox] == [["officer@north.example"]]
    assert not links.has_unsent()


def test_whoever_has_a_whole_ipv6_network_counts_once(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "FAILURES_PER_ADDRESS", 2)

    for place in range(2):
        passwords.note_failure(f"nobody{place}@north.example", f"2001:db8:1:2::{place}")

    assert passwords.is_address_locked("2001:db8:1:2:ffff::9")
    assert not passwords.is_address_locked("2001:db8:1:3::9")
    assert not passwords.is_address_locked("198.51.100.7")


def test_a_flood_of_resets_sends_three_mails(in_north: House) -> None:
    for _ in range(10):
        links.ask_reset(email="officer@north.example", origin="http://north.localhost", actor=SYSTEM)
        links.send_resets()

    assert len(mail.outbox) == 3


def test_a_changed_password_ends_the_link_of_a_reset(in_north: House) -> None:
    links.ask_reset(email="officer@north.example", origin="http://north.localhost", actor=SYSTEM)
    assert links.send_resets() == 1

    services.change_password(user=person(), current=PASSWORD, new=NEW, actor=SYSTEM)

    with pytest.raises(LinkRefused):
        links.link_of(sent_link())


def test_a_later_reset_ends_the_link_of_an_earlier_one(in_north: House) -> None:
    links.ask_reset(email="officer@north.example", origin="http://north.localhost", actor=SYSTEM)
    first = sent_link()
    links.ask_reset(email="officer@north.example", origin="http://north.localhost", actor=SYSTEM)
    second = sent_link()

    with pytest.raises(LinkRefused):
        links.link_of(first)
    assert links.link_of(second)


# ---- passwords


@pytest.mark.parametrize(
    "password", ["qwertyuiop", "Password2026!", "P@ssw0rd2026", "12Liverpool34", "sunshinesunshine", "vouchvouch1", "officer@north.example"]
)
def test_a_password_that_is_guessed_first_is_refused(in_north: House, password: str) -> None:
    with pytest.raises(PasswordRefused):
        services.change_password(user=person(), current=PASSWORD, new=password, actor=SYSTEM)


@pytest.mark.parametrize("password", ["a" * 60 + "bcdef", "koala rides sundays", "1984-03-11 22:15 Mombasa", "zxqwvbnmlk"])
def test_no_rule_of_composition_stands_against_a_password(in_north: House, password: str) -> None:
    services.change_password(user=person(), current=PASSWORD, new=password, actor=SYSTEM)

    assert person().check_password(password)


@contextmanager
def counted_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    found: list[str] = []
    for hasher in {type(one) for one in hashers.get_hashers()}:
        encode = hasher.encode

        def counting(self: Any, password: str, *rest: Any, encode: Any = encode, **named: Any) -> Any:
            found.append(password)
            return encode(self, password, *rest, **named)

        monkeypatch.setattr(hasher, "encode", counting)
    yield found


@pytest.mark.parametrize("email", ["officer@north.example", "nobody@north.example", "invited@north.example", "off@north.example"])
def test_a_failed_login_costs_one_hash_whoever_was_asked_for(in_north: House, email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    links.invite_person(email="invited@north.example", role=Role.VIEWER, actor=SYSTEM)
    off = services.create_user(email="off@north.example", role=Role.VIEWER, password=PASSWORD, actor=SYSTEM)
    services.change_user(user_id=off.id, is_active=False, actor=SYSTEM)

    with counted_hashes(monkeypatch) as found, pytest.raises(LoginRefused):
        services.check_login(email=email, password="wrong", actor=SYSTEM)

    assert len(found) == 1


def test_the_operator_resets_the_factor_of_an_only_administrator(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        with_app(person(Role.ADMIN))

    call_command("reset_second_factor", house.slug, house.users["admin"].email)
    with pytest.raises(CommandError, match="no such user"):
        call_command("reset_second_factor", house.slug, "nobody@p.example")

    with tenant_context(house.partner):
        assert not second_factor.factors_of(person(Role.ADMIN)).is_set_up
        assert Event.objects.get(action=Action.SECOND_FACTOR_RESET).actor_kind == "operator"
