"""Exports made without Vouch: a small signed record as lines, to be tampered with."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import tree
from audit.services import canonical
from audit.vault import public_key_id

ORIGIN = "vouch/t_paper"


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def a_line(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass
class Book:
    """Events with their decisions, and the sizes at which checkpoints were signed."""

    events: list[list[Any]]
    decisions: dict[str, dict[str, Any]]
    sizes: Sequence[int]
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def keys(self) -> dict[str, bytes]:
        public = self.key.public_key().public_bytes_raw()
        return {public_key_id(public): public}

    def leaf(self, event: list[Any]) -> bytes:
        return tree.leaf_hash(canonical(event).encode())

    def note(self, size: int) -> str:
        text = f"{ORIGIN}\n{size}\n{b64(tree.root([self.leaf(one) for one in self.events[:size]]))}\n"
        named = hashlib.sha256(f"{ORIGIN}\n".encode() + b"\x01" + self.key.public_key().public_bytes_raw()).digest()[:4]
        return f"{text}\n\u2014 {ORIGIN} {b64(named + self.key.sign(text.encode()))}\n"

    def lines(self, *, first: int = 0) -> list[bytes]:
        subtrees = tree.Frontier().extended(self.leaf(one) for one in self.events[:first]).peaks
        made = [a_line({"vouch_export": 1, "origin": ORIGIN, "checkpoint": self.note(self.sizes[-1]), "first": first,
                        "subtrees": [b64(one) for one in subtrees]})]  # fmt: skip
        for position, event in enumerate(self.events[first : self.sizes[-1]], start=first):
            made.append(b'{"event":%s,"leaf":"%s","position":%d}' % (canonical(event).encode(), b64(self.leaf(event)).encode(), position))
            if event[9] in self.decisions:
                made.append(a_line({"decision": self.decisions[event[9]]}))
            if position + 1 in self.sizes:
                made.append(a_line({"checkpoint": self.note(position + 1)}))
        return made


def a_book(count: int = 40, sizes: Sequence[int] = (7, 8, 20, 33, 40)) -> Book:
    """A record of so many events, every third about a decision."""
    events: list[list[Any]] = []
    decisions: dict[str, dict[str, Any]] = {}
    for number in range(count):
        detail: dict[str, Any] = {"product": "loan", "leaf": f"é “{number}”"}
        action, kind = "product.changed", "product"
        if number % 3 == 0:
            action, kind = "decision.made", "decision"
            row = {"id": f"object-{number}", "score": 600 + number, "outcome": "approve", "probability": (0.1 + number / 100).hex()}
            decisions[f"object-{number}"] = row
            detail["digest"] = hashlib.sha256(canonical(row).encode()).hexdigest()
        events.append(["vouch event v1", f"event-{number}", action, "user", "7", "Amina", "203.0.113.9", f"req-{number}", kind,
                       f"object-{number}", detail, f"2026-11-21T08:00:{number:02d}.000000Z"])  # fmt: skip
    return Book(events, decisions, sizes)
