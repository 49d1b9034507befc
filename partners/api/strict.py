"""JSON read strictly and slowly: after the fast decoder refused a body, or where nobody waits, this finds every fault in it."""

import json
import math
import re
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

from partners.api.errors import MOST_FAULTS, BodyCompressed, BodyMalformed, Fault

_LONGEST_NUMBER = 400
_DEEPEST = 64
_LONGEST_POINTER = 500
_HARMLESS = frozenset({int, float, bool, type(None)})
_Place = tuple[Any, str] | None    # the place of what holds it, and its name there; put into words for a fault only
_GZIP = b"\x1f\x8b"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Pairs(list[tuple[str, Any]]):
    """An object's members as they stand in the text, doubles included."""


class Unreadable(str):
    """A number's text that no double can hold, or a word such as NaN that JSON does not know."""

    __slots__ = ()


def parse(raw: bytes) -> Any:
    """The text's tree with objects as Pairs. Raises BodyCompressed, or BodyMalformed for what is no JSON, too deep or no UTF-8."""
    try:
        return _decoder.decode(raw.decode())
    except UnicodeDecodeError as error:
        if raw.startswith(_GZIP):
            raise BodyCompressed from error
        raise BodyMalformed(f"The body is not UTF-8: see byte {error.start + 1}.") from error
    except json.JSONDecodeError as error:
        raise BodyMalformed(f"The body is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise BodyMalformed("The body is nested too deeply.") from error


def write(node: Any) -> bytes:
    """The tree as text again, with doubled members and unreadable numbers just as they were."""
    return _write(node, 0).encode()


def plain(node: Any, faults: list[Fault], place: _Place = None, depth: int = 0) -> Any:
    """The tree as dicts and lists; what makes it ambiguous or unstorable is added to `faults`, as much of it as anybody reads."""
    if depth > _DEEPEST:
        raise BodyMalformed("The body is nested too deeply.")
    if isinstance(node, Pairs):
        return _object(node, faults, place, depth)
    if isinstance(node, list):
        return [item if type(item) in _HARMLESS else plain(item, faults, (place, str(at)), depth + 1) for at, item in enumerate(node)]
    if isinstance(node, Unreadable):
        _refuse(faults, place, "not_finite", "This is no finite number.")
        return None
    if isinstance(node, str):
        _check_text(node, faults, place)
    return node


def escaped(name: str) -> str:
    """A member's name as a part of a JSON pointer; what cannot be printed is shown as a question mark."""
    visible = name[:80]
    if not visible.isprintable():
        visible = "".join(c if c.isprintable() else "?" for c in visible)
    return visible.replace("~", "~0").replace("/", "~1")


def _object(node: Pairs, faults: list[Fault], place: _Place, depth: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in node:
        if name in members:
            _refuse(faults, (place, name), "duplicate_key", "This member is there more than once.")
        members[name] = plain(value, faults, (place, name), depth + 1)
    return members


def _check_text(text: str, faults: list[Fault], place: _Place) -> None:
    if _UNSTORABLE.search(text):
        _refuse(faults, place, "wrong_characters", "This text holds a NUL or half of a surrogate pair, which cannot be stored.")


def _refuse(faults: list[Fault], place: _Place, code: str, detail: str) -> None:
    """One fault more; none beyond what is shown, since a body has room for a million in deep places, each with a long pointer."""
    if len(faults) <= MOST_FAULTS:    # one more, so that the answer can say that there are more
        faults.append(Fault(_pointer(place), code, detail))


def _pointer(place: _Place) -> str:
    names: list[str] = []
    while place is not None:
        place, name = place
        names.append(f"/{escaped(name)}")
    return "".join(reversed(names))[:_LONGEST_POINTER]


def _write(node: Any, depth: int) -> str:
    if depth > _DEEPEST:
        raise BodyMalformed("The body is nested too deeply.")
    if isinstance(node, Pairs):
        return "{" + ",".join(f"{encode_basestring_ascii(name)}:{_write(value, depth + 1)}" for name, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(_write(item, depth + 1) for item in node) + "]"
    return str(node) if isinstance(node, Unreadable) else json.dumps(node)


def _number(read: Callable[[str], float]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        return read(text) if len(text) <= _LONGEST_NUMBER and math.isfinite(float(text)) else Unreadable(text)

    return number


_decoder = json.JSONDecoder(object_pairs_hook=Pairs, parse_constant=Unreadable, parse_float=_number(float), parse_int=_number(int))
