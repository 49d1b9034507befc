"""Forms about requests of applicants."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.privacy.models import RequestKind
from audit.privacy.requests import MOST_DAYS
from portal.approvals.letters import LANGUAGES

_NAMES = {"en": "English", "fr": "Français", "es": "Español", "pt-br": "Português", "pt": "Português", "sw": "Kiswahili"}
_DAYS = ["%Y-%m-%d"]


class _Form(forms.Form):
    optional: tuple[str, ...] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for one in self.fields.values():
            one.widget.attrs["class"] = "form-select" if isinstance(one.widget, forms.Select) else "form-control"
        self.optional = tuple(name for name, one in self.fields.items() if not one.required)


class RequestForm(_Form):
    """What an applicant asks for."""

    kind = forms.ChoiceField(label=_("What they ask for"), choices=RequestKind.choices)
    reference = forms.CharField(label=_("Your reference of the applicant"), max_length=100)
    received_on = forms.DateField(label=_("When it came in"), help_text=_("A day such as 2026-11-21."), input_formats=_DAYS)
    language = forms.ChoiceField(label=_("Language of the answer"), choices=[(one, _NAMES.get(one, one)) for one in LANGUAGES])
    statement = forms.CharField(
        label=_("What they say"), required=False, max_length=4_000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Sealed under the applicant's own key. For an objection: why the decision is wrong."),
    )  # fmt: skip
    decision_id = forms.UUIDField(
        label=_("Id of the decision"), required=False, help_text=_("For an objection to one decision of several.")
    )


class RectifyForm(_Form):
    """What is to be corrected; empty fields stay as they are."""

    name = forms.CharField(label=_("Name"), required=False, max_length=200)
    phone = forms.CharField(label=_("Telephone"), required=False, max_length=200)
    national_id = forms.CharField(label=_("National id"), required=False, max_length=200)
    birth_date = forms.DateField(label=_("Born"), required=False, input_formats=_DAYS, help_text=_("A day such as 1990-02-28."))


class RefuseForm(_Form):
    """Why a request is refused."""

    because = forms.CharField(
        label=_("Why"), min_length=10, max_length=500, help_text=_("With the rule. It stands in the certificate: name nobody."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip


class TermsForm(_Form):
    """How many days each kind may take."""

    access, portability, rectification, objection, erasure = (
        forms.IntegerField(label=kind.label, min_value=1, max_value=MOST_DAYS) for kind in RequestKind
    )
