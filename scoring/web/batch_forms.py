"""Forms of batches: what is brought, and which column means what."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scoring.models import Batch, OutcomeKind
from scoring.services.batches import Asked
from scoring.web.batch_words import about
from scoring.web.receiving import FIELD


class BatchForm(forms.Form):
    """What is in the table, and for which product. The file itself is taken by the receiver."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What is in the table"), widget=forms.RadioSelect, initial=Batch.Kind.APPLICANTS,
        choices=[(Batch.Kind.APPLICANTS, gettext_lazy("Applicants to score")), (Batch.Kind.OUTCOMES, gettext_lazy("How loans turned out"))],
    )  # fmt: skip
    product = forms.ChoiceField(label=gettext_lazy("Product"), widget=forms.Select(attrs={"class": "form-select w-m"}))

    def __init__(self, products: Sequence[tuple[str, str]], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        product = self.fields["product"]
        assert isinstance(product, forms.ChoiceField)
        product.choices = list(products)
        self.fields[FIELD] = forms.CharField(
            label=gettext_lazy("Table"), required=False, widget=forms.FileInput(attrs={"class": "form-control", "accept": ".csv,.xlsx"}),
            help_text=gettext_lazy("CSV (UTF-8) or XLSX, at most 100 MB. Drop it here or choose it."),
        )  # fmt: skip


class ColumnsForm(forms.Form):
    """Which column of the table is meant by each thing that is asked for."""

    def __init__(self, asked: Sequence[Asked], columns: Sequence[str], chosen: Mapping[str, str], data: Any = None) -> None:
        super().__init__(data)
        self.asked = {f"column_{place}": one for place, one in enumerate(asked)}
        self.optional = {name for name, one in self.asked.items() if not one.is_required}
        choices = [("", _("Not in the table")), *((column, column) for column in columns)]
        for name, one in self.asked.items():
            self.fields[name] = forms.ChoiceField(
                label=one.label, help_text=_help(one), required=False, choices=choices, initial=chosen.get(one.name, ""),
                widget=forms.Select(attrs={"class": "form-select w-m", "id": f"id_{name}"}),
            )  # fmt: skip

    def mapping(self) -> dict[str, str]:
        """What was chosen, by what is asked for."""
        return {one.name: self.cleaned_data[name] for name, one in self.asked.items() if self.cleaned_data.get(name)}

    def refuse(self, fields: Mapping[str, str]) -> None:
        """The form says at each field what is wrong with it."""
        places = {one.name: name for name, one in self.asked.items()}
        for name, detail in fields.items():
            self.add_error(places.get(name), detail)


def _help(one: Asked) -> str:
    return about(one) if one.input is None or one.label == one.title else f"{one.title}; {about(one)}"


class OutcomeForm(forms.Form):
    """How a loan turned out."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What happened"), widget=forms.Select(attrs={"class": "form-select"}),
        choices=[
            ("", gettext_lazy("Choose")), (OutcomeKind.REPAID, gettext_lazy("Repaid")), (OutcomeKind.LATE, gettext_lazy("Repaid late")),
            (OutcomeKind.DEFAULTED, gettext_lazy("Defaulted")), (OutcomeKind.WRITTEN_OFF, gettext_lazy("Written off")),
        ],
    )  # fmt: skip
    observed_on = forms.DateField(
        label=gettext_lazy("Known since"), widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}, format="%Y-%m-%d")
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount lost or owed"), required=False, min_value=0, max_digits=18, decimal_places=4,
        widget=forms.TextInput(attrs={"class": "form-control", "inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    optional = ("amount",)
