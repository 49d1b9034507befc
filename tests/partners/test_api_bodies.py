"""Bodies read strictly: every fault at once, in a time that does not depend on how hostile they are."""

import gzip
import time
import tracemalloc
from datetime import date, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from partners.api.bodies import decode
from partners.api.errors import MOST_FAULTS, BodyCompressed, BodyMalformed, RequestRefused


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


class Everything(msgspec.Struct, forbid_unknown_fields=True):
    text: str | None = None
    plain: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    flag: bool | None = None
    whole: Annotated[int, Meta(ge=0, le=9)] = 0
    share: float = 0.0
    day: date | None = None
    moment: Annotated[datetime, Meta(tz=True)] | None = None
    texts: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    person: Person | None = None
    people: Annotated[list[Person], Meta(min_length=1, max_length=2)] = []


@pytest.mark.parametrize(
    ("raw", "pointer", "said"),
    [
        ('{"text": 5}', "/text", "Send text or null."),
        ('{"plain": ""}', "/plain", "Send at least 1 character."),
        ('{"plain": "abcd"}', "/plain", "Send at most 3 characters."),
        ('{"flag": "yes"}', "/flag", "Send true, false or null."),
        ('{"whole": 1.5}', "/whole", "Send a whole number."),
        ('{"whole": -1}', "/whole", "Send a whole number of at least 0."),
        ('{"whole": 10}', "/whole", "Send a whole number of at most 9."),
        ('{"share": "x"}', "/share", "Send a number."),
        ('{"day": "soon"}', "/day", "Send a date such as 1990-05-17."),
        ('{"day": 5}', "/day", "Send a date such as 1990-05-17 or null."),
        ('{"moment": "soon"}', "/moment", "Send a time with its offset, such as 2026-11-21T08:30:00Z."),
        ('{"moment": "2026-11-21T08:30:00"}', "/moment", "Send a time with its offset, such as 2026-11-21T08:30:00Z."),
        ('{"texts": "x"}', "/texts", "Send a list or null."),
        ('{"texts": ["a", 5]}', "/texts/1", "Send text."),
        ('{"texts": [' + ",".join(["1"] * 1001) + "]}", "/texts", "Send at most 1000 items."),
        ('{"people": []}', "/people", "Send at least 1 item."),
        ('{"people": 5}', "/people", "Send a list."),
    ],
)
def test_a_fault_says_in_plain_words_what_to_send(raw: str, pointer: str, said: str) -> None:
    with pytest.raises(RequestRefused) as refusal:
        decode(raw.encode(), Everything)

    assert [(fault.pointer, fault.detail) for fault in refusal.value.faults] == [(pointer, said)]


@pytest.mark.parametrize("item", [b"NaN", b'"\\u0000"', b'{"a":1,"a":1}'])
def test_a_million_faults_in_deep_places_take_little_memory(item: bytes) -> None:
    inside = b"[" + b",".join([item] * (900_000 // (len(item) + 1))) + b"]"
    raw = b'{"%s":' % (b"k" * 80) * 60 + inside + b"}" * 60

    tracemalloc.start()
    try:
        with pytest.raises(RequestRefused) as refusal:
            decode(raw, Order)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 200_000_000    # most of it the parsed text; pointers for all the faults would be 600 MB and more
    assert MOST_FAULTS < len(refusal.value.faults) < MOST_FAULTS + 10
    assert max(len(fault.pointer) for fault in refusal.value.faults) <= 500


def test_fields_that_nobody_knows_are_named_as_far_as_anybody_reads() -> None:
    raw = b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}"

    assert len(faults(raw)) < MOST_FAULTS + 10


def test_a_compressed_body_is_told_so() -> None:
    with pytest.raises(BodyCompressed):
        decode(gzip.compress(b"{}"), Order)
