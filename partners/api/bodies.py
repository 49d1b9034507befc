"""Reading a request's body: its length before its bytes, its type, and its fields, with every fault at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from django.http import HttpRequest
from rest_framework.request import Request

from partners.api import strict
from partners.api.errors import MOST_FAULTS, BodyCompressed, BodyTooLarge, Fault, LengthMissing, MediaTypeUnsupported, RequestRefused

LARGEST = 1_000_000
DRAINED = 16_000_000  # a refused body up to here is read and dropped, since most clients hear no answer while they still send
_PIECE = 65_536
T = TypeVar("T", bound=msgspec.Struct)


def read_body(request: Request, *, at_most: int = LARGEST, may_be_empty: bool = False) -> bytes:
    """The body's bytes; no body is an empty object where it `may_be_empty`, since every field is optional.

    Raises LengthMissing, BodyTooLarge before keeping any of it, BodyCompressed or MediaTypeUnsupported."""
    http: HttpRequest = request._request
    length = http.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        if http.META.get("HTTP_TRANSFER_ENCODING"):
            raise LengthMissing
        length = "0"
    if int(length) > at_most:
        _drain(http, int(length))
        raise BodyTooLarge(f"The body has {int(length):,} bytes; this route takes at most {at_most:,}.")
    if may_be_empty and int(length) == 0:
        return b"{}"
    _check_type(http)
    return http.read(int(length))


def is_bare(kind: type[msgspec.Struct]) -> bool:
    """Whether every field may be left out, and the body with them."""
    return not any(field.required for field in msgspec.structs.fields(kind))


def _drain(http: HttpRequest, length: int) -> None:
    while 0 < length <= DRAINED and http.read(_PIECE):
        pass


def decode(raw: bytes, kind: type[T], *, also: Callable[..., Mapping[str, str]] | None = None) -> T:
    """The body as a `kind`. Raises BodyMalformed or RequestRefused with every fault.

    `also` says by name what a service would refuse of the members that are right so far, for a body that is refused anyway."""
    faults: list[Fault] = []
    values = strict.plain(strict.parse(raw), faults)
    faults += faults_of(values, kind, known={fault.pointer for fault in faults})
    if faults:
        if also is not None and isinstance(values, dict):
            refused = also(**_values_of(values, kind, faults))
            faults += [Fault(f"/{name}", "invalid_value", detail) for name, detail in refused.items()]
        raise RequestRefused(faults)
    return msgspec.convert(values, kind)


def faults_of(values: Any, kind: type[msgspec.Struct], pointer: str = "", *, known: set[str] = frozenset()) -> list[Fault]:  # type: ignore[assignment]
    """Everything about `values` that keeps it from being a `kind`, except at pointers whose fault is known already."""
    if not isinstance(values, dict):
        return [Fault(pointer, "wrong_type", "This must be an object.")]
    faults: list[Fault] = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        place = f"{pointer}/{name}"
        if name not in values:
            if field.required:
                faults.append(Fault(place, "required", "This is required."))
        elif place not in known:
            faults += _faults_of_field(values[name], field.type, place, known)
    unknown = islice((name for name in values if name not in fields), MOST_FAULTS + 1)
    return faults + [Fault(f"{pointer}/{strict.escaped(name)}", "unknown_field", "There is no such field.") for name in unknown]


def _faults_of_field(value: Any, kind: Any, place: str, known: set[str]) -> list[Fault]:
    if kind is msgspec.Raw:
        return []
    nested = _struct_in(kind)
    if nested is not None and value is not None:
        return faults_of(value, nested, place, known=known)
    each = _struct_in_list(kind)
    if each is not None and isinstance(value, list) and not (faults := _length_faults(value, kind, place)):
        for at, one in enumerate(value):
            faults += faults_of(one, each, f"{place}/{at}", known=known)
            if len(faults) >= MOST_FAULTS:
                break
        return faults
    if each is not None and isinstance(value, list):
        return faults
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [_fault(place, error)]
    return []


def _values_of(values: Mapping[str, Any], kind: type[msgspec.Struct], faults: Sequence[Fault]) -> dict[str, Any]:
    """Those members that have no fault, as a `kind` holds them."""
    wrong = {fault.pointer.split("/")[1] for fault in faults if fault.pointer}
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return {name: msgspec.convert(value, fields[name]) for name, value in values.items() if name in fields and name not in wrong}


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    options = get_args(kind) if get_origin(kind) is Union or type(kind).__name__ == "UnionType" else (kind,)
    return next((option for option in options if isinstance(option, type) and issubclass(option, msgspec.Struct)), None)


def _struct_in_list(kind: Any) -> type[msgspec.Struct] | None:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return _struct_in(get_args(bare)[0]) if get_origin(bare) is list else None


def _length_faults(value: list[Any], kind: Any, place: str) -> list[Fault]:
    """Whether the list is too short or too long, whatever its items are."""
    bounds = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    try:
        msgspec.convert(value, Annotated[(list[Any], *bounds)])
    except msgspec.ValidationError as error:
        return [_fault(place, error)]
    return []


_DAY, _TIME = "a date such as 1990-05-17", "a time with its offset, such as 2026-11-21T08:30:00Z"
_NAMES = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "null", "array": "a list",
    "object": "an object", "date": _DAY, "datetime": _TIME,
}    # fmt: skip
_ENCODED = {"Invalid RFC3339 encoded date": _DAY, "Invalid RFC3339 encoded datetime": _TIME}
_LENGTH = re.compile(r"Expected `(str|array)[^`]*` of length (<=|>=) (\d+)")
_BOUND = re.compile(r"Expected `(int|float)[^`]*` (<=|>=) (\S+)")
_KIND = re.compile(r"Expected `([a-z |]+)`")


def _fault(place: str, error: msgspec.ValidationError) -> Fault:
    """What the decoder found, in words that say what to send. An item of a list is pointed at."""
    message, _, path = str(error).partition(" - at `$")
    place += "".join(f"/{at}" for at in re.findall(r"\[(\d+)\]", path))
    if length := _LENGTH.match(message):
        what = "characters" if length[1] == "str" else "items"
        what = what if length[3] != "1" else what[:-1]
        is_short = length[2] == ">="
        return Fault(place, "too_short" if is_short else "too_long", f"Send at {'least' if is_short else 'most'} {length[3]} {what}.")
    if "matching regex" in message:
        return Fault(place, "wrong_characters", "Send text without control characters and without space around it.")
    if bound := _BOUND.match(message):
        end = "least" if bound[2] == ">=" else "most"
        return Fault(place, "out_of_range", f"Send {_NAMES[bound[1]]} of at {end} {bound[3].rstrip('.')}.")
    if message in _ENCODED:
        return Fault(place, "wrong_type", f"Send {_ENCODED[message]}.")
    kind = _KIND.match(message)
    return Fault(place, "wrong_type", f"Send {_in_words(kind[1]) if kind else 'a value of the kind that /docs names'}.")


def _in_words(kinds: str) -> str:
    """`bool | null` as 'true, false or null'."""
    words = [_NAMES.get(kind, kind) for kind in kinds.split(" | ")]
    if "true or false" in words and len(words) > 1:
        words = ["true", "false", *(word for word in words if word != "true or false")]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _check_type(request: HttpRequest) -> None:
    encoding = (request.META.get("HTTP_CONTENT_ENCODING") or "identity").strip().lower()
    if encoding != "identity":
        raise BodyCompressed
    media, _, parameters = (request.META.get("CONTENT_TYPE") or "").lower().partition(";")
    if media.strip() != "application/json" or ("charset" in parameters and "utf-8" not in parameters and "utf8" not in parameters):
        raise MediaTypeUnsupported
