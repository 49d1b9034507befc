"""The verifier: what is in order passes, and a thousand random tamperings of each kind are found where they are."""

import ast
import copy
import dataclasses
import functools
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import tree, verify
from audit.services import canonical
from audit.verify import Wrong
from tests.audit.exports import ORIGIN, Book, a_book, a_line, b64

Tampering = Callable[[random.Random], tuple[list[bytes], int]]
BOOK = a_book()
LINES = BOOK.lines()
FILE = Path(verify.__file__)
MANY = 1_000


@pytest.fixture(scope="module", autouse=True)
def _signatures_are_checked_once() -> Any:
    """Each distinct signature is checked in full, but once: that is what costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "is_signed", functools.cache(verify.is_signed))
        yield


def found_wrong(lines: list[bytes], **more: Any) -> Wrong:
    with pytest.raises(Wrong) as caught:
        verify.verify(lines, BOOK.keys, **more)
    return caught.value


def events_of(lines: list[bytes]) -> list[int]:
    """Which lines are events."""
    return [at for at, line in enumerate(lines) if line.startswith(b'{"event":')]


def batch_of(position: int) -> int:
    """Where the events begin that were sealed together with this one."""
    return max([0, *(size for size in BOOK.sizes if size <= position)])


def test_what_is_in_order_is_said_to_be() -> None:
    found = verify.verify(LINES, BOOK.keys)

    assert (found.events, found.decisions, found.size, found.checkpoints) == (40, 14, 40, 5)
    assert found.origin == ORIGIN


@pytest.mark.parametrize("first", range(40))
def test_a_period_that_begins_anywhere_is_checked_as_well(first: int) -> None:
    assert verify.verify(BOOK.lines(first=first), BOOK.keys).events == 40 - first


# tampering: each returns the lines and the position of the first event that is not as it was, or at which one is missing


def an_edit(draw: random.Random) -> tuple[list[bytes], int]:
    """One value of one event, or one sign of any line."""
    lines = list(LINES)
    at = draw.choice(events_of(lines))
    position = json.loads(lines[at])["position"]
    if draw.random() < 0.5:
        event = json.loads(lines[at])["event"]
        which = draw.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 11])
        event[which] += draw.choice("0xé ")
        lines[at] = lines[at].replace(canonical(json.loads(lines[at])["event"]).encode(), canonical(event).encode())
    else:
        place = draw.randrange(len(lines[at]))
        other = draw.choice([byte for byte in range(32, 127) if byte != lines[at][place]])
        lines[at] = lines[at][:place] + bytes([other]) + lines[at][place + 1 :]
    return lines, position


def a_deletion(draw: random.Random) -> tuple[list[bytes], int]:
    """An event, with what follows about it, taken out."""
    lines = list(LINES)
    at = draw.choice(events_of(lines))
    position = json.loads(lines[at])["position"]
    del lines[at]
    if lines[at : at + 1] and lines[at].startswith(b'{"decision":'):
        del lines[at]
    return lines, position


def an_insertion(draw: random.Random) -> tuple[list[bytes], int]:
    """An event that never was, with its own hash, in anybody's place."""
    lines = list(LINES)
    at = draw.choice(events_of(lines))
    position = json.loads(lines[at])["position"]
    event = [*json.loads(lines[at])["event"][:9], "another", {"n": draw.randrange(10**9)}, "2026-11-21T08:00:00.000000Z"]
    event[2] = "product.changed"
    leaf = b64(tree.leaf_hash(canonical(event).encode())).encode()
    lines.insert(at, b'{"event":%s,"leaf":"%s","position":%d}' % (canonical(event).encode(), leaf, position))
    return lines, position


def a_swap(draw: random.Random) -> tuple[list[bytes], int]:
    """Two events that are not alike change places."""
    lines = list(LINES)
    one, other = sorted(draw.sample(events_of(lines), 2))
    lines[one], lines[other] = lines[other], lines[one]
    return lines, json.loads(lines[other])["position"]


