"""Signing in, people and keys over HTTP."""

import uuid
from dataclasses import replace
from datetime import timedelta

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from partners.accounts import links, second_factor, selectors, services, tokens
from partners.accounts.api.answers import (
    ApiKeyList,
    ApiKeyMade,
    ApiKeyRequest,
    ApiKeyRotation,
    InvitationMade,
    InvitationRenewal,
    InvitationRequest,
    PasswordRequest,
    RefreshRequest,
    RoleList,
    TokenRequest,
    Tokens,
    User,
    UserChange,
    UserList,
    UserRequest,
    api_key_made,
    api_key_of,
    role_of,
    tokens_of,
    user_of,
)
from partners.accounts.authentication import client_address
from partners.accounts.errors import ApiKeyUnknown, UserUnknown
from partners.accounts.keys import digest_of
from partners.accounts.models import User as Person
from partners.accounts.roles import Permission, Role
from partners.accounts.sign_in import sign_in_for_tokens
from partners.api.bodies import decode, read_body
from partners.api.description import described, path
from partners.api.errors import PermissionMissing
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import read_query
from partners.api.views import ApiView, OpenView, answer, answer_bytes, identifier, principal_of
from partners.zones import zone_of

_USER = (path("user_id", "The person.", type="string", format="uuid"),)
_KEY = (path("key_id", "The key.", type="string", format="uuid"),)


class TokenView(OpenView):
    """Signing in."""

    @described("Sign in", operation="token_create", takes=TokenRequest, gives=Tokens, refuses=(401, 403), is_open=True)
    def post(self, request: Request) -> HttpResponse:
        """A pair of tokens for the person's address, password and, where their role needs it or they set one up, code. Each login is its
        own, also under an Idempotency-Key: an answer kept for one would open the door to whoever knows the key, past the password and the
        lockout."""
        asked = decode(read_body(request), TokenRequest)
        stranger, agent = _stranger(request), str(request.META.get("HTTP_USER_AGENT", ""))
        person = services.check_login(email=asked.email, password=asked.password, actor=stranger)
        return answer(tokens_of(sign_in_for_tokens(user=person, otp=asked.otp, actor=stranger, agent=agent)))


class RefreshView(OpenView):
    """Staying signed in."""

    @described("Get the next tokens", operation="token_refresh", takes=RefreshRequest, gives=Tokens, refuses=(401,), is_open=True)
    def post(self, request: Request) -> HttpResponse:
        """The next pair; the refresh token is used up. Using it again later ends this login: its access token within minutes."""
        raw = read_body(request)
        asked = decode(raw, RefreshRequest)

        def perform() -> bytes:
            return msgspec.json.encode(tokens_of(tokens.refresh_tokens(asked.refresh, actor=_stranger(request))))

        holder = replace(_stranger(request), id=digest_of(asked.refresh).hex())  # one holder's key is nothing to another
        attempt = attempt_of(request, route="POST /api/v1/auth/refresh", actor=holder, body=raw)
        return answer_once(attempt, status=200, perform=perform)


class LogoutView(ApiView):
    """Signing out."""

    permissions = {"POST": None}

    @described("Sign out", operation="token_end", takes=RefreshRequest, status=204)
    def post(self, request: Request) -> HttpResponse:
        """The login that this refresh token belongs to has ended."""
        raw = read_body(request)
        asked = decode(raw, RefreshRequest)
        person, actor = _person(request), principal_of(request).actor

        def perform() -> bytes:
            tokens.end_family(asked.refresh)
            services.record_logout(user=person, actor=actor)
            return b""

        return answer_once(attempt_of(request, route="POST /api/v1/auth/logout", actor=actor, body=raw), status=204, perform=perform)


class ChangePasswordView(ApiView):
    """One's own password."""

    permissions = {"POST": None}

    @described("Change your password", operation="password_change", takes=PasswordRequest, status=204)
    def post(self, request: Request) -> HttpResponse:
        """The password is the new one; every token of before has ended."""
        raw = read_body(request)
        asked = decode(raw, PasswordRequest)
        person, actor = _person(request), principal_of(request).actor

        def perform() -> bytes:
            services.change_password(user=person, current=asked.current, new=asked.new, actor=actor)
            return b""

        attempt = attempt_of(request, route="POST /api/v1/auth/change-password", actor=actor, body=raw)
        return answer_once(attempt, status=204, perform=perform)


