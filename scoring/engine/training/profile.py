"""What a column of a table looks like: numbers, codes, dates or words, what stands for 'missing', and what it seems to mean."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Column
from scoring.engine.tables import is_number

BLANKS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?"})
BLANKS_AMONG_NUMBERS = BLANKS | {"none", "nil", "-", "--", "."}      # among words, 'none' is an answer
SENTINELS = (
    *(-1, -7, -8, -9, -77, -88, -99, -777, -888, -999, -9999, -99999), *range(96, 100), *range(996, 1000), *range(9996, 10000),
    *(77777, 88888, 99999, 365243, 999999, 9999999, 99999999, 999999999),
)
MAX_CATEGORIES = 100
CODE_WORDS = frozenset([
    "sex", "gender", "education", "marriage", "marital", "status", "type", "code", "category", "class", "region", "branch", "county",
    "district", "state", "country", "province", "city", "zip", "postcode", "purpose", "occupation", "job", "industry", "sector",
    "channel", "race", "religion",
])
ID_WORDS = frozenset([
    "id", "ids", "key", "uuid", "guid", "ref", "reference", "index", "rownumber", "rowid", "rownum", "rownames", "serial",
])
ACCOUNT_WORDS = frozenset(["account", "acct", "acc", "card", "customer", "client", "member", "borrower", "loan", "policy", "contract"])
NUMBER_WORDS = frozenset(["number", "no", "nr", "num"])
ACCOUNTS_ALONE = frozenset(["account", "acct", "accountno", "accountnumber", "accountnum", "acctno", "accno", "cardno", "cardnumber"])
FEWEST_DIGITS, TOO_LONG_TO_COUNT = 6, 10    # of an account's number; and of one that no amount has in every row
PERSONAL_WORDS = frozenset([
    "surname", "lastname", "firstname", "forename", "fullname", "name", "phone", "telephone", "mobile", "msisdn", "email", "mail",
    "address", "street", "passport", "ssn", "nin", "bvn", "iban", "contact", "whatsapp", "nationalid",
])
PROTECTED_WORDS = frozenset([
    "age", "sex", "gender", "female", "male", "race", "ethnic", "ethnicity", "religion", "tribe", "caste", "nationality", "foreign",
    "marital", "marriage", "pregnant", "disability", "disabled", "senior", "birth", "dob", "birthdate", "citizenship", "orientation",
])
LATER_WORDS = frozenset([
    "recovered", "recovery", "recoveries", "chargeoff", "writeoff", "collections", "outcome", "repaid", "settled", "settlement",
    "closed", "closure", "paid",
])
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}$")
_PHONE = re.compile(r"^(\+|00)?\d[\d\s().-]{7,18}$")
_DAY = re.compile(r"(\d{1,4})([-/. ])(\d{1,2}|[A-Za-z]{3,9})\2(\d{1,4})(?:[ T]\d.*)?")
_ROUND = str.maketrans("DM", "??")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")              # 1,234 and 1,234,567.5
_DECIMAL_COMMA = re.compile(r"[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+")         # 3,14 and 1.234,56


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """One column's facts, all computed on its distinct texts and weighed by how often each occurs."""

    column: Column

    @property
    def name(self) -> str:
        return self.column.name

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the column's name: 'Loan-Purpose', 'loanPurpose' and 'loan_purpose' alike; digits at the end are dropped."""
        parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", self.name)
        return frozenset({part.lower() for part in parts} | {re.sub(r"[^a-z]", "", self.name.lower())})

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        return self.column.counts()

    @cached_property
    def is_blank(self) -> NDArray[np.bool_]:
        texts = self.column.texts    # there may be gigabytes of them, so none is copied for longer than it is looked at
        among_numbers = all(text.lower() in BLANKS_AMONG_NUMBERS or is_number(text) for text in texts)
        blanks = BLANKS_AMONG_NUMBERS if among_numbers else BLANKS
        return np.fromiter((text.lower() in blanks for text in texts), bool, len(texts))

    @cached_property
    def blanks(self) -> tuple[str, ...]:
        """The words that stand for 'missing' here, without the empty cell."""
        return tuple(text for text, blank in zip(self.column.texts, self.is_blank, strict=True) if blank and text)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        return tuple(text for text, blank in zip(self.column.texts, self.is_blank, strict=True) if not blank)

    @cached_property
    def filled(self) -> int:
        return int(self.counts[~self.is_blank].sum())

    @property
    def missing_share(self) -> float:
        return 1 - self.filled / len(self.column.codes)

    @property
    def distinct(self) -> int:
        return len(self.texts)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Each distinct text as a number, NaN where it is none."""
        return np.array([
            float(text) if not blank and is_number(text) else np.nan for text, blank in zip(self.column.texts, self.is_blank, strict=True)
        ])

    @cached_property
    def is_numeric(self) -> bool:
        """Every filled cell is a number, and none is a code with leading zeros."""
        return self.distinct > 0 and not np.isnan(self.numbers[~self.is_blank]).any() and not self.has_leading_zeros

    @cached_property
    def has_leading_zeros(self) -> bool:
        return any(re.match(r"^-?0\d", text) for text in self.texts)

    @cached_property
    def is_integer(self) -> bool:
        values = self.numbers[~self.is_blank]
        return self.is_numeric and bool((values == np.round(values)).all()) and bool((np.abs(values) < 2**53).all())

    @cached_property
    def is_boolean(self) -> bool:
        """It says true and false, or 0 and 1, and nothing else."""
        if self.is_numeric:
            return set(self.numbers[~self.is_blank].tolist()) == {0.0, 1.0}
        return self.distinct == 2 and {text.lower() for text in self.texts} == {"true", "false"}

    @cached_property
    def is_date(self) -> bool:
        return self.distinct > 0 and all(_is_date(text) for text in self.texts)

    @cached_property
    def day_formats(self) -> dict[str, int]:
        """How its days are written, each with the place of the first text that is; nothing where a text is no day.

        07/08/2024 may be either way round, so it counts as whatever the others show."""
        found: dict[str, int] = {}
        if self.is_numeric:
            return found
        for place in np.flatnonzero(~self.is_blank).tolist():
            form = day_format(self.column.texts[place])
            if not form:
                return {}
            found.setdefault(form, place)
        told = {form.translate(_ROUND) for form in found if form[0] in "DM"}
        return {form: place for form, place in found.items() if form[0] != "?" or form.translate(_ROUND) not in told}

    @cached_property
    def commas(self) -> Literal["", "thousands", "decimal", "either", "mixed"]:
        """What the commas in its numbers separate; '' where it holds none, or something beside numbers."""
        with_comma = [text for text in self.texts if "," in text]
        grouped = {text for text in with_comma if _GROUPED.fullmatch(text)}
        decimal = {text for text in with_comma if _DECIMAL_COMMA.fullmatch(text)}
        others = [text for text in self.texts if "," not in text]
        if self.distinct <= 2 or not with_comma or set(with_comma) - grouped - decimal or not all(map(is_number, others)):
            return ""
        is_grouped = bool(grouped - decimal) or any("." in text for text in others)
        is_decimal = bool(decimal - grouped)
        if is_grouped and is_decimal:
            return "mixed"
        return "thousands" if is_grouped else "decimal" if is_decimal else "either"

    @cached_property
    def looks_like_codes(self) -> bool:
        """Whole numbers that name things: few of them, and the column's name says so."""
        return self.is_integer and 2 < self.distinct <= 50 and bool(self.words & CODE_WORDS)

    @cached_property
    def sentinels(self) -> tuple[float, ...]:
        """Special numbers that stand apart from all others: twice as large as the largest other, or negative where nothing else is."""
        if not self.is_numeric or self.distinct < 4:
            return ()
        values, counts = self.numbers[~self.is_blank], self.counts[~self.is_blank]
        special = np.isin(values, SENTINELS)
        others = values[~special]
        if len(others) < 3:
            return ()
        low, high = float(others.min()), float(others.max())
        often = counts >= max(2, round(0.0005 * self.filled))
        apart = (low >= 0) & (values < 0) | (values >= 2 * max(high, 5.0)) | (values < 0) & (values <= 2 * low) & (low < 0)
        return tuple(sorted(float(value) for value in values[special & often & apart]))

    @cached_property
    def span(self) -> tuple[float, float]:
        """Smallest and largest number that is not a sentinel."""
        values = self.numbers[~self.is_blank]
        values = values[~np.isin(values, self.sentinels)]
        return float(values.min()), float(values.max())

    @cached_property
    def is_constant(self) -> bool:
        return self.distinct < 2

    @cached_property
    def is_unique(self) -> bool:
        return self.filled >= 20 and self.distinct >= 0.98 * self.filled

    @cached_property
    def is_monotone(self) -> bool:
        values = self.numbers[self.column.codes]
        return bool((np.diff(values[~np.isnan(values)]) > 0).all())

    @cached_property
    def looks_like_id(self) -> str:
        """Why the column only tells rows apart, or ''."""
        if self.is_date or (self.is_numeric and not self.is_integer) or not self.is_unique:
            return ""
        if not self.is_numeric:
            return "every row has its own text"
        if self.is_monotone:
            return "it counts the rows"
        lengths = {len(text) for text in self.texts}
        if self.words & ID_WORDS or (len(lengths) == 1 and lengths.pop() >= 6):
            return "every row has its own number"
        is_long = min(map(len, self.texts)) >= FEWEST_DIGITS
        if is_long and (self._names_an_account or min(lengths) >= TOO_LONG_TO_COUNT):
            return "every row has its own number of many digits, as accounts have"
        return ""

    @property
    def _names_an_account(self) -> bool:
        return self.words <= ACCOUNTS_ALONE or bool(self.words & ACCOUNT_WORDS and self.words & NUMBER_WORDS)

    @cached_property
    def looks_personal(self) -> str:
        """Why the column seems to hold personal data, or ''. Two or three codes under 'telephone' are an answer, not a number to call."""
        if self.is_numeric and not self.words & PERSONAL_WORDS and not any(text.startswith("+") for text in self.texts[:500]):
            return ""
        if self.distinct > 20 and self._share(_EMAIL) > 0.5:
            return "it holds e-mail addresses"
        if self.distinct > 20 and self._share(_PHONE) > 0.8 and not self.is_date:
            return "it holds phone numbers"
        if self.distinct > max(20, 0.02 * self.filled) and self.words & PERSONAL_WORDS and not self._is_too_small_to_name_anybody:
            return "its name says so"
        return ""

    @cached_property
    def _is_too_small_to_name_anybody(self) -> bool:
        """Counts and shares: a number that says who somebody is has at least six digits."""
        return self.is_numeric and self.span[1] < 100_000

    @cached_property
    def looks_protected(self) -> bool:
        return bool(self.words & PROTECTED_WORDS)

    @cached_property
    def looks_known_later(self) -> bool:
        return bool(self.words & LATER_WORDS)

    def most_frequent(self, most: int) -> tuple[tuple[str, ...], float]:
        """The most frequent texts, in alphabetical order, and their share of the filled cells."""
        order = np.argsort(-self.counts, kind="stable")
        places = [place for place in order if not self.is_blank[place]][:most]
        return tuple(sorted(self.column.texts[place] for place in places)), float(self.counts[places].sum() / max(self.filled, 1))

    def _share(self, pattern: re.Pattern[str]) -> float:
        sample = self.texts[:500]
        return sum(bool(pattern.match(text)) for text in sample) / max(len(sample), 1)


def day_of(text: str) -> date | None:
    """The day that a text says, YYYY-MM-DD with or without a time of day; None for any other text."""
    if len(text) < 10 or text[4:8:3] != "--" or text[10:11] not in ("", " ", "T"):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def day_format(text: str) -> str:
    """How a day is written, such as DD/MM/YYYY; with question marks where day and month cannot be told apart, and '' for no day."""
    if re.fullmatch(r"(19|20)\d{6}", text):
        return "YYYYMMDD"
    found = _DAY.fullmatch(text)
    if not found:
        return ""
    first, mark, second, last = found.groups()
    if len(first) == 4:
        return f"YYYY{mark}MM{mark}DD" if len(last) <= 2 else ""
    if len(first) > 2 or len(last) not in (2, 4):
        return ""
    if not second.isdecimal():
        return f"DD{mark}MON{mark}YYYY"
    if max(int(first), int(second)) > 12:
        return (f"DD{mark}MM{mark}" if int(first) > 12 else f"MM{mark}DD{mark}") + "YYYY"
    return f"??{mark}??{mark}YYYY"


def _is_date(text: str) -> bool:
    return day_of(text) is not None
