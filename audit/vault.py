"""The partner's keys: what seals personal data, finds it again, signs, and how the root key guards all of them."""

import hashlib
import hmac
import os
import threading
import unicodedata
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction
from django.utils import timezone

from audit import root
from audit.errors import KeyringMissing, SealBroken
from audit.models import Keyring as KeyringRow

_NONCE = 12
_TAG = 16
_APPLICANT_KEY = 0  # first byte of what an applicant's own key seals; otherwise the version of the partner's key

# For reading many at once: applicant's id, their key's id and the wrapped key (None for erased ones), the row's id, what it keeps.
Kept = tuple[str, str | None, bytes | None, str, bytes]
IndexKind = Literal["phone", "national_id", "name"]

# Seals that did not hold in this process: schema, table, column, owner. `audit.alerts` takes them from here and tells.
broken: deque[tuple[str, str, str, str]] = deque(maxlen=100)


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """A key that seals. `id` tells an applicant's keys apart; the partner's own key has the version as `version` instead.

    `earlier`: what the applicant's key was before it was changed; these only open."""

    id: uuid.UUID
    secret: bytes
    cipher: AESGCM
    version: int = _APPLICANT_KEY
    earlier: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Every key of one partner, opened. Immutable: a change of keys makes another one."""

    schema: str
    wrap_id: uuid.UUID
    partner_key: DataKey
    partner_keys: Mapping[int, DataKey]
    index_key: bytes
    token_key: bytes
    token_version: int
    token_keys: Mapping[int, tuple[bytes, datetime | None]]    # since when each signs no more
    signing_key: Ed25519PrivateKey
    key_id: str
    verifying_keys: Mapping[str, Ed25519PublicKey]

    # ---- sealing

    def new_data_key(self, *, after: DataKey | None = None) -> DataKey:
        """A random key for one applicant; it still opens what the one it comes after has sealed."""
        secret = os.urandom(32)
        return DataKey(uuid.uuid4(), secret, AESGCM(secret), earlier=(after.secret, *after.earlier) if after else ())

    def wrap(self, key: DataKey, *, owner: uuid.UUID) -> bytes:
        """The applicant's key under the partner's key, for this applicant only."""
        secrets = b"".join((key.secret, *key.earlier))
        return self.seal(self.partner_key, secrets, table="scoring_applicant", column="wrapped_key", owner=f"{owner}:{key.id}")

    def unwrap(self, wrapped: bytes | memoryview, *, key_id: uuid.UUID, owner: uuid.UUID) -> DataKey:
        """The applicant's key again. Raises SealBroken for another applicant's or another partner's."""
        secrets = self.unseal(self.partner_key, wrapped, table="scoring_applicant", column="wrapped_key", owner=f"{owner}:{key_id}")
        secret, *earlier = _parted(secrets)
        return DataKey(key_id, secret, AESGCM(secret), earlier=tuple(earlier))

    def seal(self, key: DataKey, plaintext: bytes, *, table: str, column: str, owner: object) -> bytes:
        """Ciphertext that opens only in this partner, table, column and row."""
        nonce = os.urandom(_NONCE)
        head = bytes((key.version,))
        return head + nonce + key.cipher.encrypt(nonce, plaintext, head + self._place(table, column, owner))

    def unseal(self, key: DataKey, sealed: bytes | memoryview, *, table: str, column: str, owner: object) -> bytes:
        """What was sealed for exactly this place. Raises SealBroken if it was moved or changed."""
        sealed = bytes(sealed)
        version = sealed[0] if len(sealed) > _NONCE + _TAG else -1
        if key.version != _APPLICANT_KEY:
            key = self._partners(version) or key
        place = sealed[:1] + self._place(table, column, owner)
        ciphers = chain([key.cipher], (AESGCM(secret) for secret in key.earlier)) if version == key.version else ()
        for cipher in ciphers:
            try:
                return cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], place)
            except InvalidTag:
                continue
        raise self.refused(table, column, owner)

    def refused(self, table: str, column: str, owner: object) -> SealBroken:
        """What to raise for something that was moved, changed or cut off; an alert tells of it."""
        broken.append((self.schema, table, column, str(owner)))
        return SealBroken()

    def unseal_many(self, rows: Iterable[Kept], *, table: str, column: str) -> Iterator[bytes | None]:
        """What rows keep under their applicants' own keys, in their order; None for an erased applicant, and for what was moved or changed.

        The same as `unwrap` and `unseal` of each, without what one by one costs."""
        wrapped_in, sealed_in = f"{self.schema}|scoring_applicant|wrapped_key|", f"{self.schema}|{table}|{column}|"
        ciphers: dict[str, list[AESGCM]] = {}
        for applicant_id, key_id, wrapped, row_id, sealed in rows:
            if applicant_id not in ciphers:
                secrets = b"" if key_id is None or wrapped is None else self._by_partner(wrapped, f"{wrapped_in}{applicant_id}:{key_id}")
                ciphers[applicant_id] = [AESGCM(secret) for secret in _parted(secrets)]
            found = None
            for cipher in ciphers[applicant_id]:
                if len(sealed) <= _NONCE + _TAG or sealed[0] != _APPLICANT_KEY:
                    break
                try:
                    found = cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], b"\0" + f"{sealed_in}{row_id}".encode())
                    break
                except InvalidTag:
                    continue
            if found is None and key_id is not None:
                broken.append((self.schema, table, column, row_id))
            yield found

    def _by_partner(self, sealed: bytes, place: str) -> bytes:
        key = self._partners(sealed[0]) if len(sealed) > _NONCE + _TAG else None
        try:
            return b"" if key is None else key.cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], sealed[:1] + place.encode())
        except InvalidTag:
            return b""

    def _partners(self, version: int) -> DataKey | None:
        """The partner's key of this version; one that another process has made since this one looked is read now."""
        found = self.partner_keys.get(version)
        if found is None and max(self.partner_keys) < version and self.schema == _schema():
            found = refresh_keyring().partner_keys.get(version)
        return found

    def _place(self, table: str, column: str, owner: object) -> bytes:
        return f"{self.schema}|{table}|{column}|{owner}".encode()

    # ---- finding again

    def applicant_id(self, reference: str) -> uuid.UUID:
        """The applicant's id: the same for the same reference, telling nothing without the partner's key."""
        return uuid.UUID(bytes=self._keyed("applicant", reference.strip())[:16], version=5)

    def blind_index(self, kind: IndexKind, value: str) -> bytes | None:
        """A keyed hash of the normalised value by which it can be found; None when nothing is left to find."""
        normalised = _NORMALISED[kind](value)
        return self._keyed(kind, normalised)[:16] if normalised else None

    def _keyed(self, kind: str, value: str) -> bytes:
        return hmac.digest(self.index_key, f"{kind}\0{value}".encode(), "sha256")

    # ---- signing

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature by the partner's key in use (`key_id`)."""
        return self.signing_key.sign(message)

    def verify(self, message: bytes, signature: bytes, *, key_id: str) -> bool:
        """Whether one of the partner's keys, retired ones included, signed this."""
        key = self.verifying_keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def public_keys(self) -> dict[str, bytes]:
        """Every public key that ever signed for this partner, raw, by key id."""
        return {key_id: key.public_bytes_raw() for key_id, key in self.verifying_keys.items()}


