"""The form of one applicant, made from the product's contract."""

import re
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.accounts.web.told import told
from scoring.engine.contract import ContractViolation, Input, InputKind, Validator, Value, pointer
from scoring.engine.product import Product
from scoring.services.score import ApplicantDetails, ScoreItem
from scoring.web.written import in_page_language, language_of_page, named, number_words

EXAMPLES = 5
_SPACED = re.compile(r"-?\d{1,3}(\s\d{3})+(\.\d+)?")    # any space, also those that do not break
_COMMAS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_TEXT = {"class": "form-control w-m", "autocomplete": "off"}


class ScoreForm(forms.Form):
    """Who asks, and the contract's inputs. `token` makes a double submit one decision."""

    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    reference = forms.CharField(
        label=gettext_lazy("Your reference"), max_length=100, widget=forms.TextInput(attrs=_TEXT),
        help_text=gettext_lazy("Your own name or number for the applicant; the same reference means the same person."),
    )
    name = forms.CharField(label=gettext_lazy("Full name"), max_length=200, required=False, widget=forms.TextInput(attrs=_TEXT))
    phone = forms.CharField(
        label=gettext_lazy("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={**_TEXT, "inputmode": "tel"})
    )
    national_id = forms.CharField(label=gettext_lazy("National ID"), max_length=60, required=False, widget=forms.TextInput(attrs=_TEXT))
    birth_date = forms.DateField(
        label=gettext_lazy("Date of birth"), required=False,
        widget=forms.DateInput(attrs={"class": "form-control w-s", "type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, product: Product, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        spoken = in_page_language(product)
        self.optional = {name for name, field in self.fields.items() if not field.required}
        asked = enumerate(spoken.contract.inputs)
        self.asked = {f"input_{place}": one for place, one in asked if not one.is_protected and one.kind is not InputKind.EVENTS}
        for name, one in self.asked.items():
            self.fields[name] = field_of(one, spoken)
            self.fields[name].widget.attrs["data-input"] = one.name
            self.optional |= set() if one.required else {name}
        for name, field in self.fields.items():
            field.widget.attrs["id"] = f"id_{name}"

    def typed(self, name: str, one: Input) -> str:
        """What was typed."""
        return ungrouped(str(self.data.get(name, "")), one)

    def about_applicant(self) -> Iterator[forms.BoundField]:
        """The fields about the person."""
        return (self[name] for name in ("reference", "name", "phone", "national_id", "birth_date"))

    def about_inputs(self) -> Iterator[forms.BoundField]:
        """The fields of the contract."""
        return (self[name] for name in self.asked)

    def read(self, validator: Validator) -> ScoreItem | None:
        """The applicant as scoring takes it, or None: then the form's errors say what to correct."""
        is_valid = self.is_valid()
        values: dict[str, Value] = {}
        try:
            values = validator.check_text({one.name: self.typed(name, one) for name, one in self.asked.items()})
        except ContractViolation as violation:
            places = {pointer(one.name): name for name, one in self.asked.items()}
            for problem in violation.problems:
                place = places.get(problem.pointer)
                self.add_error(place, told(problem.detail) if place else named(problem.pointer[1:], told(problem.detail)))
            is_valid = False
        return ScoreItem(self._details(), values) if is_valid else None

    @property
    def said(self) -> bytes:
        """Everything that was typed, so that the same token with other answers is noticed."""
        return urlencode(sorted((name, self.data.get(name, "")) for name in self.fields)).encode()

    def ask_again(self, why: str) -> None:
        """The form says why it is shown again, keeps what was typed and has a token of its own."""
        self.data = {**self.data.dict(), "token": str(uuid.uuid4())} if isinstance(self.data, QueryDict) else self.data
        self.add_error(None, why)

    def _details(self) -> ApplicantDetails:
        said = {name: self.cleaned_data[name] or None for name in ("name", "phone", "national_id")}
        born: date | None = self.cleaned_data["birth_date"]
        return ApplicantDetails(reference=self.cleaned_data["reference"], birth_date=born, **said)


def ungrouped(text: str, one: Input) -> str:
    """The text as the validator reads it. People group thousands: 60 000 and 60,000 are 60000 here. In French the comma begins the
    decimals, 60,5; and 60,000 could be meant either way, so it stays as it is and is refused."""
    text = text.strip()
    if one.kind not in {InputKind.NUMBER, InputKind.INTEGER}:
        return text
    if language_of_page() == "fr":
        if _COMMAS.fullmatch(text):
            return text
        text = re.sub(r",(?=\d+$)", ".", text)
    if _SPACED.fullmatch(text) or _COMMAS.fullmatch(text):
        return re.sub(r"[\s,]", "", text)
    return text


def field_of(one: Input, product: Product) -> forms.Field:
    """A field that lets every text through: what is wrong with it the validator says, in the same words as everywhere."""
    about: dict[str, Any] = {"label": _label(one), "required": False, "help_text": _help(one)}
    field: forms.Field
    if one.kind is InputKind.BOOLEAN:
        nothing = _("Choose") if one.required else _("Not known")
        field = forms.ChoiceField(choices=[("", nothing), ("true", _("Yes")), ("false", _("No"))], widget=_select(), **about)
    elif one.kind is InputKind.CATEGORY and not one.accepts_other:
        choices = [("", _("Choose")), *((text, product.said(text, language_of_page())) for text in one.categories)]
        field = forms.CharField(widget=_select(choices=choices), **about)
    else:
        kinds = {InputKind.NUMBER: {"inputmode": "decimal"}, InputKind.INTEGER: {"inputmode": "numeric"}, InputKind.DATE: {"type": "date"}}
        width = "w-m" if one.kind is InputKind.CATEGORY else "w-s"
        attributes = {**kinds.get(one.kind, {}), "class": f"form-control {width}", "autocomplete": "off"}
        field = forms.CharField(widget=forms.TextInput(attrs=attributes), **about)
    return field


def _label(one: Input) -> str:
    return f"{one.title}, {one.unit_beside_title}" if one.unit_beside_title else one.title


def _select(choices: Any = ()) -> forms.Select:
    return forms.Select(attrs={"class": "form-select w-m"}, choices=choices)


def _help(one: Input) -> str:
    parts = [one.help.rstrip(".")] if one.help else []
    if one.accepts_other and one.categories:
        parts.append(_("For example %(examples)s") % {"examples": ", ".join(one.categories[:EXAMPLES])})
    if one.minimum is not None and one.maximum is not None:
        parts.append(_("%(low)s to %(high)s") % {"low": number_words(float(one.minimum)), "high": number_words(float(one.maximum))})
    return ". ".join(parts)
