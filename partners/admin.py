"""Partners and exchange rates in the operators' admin."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
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


class ExchangeRateAdmin(ReadOnly):
    """What one currency is worth in another."""

    permission = Permission.RECORD_READ
    title = _("Exchange rates")
    about = _("What one currency is worth in another, from a day on until the next row. They are set by bringing a file.")
    key_kind = "int"
    list_display = (
        column(_("Rate"), lambda rate: str(rate)),
        column(_("From the day"), lambda rate: rate.valid_from),
        column(_("Source"), lambda rate: rate.source),
        column(_("Set by"), lambda rate: rate.set_by),
    )
    fields: ClassVar[Any] = (*list_display, column(_("Time"), lambda rate: rate.set_at))
    ordering = ("base", "quote", "-valid_from")
    search_fields = ("base",)
    search_help_text = _("A currency (KES), or two (KES EUR).")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By currency, or by both."""
        base, _space, quote = term.upper().partition(" ")
        return found.filter(base=base, quote=quote) if quote else found.filter(Q(base=base) | Q(quote=base))
