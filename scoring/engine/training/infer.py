"""The contract that a table suggests: what each column is, its range, its categories, and which columns cannot be inputs."""

import math
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scoring.engine.changes import change_of
from scoring.engine.columns import Columns
from scoring.engine.contract import Change, Contract, Input, InputKind
from scoring.engine.training.dates import assumed_of, why_no_age
from scoring.engine.training.duplicates import row_keys
from scoring.engine.training.leakage import CERTAIN, SUSPECT, separation
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.profile import BLANKS, MAX_CATEGORIES, ColumnProfile
from scoring.engine.training.target import Target

KEPT_CATEGORIES = 50         # of a column with more than MAX_CATEGORIES
LEAST_COVER = 0.2            # share of the rows that these must explain
HIGH_MISSING = 0.6
_COMMAS = {
    "thousands": "it holds numbers with commas between thousands; write them without, such as 1234567 for 1,234,567",
    "decimal": "it holds numbers with a decimal comma; write them with a point, such as 3.14 for 3,14",
    "either": "it holds numbers such as {example}, which may mean {whole} or {part}; write whichever it is, without commas",
    "mixed": "it mixes commas between thousands with decimal commas; write its numbers without separators and with a point for decimals",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a person should know about the table: an assumption to confirm, or something that looks wrong."""

    kind: Literal["assumed", "looks_wrong", "left_out"]
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.column}: {self.text}" if self.column else self.text


@dataclass(frozen=True, slots=True)
class Roles:
    """Columns that the caller names: they are not judged by their looks."""

    id: str | None = None
    time: str | None = None
    protected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()    # what joins events to rows

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(name for name in (self.id, self.time, *self.protected, *self.exclude, *self.keys) if name)


def contract_of(table: Columns, target: Target, roles: Roles) -> tuple[Contract, list[Finding]]:
    """The contract with every usable column as an input, and what was assumed, left out or looks wrong.

    Protected columns stay in the contract, optional and never a feature. Raises TrainingError when no column is left."""
    findings: list[Finding] = []
    inputs: list[Input] = []
    unprotected: list[str] = []
    skipped = {target.name, roles.id, roles.time, *roles.exclude, *roles.keys}
    for column in table.columns.values():
        if column.name in skipped:
            continue
        profile, is_protected = ColumnProfile(column), column.name in roles.protected
        reason = unusable(profile) or _no_age(profile, is_protected, table, roles) or ("" if is_protected else _given_away(profile, target))
        if reason:
            findings.append(Finding("left_out", column.name, reason))
            continue
        inputs.append(input_of(profile, is_protected=is_protected))
        findings += _remarks(profile, is_protected, target)
        if profile.is_date and not is_protected:
            findings.append(Finding("assumed", column.name, assumed_of(roles.time)))
        if profile.looks_protected and not is_protected:
            unprotected.append(column.name)
    if unprotected:
        findings += _how_to_protect(unprotected, (*roles.protected, *unprotected))
    if not any(not one.is_protected for one in inputs):
        fix = "look at the columns left out, and at --exclude and --protected"
        raise TrainingError("no column is left that could be an input", fix=fix)
    return Contract(tuple(inputs)), findings + _about_the_table(table, {one.name for one in inputs})


def unusable(profile: ColumnProfile) -> str:
    """Why this column can be no input; empty when it can."""
    if profile.distinct == 0:
        return "it is empty"
    if profile.is_constant:
        return f"it always says '{profile.texts[0]}'" + (" or nothing" if profile.missing_share else "")
    if personal := profile.looks_personal:
        return f"it looks like personal data ({personal}); a model must not learn people by name"
    if told_apart := profile.looks_like_id:
        return f"it looks like an identifier: {told_apart} (name it with --id if it is the applicants' reference)"
    if profile.commas:
        example = next(text for text in profile.texts if "," in text)
        return _COMMAS[profile.commas].format(example=example, whole=example.replace(",", ""), part=example.replace(",", "."))
    if profile.is_date:
        return ""
    if profile.day_formats:
        form = next(iter(profile.day_formats)).replace("??", "..")
        return f"it is a date written {form}; write days as YYYY-MM-DD, and it becomes an age, or name it with --time"
    if not profile.is_numeric and profile.distinct > MAX_CATEGORIES and profile.most_frequent(KEPT_CATEGORIES)[1] < LEAST_COVER:
        return _mixed(profile) or f"it is free text: {profile.distinct} different words in {profile.filled} rows"
    return ""


def _no_age(profile: ColumnProfile, is_protected: bool, table: Columns, roles: Roles) -> str:
    """Groups of a protected date are compared by the date itself, so it needs no age."""
    return why_no_age(profile, table, roles.time) if profile.is_date and not is_protected else ""


def _mixed(profile: ColumnProfile) -> str:
    """What to repair where most cells are numbers and some are not; empty where words are the rule."""
    is_word = ~profile.is_blank & np.isnan(profile.numbers)
    words = int(profile.counts[is_word].sum())
    if 2 * words > profile.filled:
        return ""
    example = profile.column.texts[int(np.flatnonzero(is_word)[0])]
    problem = f"most of its cells are numbers, and {words} are not, such as '{example}'"
    return f"{problem}; write a plain number there, or leave the cell empty where it is not known"


def _given_away(profile: ColumnProfile, target: Target) -> str:
    found = separation(profile, target)
    return f"it gives the target away (alone it ranks it with an AUC of {found:.3f})" if found >= CERTAIN else ""


def input_of(profile: ColumnProfile, *, is_protected: bool) -> Input:
    """The input that a column suggests."""
    is_category = profile.looks_like_codes or not (profile.is_numeric or profile.is_boolean or profile.is_date)
    minimum, maximum = (None, None)
    if profile.is_numeric and not (is_category or profile.is_boolean):
        minimum, maximum = generous_range(*profile.span)
    many = is_category and profile.distinct > MAX_CATEGORIES
    drafted = Input(
        name=profile.name,
        kind=_kind(profile, is_category),
        label=label_of(profile.name),
        required=profile.missing_share == 0 and not profile.sentinels and not is_protected,
        minimum=minimum, maximum=maximum,
        categories=profile.most_frequent(KEPT_CATEGORIES if many else MAX_CATEGORIES)[0] if is_category else (),
        accepts_other=many,
        missing_codes=(*(word for word in profile.blanks if word.lower() not in BLANKS), *(_plain(code) for code in profile.sentinels)),
        is_protected=is_protected,
    )
    # Written down where the name suggests a change, so that a person sees it in the file and may correct it.
    suggested = change_of(drafted)
    return drafted if suggested is Change.NEVER else replace(drafted, change=suggested)


def _how_to_protect(unprotected: Sequence[str], protected: Sequence[str]) -> list[Finding]:
    """One finding per column; the first of them says what to do about all."""
    first, *others = unprotected
    again = f"run this again under another slug with --protected {shlex.quote(','.join(protected))}"
    edit = f"set is_protected of its input to true in the definition and take {first!r} out of features"
    remark = "it looks like a protected characteristic and is an input of the model"
    return [
        Finding("looks_wrong", first, f"{remark}; to keep it out, {again}, or {edit}"),
        *(Finding("looks_wrong", name, f"{remark}; the same keeps it out, with {name!r} taken out of features") for name in others),
    ]


def _remarks(profile: ColumnProfile, is_protected: bool, target: Target) -> list[Finding]:
    assumed: list[str] = []
    wrong: list[str] = []
    if profile.sentinels:
        codes = ", ".join(map(_plain, profile.sentinels))
        assumed.append(f"{codes} stand{'s' if len(profile.sentinels) == 1 else ''} for 'missing', apart from all other values")
    if profile.blanks:
        assumed.append(f"{', '.join(map(repr, profile.blanks))} means 'missing'")
    if profile.looks_like_codes:
        assumed.append("its whole numbers are codes of categories, not amounts")
    if not (profile.is_numeric or profile.is_date) and profile.distinct > MAX_CATEGORIES:
        share = profile.most_frequent(KEPT_CATEGORIES)[1]
        known = f"the {KEPT_CATEGORIES} most frequent ({share:.0%} of the rows) are known"
        assumed.append(f"of its {profile.distinct} categories {known}, others are accepted")
    if not profile.is_numeric and any(text[:1] == "0" and text.isdigit() for text in profile.texts):
        assumed.append("its digits begin with zeros, so they are codes, not numbers")
    if (found := separation(profile, target)) >= SUSPECT and not is_protected:
        wrong.append(f"alone it ranks the target with an AUC of {found:.3f}; is it known before the decision?")
    elif profile.looks_known_later:
        wrong.append("its name sounds as if it were known only after the decision; if so, --exclude it")
    if profile.missing_share >= HIGH_MISSING:
        wrong.append(f"{profile.missing_share:.0%} of its cells are empty")
    return [Finding("assumed", profile.name, text) for text in assumed] + [Finding("looks_wrong", profile.name, text) for text in wrong]


def _about_the_table(table: Columns, used: set[str]) -> list[Finding]:
    columns = [column for column in table.columns.values() if column.name in used]
    findings = []
    seen: dict[bytes, str] = {}
    for column in columns:
        # Codes count texts in order of appearance: equal codes mean that each column is a renaming of the other.
        twin = seen.setdefault(column.codes.tobytes(), column.name) if len(column.texts) > 2 else column.name
        if twin != column.name:
            findings.append(Finding("looks_wrong", column.name, f"it says the same as '{twin}' in other words"))
    repeated = table.rows - len(np.unique(row_keys(table.columns.values(), np.arange(table.rows))))
    if repeated:
        findings.append(Finding("looks_wrong", "", f"{repeated} of {table.rows} rows are exact copies of another"))
    return findings


def _kind(profile: ColumnProfile, is_category: bool) -> InputKind:
    if is_category:
        return InputKind.CATEGORY
    if profile.is_date:
        return InputKind.DATE
    if profile.is_boolean:
        return InputKind.BOOLEAN
    return InputKind.INTEGER if profile.is_integer else InputKind.NUMBER


def generous_range(low: float, high: float) -> tuple[float, float]:
    """What new applicants may say: the observed range widened by its own width on both sides, to round numbers.

    Never below zero where nothing was."""
    width = high - low
    wide = max(low - width, 0.0) if low >= 0 else low - width
    return _rounded(wide, math.floor), _rounded(high + width, math.ceil)


def _rounded(value: float, toward: Callable[[float], int]) -> float:
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(toward(value / step) * step)


def label_of(name: str) -> str:
    """A column's name as people read it: 'loan-amount', 'loanAmount' and 'LOAN_AMOUNT' become 'Loan amount'."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-.\s]+", " ", name).strip()
    words = [word if word.isupper() and len(word) <= 3 and not name.isupper() else word.lower() for word in spaced.split()]
    text = " ".join(words) or name
    return text[:1].upper() + text[1:]


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