def a_truncation(draw: random.Random) -> tuple[list[bytes], int]:
    """Everything from some line on."""
    lines = LINES[: draw.randrange(1, len(LINES))]
    return lines, len(events_of(lines))


def a_stray(draw: random.Random) -> tuple[list[bytes], int]:
    """A decision of which no event tells, or one in another's place."""
    lines = list(LINES)
    at = draw.choice(events_of(lines))
    decisions = [line for line in LINES if line.startswith(b'{"decision":')]
    made_up = {"id": f"stray-{draw.random()}"} if draw.random() < 0.5 else {}
    stray = a_line({"decision": {**json.loads(draw.choice(decisions))["decision"], "score": 850 + draw.randrange(1_000), **made_up}})
    if lines[at + 1 : at + 2] and lines[at + 1] in decisions and draw.random() < 0.5:
        lines[at + 1] = stray
    else:
        lines.insert(at + 1, stray)
    return lines, json.loads(lines[at])["position"]


@pytest.mark.parametrize("tampering", [an_edit, a_deletion, an_insertion, a_swap, a_truncation, a_stray])
def test_a_thousand_careless_tamperings_are_found_at_the_first_wrong_event(tampering: Tampering) -> None:
    near = 0
    for seed in range(MANY):
        lines, position = tampering(random.Random(seed))
        wrong = found_wrong(lines)

        assert wrong.position is not None, wrong
        assert wrong.until is not None, wrong
        # A truncation after an event tells of its decision, which is missing: that event is named.
        # A decision that no event tells of stands after the event before it.
        assert wrong.position - (tampering is a_stray) <= position <= wrong.until + (tampering is a_truncation), f"{seed}: {wrong}"
        near += wrong.until - wrong.position <= 1    # of two events that claim one place, either may be the false one
    assert near >= MANY * 0.8    # the others: the last event before a checkpoint is missing


def rewritten(book: Book, notes: list[bytes]) -> list[bytes]:
    """The book's lines with its hashes, positions and decisions in order, under the checkpoints that were signed before."""
    lines = [line for line in book.lines() if not line.startswith(b'{"checkpoint":')]    # the head begins so too
    places = events_of(lines)
    for size, note in sorted(zip(BOOK.sizes, notes, strict=True), reverse=True):
        at = places[size] if size < len(places) else len(lines)
        lines.insert(at, note)
    return [LINES[0], *lines]


def careful(draw: random.Random, kind: str) -> tuple[list[bytes], int]:
    """Somebody who makes every hash, position and decision fit, and has no key."""
    book = copy.copy(BOOK)
    book.events = copy.deepcopy(BOOK.events)
    at = draw.randrange(len(book.events))
    if kind == "edit":
        book.events[at][5] = f"Mallory {draw.randrange(10**6)}"
    elif kind == "delete":
        del book.events[at]
    elif kind == "insert":
        new = [*book.events[at][:1], "event-new", "product.changed", *book.events[at][3:9], "new", {}, book.events[at][11]]
        book.events.insert(at, new)
    else:
        at, other = sorted(draw.sample(range(len(book.events)), 2))
        book.events[at], book.events[other] = book.events[other], book.events[at]
    book = dataclasses.replace(book, sizes=[len(book.events)])
    notes = [line for line in LINES if line.startswith(b'{"checkpoint":') and b"vouch_export" not in line]
    return rewritten(book, notes), at


@pytest.mark.parametrize("kind", ["edit", "delete", "insert", "swap"])
def test_a_thousand_careful_tamperings_are_found_among_the_events_sealed_together(kind: str) -> None:
    for seed in range(MANY):
        lines, position = careful(random.Random(seed), kind)
        wrong = found_wrong(lines)

        assert wrong.position == batch_of(position), f"{seed}: {wrong}"
        assert position <= (wrong.until or 0), f"{seed}: {wrong}"


