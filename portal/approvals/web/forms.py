"""The form of one application: who asks for how much, and what the product's contract asks."""

import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from partners.codes import CURRENCIES
from partners.errors import MoneyRefused
from partners.money import to_minor
from portal.approvals.errors import MoveDetailsRefused
from portal.approvals.services.applications import Asked
from portal.approvals.services.queue import checked_tags
from scoring.engine.contract import Input, Validator
from scoring.engine.product import Product
from scoring.web.forms import ScoreForm

_GROUPED, _GROUPS = re.compile(r"\d{1,3}(?:([,\s])\d{3})+(\.\d+)?"), re.compile(r"[\s,]")
_AMOUNTS = frozenset({"loan_amount", "amount", "amount_requested"})
_TEXT = {"class": "form-control w-m", "autocomplete": "off"}


class ApplicationForm(ScoreForm):
    """Also an amount and tags."""

    amount = forms.CharField(
        label=gettext_lazy("Amount asked for"), max_length=30,
        widget=forms.TextInput(attrs={**_TEXT, "class": "form-control w-s", "inputmode": "decimal"}),
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), widget=forms.Select(attrs={"class": "form-select w-s"}))
    tags = forms.CharField(
        label=gettext_lazy("Tags"), max_length=400, required=False, widget=forms.TextInput(attrs=_TEXT),
        help_text=gettext_lazy("Small letters, digits and -, with spaces between: second-loan nairobi."),
    )

    def __init__(self, product: Product, *arguments: Any, currency: str, **named: Any) -> None:
        super().__init__(product, *arguments, **named)
        choices = [(currency, currency), *((one, one) for one in sorted(CURRENCIES) if one != currency)]
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        self.amount_input = next((name for name, one in self.asked.items() if one.name in _AMOUNTS and one.unit in CURRENCIES), None)
        if self.amount_input is not None:    # nobody types the same amount twice
            unit = str(self.asked[self.amount_input].unit)
            choices, currency = [(unit, unit)], unit
            del self.fields[self.amount_input]
        field.choices = choices
        field.initial = currency

    def typed(self, name: str, one: Input) -> str:
        """What was typed; the contract's amount is the one that is asked for."""
        return _ungrouped(str(self.data.get("amount", ""))) if name == self.amount_input else super().typed(name, one)

    def add_error(self, field: str | None, error: Any) -> None:
        """A fault of the contract's amount is one of the amount, told once."""
        if field is not None and field == self.amount_input:
            if "amount" in self.errors:
                return
            field = "amount"
        super().add_error(field, error)

    def about_inputs(self) -> Iterator[forms.BoundField]:
        """The fields of the contract that are asked besides the amount."""
        return (self[name] for name in self.asked if name != self.amount_input)

    def about_request(self) -> Iterator[forms.BoundField]:
        """The fields about the money."""
        return (self[name] for name in ("amount", "currency", "tags"))

    def request_of(self, validator: Validator, product_slug: str, language: str) -> Asked | None:
        """What is asked for, or None: then the form's errors say what to correct."""
        item = self.read(validator)
        minor, tags = self._minor(), self._tags()
        if item is None or minor is None or tags is None:
            return None
        return Asked(product_slug, item.applicant, item.values, minor, self.cleaned_data["currency"], language, tags)

    def _minor(self) -> int | None:
        typed, currency = self.cleaned_data.get("amount", ""), self.cleaned_data.get("currency", "")
        if not typed or not currency:
            return None
        try:
            return to_minor(_ungrouped(typed), currency)
        except MoneyRefused as refusal:
            for name, detail in refusal.fields.items():
                self.add_error(name if name in self.fields else None, detail)
            return None

    def _tags(self) -> list[str] | None:
        try:
            return checked_tags(self.cleaned_data.get("tags", "").replace(",", " ").split())
        except MoveDetailsRefused as refusal:
            self.add_error("tags", refusal.detail)
            return None


def _ungrouped(text: str) -> str:
    """People group thousands: 60 000 and 60,000 are 60000 here."""
    text = text.strip()
    return _GROUPS.sub("", text) if _GROUPED.fullmatch(text) else text
