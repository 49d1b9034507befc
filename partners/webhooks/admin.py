"""Webhook endpoints in the admin: who is told of what; looked at, never changed."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import ReadOnly, column
from audit.days import id_of


class EndpointAdmin(ReadOnly):
    """Where events go, without the secrets that sign them."""

    permission = "record.read"
    title = _("Webhook endpoints")
    about = _("Programs that are told of events. They are changed on the page of the developers.")
    list_display = (
        column(_("Address"), lambda endpoint: endpoint.url),
        column(_("State"), lambda endpoint: _state(endpoint)),
        column(_("Told of"), lambda endpoint: ", ".join(endpoint.event_types)),
        column(_("Made by"), lambda endpoint: endpoint.created_by),
        column(_("Since"), lambda endpoint: endpoint.created_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Description"), lambda endpoint: endpoint.description),
        column(_("Failing since"), lambda endpoint: endpoint.failing_since),
        column(_("Paused"), lambda endpoint: endpoint.paused_at),
        column(_("Removed"), lambda endpoint: endpoint.deleted_at),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of an endpoint.")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Without the secrets."""
        return super().get_queryset(request).defer("sealed_secret", "sealed_previous")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id."""
        return found.none() if (endpoint_id := id_of(term)) is None else found.filter(id=endpoint_id)


def _state(endpoint: Any) -> Any:
    if endpoint.deleted_at is not None:
        return _("removed")
    return _("paused") if endpoint.paused_because else _("on")
