"""Sealing: committed events get their place in the tree, and its signed head leaves the database."""

import base64
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.errors import TreeBroken
from audit.models import Checkpoint, Leaf, Subtree
from audit.models import Keyring as KeyringRow
from audit.services import announce_once
from audit.topics import Topic
from audit.tree import Frontier
from audit.vault import Keyring, keyring, public_key_id, refresh_keyring

_AT_ONCE = 10_000

# What an earlier pass of this process has seen up to: (xid) by schema. Only a shortcut; a leaf is never written twice without it.
_seen: dict[str, int] = {}
# Whose log this process has brought up to date since it started.
_published: set[str] = set()

# An event is sealed once its transaction is older than every one still running: nothing commits behind the order being fixed.
# Rows from a restored dump may carry numbers that this server has yet to reach: those are committed too.
_UNSEALED = """
    SELECT e.id, e.leaf_hash
    FROM audit_event e
    WHERE e.transaction >= %(seen)s::text::xid8
      AND (e.transaction < pg_snapshot_xmin(pg_current_snapshot()) OR e.transaction >= pg_snapshot_xmax(pg_current_snapshot()))
      AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id)
    ORDER BY e.transaction, e.id
    LIMIT %(limit)s
"""


def seal() -> Checkpoint | None:
    """Every event of the current partner that is surely committed is in the tree, under a signed and published checkpoint.

    Returns the newest one made, or None when nothing was new or another process seals. Two cheap statements when nothing is new.
    Raises TreeBroken when the tables do not continue the last checkpoint or the published log."""
    schema, newest = keyring().schema, None
    while _unsealed(schema, limit=1)[1]:
        checkpoint = _seal_some()
        if checkpoint is None:
            break
        newest = checkpoint
    if newest is not None or schema not in _published:
        publish()
        _published.add(schema)
    return newest


def _seal_some() -> Checkpoint | None:
    with transaction.atomic(durable=True):
        ring = _ring_in_use()
        if not _alone(ring.schema):
            return None
        frontier = _continued(Checkpoint.objects.order_by("-size").first())
        oldest, rows = _unsealed(ring.schema, limit=_AT_ONCE)
        checkpoint = None
        if rows:
            _write_leaves(frontier.size, rows)
            kept: list[Subtree] = []
            grown = frontier.extended(
                (leaf for _, leaf in rows), lambda level, number, node: kept.append(Subtree(level=level, number=number, node_hash=node))
            )
            Subtree.objects.bulk_create(kept)
            checkpoint = _write_checkpoint(grown, ring)
    if len(rows) < _AT_ONCE:
        _seen[ring.schema] = oldest
    return checkpoint


def _ring_in_use() -> Keyring:
    """The partner's keys, with the signing key that is in use now: another process may have changed it."""
    ring, public = keyring(), KeyringRow.objects.values_list("public_key", flat=True).get(purpose=KeyringRow.Purpose.SIGN, retired_at=None)
    return ring if public is not None and ring.key_id == public_key_id(bytes(public)) else refresh_keyring()


def _alone(schema: str) -> bool:
    """Whether this transaction is the only one that seals this partner, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock(schema)])
        return bool(cursor.fetchone()[0])


def wait_alone(schema: str) -> None:
    """Nobody seals this partner until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_lock(schema)])


def _lock(schema: str) -> int:
    return int.from_bytes(hashlib.sha256(f"seal|{schema}".encode()).digest()[:8], signed=True)


def _continued(last: Checkpoint | None) -> Frontier:
    """The tree as the last checkpoint left it, if the leaves are still those it counted."""
    size = 0 if last is None else last.size
    highest = Leaf.objects.order_by("-position").values_list("position", flat=True).first()
    if (-1 if highest is None else highest) != size - 1:
        raise TreeBroken(f"The last checkpoint counts {size} leaves and the table ends at {highest}.")
    if last is None:
        return Frontier()
    frontier = Frontier.from_bytes(last.size, bytes(last.frontier))
    if frontier.root() != bytes(last.root):
        raise TreeBroken(f"The checkpoint of size {size} does not have the root of its own subtrees.")
    return frontier


