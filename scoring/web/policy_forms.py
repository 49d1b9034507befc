"""The form of a product's policy: cut-offs, knock-out rules, and on what and by which terms to try them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scoring.engine.changes import change_of
from scoring.engine.contract import Change, Input, InputKind
from scoring.engine.grouping import Grouping
from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE, KnockOut, Policy
from scoring.engine.product import Product
from scoring.engine.texts import LANGUAGES
from scoring.web.rule_forms import BaseRules, NumberField, RuleForm, value_text
from scoring.web.written import in_page_language

MOST_KNOCK_OUTS = 50
_SELECT = {"class": "form-select"}
_SCORE = {"class": "form-control w-s", "inputmode": "numeric", "autocomplete": "off"}
_OUTCOMES = (("", gettext_lazy("Choose")), ("decline", gettext_lazy("Decline")), ("refer", gettext_lazy("A person decides")))
DAYS = (
    ("30", gettext_lazy("30 days")), ("90", gettext_lazy("90 days")), ("365", gettext_lazy("year")), ("3650", gettext_lazy("ten years")),
)  # fmt: skip


def _score(label: Any, highest: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=LOWEST_SCORE, max_value=highest, widget=forms.TextInput(attrs=_SCORE))


class CutOffForm(forms.Form):
    """The cut-offs, and what a trial is about. `seen` is the version that the person had before their eyes."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    approve_from = _score(gettext_lazy("Approve from score"), HIGHEST_SCORE + 1)
    decline_below = _score(gettext_lazy("Decline below score"), HIGHEST_SCORE + 1)
    days = forms.ChoiceField(label=gettext_lazy("Decisions of the last"), choices=DAYS, widget=forms.Select(attrs=_SELECT))
    amount = forms.ChoiceField(
        label=gettext_lazy("Money lent"), required=False, widget=forms.Select(attrs=_SELECT),
        help_text=gettext_lazy("The input that says how much; without one each loan counts as 1."),
    )
    group = forms.ChoiceField(label=gettext_lazy("Compare groups by"), required=False, widget=forms.Select(attrs=_SELECT))
    margin = NumberField(label=gettext_lazy("Earned on a loan that is repaid, in per cent"), min_value=0, max_value=1000)
    loss = NumberField(label=gettext_lazy("Lost on one that is not, in per cent"), min_value=0, max_value=100)

    minutes = NumberField(label=gettext_lazy("Minutes that a person needs for one decision"), min_value=0, max_value=10_000)

    def __init__(self, product: Product, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        inputs = in_page_language(product).contract.inputs
        numbers = [one for one in inputs if one.kind in {InputKind.NUMBER, InputKind.INTEGER} and not one.is_protected]
        groups = [one for one in inputs if Grouping.of(one)]
        self._choose("amount", _("Each loan counts as 1"), numbers)
        self._choose("group", _("No groups"), groups)
        self.optional = {"amount", "group"}

    def _choose(self, name: str, nothing: str, inputs: Sequence[Input]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", nothing), *((one.name, one.title) for one in inputs)]

    @classmethod
    def of(cls, product: Product, policy: Policy, *, version: int) -> "CutOffForm":
        """As the policy is in force."""
        inputs = product.contract.inputs
        amount = next((one.name for one in inputs if change_of(one) is Change.DOWN and one.kind is InputKind.NUMBER), "")
        group = next((one.name for one in inputs if one.is_protected and one.kind is InputKind.CATEGORY), "")
        return cls(product, initial={
            "seen": version, "approve_from": policy.approve_from, "decline_below": policy.decline_below, "days": "90", "amount": amount,
            "group": group, "margin": "15", "loss": "60", "minutes": "15",
        })  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """The cut-offs leave room for one another."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        low, high = cleaned.get("decline_below"), cleaned.get("approve_from")
        if low is not None and high is not None and low > high:
            self.add_error("decline_below", _("This cannot be above the score from which is approved."))
        return cleaned


class KnockOutForm(RuleForm):
    """One knock-out rule, which decides whatever the score says. A row that is left empty is none."""

    effect = "outcome"
    log_odds = None    # type: ignore[assignment]    # a rule of the model has it, one of the policy has an outcome
    outcome = forms.ChoiceField(label=gettext_lazy("Then"), choices=_OUTCOMES, widget=forms.Select(attrs=_SELECT))

    def _check_texts(self, cleaned: Mapping[str, Any]) -> None:
        super()._check_texts(cleaned)
        if not cleaned.get("text_en") and "text_en" not in self.errors:
            self.add_error("text_en", _("Say in a full sentence why; applicants will read it."))


KnockOutFormSet = forms.formset_factory(
    KnockOutForm, formset=BaseRules, extra=1, max_num=MOST_KNOCK_OUTS, absolute_max=MOST_KNOCK_OUTS, validate_max=True
)


def askable(product: Product) -> dict[str, Input]:
    """The inputs that a knock-out rule may ask about: none that is protected."""
    kinds = {InputKind.NUMBER, InputKind.INTEGER, InputKind.CATEGORY, InputKind.BOOLEAN, InputKind.DATE}
    return {one.name: one for one in in_page_language(product).contract.inputs if one.kind in kinds and not one.is_protected}


def rows_of(policy: Policy) -> list[dict[str, Any]]:
    """The knock-out rules in force as the form shows them."""
    return [_row(rule) for rule in policy.knock_outs]


def _row(rule: KnockOut) -> dict[str, Any]:
    return {
        "code": rule.code, "input": rule.condition.input, "operator": rule.condition.operator, "value": value_text(rule.condition.value),
        "outcome": str(rule.outcome), **{f"text_{language}": rule.texts.get(language, "") for language in LANGUAGES},
    }  # fmt: skip
