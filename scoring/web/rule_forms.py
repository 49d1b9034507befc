"""The form of a product's rules: one row for each rule, what is common to all, and an applicant to try them on."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scoring.engine.contract import (
    Contract,
    ContractViolation,
    DefinitionRefused,
    Input,
    InputKind,
    Value,
    Values,
    compile_contract,
    pointer,
)
from scoring.engine.product import Product
from scoring.engine.rules import LARGEST_LOG_ODDS, LONGEST_TEXT, MOST_RULES, OPERATORS
from scoring.engine.texts import LANGUAGES, refuse_vague
from scoring.web.conditions import OPERATOR_WORDS
from scoring.web.forms import field_of, ungrouped
from scoring.web.written import in_page_language, number_words

_TRUTH = {"yes": True, "no": False, "true": True, "false": False, "oui": True, "non": False}
_LANGUAGE_NAMES = {"en": gettext_lazy("English"), "fr": gettext_lazy("French")}
_CHECK = {"class": "form-check-input"}
_TEXT = {"class": "form-control w-m", "autocomplete": "off"}


class PlainInput(forms.TextInput):
    """A field to type in, written without a template: the page has hundreds."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The field with what is in it."""
        said = self.format_value(value)
        told = {**self.build_attrs(self.attrs, attrs), **({} if said is None else {"value": said})}
        return format_html('<input type="text" name="{}"{}>', name, flatatt(told))


class PlainSelect(forms.Select):
    """A list to choose from, written without a template for each choice."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The list with its choices; `value` is chosen."""
        said = "" if value is None else str(value)
        every = ((code, mark_safe(" selected") if str(code) == said else "", text) for code, text in self.choices)
        choices = format_html_join("", '<option value="{}"{}>{}</option>', every)
        return format_html('<select name="{}"{}>{}</select>', name, flatatt(self.build_attrs(self.attrs, attrs)), choices)


class NumberField(forms.FloatField):
    """A number as people type it, with a true minus sign or a decimal comma too."""

    def __init__(self, **named: Any) -> None:
        text = PlainInput(attrs={"class": "form-control w-s", "inputmode": "decimal", "autocomplete": "off"})
        super().__init__(widget=text, error_messages={"invalid": gettext_lazy("Write a number, like 0.7 or -0.5.")}, **named)

    def to_python(self, value: Any) -> Any:
        """The number. Raises ValidationError."""
        return super().to_python(value.strip().replace("−", "-").replace(",", ".") if isinstance(value, str) else value)


