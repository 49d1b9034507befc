"""The examiner bundle: what a stranger needs to check a decision or a period without us, as a signed ZIP."""

import base64
import hashlib
import json
import uuid
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from audit import exporting, verify
from audit.actions import Action
from audit.context import Actor
from audit.errors import BundleTooLarge
from audit.models import Event
from audit.selectors import timeline
from audit.services import record, timestamp
from audit.vault import keyring
from portal.approvals.errors import NoticeNotDue, NoticeSettingsMissing
from portal.approvals.letters import letter_of, letter_pdf
from portal.approvals.models import Application
from portal.approvals.sealed import open_letter
from portal.record.keys import keys_document
from portal.record.readme import README, WITH_PERSONAL, WITHOUT_PERSONAL
from scoring import selectors
from scoring.errors import ApplicantErased, CardMissing, DecisionAltered, ModelRefused
from scoring.models import Decision, ModelVersion, Policy, ProductRevision
from scoring.selectors import stored_card
from scoring.selectors.reasons_kept import reasons_kept

MOST_AT_ONCE = 200_000    # events in an answer over HTTP
_TIME = (1980, 1, 1, 0, 0, 0)    # of every file: the same content gives the same bundle


@dataclass(frozen=True, slots=True)
class OfDecision:
    """One decision: its events with their proofs, its row, reasons, model, policy and letter."""

    decision_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class OfPeriod:
    """All that was recorded from `since` on, before `until`. Holds no name and no input of an applicant."""

    since: datetime
    until: datetime


