"""Reading a request's body: its length before its bytes, its type, and its fields, with every fault at once."""

from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from django.http import HttpRequest
from rest_framework.request import Request

from partners.api import strict
from partners.api.errors import MOST_FAULTS, BodyTooLarge, Fault, LengthMissing, MediaTypeUnsupported, RequestRefused

LARGEST = 1_000_000
DRAINED = 16_000_000  # a refused body up to here is read and dropped, since most clients hear no answer while they still send
_PIECE = 65_536
T = TypeVar("T", bound=msgspec.Struct)


def read_body(request: Request, *, at_most: int = LARGEST) -> bytes:
    """The body's bytes. Raises LengthMissing, BodyTooLarge before keeping any of it, or MediaTypeUnsupported."""
    http: HttpRequest = request._request
    length = http.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        if http.META.get("HTTP_TRANSFER_ENCODING"):
            raise LengthMissing
        length = "0"
    if int(length) > at_most:
        _drain(http, int(length))
        raise BodyTooLarge(f"The body has {int(length):,} bytes; this route takes at most {at_most:,}.")
    _check_type(http)
    return http.read(int(length))


def _drain(http: HttpRequest, length: int) -> None:
    while 0 < length <= DRAINED and http.read(_PIECE):
        pass


def decode(raw: bytes, kind: type[T]) -> T:
    """The body as a `kind`. Raises BodyMalformed or RequestRefused with every fault."""
    faults: list[Fault] = []
    values = strict.plain(strict.parse(raw), faults)
    faults += faults_of(values, kind, known={fault.pointer for fault in faults})
    if faults:
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
    faults += [
        Fault(f"{pointer}/{strict.escaped(name)}", "unknown_field", "There is no such field.") for name in values if name not in fields
    ]
    return faults


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


def _fault(place: str, error: msgspec.ValidationError) -> Fault:
    message = str(error).partition(" - at `")[0]
    if "of length" in message:
        return Fault(place, "too_long" if "<=" in message else "too_short", f"{message}.")
    if "matching regex" in message:
        return Fault(place, "wrong_characters", "Send text without control characters and without space around it.")
    if message.startswith("Expected") and (">" in message or "<" in message):
        return Fault(place, "out_of_range", f"{message}.")
    return Fault(place, "wrong_type", f"{message}.")


def _check_type(request: HttpRequest) -> None:
    media, _, parameters = (request.META.get("CONTENT_TYPE") or "").lower().partition(";")
    if media.strip() != "application/json" or ("charset" in parameters and "utf-8" not in parameters and "utf8" not in parameters):
        raise MediaTypeUnsupported
