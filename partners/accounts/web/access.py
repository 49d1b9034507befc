"""What every page asks first: is this a partner's host, is somebody signed in, and may they see this."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views import View

from audit.context import Actor, ActorKind
from partners.accounts.authentication import client_address
from partners.accounts.errors import SignedOut
from partners.accounts.models import User
from partners.accounts.roles import Permission


class Page(View):
    """A page of a partner for people who hold `permission`; None is for whoever is signed in. Some are for operators too."""

    permission: ClassVar[Permission | None] = None
    is_for_operators: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        """Sends strangers to sign in; refuses people without the permission. Raises SignedOut for a form, so that it is not lost."""
        if request.partner is None and not self.is_for_operators:  # type: ignore[attr-defined]
            raise Http404
        if not request.user.is_authenticated:
            if request.method == "POST":
                raise SignedOut
            return HttpResponseRedirect(f"{reverse('accounts:login')}?{urlencode({'next': request.get_full_path()})}")
        if self.permission is not None and not self.user.allows(self.permission):
            raise PermissionDenied
        with timezone.override(self.user.time_zone):
            response = super().dispatch(request, *arguments, **named)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @property
    def user(self) -> User:
        """The person who is signed in."""
        assert isinstance(self.request.user, User)
        return self.request.user

    @property
    def actor(self) -> Actor:
        """The person as the record knows them."""
        return actor_of(self.request, self.user)


def actor_of(request: HttpRequest, user: User | None = None) -> Actor:
    """Who acts through this request; somebody unknown while nobody is signed in."""
    address, request_id = client_address(request.META), str(getattr(request, "request_id", ""))
    if user is None:
        return Actor(kind="system", label="Sign-in page", address=address, request_id=request_id)
    kind: ActorKind = "user" if request.partner is not None else "operator"  # type: ignore[attr-defined]
    return Actor(kind, str(user.id), user.name, user.role, address, request_id, user.token_epoch)
