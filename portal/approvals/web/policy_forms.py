"""The form of an approval policy: when two people have to agree, reasons of an override, and times."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.errors import MoneyRefused
from partners.money import to_minor, to_text
from portal.approvals.models import ApprovalPolicy
from portal.approvals.services.policies import MOST_REASONS, TIMES
from scoring.engine.texts import LANGUAGES
from scoring.web.rule_forms import refuse_vague_texts

MOST_LIMITS = 20
_LANGUAGES = {"en": gettext_lazy("English"), "fr": gettext_lazy("French")}
_SHORT = {"class": "form-control w-s", "autocomplete": "off"}
_FOUR_EYES = (
    ("never", gettext_lazy("Only above the limit")),
    ("override", gettext_lazy("Above the limit, or against the model")),
    ("always", gettext_lazy("For every decision")),
)


def _time(name: str, label: Any, about: Any) -> forms.IntegerField:
    box = forms.TextInput(attrs={**_SHORT, "inputmode": "numeric"})
    return forms.IntegerField(label=label, help_text=about, min_value=1, max_value=TIMES[name], widget=box)


class PolicyForm(forms.Form):
    """What holds for the whole policy. `seen` is the version that the person had before their eyes."""

    optional: frozenset[str] = frozenset()

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    four_eyes = forms.ChoiceField(
        label=gettext_lazy("Two people have to agree"), choices=_FOUR_EYES, widget=forms.Select(attrs={"class": "form-select"})
    )
    proposal_hours = _time(
        "proposal_hours", gettext_lazy("Hours for the second person"), gettext_lazy("Then the proposal lapses and is made again.")
    )
    due_hours = _time("due_hours", gettext_lazy("Hours until somebody has to look"), gettext_lazy("The clock of the queue."))
    lifetime_days = _time(
        "lifetime_days", gettext_lazy("Days until an application expires"), gettext_lazy("Unless it is decided before.")
    )
    notice_days = _time(
        "notice_days", gettext_lazy("Days until the applicant is told"), gettext_lazy("Counted from the application.")
    )

    @classmethod
    def of(cls, policy: ApprovalPolicy) -> "PolicyForm":
        """As the policy is in force."""
        return cls(initial={"seen": policy.version, "four_eyes": policy.four_eyes, **{name: getattr(policy, name) for name in TIMES}})


class LimitForm(forms.Form):
    """The most that one person may lend in one currency. A row without an amount is no limit."""

    currency = forms.CharField(
        label=gettext_lazy("Currency"), max_length=3, required=False, widget=forms.TextInput(attrs={**_SHORT, "size": "4"})
    )
    amount = forms.CharField(
        label=gettext_lazy("One person decides up to"), max_length=24, required=False,
        widget=forms.TextInput(attrs={**_SHORT, "inputmode": "decimal"}), help_text=gettext_lazy("Empty: no limit in this currency."),
    )
    optional = frozenset({"currency", "amount"})

    def clean(self) -> dict[str, Any]:
        """The amount is one of its currency."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        currency, amount = cleaned.get("currency", "").upper(), "".join(cleaned.get("amount", "").split())
        cleaned["currency"] = currency
        if amount:
            try:
                cleaned["minor"] = to_minor(amount, currency)
            except MoneyRefused as refusal:
                for name, detail in refusal.fields.items():
                    self.add_error(name, detail)
        return cleaned


class ReasonForm(forms.Form):
    """One reason for which a person may decide otherwise than the model. An empty row is none."""

    code = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,59}$", label=gettext_lazy("Code"), widget=forms.TextInput(attrs={"class": "form-control w-m"}),
        error_messages={"invalid": gettext_lazy("Use small letters, digits and underscores, beginning with a letter.")},
    )
    remove = forms.BooleanField(
        label=gettext_lazy("Take this reason out"), required=False, widget=forms.CheckboxInput(attrs={"class": "form-check-input"})
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for language in LANGUAGES:
            label = _("Text, in %(language)s") % {"language": _LANGUAGES[language]}
            box = forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"})
            self.fields[f"text_{language}"] = forms.CharField(label=label, required=language == "en", max_length=300, widget=box)
        self.optional = {f"text_{language}" for language in LANGUAGES} - {"text_en"}

    def clean(self) -> dict[str, Any]:
        """A text says something."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("remove"):
            self.errors.clear()    # nobody has to mend what is taken out
            return cleaned
        refuse_vague_texts(self)
        return cleaned

    def written(self) -> tuple[str, dict[str, str]] | None:
        """Its code and texts; None for an empty row and for one that is taken out."""
        said = self.cleaned_data
        if not said.get("code") or said.get("remove"):
            return None
        return said["code"], {language: text for language in LANGUAGES if (text := said.get(f"text_{language}"))}


LimitFormSet = forms.formset_factory(
    LimitForm, extra=1, max_num=MOST_LIMITS, absolute_max=MOST_LIMITS, validate_max=True
)
ReasonFormSet = forms.formset_factory(
    ReasonForm, extra=1, max_num=MOST_REASONS, absolute_max=MOST_REASONS, validate_max=True
)


def limit_rows(policy: ApprovalPolicy, currency: str) -> list[dict[str, str]]:
    """The limits as the form shows them; the partner's own currency where there is none."""
    limits: Mapping[str, int] = policy.limits
    return [{"currency": one, "amount": to_text(minor, one)} for one, minor in sorted(limits.items())] or [{"currency": currency}]


def reason_rows(policy: ApprovalPolicy) -> list[dict[str, str]]:
    """The reasons as the form shows them."""
    reasons: Mapping[str, Mapping[str, str]] = policy.override_reasons
    return [{"code": code, **{f"text_{language}": text for language, text in texts.items()}} for code, texts in reasons.items()]