class UsersView(ApiView):
    """People."""

    permissions = {"GET": Permission.USER_READ, "POST": Permission.USER_MANAGE}

    @described("List people", operation="user_list", gives=UserList)
    def get(self, request: Request) -> HttpResponse:
        """Everybody who works or worked for the partner."""
        read_query(request, {})
        return answer(UserList([user_of(person) for person in selectors.users()]))

    @described("Let a person in", operation="user_create", takes=UserRequest, gives=User, status=201, refuses=(409,))
    def post(self, request: Request) -> HttpResponse:
        """The person can sign in."""
        raw = read_body(request)
        asked, actor = decode(raw, UserRequest, also=services.faults_of_person), principal_of(request).actor

        def perform() -> bytes:
            wanted = {**msgspec.structs.asdict(asked), "time_zone": asked.time_zone or zone_of(_country(request))}
            return msgspec.json.encode(user_of(services.create_user(**wanted, actor=actor)))

        return answer_once(attempt_of(request, route="POST /api/v1/users", actor=actor, body=raw), status=201, perform=perform)


def _country(request: Request) -> str:
    return str(request._request.partner.country)  # type: ignore[attr-defined]


class UserView(ApiView):
    """One person."""

    permissions = {"GET": Permission.USER_READ, "PATCH": Permission.USER_MANAGE}

    @described("Look at one person", operation="user_read", gives=User, refuses=(404,), parameters=_USER)
    def get(self, request: Request, user_id: str) -> HttpResponse:
        """The person."""
        return answer(user_of(selectors.user(_user_id(user_id))))

    @described(
        "Change a person's role or access", operation="user_change", takes=UserChange, gives=User, refuses=(404, 409), parameters=_USER
    )
    def patch(self, request: Request, user_id: str) -> HttpResponse:
        """The person has this role and access; every token of theirs has ended."""
        asked = decode(read_body(request, may_be_empty=True), UserChange, also=services.faults_of_person)
        changed = services.change_user(
            user_id=_user_id(user_id), role=asked.role, is_active=asked.is_active, actor=principal_of(request).actor
        )
        return answer(user_of(changed))


class SecondFactorView(ApiView):
    """A person's second factor."""

    permissions = {"DELETE": Permission.USER_MANAGE}

    @described("Reset a person's second factor", operation="user_second_factor_reset", status=204, refuses=(404, 409), parameters=_USER)
    def delete(self, request: Request, user_id: str) -> HttpResponse:
        """The person has none, and every session and token of theirs has ended; at the next sign-in they set up another."""
        second_factor.reset_factors(user_id=_user_id(user_id), actor=principal_of(request).actor)
        return answer_bytes(b"", status=204)


class InvitationsView(ApiView):
    """People who do not know a password yet."""

    permissions = {"POST": Permission.USER_MANAGE}

    @described("Invite a person", operation="invitation_create", takes=InvitationRequest, gives=InvitationMade, status=201, refuses=(409,))
    def post(self, request: Request) -> HttpResponse:
        """The person may join by the link, once, within a week: hand it over. Nobody else knows their password."""
        raw = read_body(request)
        asked, actor = decode(raw, InvitationRequest, also=services.faults_of_person), principal_of(request).actor

        def perform() -> bytes:
            wanted = {**msgspec.structs.asdict(asked), "time_zone": asked.time_zone or zone_of(_country(request))}
            return _invitation(request, links.invite_person(**wanted, actor=actor))

        attempt = attempt_of(request, route="POST /api/v1/invitations", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform, kept=_without_link)


class InvitationView(ApiView):
    """Another link for somebody who has not joined."""

    permissions = {"POST": Permission.USER_MANAGE}

    @described(
        "Invite a person again", operation="invitation_renew", takes=InvitationRenewal, gives=InvitationMade, status=201, refuses=(404,),
        parameters=_USER,
    )  # fmt: skip
    def post(self, request: Request, user_id: str) -> HttpResponse:
        """A new link; the earlier one opens nothing any more."""
        raw = read_body(request, may_be_empty=True)
        decode(raw, InvitationRenewal)
        actor = principal_of(request).actor

        def perform() -> bytes:
            return _invitation(request, links.invite_again(user_id=_user_id(user_id), actor=actor))

        attempt = attempt_of(request, route=f"POST /api/v1/users/{user_id}/invitation", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform, kept=_without_link)


