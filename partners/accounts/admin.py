"""People and keys in the admin: who may do what, and whose second factor is set up; keys can be revoked."""

import uuid
from typing import Any, ClassVar

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as said
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import Button, ReadOnly, column, deed
from audit.days import id_of
from partners.accounts.errors import ApiKeyUnknown
from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Permission, Role
from partners.accounts.services import revoke_api_key
from partners.accounts.web.access import actor_of

_STATES: dict[str, Any] = {"active": _("active"), "ending": _("ending"), "expired": _("expired"), "revoked": _("revoked")}
_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class UserAdmin(ReadOnly):
    """People, their roles, and whether a second factor stands before what they may do."""

    permission = Permission.USER_READ
    title = _("People")
    about = _("Who may do what, and whose second factor is set up. They are changed on the page of the team.")
    list_display = (
        column(_("Name"), lambda user: user.name),
        column(_("E-mail address"), lambda user: user.email),
        column(_("Role"), lambda user: Role(user.role).label),
        column(_("Second factor"), lambda user: _("set up") if user.has_factor else _("not set up")),
        column(_("Access"), lambda user: _("on") if user.is_active else _("off")),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Last signed in"), lambda user: user.last_login),
        column(_("Since"), lambda user: user.created_at),
    )
    ordering = ("email",)
    search_fields = ("email",)
    search_help_text = _("An e-mail address, whole.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With whether they have a second factor."""
        has_factor = Exists(Authenticator.objects.filter(user_id=OuterRef("id"), type__in=_FACTORS))
        found: QuerySet[Any] = super().get_queryset(request).annotate(has_factor=has_factor)
        return found

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By address."""
        return found.filter(email=term.lower())


class ApiKeyAdmin(ReadOnly):
    """Keys; whoever manages keys may revoke one here."""

    permission = Permission.RECORD_READ
    title = _("API keys")
    about = _("What machines act with. Of a key only its last four characters are known.")
    list_display = (
        column(_("Name"), lambda key: str(key)),
        column(_("State"), lambda key: _STATES[key.state(timezone.now())]),
        column(_("Made by"), lambda key: key.created_by),
        column(_("Since"), lambda key: key.created_at),
        column(_("Last used"), lambda key: key.last_used_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("May"), lambda key: ", ".join(key.scopes)),
        column(_("Expires"), lambda key: key.expires_at),
        column(_("Revoked"), lambda key: key.revoked_at),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of a key.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id."""
        return found.none() if (key_id := id_of(term)) is None else found.filter(id=key_id)

    def get_urls(self) -> list[URLPattern]:
        """And revoking."""
        revoke = self.admin_site.admin_view(deed(self.revoke))
        return [*super().get_urls(), path("<uuid:object_id>/revoke/", revoke, name=self.route("revoke"))]

    def deeds(self, request: HttpRequest, row: Any) -> list[Button]:
        """Revoking what still works."""
        if row.revoked_at is not None or not _may_revoke(request):
            return []
        return [Button(reverse(f"admin:{self.route('revoke')}", args=[row.id]), _("Revoke this key"))]

    def revoke(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Asks first, then revokes through the service, which records it."""
        if not _may_revoke(request):
            raise PermissionDenied
        key = ApiKey.objects.filter(id=object_id, revoked_at=None).first()
        if key is None:
            raise Http404
        address = reverse(f"admin:{self.route('change')}", args=[object_id])
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request), "title": said("Revoke this key"), "row": key, "back": address, "kind": self.title,
                "list": self.address, "text": said("It opens nothing any more, at once and for good."),
            }  # fmt: skip
            return TemplateResponse(request, "admin/confirm.html", context)
        try:
            revoke_api_key(key_id=object_id, actor=actor_of(request, request.user))  # type: ignore[arg-type]
        except ApiKeyUnknown as gone:
            raise Http404 from gone
        messages.success(request, said("The key was revoked."))
        return HttpResponseRedirect(address)


def _may_revoke(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.allows(Permission.KEY_MANAGE)
