"""Partners in the operators' admin."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import ReadOnly, column
from partners.accounts.roles import Permission


class PartnerAdmin(ReadOnly):
    """Who decides with Vouch; nothing of what they decide."""

    permission = Permission.RECORD_READ
    title = _("Partners")
    about = _("Who decides with Vouch. What they decide is theirs, and not here.")
    key_kind = "int"
    list_display = (
        column(_("Name"), lambda partner: partner.name),
        column(_("Slug"), lambda partner: partner.slug),
        column(_("Country"), lambda partner: partner.country),
        column(_("Plan"), lambda partner: partner.plan),
        column(_("Access"), lambda partner: _("on") if partner.is_active else _("off")),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Currency"), lambda partner: partner.currency),
        column(_("Since"), lambda partner: partner.created_at),
    )
    ordering = ("slug",)
    search_fields = ("slug",)
    search_help_text = _("A slug.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By slug."""
        return found.filter(slug=term.lower())
