"""A confirmed run is done by a worker: a few records in each commit, under a lease, until nothing that was due is left; then certified."""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from audit.actions import Action
from audit.context import Actor
from audit.errors import ReceiptRefused
from audit.holds import held
from audit.models import Gone, RetentionRun
from audit.retention.registry import RecordClass, record_classes
from audit.retention.rules import due
from audit.retention.services import batches, rules_of
from audit.retention.turns import take_turn
from audit.services import canonical, record, timestamp
from audit.vault import keyring

KIND = "vouch destruction certificate v1"


class _Lost(Exception):
    """Another worker has the run."""


def is_waiting() -> bool:
    """Whether a confirmed run is in nobody's hands."""
    return _waiting().exists()


def work_on_run() -> bool:
    """The confirmed run is done, unless somebody else is at it; whether there was one to take. Safe to run twice, and beside itself."""
    lease = uuid.uuid4()
    with transaction.atomic():
        run = _waiting().select_for_update(skip_locked=True).first()
        if run is None:
            return False
        _keep(run, lease)
    try:
        while sum(_remove(run, lease, kind, ids) for kind in record_classes().values() for ids in batches(kind)):
            pass    # until a whole look finds nothing due: what a dead worker left half is found again
        _finish(run, lease)
    except _Lost:
        pass
    return True


def _waiting() -> QuerySet[RetentionRun]:
    now = datetime.now(UTC)
    return RetentionRun.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), state=RetentionRun.State.CONFIRMED)


@transaction.atomic
def _remove(run: RetentionRun, lease: uuid.UUID, kind: RecordClass, ids: Sequence[str]) -> int:
    """Those of these that are due by the rules of the run, and by no hold of this moment, are gone; how many."""
    rules, now = rules_of(run), datetime.now(UTC)
    if not due(kind.look(ids), rules, held(), as_of=run.as_of, now=now):
        return 0
    take_turn()
    _mine(run, lease)
    kind.lock(ids)
    going = due(kind.look(ids), rules, held(), as_of=run.as_of, now=now)    # as they are now that nobody can change them
    Gone.objects.bulk_create([Gone(run=run, record_class=kind.name, object_id=one) for one in going], ignore_conflicts=True)
    for action, remove in kind.removals.items():
        if chosen := [one for one, said in going.items() if (said or kind.usual) == action]:
            remove(chosen, run.number, actor_of(run))
    return len(going)


def _mine(run: RetentionRun, lease: uuid.UUID) -> None:
    """The run stays with this worker for another while. Raises _Lost."""
    if RetentionRun.objects.select_for_update().get(id=run.id).lease != lease:
        raise _Lost
    _keep(run, lease)


def _keep(run: RetentionRun, lease: uuid.UUID) -> None:
    run.lease, run.lease_until = lease, datetime.now(UTC) + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    run.save(update_fields=["lease", "lease_until"])


@transaction.atomic
def _finish(run: RetentionRun, lease: uuid.UUID) -> None:
    """The run is done, recorded, and its certificate signed."""
    take_turn()
    _mine(run, lease)
    run.finished_at, run.state, run.lease_until = datetime.now(UTC), RetentionRun.State.DONE, None
    ring, gone = keyring(), gone_of(run)
    run.certificate = canonical(_certificate(run, ring.schema, gone))
    run.signature = {"key_id": ring.key_id, "signature": base64.b64encode(ring.sign(run.certificate.encode())).decode()}
    run.save()
    detail = {"number": run.number, "certificate_sha256": hashlib.sha256(run.certificate.encode()).hexdigest(), **gone}
    record(action=Action.RETENTION_RUN_FINISHED, actor=actor_of(run), object_kind="retention_run", object_id=run.id, detail=detail)


def gone_of(run: RetentionRun) -> dict[str, int]:
    """How many of each class the run let go."""
    return dict(run.gone.order_by().values_list("record_class").annotate(number=Count("id")).order_by("record_class"))


def actor_of(run: RetentionRun) -> Actor:
    """In whose name it happens: the system's, as two people said."""
    return Actor(kind="system", label=f"retention run {run.number}")


def _certificate(run: RetentionRun, schema: str, gone: Mapping[str, int]) -> dict[str, Any]:
    """What two people had destroyed, by which rules: counts, and one digest over what went, which whoever holds a list can compare."""
    ids = run.gone.order_by("record_class", "object_id").values_list("record_class", "object_id")
    digest = hashlib.sha256()
    for kind, object_id in ids.iterator(chunk_size=2_000):
        digest.update(f"{kind} {object_id}\n".encode())
    assert run.answered_at is not None
    assert run.finished_at is not None
    return {
        "certificate": KIND, "partner": schema, "run": run.number, "as_of": timestamp(run.as_of), "rules": run.rules,
        "proposed_by": run.proposed_by, "confirmed_by": run.answered_by, "confirmed_at": timestamp(run.answered_at),
        "finished_at": timestamp(run.finished_at), "gone": dict(gone), "gone_sha256": digest.hexdigest(),
        "how": {name: _how(run, kind) for name, kind in record_classes().items()},
    }  # fmt: skip


def _how(run: RetentionRun, kind: RecordClass) -> str:
    said = {rule.action or kind.usual for rule in rules_of(run) if rule.record_class == kind.name}
    return ", ".join(sorted(said)) or kind.usual


def signed_certificate(run: RetentionRun) -> bytes:
    """The certificate and its signature as one JSON text; `certificate` is the text that was signed."""
    assert run.signature is not None
    return json.dumps({"certificate": run.certificate, **run.signature}, indent=1, ensure_ascii=False).encode()


def verify_certificate(signed: bytes, *, public_keys: Mapping[str, bytes]) -> dict[str, Any]:
    """What the certificate says. Raises ReceiptRefused when one of these keys has not signed it."""
    try:
        given = json.loads(signed)
        key = Ed25519PublicKey.from_public_bytes(public_keys[given["key_id"]])
        key.verify(base64.b64decode(given["signature"], validate=True), given["certificate"].encode())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReceiptRefused("The certificate's signature does not match what it says.") from error
    return dict(json.loads(given["certificate"]))