def _unsealed(schema: str, *, limit: int) -> tuple[int, list[tuple[object, bytes]]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        oldest = int(cursor.fetchone()[0])
        seen = _seen.get(schema, 0)
        if seen > oldest:
            # The server is another one, or was restored: its numbers start again.
            seen = 0
        cursor.execute(_UNSEALED, {"seen": str(seen), "limit": limit})
        return oldest, [(event, bytes(leaf)) for event, leaf in cursor.fetchall()]


def _write_leaves(first: int, rows: list[tuple[object, bytes]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_leaf (position, event_id, leaf_hash)"
            " SELECT %s + at - 1, event, leaf FROM unnest(%s::uuid[], %s::bytea[]) WITH ORDINALITY AS sealed(event, leaf, at)",
            [first, [event for event, _ in rows], [leaf for _, leaf in rows]],
        )


def _write_checkpoint(frontier: Frontier, ring: Keyring) -> Checkpoint:
    root = frontier.root()
    return Checkpoint.objects.create(
        size=frontier.size,
        root=root,
        frontier=frontier.to_bytes(),
        signed_note=signed_note(ring, frontier.size, root),
        created_at=timezone.now(),
    )


def signed_note(ring: Keyring, size: int, root: bytes) -> str:
    """The head of the tree as a signed note (C2SP tlog-checkpoint): anybody with the public key can check it."""
    origin = f"vouch/{ring.schema}"
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    public = ring.signing_key.public_key().public_bytes_raw()
    key_hash = hashlib.sha256(f"{origin}\n".encode() + b"\x01" + public).digest()[:4]
    return f"{text}\n\u2014 {origin} {base64.b64encode(key_hash + ring.sign(text.encode())).decode()}\n"


# ---- who is told of it
#
# Once a minute, and only the newest head: it attests all before it, so the sixty between two of them would tell nobody more. By the clock
# and not beside the sealing: else the last head before a quiet night would be left out.


def announce_newest() -> None:
    """Whoever asked for `checkpoint.signed` is told of the newest checkpoint of the current partner, once."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is not None:
        body = {"size": newest.size, "note": newest.signed_note, "created_at": newest.created_at.isoformat()}
        announce_once(id=newest.id, topic=Topic.CHECKPOINT_SIGNED, object_id=f"vouch/{keyring().schema}", body=body)


# ---- the log outside the database


def checkpoint_log(schema: str) -> Path:
    """Where the partner's checkpoints are published: one JSON object per line, oldest first."""
    return Path(settings.VOUCH_HOME) / "checkpoints" / f"{schema}.log"


def publish() -> int:
    """Every checkpoint of the current partner is in the log outside the database; returns how many were added.

    A line that a dying process left unfinished is removed first. Raises TreeBroken when the log knows a head that the table has not:
    somebody has taken the record back."""
    path = checkpoint_log(keyring().schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        logged = _last_line(log)
        size = 0 if logged is None else int(logged["size"])
        if logged is not None and not Checkpoint.objects.filter(size=size, signed_note=logged["note"]).exists():
            raise TreeBroken(f"The published checkpoint of size {size} is not in the table: the record was taken back.")
        lines = [
            json.dumps({"size": checkpoint.size, "note": checkpoint.signed_note, "created_at": checkpoint.created_at.isoformat()}) + "\n"
            for checkpoint in Checkpoint.objects.filter(size__gt=size).order_by("size")
        ]
        if lines:
            log.write("".join(lines).encode())
            log.flush()
            os.fsync(log.fileno())
        return len(lines)


def _last_line(log: IO[bytes]) -> dict[str, str] | None:
    end = log.seek(0, os.SEEK_END)
    start = max(0, end - 4096)
    log.seek(start)
    tail = log.read()
    complete = tail.rfind(b"\n") + 1
    if complete != len(tail):
        log.truncate(start + complete)
    lines = tail[:complete].splitlines()
    return json.loads(lines[-1]) if lines else None
