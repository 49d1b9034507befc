"""Checks a partner's record without Vouch: this one file, Python 3.11 or newer, nothing else.

    python3 verify.py EXPORT --key PUBLIC.json [--checkpoint OLDER] [--consistency PROOF.json] [--receipt RECEIPT.json]

EXPORT is what `GET /api/v1/audit/export?format=jsonl` or `manage.py audit_export` gave (.jsonl, perhaps .gz), or an examiner bundle (the
.zip, or the folder with nothing but what was in it).
PUBLIC.json is what `GET /api/v1/signing-keys` gives. Get it from the partner, and by another way than the export.
OLDER is a checkpoint that you kept: a signed note, or lines of the log that the partner publishes. Only what you kept shows that an export
was cut off at an earlier checkpoint, or written anew by somebody who holds the partner's key.

The export, JSON lines, each exactly as written here, in the order of the tree:

    {"checkpoint":NOTE,"first":0,"origin":"vouch/SCHEMA","subtrees":[],"vouch_export":1}     head: NOTE is the checkpoint that it ends with
    {"event":[...],"leaf":HASH,"position":0}      the event's bytes as they were recorded; HASH is SHA-256(00 || bytes of [...]), base64
    {"decision":{...}}                            after each `decision.made`: the stored row, whose digest the event names
    {"checkpoint":NOTE}                           after the events that it counts

An event is ["vouch event v1", id, action, actor kind, actor id, actor label, address, request id, object kind, object id, detail, time].
NOTE is a C2SP tlog-checkpoint: origin, size, root (RFC 9162 Merkle tree, SHA-256, base64), signed with Ed25519. The digest of a decision is
the SHA-256 of its JSON with sorted keys and no spaces. An export of a period begins at `first`: `subtrees` are the roots of the complete
subtrees of what lies before it. In an export of parts ("parts":true in the head) each event has a "proof" that leads to the checkpoint
of the head.
"""

import argparse
import base64
import binascii
import gzip
import hashlib
import json
import re
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SIGNATURES = 1_000    # of so many checkpoints, the newest, every signature is checked; of older ones only that the tree has their root
EVERY = 50_000
EVENTS, MANIFEST, SIGNATURE = "events.jsonl", "manifest.json", "manifest.sig"
Keys = Mapping[str, bytes]
Report = Callable[[int], None]


class Wrong(Exception):
    """The record is not as it was signed. The first wrong event stands at `position`, or at the latest at `until` where that is later."""

    def __init__(self, detail: str, position: int | None = None, until: int | None = None) -> None:
        self.detail, self.position, self.until = detail, position, position if until is None else until
        super().__init__(detail)