def _invitation(request: Request, made: links.Invitation) -> bytes:
    link = request._request.build_absolute_uri(f"/link/{made.token}")
    return msgspec.json.encode(InvitationMade(user_of(made.user), link, made.expires_at))


def _without_link(answered: bytes) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(answered, type=InvitationMade), link=None))


class RolesView(ApiView):
    """Roles."""

    permissions = {"GET": Permission.USER_READ}

    @described("List roles", operation="role_list", gives=RoleList)
    def get(self, request: Request) -> HttpResponse:
        """Every role with what its people may do."""
        read_query(request, {})
        return answer(RoleList([role_of(role) for role in Role]))


class ApiKeysView(ApiView):
    """Keys."""

    permissions = {"GET": Permission.KEY_MANAGE, "POST": Permission.KEY_MANAGE}

    @described("List keys", operation="api_key_list", gives=ApiKeyList)
    def get(self, request: Request) -> HttpResponse:
        """Every key, without its secret."""
        read_query(request, {})
        return answer(ApiKeyList([api_key_of(key) for key in selectors.api_keys()]))

    @described("Make a key", operation="api_key_create", takes=ApiKeyRequest, gives=ApiKeyMade, status=201)
    def post(self, request: Request) -> HttpResponse:
        """A key, with its secret for the only time: the same call again, with the same Idempotency-Key, tells which key it was."""
        raw = read_body(request)
        asked, actor = decode(raw, ApiKeyRequest, also=services.faults_of_api_key), principal_of(request).actor

        def perform() -> bytes:
            made = services.create_api_key(name=asked.name, scopes=asked.scopes, expires_at=asked.expires_at, actor=actor)
            return msgspec.json.encode(api_key_made(made))

        attempt = attempt_of(request, route="POST /api/v1/api-keys", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform, kept=_without_secret)


class ApiKeyView(ApiView):
    """One key."""

    permissions = {"DELETE": Permission.KEY_MANAGE}

    @described("Revoke a key", operation="api_key_revoke", status=204, refuses=(404,), parameters=_KEY)
    def delete(self, request: Request, key_id: str) -> HttpResponse:
        """The key opens nothing any more."""
        services.revoke_api_key(key_id=_key_id(key_id), actor=principal_of(request).actor)
        return answer_bytes(b"", status=204)


class ApiKeyRotationView(ApiView):
    """A key's successor."""

    permissions = {"POST": Permission.KEY_MANAGE}

    @described(
        "Rotate a key", operation="api_key_rotate", takes=ApiKeyRotation, gives=ApiKeyMade, status=201, refuses=(404,), parameters=_KEY
    )
    def post(self, request: Request, key_id: str) -> HttpResponse:
        """A new key that does what the old one does; both work until the overlap ends."""
        raw = read_body(request, may_be_empty=True)
        asked, actor, old = decode(raw, ApiKeyRotation), principal_of(request).actor, _key_id(key_id)

        def perform() -> bytes:
            overlap = timedelta(seconds=asked.overlap_seconds)
            return msgspec.json.encode(api_key_made(services.rotate_api_key(key_id=old, overlap=overlap, actor=actor)))

        route = f"POST /api/v1/api-keys/{old}/rotate"
        return answer_once(attempt_of(request, route=route, actor=actor, body=raw), status=201, perform=perform, kept=_without_secret)


def _without_secret(body: bytes) -> bytes:
    """What is kept of an answer that shows a key: a secret is stored nowhere."""
    return msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(body, type=ApiKeyMade), secret=None))


def _stranger(request: Request) -> Actor:
    """Somebody who has not said yet who they are."""
    http = request._request
    return Actor(kind="system", address=client_address(http.META), request_id=str(getattr(http, "request_id", "")))


def _person(request: Request) -> Person:
    person = principal_of(request).user
    if person is None:
        raise PermissionMissing("This is for people; a key has no password and never signs in.")
    return person


def _user_id(text: str) -> uuid.UUID:
    user_id = identifier(text)
    if user_id is None:
        raise UserUnknown
    return user_id


def _key_id(text: str) -> uuid.UUID:
    key_id = identifier(text)
    if key_id is None:
        raise ApiKeyUnknown
    return key_id