def test_a_thousand_records_written_anew_are_found() -> None:
    stranger = Ed25519PrivateKey.generate()
    for seed in reversed(range(MANY)):
        draw = random.Random(seed)
        book = a_book()
        book.key = stranger
        position = draw.randrange(40)
        book.events[position][5] = f"Mallory {seed}"
        if seed % 2:    # by somebody with a key of their own
            assert "not signed with any of the given keys" in found_wrong(book.lines()).detail
            continue
        # by somebody with the partner's key: what was kept elsewhere shows it
        book.key = BOOK.key
        kept = draw.choice([size for size in BOOK.sizes if size > position])
        wrong = found_wrong(book.lines(), older=[BOOK.note(size) for size in BOOK.sizes if size <= kept])

        assert "written anew" in wrong.detail
        assert (wrong.position, wrong.until) == (batch_of(position), min(size for size in BOOK.sizes if size > position) - 1)
    verify.verify(book.lines(), BOOK.keys)


def test_a_thousand_exports_cut_off_at_an_earlier_checkpoint_are_found_by_what_was_kept() -> None:
    notes = {size: BOOK.note(size) for size in range(1, 41)}
    for seed in range(MANY):
        draw = random.Random(seed)
        sizes = sorted(draw.sample(range(1, 40), draw.randrange(1, 6)))
        book = a_book(sizes=sizes)
        book.key = BOOK.key
        kept = draw.sample(range(1, 41), 3)
        lines = book.lines()

        if max(kept) <= sizes[-1]:    # the same record, with checkpoints of its own: nothing of what was kept is missing
            assert verify.verify(lines, BOOK.keys, older=[notes[size] for size in kept]).size == sizes[-1]
            continue
        wrong = found_wrong(lines, older=[notes[size] for size in kept])
        assert (wrong.position, "cut off" in wrong.detail) == (sizes[-1], True), f"{seed}: {wrong}"


def test_a_decision_without_its_event_and_an_event_without_its_decision_are_named() -> None:
    stray = a_line({"decision": {"id": "stray", "score": 850}})
    for at in events_of(LINES)[1:]:
        assert "stray" in found_wrong([*LINES[:at], stray, *LINES[at:]]).detail
    for at, line in enumerate(LINES):
        if line.startswith(b'{"decision":'):
            name = json.loads(line)["decision"]["id"]
            assert name in found_wrong([*LINES[:at], *LINES[at + 1 :]]).detail
            assert name in found_wrong([*LINES[:at], line.replace(b'"score":6', b'"score":8'), *LINES[at + 1 :]]).detail
    assert "stray" in found_wrong([*LINES, stray]).detail


@pytest.mark.parametrize("what", ["head", "checkpoint"])
def test_a_changed_head_or_checkpoint_is_found(what: str) -> None:
    at = 0 if what == "head" else next(at for at, line in enumerate(LINES) if at and line.startswith(b'{"checkpoint":'))
    for place in range(len(LINES[at])):
        changed = LINES[at][:place] + (b"7" if LINES[at][place : place + 1] != b"7" else b"8") + LINES[at][place + 1 :]
        found_wrong([*LINES[:at], changed, *LINES[at + 1 :]])


def test_an_edit_of_nothing_is_no_finding_and_nonsense_is_no_export() -> None:
    for nonsense in ([], [b""], [b"{}"], [b"[1]"], [b"\xff\xfe"], [LINES[0][:-2]]):
        found_wrong(nonsense)
    strange = (b"", b"{}", b'{"event":', b'{"event":[]}', b'{"decision":5}', b'{"checkpoint":5}', b'{"event":5,"leaf":"x","position":-1}')
    for line in strange:
        found_wrong([*LINES[:5], line, *LINES[5:]])


# receipts and consistency


def a_receipt(key: Ed25519PrivateKey, number: int) -> dict[str, str]:
    event, leaf = BOOK.events[number][1], b64(BOOK.leaf(BOOK.events[number]))
    at = "2026-11-21T08:00:00.000000Z"
    signed = key.sign(f"vouch receipt v1\nt_paper\n{event}\n{leaf}\n{at}\n".encode())
    return {"event_id": event, "leaf_hash": leaf, "issued_at": at, "signature": b64(signed), "key_id": next(iter(BOOK.keys))}


