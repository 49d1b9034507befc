"""Passkeys: what a browser is asked and how its answer is checked, bound to the partner's own host by allauth and fido2."""

import json
import uuid
from typing import Any

from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from fido2.utils import websafe_decode

from partners.accounts.errors import CodeRefused
from partners.accounts.models import User

LONGEST = 20_000    # characters of a browser's answer
_WRONG = (ValueError, TypeError, KeyError, AttributeError, ValidationError)


def creation_options(request: HttpRequest, user: User) -> dict[str, Any]:
    """What a browser needs to make a passkey; its challenge is kept in the session."""
    with request_context(request):
        options: dict[str, Any] = auth.begin_registration(user, passwordless=True)
        return options


def created(request: HttpRequest, text: str) -> dict[str, Any]:
    """The new passkey that a browser made after `creation_options`. Raises CodeRefused."""
    try:
        with request_context(request):
            credential = _parsed(text)
            auth.complete_registration(credential)
            auth.parse_registration_response(credential)
    except _WRONG as error:
        raise CodeRefused("The passkey could not be read: try it again.") from error
    return credential


def request_options(request: HttpRequest, user: User | None) -> dict[str, Any]:
    """What a browser needs to show a passkey of this user, or of whoever it knows; it is always asked to check the person."""
    with request_context(request):
        options: dict[str, Any] = auth.begin_authentication(user)
        return options


def shown_by(request: HttpRequest, text: str, user: User | None = None) -> User:
    """Whose passkey the browser showed after `request_options`. Raises CodeRefused, also for one that is not this `user`'s."""
    try:
        with request_context(request):
            credential = _parsed(text)
            person = user or _holder(credential)
            authenticator: Authenticator = auth.complete_authentication(person, credential)
            authenticator.record_usage()
    except _WRONG as error:
        raise CodeRefused("This passkey opens nothing here: try another way.") from error
    return person


def _parsed(text: str) -> dict[str, Any]:
    credential = json.loads(text[:LONGEST])
    if not isinstance(credential, dict):
        raise ValueError("a credential is an object")
    return credential


def _holder(credential: dict[str, Any]) -> User:
    """Whom the passkey says it belongs to; its signature is checked against theirs."""
    holder = uuid.UUID(bytes=websafe_decode(credential["response"]["userHandle"]))
    found = User.objects.filter(id=holder, is_active=True).first()
    if found is None:
        raise ValueError("nobody has this passkey")
    return found