def _parted(secrets: bytes) -> list[bytes]:
    """Keys of 32 bytes each, the one in use first."""
    return [secrets[at : at + 32] for at in range(0, len(secrets), 32)]


def _digits(value: str) -> str:
    """The last nine digits: the same telephone with and without its country code."""
    return "".join(str(unicodedata.decimal(c)) for c in value if c.isdecimal())[-9:]


def _letters_and_digits(value: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", value).upper() if c.isalnum())


def _name(value: str) -> str:
    """Without case, accents and order: people write family names first and last."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", value).casefold() if not unicodedata.combining(c))
    return " ".join(sorted(plain.split()))


_NORMALISED = {"phone": _digits, "national_id": _letters_and_digits, "name": _name}


def public_key_id(public_key: bytes) -> str:
    """The short name of a public key: the first eight bytes of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


# ---- the partner's keyring, once per process

_rings: dict[str, Keyring] = {}
_lock = threading.Lock()


def _forked() -> None:
    """A lock that another thread held at the fork would stay held for ever in the child."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


def keyring() -> Keyring:
    """The current partner's keys, opened once per process. Raises KeyringMissing, RootKeyMissing or RootKeyWrong."""
    schema = _schema()
    ring = _rings.get(schema)
    if ring is None:
        with _lock:
            ring = _rings.get(schema)
            if ring is None:
                ring = _rings[schema] = _open(schema)
    return ring


def refresh_keyring() -> Keyring:
    """The current partner's keys as the database has them now."""
    ring = _open(_schema())
    _rings[ring.schema] = ring
    return ring


def check_keyring() -> None:
    """The root key opens the current partner's keys, none of which is kept. Raises what `keyring` raises."""
    _open(_schema())


def ensure_keyring() -> Keyring:
    """Whatever keys the current partner lacks are made and stored; those it has stay as they are."""
    schema = _schema()
    with transaction.atomic():
        have = set(KeyringRow.objects.filter(retired_at=None).values_list("purpose", flat=True))
        for purpose in KeyringRow.Purpose:
            if purpose not in have:
                _make(schema, purpose).save(force_insert=True)
    return refresh_keyring()


def rotate_key(purpose: Literal["wrap", "token", "sign"]) -> Keyring:
    """A new key takes the place of the one in use, which from now on only opens and verifies what it made.

    The index key cannot be rotated: applicants' ids come from it. Stores notice at the next decision, whichever process makes it."""
    schema = _schema()
    with transaction.atomic():
        in_use = KeyringRow.objects.select_for_update().get(purpose=purpose, retired_at=None)
        in_use.retired_at = timezone.now()
        in_use.save(update_fields=["retired_at"])
        _make(schema, KeyringRow.Purpose(purpose), in_use.version + 1).save(force_insert=True)
    return refresh_keyring()


def _schema() -> str:
    return str(getattr(connection, "schema_name", "public"))


def _make(schema: str, purpose: KeyringRow.Purpose, version: int = 1) -> KeyringRow:
    secret = os.urandom(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw() if purpose == KeyringRow.Purpose.SIGN else None
    wrapped = root.wrap(secret, root_place(schema, purpose, version))
    return KeyringRow(purpose=purpose, version=version, wrapped=wrapped, public_key=public, created_at=timezone.now())


def root_place(schema: str, purpose: str, version: int) -> bytes:
    """What a key of a partner is wrapped for by the root key."""
    return f"{schema}|audit_keyring|{purpose}|{version}".encode()


def _open(schema: str) -> Keyring:
    return opened(schema, list(KeyringRow.objects.order_by("version")))


def opened(schema: str, rows: Iterable[KeyringRow]) -> Keyring:
    """A partner's keys from these rows, wherever they come from. Raises KeyringMissing, RootKeyMissing or RootKeyWrong."""
    rows = list(rows)
    keys = root.root_keys() if rows else ()
    secrets: dict[str, dict[int, bytes]] = {purpose: {} for purpose in KeyringRow.Purpose.values}
    in_use: dict[str, KeyringRow] = {}
    for row in rows:
        secret = root.unwrap(bytes(row.wrapped), root_place(schema, row.purpose, row.version), keys)
        secrets[row.purpose][row.version] = secret
        if row.retired_at is None:
            in_use[row.purpose] = row
    if set(in_use) != set(KeyringRow.Purpose.values):
        raise KeyringMissing
    retired = {row.version: row.retired_at for row in rows if row.purpose == KeyringRow.Purpose.TOKEN}
    return _assemble(schema, secrets, in_use, retired)


def _assemble(
    schema: str, secrets: dict[str, dict[int, bytes]], in_use: dict[str, KeyringRow], retired: Mapping[int, datetime | None]
) -> Keyring:
    def current(purpose: str) -> bytes:
        return secrets[purpose][in_use[purpose].version]

    partner_keys = {version: DataKey(uuid.UUID(int=0), secret, AESGCM(secret), version) for version, secret in secrets["wrap"].items()}
    signing = Ed25519PrivateKey.from_private_bytes(current("sign"))
    public = [Ed25519PrivateKey.from_private_bytes(secret).public_key() for secret in secrets["sign"].values()]
    return Keyring(
        schema=schema,
        wrap_id=in_use["wrap"].id,
        partner_key=partner_keys[in_use["wrap"].version],
        partner_keys=partner_keys,
        index_key=current("index"),
        token_key=current("token"),
        token_version=in_use["token"].version,
        token_keys={version: (secret, retired[version]) for version, secret in secrets["token"].items()},
        signing_key=signing,
        key_id=public_key_id(signing.public_key().public_bytes_raw()),
        verifying_keys={public_key_id(key.public_bytes_raw()): key for key in public},
    )
