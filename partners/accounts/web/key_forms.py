"""Forms of API keys, and what their scopes are called."""

import uuid
from datetime import datetime, time, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.accounts.roles import KEY_SCOPES, Permission

SCOPE_TITLES = {
    Permission.DECISION_MAKE: gettext_lazy("Score applicants, send applications and outcomes"),
    Permission.DECISION_READ: gettext_lazy("Read decisions and applications"),
    Permission.APPLICANT_READ: gettext_lazy("Read who was scored, and their inputs"),
    Permission.PRODUCT_READ: gettext_lazy("Read products"),
    Permission.MODEL_READ: gettext_lazy("Read models"),
}
LONGEST_YEARS = 10
_HOUR, _DAY = 3600, 24 * 3600


def scope_titles(scopes: list[str]) -> list[str]:
    """What a key with these scopes may do, in words."""
    if set(scopes) >= KEY_SCOPES:
        return [_("Everything that a key can")]
    return [str(title) for scope, title in SCOPE_TITLES.items() if scope in scopes]


class KeyForm(forms.Form):
    """A key to make. `token` makes it once, however often the form is sent."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"), max_length=80, help_text=gettext_lazy("Such as the system that will use it: Core banking."),
        widget=forms.TextInput(attrs={"class": "form-control w-l", "autocomplete": "off"}),
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        choices=list(SCOPE_TITLES.items()), initial=[str(scope) for scope in SCOPE_TITLES],
    )  # fmt: skip
    expires_at = forms.DateField(
        label=gettext_lazy("Last day"), required=False,
        help_text=gettext_lazy("It works until the end of this day; without one, until you end it."),
        widget=forms.DateInput(attrs={"class": "form-control w-m", "type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    optional = ("expires_at",)

    def clean_expires_at(self) -> datetime | None:
        """The end of the day, where the person is."""
        day = self.cleaned_data["expires_at"]
        if day is None:
            return None
        if day.year > timezone.localdate().year + LONGEST_YEARS:
            raise forms.ValidationError(_("A key lives at most ten years."))
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))


class RotationForm(forms.Form):
    """How long the old key still works beside the new one."""

    overlap = forms.TypedChoiceField(
        label=gettext_lazy("The old key works on for"), coerce=int, initial=_DAY, widget=forms.Select(attrs={"class": "form-select"}),
        choices=[
            (0, gettext_lazy("not at all: it leaked")), (_HOUR, gettext_lazy("an hour")), (_DAY, gettext_lazy("a day")),
            (7 * _DAY, gettext_lazy("a week")), (30 * _DAY, gettext_lazy("a month")),
        ],
    )  # fmt: skip
    optional = ()
