"""Exports in the admin: what was taken away, by whom; looked at, never changed."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import ReadOnly, column
from audit.days import id_of


class ExportAdmin(ReadOnly):
    """Files that people and keys asked for; what they were narrowed to is sealed."""

    permission = "record.read"
    title = _("Exports")
    about = _("Lists that were taken away as files, by whom, and what became of each. They are asked for on the portal's own page.")
    list_display = (
        column(_("List"), lambda export: f"{export.list}.{export.kind}"),
        column(_("State"), lambda export: export.state),
        column(_("Asked by"), lambda export: (export.body.get("actor") or {}).get("label", export.owner_kind)),
        column(_("Rows"), lambda export: export.rows),
        column(_("Since"), lambda export: export.created_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Names applicants"), lambda export: _("yes") if export.with_applicants else _("no")),
        column(_("Bytes"), lambda export: export.size_bytes),
        column(_("Ended"), lambda export: export.finished_at),
        column(_("File gone"), lambda export: export.forgotten_at),
        column(_("Problem"), lambda export: export.problem),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of an export.")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Without what is sealed."""
        return super().get_queryset(request).defer("sealed_filters")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id."""
        return found.none() if (export_id := id_of(term)) is None else found.filter(id=export_id)
