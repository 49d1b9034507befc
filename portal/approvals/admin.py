"""Applications in the admin: what was asked and how it ended; looked at, never changed."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import ReadOnly, column


class ApplicationAdmin(ReadOnly):
    """Applications without what is sealed in them."""

    permission = "decision.read"
    title = _("Applications")
    about = _("What was asked for and how it ended. People decide on the portal's own pages.")
    list_display = (
        column(_("Number"), lambda application: application.number),
        column(_("Product"), lambda application: application.product.slug),
        column(_("State"), lambda application: application.get_state_display()),
        column(_("Since"), lambda application: application.created_at),
        column(_("Decided"), lambda application: application.decided_at),
        column(_("Letter due"), lambda application: application.notice_due_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Decision"), lambda application: application.decision_id),
        column(_("Letter sent"), lambda application: application.notice_sent_at),
        column(_("Revision"), lambda application: application.revision),
    )
    ordering = ("-id",)
    list_select_related: ClassVar[Any] = ("product",)
    search_fields = ("number",)
    search_help_text = _("The number of an application.")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Those that were scored, without what is sealed."""
        return super().get_queryset(request).exclude(decision=None).defer("sealed_request", "product__definition")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By number."""
        return found.filter(number=term)