class CommonForm(forms.Form):
    """What holds for all rules together, and why they change. `seen` tells which rules the person had before their eyes."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    base_probability = NumberField(
        label=gettext_lazy("Probability where no rule holds, in per cent"), min_value=0.01, max_value=99.99,
        help_text=gettext_lazy("The share of applicants whose outcome is bad, for example 20."),
    )
    may_approve = forms.BooleanField(
        label=gettext_lazy("The rules may approve without a person"), required=False, widget=forms.CheckboxInput(attrs=_CHECK)
    )

    @classmethod
    def of(cls, product: Product, *, seen: str) -> "CommonForm":
        """As the rules are in force."""
        share = float(f"{100 * product.rules.base_probability:.10g}")
        return cls(initial={"seen": seen, "base_probability": _number_text(share), "may_approve": product.rules.may_approve})


class RuleForm(forms.Form):
    """One rule. A row that is left empty is no rule. `effect`: the field that says what follows where it holds."""

    effect = "log_odds"
    code = forms.RegexField(
        r"^[\w.-]{1,60}$", label=gettext_lazy("Name"), widget=PlainInput(attrs=_TEXT),
        error_messages={"invalid": gettext_lazy("Use letters, digits, points, hyphens and underscores, at most 60.")},
    )
    input = forms.ChoiceField(label=gettext_lazy("Holds where"), widget=PlainSelect(attrs={"class": "form-select"}))
    operator = forms.ChoiceField(
        label=gettext_lazy("Compared"), choices=[("", gettext_lazy("Choose")), *OPERATOR_WORDS.items()],
        widget=PlainSelect(attrs={"class": "form-select"}),
    )
    value = forms.CharField(label=gettext_lazy("With"), required=False, max_length=500, widget=PlainInput(attrs=_TEXT))
    log_odds = NumberField(
        label=gettext_lazy("Log odds"), min_value=-LARGEST_LOG_ODDS, max_value=LARGEST_LOG_ODDS,
        help_text=gettext_lazy("Above 0 the bad outcome is likelier: 0.7 doubles its odds, -0.7 halves them."),
    )
    remove = forms.BooleanField(
        label=gettext_lazy("Take this rule out"), required=False, widget=forms.CheckboxInput(attrs=_CHECK)
    )

    def __init__(self, *arguments: Any, inputs: Mapping[str, Input], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.inputs = inputs
        choices = [(name, one.title) for name, one in inputs.items()]
        self.fields["input"] = forms.ChoiceField(
            label=_("Holds where"), choices=[("", _("Choose")), *choices], widget=PlainSelect(attrs={"class": "form-select"})
        )
        self.fields["input"].widget.attrs["id"] = f"id_{self.prefix}-input"
        for language in LANGUAGES:
            label = _("Reason, in %(language)s") % {"language": _LANGUAGE_NAMES[language]}
            text = forms.Textarea(attrs={"class": "form-control", "rows": 2})
            self.fields[f"text_{language}"] = forms.CharField(label=label, required=False, max_length=LONGEST_TEXT, widget=text)
        self.optional = {f"text_{language}" for language in LANGUAGES} - {"text_en"}

    def clean(self) -> dict[str, Any]:
        """The condition can hold, and what tells against an applicant is told in a full sentence."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("remove"):
            self.errors.clear()    # nobody has to mend what is taken out
            return cleaned
        if (one := self.inputs.get(cleaned.get("input", ""))) and (operator := cleaned.get("operator")):
            try:
                cleaned["read"] = _read_value(one, operator, cleaned.get("value", ""))
            except forms.ValidationError as problem:
                self.add_error("operator" if operator not in OPERATORS[one.kind] else "value", problem)
        self._check_texts(cleaned)
        return cleaned

    def _check_texts(self, cleaned: Mapping[str, Any]) -> None:
        refuse_vague_texts(self)
        if (cleaned.get("log_odds") or 0) > 0 and not cleaned.get("text_en") and "text_en" not in self.errors:
            self.add_error("text_en", _("Say in a full sentence what counts against the applicant; they will read it."))

    @property
    def is_removed(self) -> bool:
        """Whether the person takes this rule out."""
        return bool(getattr(self, "cleaned_data", {}).get("remove"))

    def written(self) -> dict[str, Any] | None:
        """The rule as it is kept; nothing for an empty row and for one that is taken out."""
        said = self.cleaned_data
        if not said or not said.get("code") or self.is_removed:
            return None
        condition = {"input": said["input"], "operator": said["operator"], "value": said.get("read")}
        texts = {language: text for language in LANGUAGES if (text := said[f"text_{language}"])}
        return {"code": said["code"], "if": condition, self.effect: said[self.effect], "texts": texts}


if TYPE_CHECKING:    # generic for the type checker only
    _FormSet = forms.BaseFormSet[RuleForm]
else:
    _FormSet = forms.BaseFormSet


class BaseRules(_FormSet):
    """All rules; no two of one name."""

    def clean(self) -> None:
        """Marks a name that is there before."""
        names: set[str] = set()
        for form in self.forms:
            code = getattr(form, "cleaned_data", {}).get("code")
            if code and not form.is_removed:
                if code in names:
                    form.add_error("code", _("There is a rule of this name already; choose another one."))
                names.add(code)

    def written(self) -> list[dict[str, Any]]:
        """The rules as the definition writes them."""
        return [rule for form in self.forms if (rule := form.written())]


RuleFormSet = forms.formset_factory(RuleForm, formset=BaseRules, extra=1, max_num=MOST_RULES, absolute_max=MOST_RULES, validate_max=True)


def refuse_vague_texts(form: forms.Form) -> None:
    """Each text of a reason that tells an applicant nothing is a fault of its field."""
    for language in LANGUAGES:
        if text := form.cleaned_data.get(f"text_{language}"):
            try:
                refuse_vague(text)
            except DefinitionRefused as refusal:
                form.add_error(f"text_{language}", str(refusal))


