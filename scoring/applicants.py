"""Applicants' details: sealed under a key of their own, merged with what is known, opened again for whoever may see them."""

import hashlib
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from audit.vault import DataKey, Keyring
from scoring.models import Applicant
from scoring.store import ApplicantRow, KnownApplicant

TABLE = "scoring_applicant"
_REMEMBERED_AT_MOST = 4096
_REMEMBERED_SECONDS = 600.0    # so long a process that is told nothing may hold the key of somebody who was erased


class ApplicantDetails(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What a partner tells about an applicant. Only the reference, the partner's own name for them, is needed."""

    reference: str
    name: str | None = None
    phone: str | None = None
    national_id: str | None = None
    birth_date: date | None = None

    def merged_into(self, known: "ApplicantDetails") -> "ApplicantDetails":
        """What is known, with what is told now in its place."""
        told = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(known, **told)


@dataclass(frozen=True, slots=True)
class OpenApplicant:
    """An applicant whose key is at hand, with the row that the store is to check or write, and digests of what was told and is sealed."""

    key: DataKey
    row: ApplicantRow
    told: bytes
    profile_digest: bytes


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: DataKey
    told: bytes
    profile_digest: bytes
    at: float


# Keys of applicants seen lately. Never invalidated: the store compares key and profile with the table each time.
_remembered: OrderedDict[tuple[str, uuid.UUID], _Remembered] = OrderedDict()
_lock = threading.Lock()


def _forked() -> None:
    """A lock that another thread held at the fork would stay held for ever in the child."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


def told_about(details: Iterable[tuple[uuid.UUID, ApplicantDetails]]) -> dict[uuid.UUID, ApplicantDetails]:
    """Each applicant once, by id, with everything that was told about them."""
    told: dict[uuid.UUID, ApplicantDetails] = {}
    for applicant_id, one in details:
        earlier = told.get(applicant_id)
        told[applicant_id] = one if earlier is None else one.merged_into(earlier)
    return told


def open_applicants(ring: Keyring, told: Mapping[uuid.UUID, ApplicantDetails]) -> dict[uuid.UUID, OpenApplicant]:
    """Each applicant with the key this process remembers for exactly these details, else as if new."""
    return {applicant_id: _remembered_or_new(ring, applicant_id, details) for applicant_id, details in told.items()}


def _remembered_or_new(ring: Keyring, applicant_id: uuid.UUID, details: ApplicantDetails) -> OpenApplicant:
    told = _digest(details)
    with _lock:
        _forget_old()
        known = _remembered.get((ring.schema, applicant_id))
    if known is not None and known.told == told:
        return OpenApplicant(known.key, _unwritten(applicant_id, known.key, known.profile_digest), told, known.profile_digest)
    return _new(ring, applicant_id, details)


def _new(ring: Keyring, applicant_id: uuid.UUID, details: ApplicantDetails) -> OpenApplicant:
    key = ring.new_data_key()
    return _written(ring, applicant_id, key, ring.wrap(key, owner=applicant_id), details, _digest(details))


def open_known(ring: Keyring, known: KnownApplicant, details: ApplicantDetails) -> OpenApplicant | None:
    """The applicant as the table has it, with what is told now merged into the profile; new if not there; None when they are erased.

    Of two that tell something at the same moment the later one is kept: only what is remembered for longer is compared again."""
    if not known.is_there:
        return _new(ring, known.id, details)
    if known.wrapped_key is None or known.data_key_id is None:
        return None
    key = ring.unwrap(known.wrapped_key, key_id=known.data_key_id, owner=known.id)
    sealed = known.sealed_profile or b""
    stored = open_profile(ring, key, known.id, sealed)
    merged = details.merged_into(stored)
    if merged == stored:
        return OpenApplicant(key, _unwritten(known.id, key, None), _digest(details), hashlib.sha256(sealed).digest())
    return _written(ring, known.id, key, known.wrapped_key, merged, _digest(details))


def known_applicants(ids: Sequence[uuid.UUID]) -> list[KnownApplicant]:
    """Those of these applicants that the table has."""
    return [
        KnownApplicant(one.id, True, one.data_key_id, _as_bytes(one.wrapped_key), _as_bytes(one.sealed_profile))
        for one in Applicant.objects.filter(id__in=ids).only("data_key_id", "wrapped_key", "sealed_profile")
    ]


def _as_bytes(stored: bytes | memoryview | None) -> bytes | None:
    return None if stored is None else bytes(stored)


def remember(ring: Keyring, applicants: Iterable[OpenApplicant]) -> None:
    """What was just stored is remembered, so that the next decision about these applicants needs one statement."""
    with _lock:
        for applicant in applicants:
            place = ring.schema, applicant.row.id
            _remembered[place] = _Remembered(applicant.key, applicant.told, applicant.profile_digest, time.monotonic())
            _remembered.move_to_end(place)
        while len(_remembered) > _REMEMBERED_AT_MOST:
            _remembered.popitem(last=False)


def _forget_old() -> None:
    """Whoever was not decided about for a while is gone; the eldest stand first."""
    until = time.monotonic() - _REMEMBERED_SECONDS
    while _remembered and next(iter(_remembered.values())).at < until:
        _remembered.popitem(last=False)


def forget_applicant(applicant_id: uuid.UUID) -> None:
    """This process remembers nothing of the applicant, whichever partner's they are."""
    with _lock:
        for place in [one for one in _remembered if one[1] == applicant_id]:
            del _remembered[place]


def open_profile(ring: Keyring, key: DataKey, applicant_id: uuid.UUID, sealed: bytes | memoryview) -> ApplicantDetails:
    """The details that were sealed for this applicant."""
    return msgspec.json.decode(ring.unseal(key, sealed, table=TABLE, column="sealed_profile", owner=applicant_id), type=ApplicantDetails)


def key_of(ring: Keyring, applicant: Applicant) -> DataKey | None:
    """The applicant's own key, or None when they are erased."""
    if applicant.wrapped_key is None or applicant.data_key_id is None:
        return None
    return ring.unwrap(applicant.wrapped_key, key_id=applicant.data_key_id, owner=applicant.id)


def details_of(ring: Keyring, applicant: Applicant) -> ApplicantDetails | None:
    """What is known of the applicant, or None when they are erased."""
    key = key_of(ring, applicant)
    return None if key is None else open_profile(ring, key, applicant.id, applicant.sealed_profile or b"")


def _written(ring: Keyring, applicant_id: uuid.UUID, key: DataKey, wrapped: bytes, details: ApplicantDetails, told: bytes) -> OpenApplicant:
    profile = rewritten(ring, key, applicant_id, details)
    row = ApplicantRow(
        id=applicant_id,
        data_key_id=key.id,
        wrapped_key=wrapped,
        sealed_profile=profile["sealed_profile"] or b"",
        phone_index=profile["phone_index"],
        national_id_index=profile["national_id_index"],
        name_index=profile["name_index"],
        profile_digest=None,
        is_written=True,
    )
    return OpenApplicant(key, row, told, hashlib.sha256(row.sealed_profile).digest())


def rewritten(ring: Keyring, key: DataKey, applicant_id: uuid.UUID, details: ApplicantDetails) -> dict[str, bytes | None]:
    """The columns that hold these details."""
    return {
        "sealed_profile": ring.seal(key, msgspec.json.encode(details), table=TABLE, column="sealed_profile", owner=applicant_id),
        "phone_index": ring.blind_index("phone", details.phone) if details.phone else None,
        "national_id_index": ring.blind_index("national_id", details.national_id) if details.national_id else None,
        "name_index": ring.blind_index("name", details.name) if details.name else None,
    }


def _unwritten(applicant_id: uuid.UUID, key: DataKey, compared: bytes | None) -> ApplicantRow:
    return ApplicantRow(applicant_id, key.id, b"", b"", None, None, None, compared, is_written=False)


def _digest(details: ApplicantDetails) -> bytes:
    return hashlib.sha256(msgspec.json.encode(details)).digest()