def test_a_receipt_is_found_in_the_export_or_convicts_it() -> None:
    given = a_receipt(BOOK.key, 5)
    verify.verify(LINES, BOOK.keys, promised=[given])
    other = a_book(count=41, sizes=(5,))
    other.key = BOOK.key

    assert "is not in the export" in found_wrong(other.lines(), promised=[given]).detail
    assert "is not signed" in found_wrong(LINES, promised=[a_receipt(Ed25519PrivateKey.generate(), 5)]).detail


def test_consistency_of_every_two_checkpoints_is_shown_and_of_others_not() -> None:
    leaves = [BOOK.leaf(one) for one in BOOK.events]
    for new in range(1, 41):
        for old in range(1, new + 1):
            proof = {"from": BOOK.note(old), "to": BOOK.note(new), "proof": [b64(one) for one in tree.consistency_proof(leaves[:new], old)]}
            verify.check_consistency(proof, BOOK.keys, [BOOK.note(old)])
    book = a_book()
    book.events[3][5], book.key = "Mallory", BOOK.key
    with pytest.raises(Wrong, match="written anew"):
        verify.check_consistency({**proof, "from": BOOK.note(20), "to": book.note(40)}, BOOK.keys, [])
    with pytest.raises(Wrong, match="another checkpoint"):
        verify.check_consistency(proof, BOOK.keys, [book.note(40)])


# Ed25519


def test_signatures_are_judged_as_openssl_judges_them() -> None:
    for seed in range(40):
        draw = random.Random(seed)
        key, message = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32)), draw.randbytes(draw.randrange(200))
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert verify.is_signed(public, message, signature)
        bit = 1 << draw.randrange(512)
        assert not verify.is_signed(public, message, (int.from_bytes(signature, "little") ^ bit).to_bytes(64, "little"))
        assert not verify.is_signed(public, message + b"x", signature)
        more = int.from_bytes(signature[32:], "little") + verify._L    # the same value again: refused, so that a signature has one form
        assert not verify.is_signed(public, message, signature[:32] + more.to_bytes(32, "little"))


@pytest.mark.parametrize("public", [b"", b"\0" * 31, b"\xff" * 32, b"\2" + b"\0" * 31])
def test_no_key_signs_nothing(public: bytes) -> None:
    assert not verify.is_signed(public, b"m", b"\0" * 64)
    assert not verify.is_signed(BOOK.key.public_key().public_bytes_raw(), b"m", b"\0" * 12)


# the file


def test_the_verifier_imports_the_standard_library_only() -> None:
    names = {alias.name for node in ast.walk(ast.parse(FILE.read_text())) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(ast.parse(FILE.read_text())) if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_the_file_runs_alone_and_says_what_it_found(tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere" / "verify.py"
    alone.parent.mkdir()
    alone.write_bytes(FILE.read_bytes())
    key_id, public = next(iter(BOOK.keys.items()))
    (tmp_path / "keys.json").write_text(json.dumps({"data": [{"key_id": key_id, "public_key": b64(public)}]}))
    (tmp_path / "all.jsonl").write_bytes(b"".join(line + b"\n" for line in LINES))
    (tmp_path / "all.jsonl.gz").write_bytes(gzip.compress((tmp_path / "all.jsonl").read_bytes()))
    (tmp_path / "cut.jsonl").write_bytes(b"".join(line + b"\n" for line in LINES[:20]))
    (tmp_path / "log").write_text("".join(json.dumps({"size": size, "note": BOOK.note(size)}) + "\n" for size in BOOK.sizes))

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(alone), *arguments, "--key", "keys.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("all.jsonl", "--checkpoint", "log") == (0, f"{verify.verify(LINES, BOOK.keys)}\n")
    assert run("all.jsonl.gz")[0] == 0
    code, said = run("cut.jsonl")
    assert (code, said[:11]) == (1, "WRONG. The ")
    assert run("nothing.jsonl")[0] == 2
