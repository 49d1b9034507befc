"""The archive: parts in a tar, each with its SHA-256, and at its end the manifest that every partner in it has signed."""

import base64
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.utils import timezone

from audit.errors import DomainError
from audit.models import Keyring as KeyringRow
from audit.vault import Keyring, opened
from portal.backups.errors import BackupRefused
from portal.backups.sealing import SealedReader, SealedWriter

PLAIN, SEALED = b"vouch backup 1\n", b"vouch backup 1 sealed\n"
_NAME = b"vouch backup "
PIECE = 32 * 1024 * 1024
DUMP = "database.dump"
MANIFEST, SIGNATURES = "manifest.json", "signatures.json"
_DAMAGED = "The archive is damaged or not whole: use another copy."


class _Counted:
    """A file that is hashed while it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.digest, self.bytes = source, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.digest.update(data)
        self.bytes += len(data)
        return data


@dataclass
class Writer:
    """Parts go in one after the other; `finish` adds what is signed."""

    tar: tarfile.TarFile
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """The next `size` bytes of the source, under this name."""
        info, counted = tarfile.TarInfo(name), _Counted(source)
        info.size, info.mode = size, 0o600
        self.tar.addfile(info, cast("BinaryIO", counted))
        self.parts[name] = {"bytes": counted.bytes, "sha256": counted.digest.hexdigest()}

    def add_pieces(self, name: str, source: IO[bytes]) -> None:
        """All of a stream whose length nobody knows yet, in pieces that reading puts together."""
        for number, piece in enumerate(iter(lambda: source.read(PIECE), b"")):
            self.add(f"{name}/{number:06}", BytesIO(piece), len(piece))

    def finish(self, manifest: Mapping[str, Any], rings: Mapping[str, Keyring]) -> None:
        """The manifest, and each partner's signature over it."""
        text = json.dumps({**manifest, "parts": self.parts}, sort_keys=True, ensure_ascii=False).encode()
        signed = {
            schema: {"key_id": ring.key_id, "signature": base64.b64encode(ring.sign(text)).decode()} for schema, ring in rings.items()
        }
        for name, content in ((MANIFEST, text), (SIGNATURES, json.dumps(signed).encode())):
            self.add(name, BytesIO(content), len(content))


@contextmanager
def writing(target: BinaryIO, key: bytes | None) -> Iterator[Writer]:
    """A writer on the target, sealed when there is a key."""
    target.write(PLAIN if key is None else SEALED)
    sealed = None if key is None else SealedWriter(target, key)
    with tarfile.open(fileobj=cast("BinaryIO", sealed or target), mode="w|") as tar:
        yield Writer(tar)
    if sealed is not None:
        sealed.close()


def extract(path: Path, folder: Path, key: bytes | None) -> dict[str, Any]:
    """The archive's parts lie in the folder, whole and as they were signed; returns the manifest. Raises BackupRefused."""
    try:
        with path.open("rb") as source:
            found = _unpack(_opened(path, source, key), folder)
    except OSError as error:
        raise BackupRefused(f"{error.filename or path} cannot be read or written ({error.strerror}).") from None
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupRefused(_DAMAGED) from error
    if not {MANIFEST, SIGNATURES} <= found.keys():
        raise BackupRefused(_DAMAGED)
    text = (folder / MANIFEST).read_bytes()
    manifest: dict[str, Any] = json.loads(text)
    if {name: found[name] for name in found if name not in {MANIFEST, SIGNATURES}} != manifest["parts"]:
        raise BackupRefused(_DAMAGED)
    refuse_foreign(manifest, text, json.loads((folder / SIGNATURES).read_bytes()))
    return manifest


def _opened(path: Path, source: BinaryIO, key: bytes | None) -> BinaryIO:
    line = source.readline(64)
    if line == PLAIN:
        return source
    if line != SEALED:
        what = "was made by another version of Vouch: restore it with that one" if line.startswith(_NAME) else "is no backup of Vouch"
        raise BackupRefused(f"{path} {what}.")
    if key is None:
        raise BackupRefused(f"{path} is sealed: name its key with --key-file.")
    return cast("BinaryIO", SealedReader(source, key))


def _unpack(stream: BinaryIO, folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            place = folder / member.name
            source = tar.extractfile(member) if member.isreg() and place.resolve().is_relative_to(folder.resolve()) else None
            if source is None:
                raise BackupRefused(_DAMAGED)
            is_piece = member.name.startswith(f"{DUMP}/")
            target = folder / DUMP if is_piece else place
            target.parent.mkdir(parents=True, exist_ok=True)
            counted = _Counted(source)
            with target.open("ab" if is_piece else "xb") as file:
                while data := counted.read(1024 * 1024):
                    file.write(data)
            found[member.name] = {"bytes": counted.bytes, "sha256": counted.digest.hexdigest()}
    while stream.read(1024 * 1024):    # to the sealed end, which says that nothing was cut off
        pass
    return found


def refuse_foreign(manifest: Mapping[str, Any], text: bytes, signatures: Mapping[str, Any]) -> None:
    """Every partner in it has signed the manifest, with a key that the root key opens. Raises BackupRefused."""
    for schema, rows in manifest["keys"].items():
        try:
            ring = opened(schema, [_key_row(row) for row in rows])
        except DomainError as error:
            message = f"The keys of {manifest['partners'][schema]['slug']} in this backup do not open: {error.detail}"
            fix = "Give back the root key of that time (VOUCH_ROOT_KEY, or keys/root in the state folder)."
            raise BackupRefused(f"{message} {fix}") from error
        signed = signatures.get(schema, {})
        if not ring.verify(text, base64.b64decode(signed.get("signature", "")), key_id=signed.get("key_id", "")):
            raise BackupRefused("The manifest does not carry the signatures of its partners: it was changed, or is not ours.")
    if not manifest["keys"] or manifest["keys"].keys() != manifest["partners"].keys():
        raise BackupRefused("The manifest does not carry the signatures of its partners: it was changed, or is not ours.")


def _key_row(row: Mapping[str, Any]) -> KeyringRow:
    """As the table would give it; only whether it is retired counts, not since when."""
    public = row["public_key"]
    made = KeyringRow(
        id=row["id"], purpose=row["purpose"], version=row["version"], wrapped=base64.b64decode(row["wrapped"]),
        public_key=None if public is None else base64.b64decode(public),
    )  # fmt: skip
    if row["is_retired"]:
        made.retired_at = timezone.now()
    return made
