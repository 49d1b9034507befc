"""From a password to a signed-in browser: who is expected with a second factor, who comes in, and whose session it is."""

import time
import uuid
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from partners.accounts.errors import SecondFactorMissing, SecondFactorNeeded
from partners.accounts.models import Session, User
from partners.accounts.sign_in import begin_session, session_of
from partners.accounts.web.access import actor_of

BACKEND = "django.contrib.auth.backends.ModelBackend"
EXPECTED_SECONDS = 600
BACKGROUND = "HTTP_X_VOUCH_BACKGROUND"    # a page that looks again by itself does not keep its person signed in
_SESSION, _EXPECTED = "sign_in", "expected"


def person_of(request: HttpRequest) -> User | AnonymousUser:
    """Who is signed in, while their session is open; an ended one leaves nothing behind."""
    kept = request.session.get(_SESSION)
    if kept is None:
        return AnonymousUser()
    session = session_of(uuid.UUID(kept), is_use=BACKGROUND not in request.META)
    if session is None or session.channel != Session.Channel.PAGE:
        request.session.flush()
        return AnonymousUser()
    return session.user


def session_id_of(request: HttpRequest) -> uuid.UUID:
    """The session of who is signed in."""
    return uuid.UUID(request.session[_SESSION])


def go_on(request: HttpRequest, user: User) -> HttpResponseRedirect:
    """Where somebody goes whose password was right: in, or to what else is asked for."""
    try:
        return come_in(request, user, Session.Factor.PASSWORD)
    except SecondFactorNeeded:
        step = "accounts:code"
    except SecondFactorMissing:
        step = "accounts:factor-new"
    wanted = wanted_of(request)
    request.session.flush()
    until = time.time() + EXPECTED_SECONDS
    request.session[_EXPECTED] = {"user": str(user.id), "epoch": user.token_epoch, "until": until, "wanted": wanted}
    return HttpResponseRedirect(reverse(step))


def expected(request: HttpRequest) -> User | None:
    """Whose password was right within the last ten minutes, and who is not in yet."""
    kept: dict[str, Any] = request.session.get(_EXPECTED) or {"until": 0.0}
    if kept["until"] < time.time():
        return None
    return User.objects.filter(id=kept["user"], token_epoch=kept["epoch"], is_active=True).first()


def come_in(request: HttpRequest, user: User, factor: Session.Factor) -> HttpResponseRedirect:
    """Signed in, on the way to the page that was wanted. Raises what `begin_session` raises."""
    wanted = wanted_of(request)
    agent = request.META.get("HTTP_USER_AGENT", "")
    session = begin_session(user=user, factor=factor, channel=Session.Channel.PAGE, actor=actor_of(request), agent=agent)
    request.session.flush()
    login(request, session.user, backend=BACKEND)
    request.session[_SESSION] = str(session.id)
    return HttpResponseRedirect(wanted)


def wanted_of(request: HttpRequest) -> str:
    """Where to go after signing in: a page of this host, never another's."""
    kept = (request.session.get(_EXPECTED) or {}).get("wanted", "")
    wanted = request.POST.get("next") or request.GET.get("next") or kept
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    home = "portal:overview" if request.partner is not None else "admin:index"  # type: ignore[attr-defined]
    return wanted if is_ours else reverse(home)
