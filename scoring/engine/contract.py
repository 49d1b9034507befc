"""What a product asks for: its inputs as data, and the validator that is compiled from them."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from scoring.engine.written import DefinitionRefused as DefinitionRefused  # a part of what a contract says of itself
from scoring.engine.written import check_members, kinds_of

LARGEST_INTEGER = 2**53    # beyond it a float64, and so a JSON number elsewhere, skips integers
_EXACT = float(LARGEST_INTEGER - 1)
LONGEST_TEXT = 200
MOST_PROBLEMS = 200

MOST_EVENTS = 5_000        # of one kind, about one applicant

Scalar = float | int | str | bool | None
Event = dict[str, Scalar]
Value = Scalar | list[Event]
Values = Mapping[str, Value]    # what a validator returns: every input of the contract, in its order


class InputKind(StrEnum):
    """What an input is."""

    NUMBER = "number"
    INTEGER = "integer"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    DATE = "date"
    EVENTS = "events"


class Change(StrEnum):
    """Which way an applicant can change what an input says; for a truth value up is from no to yes. `infer`: see `changes.change_of`."""

    INFER = "infer"
    NEVER = "never"
    UP = "up"
    DOWN = "down"
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: what it may be and how people read it. `missing_codes` are values that stand for "not known".

    Of kind events it is a list: `columns` say what each event has, `time` which of them is its day, and `key` which column of a file of
    events names the applicant. It is optional: who tells no list is not known, who tells an empty one had none.

    A protected input is never required."""

    name: str
    kind: InputKind
    label: str = ""
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    accepts_other: bool = False
    missing_codes: tuple[str, ...] = ()
    unit: str | None = None
    help: str = ""
    is_personal: bool = False
    is_protected: bool = False
    change: Change = Change.INFER
    columns: tuple["Input", ...] = ()
    time: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 100 or not self.name.isprintable():
            raise DefinitionRefused(f"input {self.name!r}: a name has 1 to 100 printable characters.")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise DefinitionRefused(f"input {self.name!r}: minimum {self.minimum} is larger than maximum {self.maximum}.")
        if self.kind is InputKind.CATEGORY and not (self.categories or self.accepts_other):
            raise DefinitionRefused(f"input {self.name!r}: list its categories, or set accepts_other.")
        if len(set(self.categories)) < len(self.categories):
            raise DefinitionRefused(f"input {self.name!r}: a category stands there twice.")
        if self.change not in {Change.INFER, Change.NEVER}:
            self._check_change()
        if self.is_protected:
            # Nobody has to say what no model may use, and forms do not ask for it.
            object.__setattr__(self, "required", False)
        if self.kind is InputKind.EVENTS:
            self._check_events()

    def _check_change(self) -> None:
        if self.is_protected or self.is_personal or self.kind in {InputKind.DATE, InputKind.EVENTS}:
            raise DefinitionRefused(f"input {self.name!r}: who somebody is, days and past events cannot change; write change as never.")
        if self.kind is InputKind.CATEGORY and self.change is not Change.EITHER:
            raise DefinitionRefused(f"input {self.name!r}: categories have no order; write change as either or never.")

    def _check_events(self) -> None:
        object.__setattr__(self, "required", False)
        names = [one.name for one in self.columns]
        if len(set(names)) < len(names) or any(one.kind is InputKind.EVENTS for one in self.columns):
            raise DefinitionRefused(f"input {self.name!r}: its columns have different names and hold no events themselves.")
        if not any(one.name == self.time and one.kind is InputKind.DATE and one.required for one in self.columns):
            raise DefinitionRefused(f"input {self.name!r}: `time` names a required date among its columns.")

    @property
    def title(self) -> str:
        """The input's name for people."""
        return self.label or self.name

    @property
    def unit_beside_title(self) -> str | None:
        """The unit, where the title does not say it already."""
        return None if self.unit and self.unit.lower() in self.title.lower() else self.unit


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong input: a JSON pointer to it, a stable code, and what to do."""

    pointer: str
    code: str
    detail: str


class ContractViolation(Exception):
    """Some inputs cannot be used; `problems` names every one of them."""

    code = "invalid_inputs"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in self.problems[:5]))


@dataclass(frozen=True, slots=True)
class Contract:
    """A product's inputs, in the order people are asked for them."""

    inputs: tuple[Input, ...]

    def __post_init__(self) -> None:
        names = [one.name for one in self.inputs]
        if not names or len(set(names)) < len(names):
            raise DefinitionRefused("a contract needs inputs, each with a name of its own.")

    def to_dict(self) -> dict[str, Any]:
        """As JSON that a person can read and edit: what is at its default is left out."""
        return {"inputs": [_without_defaults(one) for one in self.inputs]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Contract":
        """Raises DefinitionRefused."""
        if not isinstance(data.get("inputs"), list | tuple):
            raise DefinitionRefused("'inputs' is missing or no list; list what applicants are asked, each with a name and a kind.")
        return cls(tuple(_input_from(one, f"input {place}") for place, one in enumerate(data["inputs"], start=1)))

    def json_schema(self) -> dict[str, Any]:
        """The inputs as JSON Schema 2020-12."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": False,
            "required": [one.name for one in self.inputs if one.required],
            "properties": {one.name: _property(one) for one in self.inputs},
        }


def _without_defaults(one: Input) -> dict[str, Any]:
    blank = asdict(Input(name=one.name, kind=InputKind.NUMBER))
    hidden = {"columns", "required"} if one.kind is InputKind.EVENTS else {"columns"}
    said = {name: value for name, value in asdict(one).items() if name in {"name", "kind"} or (value != blank[name] and name not in hidden)}
    said |= {"columns": [_without_defaults(column) for column in one.columns]} if one.columns else {}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


def _input_from(data: Any, where: str) -> Input:
    check_members(data, kinds_of(Input), where=where)
    known = {**data, "kind": InputKind(data["kind"]), "change": Change(data.get("change", Change.INFER))}
    known["categories"] = tuple(map(str, data.get("categories", ())))
    columns = enumerate(data.get("columns", ()), start=1)
    known["columns"] = tuple(_input_from(one, f"column {place} of {data['name']!r}") for place, one in columns)
    return Input(**{**known, "missing_codes": tuple(map(str, data.get("missing_codes", ())))})


def _property(one: Input) -> dict[str, Any]:
    if one.kind is InputKind.EVENTS:
        event = Contract(one.columns).json_schema()
        del event["$schema"]
        about = {"description": one.help} if one.help else {}
        return {"title": one.title, "type": ["array", "null"], "maxItems": MOST_EVENTS, "items": event, **about}
    kinds = {InputKind.NUMBER: "number", InputKind.INTEGER: "integer", InputKind.BOOLEAN: "boolean"}
    kind: Any = kinds.get(one.kind, "string")
    schema: dict[str, Any] = {"title": one.title, "type": kind if one.required else [kind, "null"]}
    if one.help:
        schema["description"] = one.help
    if one.unit:
        schema["x-unit"] = one.unit
    if one.kind is InputKind.DATE:
        schema["format"] = "date"
    if one.kind is InputKind.CATEGORY and not one.accepts_other:
        schema["enum"] = [*one.categories, *([] if one.required else [None])]
    if one.kind is InputKind.CATEGORY and one.accepts_other and one.required:
        schema["pattern"] = r"\S"
    if one.minimum is not None:
        schema["minimum"] = one.minimum
    if one.maximum is not None:
        schema["maximum"] = one.maximum
    return schema


# ---- one value


class _Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail


_MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _read(one: Input, value: Any) -> Scalar:
    """The value as the model takes it, None when it is not known. Raises _Refused. The definition; the fast path only agrees with it."""
    if value is None or _is_missing_code(one, value) or _is_blank(one, value):
        if one.required:
            raise _Refused("required", "This is needed; give a value.")
        return None
    match one.kind:
        case InputKind.NUMBER | InputKind.INTEGER:
            return _number(one, value)
        case InputKind.CATEGORY:
            return _category(one, value)
        case InputKind.BOOLEAN:
            if not isinstance(value, bool):
                raise _Refused("wrong_type", "Send true or false.")
            return value
        case InputKind.DATE:
            return _date(value)
        case InputKind.EVENTS:
            raise AssertionError("events are read by _Events")


class _Events:
    """Reads a list of events against its input, every fault of every event with its place."""

    def __init__(self, one: Input, problems: list[Problem]) -> None:
        self.one, self.problems = one, problems
        self.columns = {column.name: column for column in one.columns}

    def read(self, value: Any) -> list[Event] | None:
        """The events in the order they were told."""
        if value is None:
            return None
        if not isinstance(value, list) or isinstance(value, _Members):
            self._refuse("", "wrong_type", "Send a list of events.")
        elif len(value) > MOST_EVENTS:
            self._refuse("", "too_long", f"Send at most {MOST_EVENTS:,} events, the latest.")
        else:
            return [self._event(place, event) for place, event in enumerate(value)]
        return None

    def _event(self, place: int, event: Any) -> Event:
        if not isinstance(event, Mapping | _Members):
            self._refuse(f"/{place}", "wrong_type", "Send each event as an object.")
            return {}
        given: dict[str, Any] = {}
        for name, value in event.items() if isinstance(event, Mapping) else event:
            if name in given:
                self._refuse(f"/{place}{pointer(name)}", "duplicate_key", "Send each member once.")
            elif name not in self.columns:
                self._refuse(f"/{place}{pointer(name)}", "unknown_field", f"Leave it out; an event has {', '.join(self.columns)}.")
            given[name] = value
        return {name: self._member(place, column, given.get(name)) for name, column in self.columns.items()}

    def _member(self, place: int, column: Input, value: Any) -> Scalar:
        try:
            return _read(column, value)
        except _Refused as refusal:
            self._refuse(f"/{place}{pointer(column.name)}", refusal.code, refusal.detail)
            return None

    def _refuse(self, place: str, code: str, detail: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(f"{pointer(self.one.name)}{place}", code, detail))


def _event_cells(one: Input, cells: Mapping[str, str]) -> dict[str, Any]:
    """A row of a file of events, as JSON would say it. Raises _Refused; columns that the input does not know are passed over."""
    known: dict[str, Any] = {}
    for column in one.columns:
        text = cells.get(column.name, "").strip()
        day = text[:10] if column.kind is InputKind.DATE and text[10:11] in {" ", "T"} else text
        known[column.name] = _from_cell(column, day)
    return known


def _is_blank(one: Input, value: Any) -> bool:
    """Whether a text says nothing, as an empty cell or field does."""
    return one.kind is InputKind.CATEGORY and isinstance(value, str) and not value.strip() and value not in one.categories


def _is_missing_code(one: Input, value: Any) -> bool:
    return bool(one.missing_codes) and not isinstance(value, bool) and (value in one.missing_codes or _plain(value) in one.missing_codes)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_INTEGER:
        return str(int(value))
    return str(value) if isinstance(value, int | float | str) else ""


def _number(one: Input, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("wrong_type", "Send a number, without quotes and with a point for decimals.")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused("not_finite", "Send a finite number.")
    if abs(value) > LARGEST_INTEGER and (one.kind is InputKind.INTEGER or isinstance(value, int)):
        raise _Refused("out_of_range", f"Send a number between -{LARGEST_INTEGER} and {LARGEST_INTEGER}.")
    if one.kind is InputKind.INTEGER and value != int(value):
        raise _Refused("wrong_type", "Send a whole number.")
    if (one.minimum is not None and value < one.minimum) or (one.maximum is not None and value > one.maximum):
        raise _Refused("out_of_range", _beyond(one))
    return int(value) if one.kind is InputKind.INTEGER else float(value)


def _beyond(one: Input) -> str:
    low, high = (None if bound is None else f"{bound:,.15g}" for bound in (one.minimum, one.maximum))
    unit = f" ({one.unit})" if one.unit else ""
    if low is not None and high is not None:
        return f"Send a number from {low} to {high}; check the unit{unit}."
    if high is None:
        return f"Send a number of {low} or more; check the unit{unit}."
    return f"Send a number of {high} or less; check the unit{unit}."


def _category(one: Input, value: Any) -> str:
    text = _plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise _Refused("wrong_type", "Send one of the listed texts.")
    _check_text(text)
    if text not in one.categories and not one.accepts_other:
        shown = ", ".join(one.categories[:20]) + (", ..." if len(one.categories) > 20 else "")
        raise _Refused("not_in_list", f"Send one of: {shown}.")
    return text


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) and len(value) == 10 else _raise_date()
    except ValueError:
        return _raise_date()


def _raise_date() -> str:
    raise _Refused("wrong_type", "Send a date as YYYY-MM-DD.")


def _check_text(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise _Refused("too_long", f"Send at most {LONGEST_TEXT} characters.")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise _Refused("wrong_characters", "Send text without control characters or lone surrogates.")


def _from_cell(one: Input, text: str) -> Any:
    """What a cell or form field says, as JSON would say it. Raises _Refused."""
    text = text.strip()
    if text in one.missing_codes or (text.lower() in _MISSING_WORDS and text not in one.categories):
        return None
    if one.kind in {InputKind.NUMBER, InputKind.INTEGER}:
        if not _NUMBER.fullmatch(text):
            raise _Refused(*_cell_fault(text))
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    if text[:1] in "=+-@" and text not in one.categories:
        raise _Refused("formula", "This begins like a spreadsheet formula; write the plain value.")
    if one.kind is InputKind.BOOLEAN:
        return _YES_NO.get(_plain(float(text)) if _NUMBER.fullmatch(text) else text.lower(), text)
    if one.kind is InputKind.CATEGORY and text not in one.categories and _NUMBER.fullmatch(text):
        return _plain(float(text))    # 3.0 in a file is the category 3
    return text


def _cell_fault(text: str) -> tuple[str, str]:
    if text.lower().lstrip("+-") in {"inf", "infinity"}:
        return "not_finite", "Write a finite number."
    if text[:1] in {"=", "@"} or re.match(r"[+-]\D", text):
        return "formula", "This begins like a spreadsheet formula; write the plain number."
    if re.fullmatch(r"[\d.,\s']+", text):
        return "wrong_type", "Write the number without separators and with a point for decimals, such as 1234.5."
    return "wrong_type", "Write a number."


# ---- the validator


class Validator:
    """Checks inputs against one contract: right ones in microseconds, wrong ones completely. Immutable; shared by threads."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._by_name = {one.name: one for one in contract.inputs}
        self._names = tuple(self._by_name)
        fields = [(f"f{place}", *_field(one)) for place, one in enumerate(contract.inputs)]
        rename = {f"f{place}": name for place, name in enumerate(self._names)}
        kind = msgspec.defstruct("Inputs", fields, rename=rename, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True)
        self._has_events = any(one.kind is InputKind.EVENTS for one in contract.inputs)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode
        self._astuple = msgspec.structs.astuple
        self._finish = tuple((name, _finisher(one)) for name, one in self._by_name.items())
        self._cells = () if self._has_events else tuple((name, _cell_reader(one)) for name, one in self._by_name.items())

    def check_json(self, raw: bytes) -> dict[str, Value]:
        """The values of a JSON object, every input of the contract in its order. Raises ContractViolation with pointers `/<name>`."""
        if self._has_events:
            return self._check_tree(raw)
        try:
            return self._fast(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Refused):
            return self._check_tree(raw)

    def _fast(self, raw: bytes) -> dict[str, Value]:
        given = self._astuple(self._decode(raw))
        present = texts = 0
        values: dict[str, Value] = {}
        for (name, finish), value in zip(self._finish, given, strict=True):
            if value is UNSET:
                values[name] = None
                continue
            present += 1
            if value is None:
                values[name] = None
                continue
            if type(value) is str or type(value) is date:
                texts += 1
            values[name] = finish(value) if finish else value
        # The decoder keeps the last of two members of one name without a word. Every string brings two quotation marks, so more of them
        # than what was read accounts for mean that something was dropped, or that one stands escaped within a text.
        if raw.count(b'"') != 2 * (present + texts):
            return self._check_tree(raw)
        return values

    def check(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The same for values that are already Python's. Raises ContractViolation."""
        return self._check_members(values.items())

    def check_text(self, cells: Mapping[str, str | Sequence[Mapping[str, str]]]) -> dict[str, Value]:
        """The same for a row of a file or a form, where every value is a text, and events are rows themselves. Raises ContractViolation."""
        if len(cells) == len(self._cells):
            try:
                return {name: read_cell(cells[name]) for name, read_cell in self._cells}    # type: ignore[arg-type]
            except (_Refused, KeyError, ValueError):
                pass    # told in full below
        read: list[tuple[str, Any]] = []
        problems: list[Problem] = []
        for name, text in cells.items():
            one = self._by_name.get(name)
            try:
                read.append((name, _said(one, text)))
            except _Refused as refusal:
                problems.append(Problem(pointer(name), refusal.code, refusal.detail))
        known = {problem.pointer for problem in problems}
        try:
            values = self._check_members(read)
        except ContractViolation as violation:
            problems += [problem for problem in violation.problems if problem.pointer not in known]
        if problems:
            raise ContractViolation(problems)
        return values

    def _check_tree(self, raw: bytes) -> dict[str, Value]:
        try:
            text = raw.decode()
            members = json.loads(text, object_pairs_hook=_Members, parse_int=_integer)
        except RecursionError as error:
            raise ContractViolation([Problem("", "not_json", "Send inputs that are not nested.")]) from error
        except ValueError as error:
            raise ContractViolation([Problem("", "not_json", "Send a JSON object in UTF-8.")]) from error
        if not isinstance(members, _Members):
            raise ContractViolation([Problem("", "wrong_type", "Send the inputs as a JSON object.")])
        return self._check_members(members)

    def _check_members(self, members: Iterable[tuple[str, Any]]) -> dict[str, Value]:
        problems: list[Problem] = []
        given: dict[str, Any] = {}
        for name, value in members:
            if len(problems) >= MOST_PROBLEMS:
                break    # nobody reads more, and the body is refused
            if name in given:
                problems.append(Problem(pointer(name), "duplicate_key", "Send each input once."))
            elif name not in self._by_name:
                problems.append(Problem(pointer(name), "unknown_field", self._unknown(name)))
            given[name] = value
        values: dict[str, Value] = {}
        for name, one in self._by_name.items():
            try:
                values[name] = _Events(one, problems).read(given.get(name)) if one.kind is InputKind.EVENTS else _read(one, given.get(name))
            except _Refused as refusal:
                problems.append(Problem(pointer(name), refusal.code, refusal.detail))
        if problems:
            raise ContractViolation(problems[:MOST_PROBLEMS])
        return values

    def _unknown(self, name: str) -> str:
        near = [known for known in self._names if known.lower().replace("-", "_") == name.lower().replace("-", "_").strip()]
        return f"Send it as {near[0]!r}." if near else "Leave it out; the product's contract lists its inputs."


def _said(one: Input | None, cell: str | Sequence[Mapping[str, str]]) -> Any:
    """Raises _Refused."""
    if one is None or one.kind is not InputKind.EVENTS:
        return _from_cell(one, cell) if one and isinstance(cell, str) else cell
    return None if isinstance(cell, str) else [_event_cells(one, event) for event in cell]


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object as they stand there, doubles included."""


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 400 else math.inf


def pointer(name: str) -> str:
    """The JSON pointer (RFC 6901) to a member of this name; characters that cannot be sent are shown as escapes."""
    shown = name.encode("utf-8", "backslashreplace").decode()[:LONGEST_TEXT]
    return "/" + shown.replace("~", "~0").replace("/", "~1")


def compile_contract(contract: Contract) -> Validator:
    """The contract's validator."""
    return Validator(contract)


def _field(one: Input) -> tuple[Any, ...]:
    kind: Any
    match one.kind:
        case InputKind.NUMBER:
            # From 2**53 on the slow path judges: the decoder has already rounded an integer that a double cannot hold.
            low, high = max(_finite(one.minimum, -_EXACT), -_EXACT), min(_finite(one.maximum, _EXACT), _EXACT)
            kind = Annotated[float, Meta(ge=low, le=high)]
        case InputKind.INTEGER:
            low, high = (_finite(one.minimum, -LARGEST_INTEGER), _finite(one.maximum, LARGEST_INTEGER))
            kind = Annotated[int, Meta(ge=math.ceil(low), le=math.floor(high))]
        case InputKind.CATEGORY:
            kind = Annotated[str, Meta(max_length=LONGEST_TEXT)] if one.accepts_other else Literal[one.categories]
        case InputKind.BOOLEAN:
            kind = bool
        case InputKind.DATE:
            kind = date
        case InputKind.EVENTS:
            kind = Any    # a contract with events is read by the definition alone
    return (kind,) if one.required else (kind | None | UnsetType, UNSET)


def _finite(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound


def _finisher(one: Input) -> Callable[[Any], Value] | None:
    """What is left to do with a value that the decoder let pass."""
    if one.kind is InputKind.DATE:
        return date.isoformat
    if one.missing_codes or one.accepts_other:
        return partial(_read, one)
    return None


def _cell_reader(one: Input) -> Callable[[str], Value]:
    """As `_from_cell`, then `_read`; quickly for what nearly every cell of a file is. Raises _Refused."""
    known: dict[str, Value] = {}

    def slowly(text: str) -> Value:
        return _read(one, _from_cell(one, text))

    if one.missing_codes or one.kind is InputKind.DATE:
        return slowly
    if one.kind is InputKind.NUMBER:
        return _number_reader(one, slowly)
    texts = [*one.categories, ""] if one.kind is InputKind.CATEGORY else [*_YES_NO, "", *map(str, range(100))]
    for text in texts:
        with suppress(_Refused):
            known[text] = slowly(text)
    return lambda text: known[text] if text in known else slowly(text)


def _number_reader(one: Input, slowly: Callable[[str], Value]) -> Callable[[str], Value]:
    low, high = max(_finite(one.minimum, -_EXACT), -_EXACT), min(_finite(one.maximum, _EXACT), _EXACT)
    is_number = _NUMBER.fullmatch

    def read(text: str) -> Value:
        if is_number(text) and low <= (value := float(text)) <= high and (value or text[0] != "-"):    # -0 has no sign as a whole number
            return value
        return slowly(text)

    return read