def write_bundle(asked: OfDecision | OfPeriod, file: IO[bytes], *, actor: Actor, shows_personal: bool, most: int | None = None) -> None:
    """The bundle is in the file, and the record says who took it. `most`: events at most.

    Raises DecisionUnknown, PeriodEmpty, BundleTooLarge, EventNotSealed, CheckpointUnknown."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        made = _Bundle(packed)
        if isinstance(asked, OfDecision):
            _take_decision(asked, made, actor=actor, shows_personal=shows_personal)
        else:
            _take_period(asked, made, actor=actor, most=most)
        personal = WITH_PERSONAL if isinstance(asked, OfDecision) and shows_personal else WITHOUT_PERSONAL
        made.add("README.txt", README.format(origin=f"vouch/{keyring().schema}", personal=personal).encode())
        made.add("verify.py", Path(verify.__file__).read_bytes())
        made.add("keys.json", keys_document())
        made.sign()


def _take_decision(asked: OfDecision, made: "_Bundle", *, actor: Actor, shows_personal: bool) -> None:
    detail = selectors.decision_detail(asked.decision_id)
    application = Application.objects.filter(decision_id=asked.decision_id).first()
    told = [*timeline("decision", asked.decision_id), *(timeline("application", application.id) if application else ())]
    sealed = [event for event in told if hasattr(event, "leaf")]
    _record(actor, "decision", asked.decision_id, events=len(sealed), personal_data=shows_personal)
    made.stream("events.jsonl", exporting.parts(sealed))
    made.add("decision.json", _json(_decision(detail, shows_personal=shows_personal)))
    row = Decision.objects.select_related("policy", "model_version", "product").get(id=asked.decision_id)
    _add_policy(made, row.policy, row.product.slug)
    if row.model_version is not None:
        _add_card(made, row.model_version, row.product.slug)
    else:
        definition = ProductRevision.objects.filter(product=row.product, revision=row.revision).values_list("definition", flat=True).first()
        made.add(f"rules/{row.product.slug}.json", _json(definition or {}))
    if application is not None and shows_personal:
        _add_letter(made, application)


def _take_period(asked: OfPeriod, made: "_Bundle", *, actor: Actor, most: int | None) -> None:
    span = exporting.period(asked.since, asked.until)
    if most is not None and span.events > most:
        raise BundleTooLarge(
            f"The period holds {span.events} events, and one answer {most}. Choose a shorter one, or let an operator run "
            "`manage.py examiner_bundle`."
        )
    since, until = timestamp(asked.since), timestamp(asked.until)
    _record(actor, "record", keyring().schema, events=span.events, personal_data=False, since=since, until=until)
    made.stream("events.jsonl", exporting.lines(span))
    within = Decision.objects.filter(created_at__gte=asked.since, created_at__lt=asked.until)
    made.stream("reasons.jsonl", (_json(one) for one in reasons_kept(within)))
    of_period = within.order_by()
    for policy in Policy.objects.select_related("product").filter(id__in=of_period.values("policy_id")):
        _add_policy(made, policy, policy.product.slug)
    for version in ModelVersion.objects.select_related("product").filter(id__in=of_period.values("model_version_id")):
        _add_card(made, version, version.product.slug)


def _record(actor: Actor, kind: str, object_id: object, **detail: Any) -> Event:
    return record(action=Action.BUNDLE_EXPORTED, actor=actor, object_kind=kind, object_id=object_id, detail=detail)


def _decision(detail: selectors.DecisionDetail, *, shows_personal: bool) -> dict[str, Any]:
    told: dict[str, Any] = asdict(detail.summary)
    if not shows_personal:
        del told["reference"]
    reasons = None if detail.explanation is None else [msgspec.structs.asdict(one) for one in detail.explanation.reasons]
    told |= {"is_as_recorded": detail.is_as_recorded, "asked_by": detail.actor_label, "revision": detail.revision, "reasons": reasons}
    if detail.receipt is not None:
        told["receipt"] = asdict(detail.receipt)
    if shows_personal:
        told |= {"applicant": None if detail.applicant is None else msgspec.to_builtins(detail.applicant), "inputs": detail.inputs}
    return told


def _add_policy(made: "_Bundle", policy: Policy, product: str) -> None:
    told = {"product": product, "version": policy.version, "created_at": policy.created_at, "definition": policy.definition}
    made.add(f"policies/{product}-{policy.version}.json", _json(told))


def _add_card(made: "_Bundle", version: ModelVersion, product: str) -> None:
    """The card as it was signed with the model; models without one are named by their digest alone."""
    name = f"models/{product}-{version.version}"
    made.add(f"{name}.json", _json({"product": product, "version": version.version, "bundle_sha256": bytes(version.bundle_sha256).hex()}))
    with suppress(CardMissing, ModelRefused):
        made.add(f"{name}-card.json", stored_card(version).written)


def _add_letter(made: "_Bundle", application: Application) -> None:
    """The letters as they went out; without one, the letter as it would be now, where there is one to write."""
    with suppress(NoticeNotDue, NoticeSettingsMissing, ApplicantErased, DecisionAltered):
        sent = list(application.notices.order_by("id"))
        for number, notice in enumerate(sent, start=1):
            made.add(f"letters/sent-{number}.pdf", open_letter(application, notice).pdf)
        if not sent:
            made.add("letters/not-sent.pdf", letter_pdf(letter_of(application)))


class _Bundle:
    """The ZIP while it is written: every file's digest goes into the manifest, which is signed at the end."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._zip = packed
        self._digests: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> None:
        self.stream(name, (content,))

    def stream(self, name: str, parts: Iterable[bytes]) -> None:
        """A file that is never whole in memory."""
        digest = hashlib.sha256()
        entry = zipfile.ZipInfo(name, _TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with self._zip.open(entry, "w", force_zip64=True) as file:
            for part in parts:
                digest.update(part)
                file.write(part)
        self._digests[name] = digest.hexdigest()

    def sign(self) -> None:
        """Nothing comes after this."""
        ring = keyring()
        manifest = _json({"origin": f"vouch/{ring.schema}", "files": self._digests})
        signed = base64.b64encode(ring.sign(b"vouch bundle v1\n" + manifest)).decode()
        self._zip.writestr(zipfile.ZipInfo(verify.MANIFEST, _TIME), manifest)
        self._zip.writestr(zipfile.ZipInfo(verify.SIGNATURE, _TIME), _json({"key_id": ring.key_id, "signature": signed}))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_text).encode() + b"\n"


def _text(value: object) -> str:
    return timestamp(value) if isinstance(value, datetime) else str(value)
