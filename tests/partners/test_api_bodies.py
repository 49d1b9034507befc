"""Bodies read strictly: every fault at once, in a time that does not depend on how hostile they are."""

import time
from datetime import date
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from partners.api.bodies import decode
from partners.api.errors import BodyMalformed, RequestRefused


class Person(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    born: date | None = None


class Order(msgspec.Struct, forbid_unknown_fields=True):
    person: Person
    amount: Annotated[float, Meta(ge=0, le=100)]
    note: str = ""


def faults(raw: bytes) -> set[tuple[str, str]]:
    with pytest.raises(RequestRefused) as refusal:
        decode(raw, Order)
    return {(fault.pointer, fault.code) for fault in refusal.value.faults}


def test_a_right_body_is_read() -> None:
    order = decode(b'{"amount": 3, "person": {"name": "Ann", "born": "1990-01-31"}}', Order)

    assert order == Order(Person("Ann", date(1990, 1, 31)), 3.0)


def test_every_fault_is_named_at_once() -> None:
    raw = b'{"person": {"name": "", "born": "soon", "~x/": 1}, "amount": 101, "extra": 1, "note": 5}'

    assert faults(raw) == {
        ("/person/name", "too_short"),
        ("/person/born", "wrong_type"),
        ("/person/~0x~1", "unknown_field"),
        ("/amount", "out_of_range"),
        ("/extra", "unknown_field"),
        ("/note", "wrong_type"),
    }


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"person": {"name": "A", "name": "B"}, "amount": 1}', ("/person/name", "duplicate_key")),
        (b'{"person": {"name": "A"}, "amount": 1, "amount": 2}', ("/amount", "duplicate_key")),
        (b'{"person": {"name": "A"}, "amount": NaN}', ("/amount", "not_finite")),
        (b'{"person": {"name": "A"}, "amount": -Infinity}', ("/amount", "not_finite")),
        (b'{"person": {"name": "A"}, "amount": 1e400}', ("/amount", "not_finite")),
        (b'{"person": {"name": "A"}, "amount": ' + b"9" * 5000 + b"}", ("/amount", "not_finite")),
        (b'{"person": {"name": "A\\u0000"}, "amount": 1}', ("/person/name", "wrong_characters")),
        (b'{"person": {"name": "\\ud800"}, "amount": 1}', ("/person/name", "wrong_characters")),
        (b'{"person": [], "amount": 1}', ("/person", "wrong_type")),
        (b'{"person": null, "amount": 1}', ("/person", "wrong_type")),
        (b'{"person": {"name": "A"}}', ("/amount", "required")),
        (b"[]", ("", "wrong_type")),
        (b"null", ("", "wrong_type")),
    ],
)
def test_one_fault_is_named_with_its_pointer(raw: bytes, expected: tuple[str, str]) -> None:
    assert faults(raw) == {expected}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"{} {}", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"amount": 01}', b"[" * 10_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"note": ' + b"[" * 100 + b"]" * 100 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_or_too_deep_is_refused_quickly(raw: bytes) -> None:
    started = time.perf_counter()

    with pytest.raises(BodyMalformed):
        decode(raw, Order)

    assert time.perf_counter() - started < 1