def choosable(product: Product) -> dict[str, Input]:
    """The inputs that a rule may ask about: protected ones only where one does already."""
    asked = {rule.condition.input for rule in product.rules.rules}
    inputs = in_page_language(product).contract.inputs
    return {one.name: one for one in inputs if OPERATORS[one.kind] and (not one.is_protected or one.name in asked)}


def rows_of(product: Product) -> list[dict[str, Any]]:
    """The rules in force as the form shows them."""
    return [
        {
            "code": rule.code, "input": rule.condition.input, "operator": rule.condition.operator,
            "value": value_text(rule.condition.value), "log_odds": _number_text(rule.log_odds),
            **{f"text_{language}": rule.texts.get(language, "") for language in LANGUAGES},
        }
        for rule in product.rules.rules
    ]  # fmt: skip


class TryForm(forms.Form):
    """An applicant who does not exist: the inputs that rules and policy look at, each may be left empty."""

    def __init__(self, product: Product, names: Iterable[str], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        wanted, spoken = set(names), in_page_language(product)
        self.contract = Contract(tuple(replace(one, required=False) for one in spoken.contract.inputs if one.kind is not InputKind.EVENTS))
        self.asked = {f"try_{place}": one for place, one in enumerate(self.contract.inputs) if one.name in wanted}
        for name, one in self.asked.items():
            self.fields[name] = field_of(one, spoken)
        self.optional: set[str] = set()

    def read(self) -> Values | None:
        """The applicant's values, or None: then the form's errors say what to correct."""
        self.is_valid()
        try:
            return compile_contract(self.contract).check_text({
                one.name: ungrouped(str(self.data.get(name, "")), one) for name, one in self.asked.items()
            })  # fmt: skip
        except ContractViolation as violation:
            places = {pointer(one.name): name for name, one in self.asked.items()}
            for problem in violation.problems:
                self.add_error(places.get(problem.pointer), problem.detail)
            return None


def problems(forms_shown: Iterable[forms.BaseForm]) -> Iterator[tuple[str, str, str]]:
    """Where, what it is called there, and what is wrong."""
    for form in forms_shown:
        for error in form.non_field_errors():
            yield "", "", str(error)
        for field in form:
            for error in field.errors:
                yield field.id_for_label, str(field.label), str(error)


def _read_value(one: Input, operator: str, text: str) -> Any:
    """What the input is compared with. Raises ValidationError."""
    if operator not in OPERATORS[one.kind]:
        fit = ", ".join(str(OPERATOR_WORDS[name]) for name in OPERATORS[one.kind])
        raise forms.ValidationError(_("%(input)s is compared by one of: %(fit)s.") % {"input": one.title, "fit": fit})
    if operator == "missing":
        return None
    if operator == "in":
        whole = text.strip() in one.categories
        parts = [text] if whole else [part for part in re.split(r";" if ";" in text else r",", text) if part.strip()]
        if not parts:
            raise forms.ValidationError(_("Name the answers, with a semicolon between them."))
        return [_single(one, part) for part in parts]
    return _single(one, text)


def _single(one: Input, text: str) -> Value:
    said = ungrouped(text, one).replace("−", "-")
    if one.kind is InputKind.BOOLEAN:
        if said.lower() not in _TRUTH:
            raise forms.ValidationError(_("Write yes or no."))
        return _TRUTH[said.lower()]
    if one.kind is InputKind.CATEGORY:
        if not said or (said not in one.categories and not one.accepts_other):
            raise forms.ValidationError(_("Write one of: %(known)s.") % {"known": ", ".join(one.categories)})
        return said
    return _number(one, said)


def _number(one: Input, said: str) -> Value:
    try:
        number = float(said)
    except ValueError:
        number = math.nan
    low, high = one.minimum, one.maximum
    if not math.isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
        if low is None or high is None:
            raise forms.ValidationError(_("Write a number."))
        between = {"low": number_words(float(low)), "high": number_words(float(high))}
        raise forms.ValidationError(_("Write a number from %(low)s to %(high)s: the input is never beyond.") % between)
    return int(number) if number.is_integer() and one.kind is InputKind.INTEGER else number


def value_text(value: Any) -> str:
    """What a condition compares with, as people type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(value_text, value))
    if isinstance(value, int | float):
        return _number_text(value)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _number_text(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))