@dataclass
class Verified:
    """What was found in order."""

    origin: str = ""
    events: int = 0
    decisions: int = 0
    size: int = 0
    checkpoints: int = 0
    first: int = 0
    are_parts: bool = False
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)    # of parts: the decisions, by id
    models: dict[str, str] = field(default_factory=dict)    # of parts: the SHA-256 of each model's file, by id

    def __str__(self) -> str:
        begun = f", from position {self.first} on" if self.first else ""
        proven = "each proven to be in" if self.are_parts else f"{_count(self.checkpoints, 'checkpoint')}, the last over"
        return (
            f"In order: {_count(self.events, 'event')}{begun} and {_count(self.decisions, 'decision')} of {self.origin}, {proven} "
            f"the signed record of {_count(self.size, 'event')}."
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---- Ed25519 (RFC 8032): checking signatures only, so nothing here is secret

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
Point = tuple[int, int, int, int]
_NEUTRAL: Point = (0, 1, 1, 0)


def _sum(a: Point, b: Point) -> Point:
    p, q = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    c, d = 2 * a[3] * b[3] % _P * _D, 2 * a[2] * b[2]
    e, f, g, h = (q - p) % _P, (d - c) % _P, (d + c) % _P, (q + p) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> Point | None:
    """The point, or None for bytes that are none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(encoded) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
assert _base is not None
_BASE: Point = _base


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the key's Ed25519 signature of the message."""
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    minus = (_P - key[0], key[1], key[2], _P - key[3])
    added = (None, _BASE, minus, _sum(_BASE, minus))
    found = _NEUTRAL
    for bit in range(252, -1, -1):    # s * base - k * key, both at once
        found = _sum(found, found)
        term = added[s >> bit & 1 | (k >> bit & 1) << 1]
        if term is not None:
            found = _sum(found, term)
    inverse = pow(found[2], -1, _P)
    x, y = found[0] * inverse % _P, found[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def read_keys(text: str | bytes) -> dict[str, bytes]:
    """Public keys by id, from the answer of `GET /api/v1/signing-keys`. Raises Wrong."""
    try:
        found = {one["key_id"]: base64.b64decode(one["public_key"], validate=True) for one in json.loads(text)["data"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("The file of public keys cannot be read: save the answer of GET /api/v1/signing-keys.") from error
    for key_id, key in found.items():
        if hashlib.sha256(key).hexdigest()[:16] != key_id:
            raise Wrong(f"The public key {key_id} has another id than its own.")
    return found


# ---- checkpoints and the tree (RFC 9162)


@dataclass(frozen=True)
class Checkpoint:
    """A signed head of the tree. `text` is what was signed."""

    note: str
    text: bytes
    origin: str
    size: int
    root: bytes
    key_hash: bytes
    signature: bytes

    def check(self, keys: Keys) -> None:
        """Raises Wrong unless one of the keys signed it."""
        for public in keys.values():
            named = hashlib.sha256(f"{self.origin}\n".encode() + b"\x01" + public).digest()[:4]
            if named == self.key_hash and is_signed(public, self.text, self.signature):
                return
        raise Wrong(f"The checkpoint of {self.size} events is not signed with any of the given keys: it is not the partner's.")


_NOTE = re.compile(
    "(?P<text>(?P<origin>[^\n]+)\n(?P<size>[1-9][0-9]{0,18})\n(?P<root>[^\n]+)\n)\n\u2014 (?P<name>[^\n ]+) (?P<signature>[^\n ]+)\n"
)


def read_note(note: str) -> Checkpoint:
    """The checkpoint. Raises Wrong."""
    found = _NOTE.fullmatch(note)
    try:
        if found is None or found["name"] != found["origin"]:
            raise ValueError
        root, signed = base64.b64decode(found["root"], validate=True), base64.b64decode(found["signature"], validate=True)
        if len(root) != 32 or len(signed) != 68:
            raise ValueError
    except ValueError as error:
        raise Wrong("A checkpoint cannot be read.") from error
    return Checkpoint(note, found["text"].encode(), found["origin"], int(found["size"]), root, signed[:4], signed[4:])


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(subtrees: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, the largest first."""
    node = subtrees[-1] if subtrees else hashlib.sha256(b"").digest()
    for subtree in subtrees[-2::-1]:
        node = _node(subtree, node)
    return node


def includes(*, leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows the leaf at this position of the tree of this size and root (RFC 9162, 2.1.3.2)."""
    at, last, node = position, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = _node(node, sibling)
        at, last = at >> 1, last >> 1
    return 0 <= position < size and last == 0 and node == root


def continues(*, old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the new tree begins with the old one (RFC 9162, 2.1.4.2)."""
    if not 0 < old.size <= new.size:
        return False
    if old.size == new.size:
        return not proof and old.root == new.root
    hashes = [old.root, *proof] if old.size & (old.size - 1) == 0 else list(proof)
    if not hashes:
        return False
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = _node(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old.root and after == new.root


# ---- the export

_HEAD = {"checkpoint", "origin", "vouch_export"}
_EVENT, _DECISION, _CHECKPOINT, _LEAF = b'{"event":', b'{"decision":', b'{"checkpoint":', b',"leaf":"'
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def verify(
    lines: Iterable[bytes],
    keys: Keys,
    *,
    older: Sequence[str] = (),
    promised: Sequence[Mapping[str, str]] = (),
    report: Report | None = None,
) -> Verified:
    """Everything in the export is as it was signed. Raises Wrong with the first thing that is not.

    `older`: signed notes that were kept; `promised`: receipts; `report` is told now and then how many events were read."""
    return _Reading(lines, keys, older, promised, report).run()


@dataclass
class _Reading:
    """One export while it is read: the tree so far, and up to where a checkpoint has confirmed it."""

    lines: Iterable[bytes]
    keys: Keys
    older: Sequence[str]
    promised: Sequence[Mapping[str, str]]
    report: Report | None
    found: Verified = field(default_factory=Verified)
    position: int = 0
    confirmed: int = 0
    decision: tuple[str, str] | None = None    # the id and digest that the last event told of
    subtrees: list[bytes] = field(default_factory=list)
    heads: deque[Checkpoint] = field(default_factory=lambda: deque(maxlen=SIGNATURES))
    first_line: bytes = b""    # of the events since `confirmed`
    seen: dict[str, str] = field(default_factory=dict)

    def run(self) -> Verified:
        lines = iter(self.lines)
        self._begin(next(lines, b""))
        for line in lines:
            line = line.rstrip(b"\n")
            if line.startswith(_EVENT):
                self._event(line)
            elif line.startswith(_DECISION):
                self._decision(line)
            elif line.startswith(_CHECKPOINT) and not self.are_parts:
                self._checkpoint(line)
            else:
                raise self._wrong(f"After {self.found.events} events there is a line that is no part of an export")
        self._end()
        return self.found

    def _begin(self, line: bytes) -> None:
        head = _json(line)
        if not isinstance(head, dict) or head.get("vouch_export") != 1 or _encode(head).encode() != line.rstrip(b"\n"):
            raise Wrong("This is no export of Vouch: its first line says what it is.")
        self.are_parts = self.found.are_parts = head.get("parts") is True
        if head.keys() != _HEAD | ({"parts"} if self.are_parts else {"first", "subtrees"}):
            raise Wrong("The head of the export does not say where it begins.")
        self.head = read_note(str(head["checkpoint"]))
        self.head.check(self.keys)
        self.found.origin, self.found.size = str(head["origin"]), self.head.size
        first, subtrees = head.get("first", 0), head.get("subtrees", [])
        if not isinstance(first, int) or not isinstance(subtrees, list) or len(subtrees) != first.bit_count() or first < 0:
            raise Wrong("The head of the export does not say where it begins.")
        self.position = self.confirmed = self.first = self.found.first = first
        self.subtrees = [_bytes(one) for one in subtrees]
        self.kept = [read_note(note) for note in self.older]
        self.roots: dict[int, bytes] = {}
        for one in (self.head, *self.kept):
            if one.origin != self.found.origin:
                raise Wrong(f"A checkpoint is of {one.origin}, and the export of {self.found.origin}.")
        self.sizes = {one.size for one in self.kept}
        self.wanted = {one["event_id"] for one in self.promised}

    def _event(self, line: bytes) -> None:
        self._no_decision_due()
        at = line.rfind(_LEAF)
        text = line[len(_EVENT) : at]
        leaf = hashlib.sha256(b"\0" + text).digest()
        encoded = base64.b64encode(leaf)
        if self.are_parts:
            self._part(line, at, leaf, encoded)
        elif line[at:] != b'%s%s","position":%d}' % (_LEAF, encoded, self.position):
            raise self._misplaced(line, at, text, encoded)
        else:
            if self.position == self.confirmed:
                self.first_line = text
            self._grow(leaf)
        self.found.events += 1
        if self.are_parts or self.wanted or b'"decision.made"' in text:
            self._look_into(text, encoded)
        if self.report is not None and self.found.events % EVERY == 0:
            self.report(self.found.events)

    def _grow(self, leaf: bytes) -> None:
        full, sha256, subtrees = self.position, hashlib.sha256, self.subtrees
        while full & 1:
            leaf = sha256(b"\x01" + subtrees.pop() + leaf).digest()
            full >>= 1
        subtrees.append(leaf)
        self.position += 1
        if self.position in self.sizes:
            self.roots[self.position] = root_of(subtrees)

    def _part(self, line: bytes, at: int, leaf: bytes, encoded: bytes) -> None:
        """One of the events that were picked, with its proof."""
        told = _json(b"{" + line[at + 1 :])
        position, text = told.get("position") if isinstance(told, dict) else None, line[len(_EVENT) : at]
        if not isinstance(told, dict) or not isinstance(position, int) or (self.found.events and position < self.position):
            raise Wrong(f"{_name(text)} is not in its place.", self.position)
        self.position = position
        proof = [_bytes(one) for one in told.get("proof") or ()]
        is_there = includes(leaf=leaf, position=position, size=self.head.size, proof=proof, root=self.head.root)
        if told.get("leaf") != encoded.decode() or not is_there:
            raise Wrong(f"{_name(text)}, at position {position}, is not as it was recorded, or is not in the record.", position)
        self.position += 1

    def _look_into(self, text: bytes, encoded: bytes) -> None:
        event = _json(text)
        if not isinstance(event, list) or len(event) != 12 or not isinstance(event[10], dict):
            raise self._wrong(f"{_name(text)} has not the parts of an event", self.position - 1)
        if event[2] == "decision.made":
            self.decision = event[9], str(event[10].get("digest"))
        elif event[2] == "model.stored" and self.are_parts:
            self.found.models[event[9]] = str(event[10].get("sha256"))
        if event[1] in self.wanted:
            self.seen[event[1]] = encoded.decode()

    def _decision(self, line: bytes) -> None:
        written = line[len(_DECISION) : -1]
        if self.decision is not None and hashlib.sha256(written).hexdigest() == self.decision[1] and line.endswith(b"}"):
            self.found.decisions += 1    # the bytes are those that the event attests, its id among them
            if self.are_parts:
                self.found.rows[self.decision[0]] = json.loads(written)
            self.decision = None
            return
        told = _json(line)
        row = told.get("decision") if isinstance(told, dict) else None
        if not isinstance(row, dict) or self.decision is None or row.get("id") != self.decision[0]:
            name = row.get("id") if isinstance(row, dict) else "that cannot be read"
            if self.decision is not None:
                raise self._wrong(f"The decision {self.decision[0]} is not there: in its place is the decision {name}", self.position - 1)
            raise self._wrong(f"The decision {name} has no event")
        raise self._wrong(f"The decision {self.decision[0]} is not as its event recorded it", self.position - 1)

    def _no_decision_due(self) -> None:
        if self.decision is not None:
            raise self._wrong(f"The decision {self.decision[0]}, of which an event tells, is not there", self.position - 1)

    def _checkpoint(self, line: bytes) -> None:
        self._no_decision_due()
        told = _json(line)
        head = read_note(str(told.get("checkpoint")) if isinstance(told, dict) else "")
        if line != _CHECKPOINT + json.dumps(head.note, ensure_ascii=False).encode() + b"}":
            raise self._wrong(f"The checkpoint of {head.size} events is not written as it was signed")
        if head.origin != self.found.origin or head.size != self.position:
            detail = f"After {self.position} events there is a checkpoint of {head.size} events: some were taken out or put in."
            raise Wrong(detail, self.confirmed, self.position)
        self._compare(head)
        self.heads.append(head)
        self.found.checkpoints += 1
        self.confirmed = self.position

    def _compare(self, head: Checkpoint) -> None:
        """Raises Wrong unless the tree has the root of this head: then either the head is not signed, or some event is another."""
        if root_of(self.subtrees) == head.root:
            return
        head.check(self.keys)
        raise Wrong(
            f"The first wrong event stands at {_between(self.confirmed, head.size)}; {_name(self.first_line)} is the first there: every "
            f"event has its own hash, but the checkpoint of {head.size} events was signed over others.",
            self.confirmed,
            head.size - 1,
        )

    def _misplaced(self, line: bytes, at: int, text: bytes, encoded: bytes) -> Wrong:
        told = _json(b"{" + line[at + 1 :]) if at > 0 else None
        if not isinstance(told, dict):
            return self._wrong("A line cannot be read")
        if told.get("leaf") != encoded.decode():
            return self._wrong(f"{_name(text)} is not as it was recorded: its content does not give its hash")
        place = told.get("position")
        first = min(self.position, place) if isinstance(place, int) else self.position
        detail = f"{_name(text)} says that it stands at position {place}, and {self.position} is due: one was taken out, put in or moved."
        return Wrong(detail, first, self.position)

    def _end(self) -> None:
        self._no_decision_due()
        if self.report is not None:
            self.report(self.found.events)
        if not self.are_parts:
            if self.position != self.head.size or self.confirmed != self.position:
                raise self._wrong(f"The export was cut off: its checkpoint counts {self.head.size} events, and here are {self.position}")
            self._compare(self.head)
        confirmed = self.first
        for kept in sorted(self.kept, key=lambda one: one.size):
            self._continue(kept, confirmed)
            confirmed = kept.size
        for head in self.heads:
            if head.note != self.head.note:
                head.check(self.keys)
        for one in self.promised:
            self._promise(one)

    def _continue(self, kept: Checkpoint, confirmed: int) -> None:
        """Raises Wrong unless the record continues what was kept; `confirmed` events are those of an older one."""
        size = self.head.size
        if kept.size == size and kept.root == self.head.root:
            return
        if kept.size > size:
            kept.check(self.keys)
            raise Wrong(f"The export ends with {size} events, and you kept a checkpoint of {kept.size}: it was cut off.", size)
        if self.are_parts or kept.size <= self.first:
            raise Wrong(
                f"This export cannot be compared with the checkpoint of {kept.size} events that you kept: give the answer of "
                f"GET /api/v1/audit/consistency?from={kept.size}&to={size} as --consistency."
            )
        if self.roots.get(kept.size) != kept.root:
            kept.check(self.keys)
            raise Wrong(
                f"The record was written anew: the first wrong event stands at {_between(confirmed, kept.size)}, for the checkpoint of "
                f"{kept.size} events that you kept was signed over others.",
                confirmed,
                kept.size - 1,
            )

    def _promise(self, one: Mapping[str, str]) -> None:
        check_receipt(one, self.found.origin.removeprefix("vouch/"), self.keys)
        if self.seen.get(one["event_id"]) != one["leaf_hash"]:
            raise Wrong(f"The event {one['event_id']}, for which there is a receipt of {one['issued_at']}, is not in the export.")

    def _wrong(self, detail: str, position: int | None = None) -> Wrong:
        at = self.position if position is None else position
        return Wrong(f"{detail} (position {at}).", at)


def check_receipt(receipt: Mapping[str, str], schema: str, keys: Keys) -> None:
    """The receipt is the partner's own. Raises Wrong."""
    lines = ("vouch receipt v1", schema, receipt["event_id"], receipt["leaf_hash"], receipt["issued_at"])
    message = "".join(f"{line}\n" for line in lines).encode()
    if not is_signed(keys.get(receipt["key_id"], b""), message, _bytes(receipt["signature"])):
        raise Wrong(f"The receipt of the event {receipt['event_id']} is not signed with any of the given keys.")


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _bytes(encoded: object) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _between(first: int, end: int) -> str:
    return f"position {first}" if end - first == 1 else f"one of the positions {first} to {end - 1}"


def _name(text: bytes) -> str:
    event = _json(text)
    is_event = isinstance(event, list) and len(event) > 2
    return f"the event {event[1]} ({event[2]})" if is_event else "an event that cannot be read"


# ---- an examiner bundle, and files


class Bundle:
    """The files of an examiner bundle, packed or unpacked."""

    def __init__(self, path: Path) -> None:
        self.packed = None if path.is_dir() else zipfile.ZipFile(path)
        self.path = path
        files = (one.relative_to(path).as_posix() for one in sorted(path.rglob("*")) if not one.is_dir())
        self.names = list(files) if self.packed is None else self.packed.namelist()

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb") if self.packed is None else self.packed.open(name)

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def check(self, keys: Keys) -> None:
        """Every file is the one that the partner signed, and none is missing or more. Raises Wrong."""
        if MANIFEST not in self.names or SIGNATURE not in self.names or len(self.names) != len(set(self.names)):
            raise Wrong("This is no examiner bundle: it has no signed manifest.")
        manifest, signed = self.read(MANIFEST), _json(self.read(SIGNATURE))
        public = keys.get(str(signed.get("key_id")), b"") if isinstance(signed, dict) else b""
        if not public or not is_signed(public, b"vouch bundle v1\n" + manifest, _bytes(signed["signature"])):
            raise Wrong("The bundle's manifest is not signed with any of the given keys.")
        files: dict[str, str] = json.loads(manifest)["files"]
        for name in sorted(files.keys() - set(self.names)):
            raise Wrong(f"The file {name} of the bundle is not there.")
        for name in sorted(set(self.names) - files.keys() - {MANIFEST, SIGNATURE}):
            raise Wrong(f"The file {name} is no part of the bundle: it was put in. Keep files of your own elsewhere.")
        for name, digest in files.items():
            found = hashlib.sha256()
            with self.open(name) as file:
                while part := file.read(1 << 20):
                    found.update(part)
            if found.hexdigest() != digest:
                raise Wrong(f"The file {name} of the bundle was changed after it was signed.")

    def check_told(self, found: Verified) -> None:
        """decision.json and models/ say what the events attest, whoever signed the bundle. Raises Wrong."""
        if "decision.json" not in self.names:
            return
        told = json.loads(self.read("decision.json"))
        row = found.rows.get(told["id"])
        if row is None:
            raise Wrong(f"The bundle's decision.json is about the decision {told['id']}, of which no event in the bundle tells.")
        for name in sorted(told.keys() & row.keys()):
            said = told[name].hex() if isinstance(told[name], float) else told[name]
            if said != row[name]:
                raise Wrong(f"The bundle's decision.json says {name} {told[name]}, and the recorded decision has {row[name]}.")
        for name in (one for one in self.names if re.fullmatch(r"models/.*-[0-9]+\.json", one)):
            model = json.loads(self.read(name))
            if model["id"] != row["model_version_id"] or found.models.get(model["id"]) != model["bundle_sha256"]:
                raise Wrong(f"The bundle's {name} is not the model that decided, as the events tell of it.")


def read_notes(text: str) -> list[str]:
    """Signed notes from a file: one note, or lines of the published log."""
    if text.startswith("{"):
        return [str(json.loads(line)["note"]) for line in text.splitlines() if line.strip()]
    return [text]


def check_consistency(proof: Mapping[str, Any], keys: Keys, older: Sequence[str]) -> None:
    """The answer of `GET /api/v1/audit/consistency` shows that its newer checkpoint continues its older one, the kept one. Raises Wrong."""
    old, new = read_note(proof["from"]), read_note(proof["to"])
    for one in (old, new):
        one.check(keys)
    if not continues(old=old, new=new, proof=[_bytes(one) for one in proof["proof"]]):
        raise Wrong(f"The record of {new.size} events does not continue the one of {old.size}: it was written anew.")
    for kept in map(read_note, older):
        if (kept.origin, kept.size, kept.root) != (old.origin, old.size, old.root):
            raise Wrong(f"The proof begins with another checkpoint than the one of {kept.size} events that you kept.")


def _lines_of(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def _is_bundle(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".zip"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 and one line when everything is in order; 1 and one that names the first thing that is not; 2 for files that cannot be read."""
    parser = argparse.ArgumentParser(description="Checks an export of a partner's record, or an examiner bundle.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="the partner's public keys, as GET /api/v1/signing-keys gives them")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that you kept, or the published log of checkpoints")
    parser.add_argument("--consistency", type=Path, help="an answer of GET /api/v1/audit/consistency")
    parser.add_argument("--receipt", type=Path, action="append", default=[], help="a receipt, as it came with an answer")
    given = parser.parse_args(arguments)

    def report(events: int) -> None:
        sys.stderr.write(f"\r{events} events")
        sys.stderr.flush()

    try:
        keys = read_keys(given.key.read_bytes())
        older = read_notes(given.checkpoint.read_text(encoding="utf-8")) if given.checkpoint else []
        if given.consistency:
            proof = json.loads(given.consistency.read_bytes())
            check_consistency(proof, keys, older)
            older = [proof["to"]]
        promised = [json.loads(path.read_bytes()) for path in given.receipt]
        bundle = Bundle(given.export) if _is_bundle(given.export) else None
        if bundle is None:
            found = verify(_lines_of(given.export), keys, older=older, promised=promised, report=report)
        else:
            bundle.check(keys)
            with bundle.open(EVENTS) as lines:
                found = verify(lines, keys, older=older, promised=promised, report=report)
            bundle.check_told(found)
    except Wrong as wrong:
        sys.stdout.write(f"WRONG. {wrong.detail[:1].upper()}{wrong.detail[1:]}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        sys.stdout.write(f"A file cannot be read: {type(error).__name__}: {error}\n")
        return 2
    sys.stderr.write("\n")
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
