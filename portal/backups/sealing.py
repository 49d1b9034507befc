"""An archive under a key of its own: AES-256-GCM in chunks of 1 MiB, so that nothing is held whole and no end can be cut off unnoticed.

After the first line come 16 random bytes, from which and the key the file's own key is derived; then the chunks, each with its tag.
A chunk's nonce is its number and whether it is the last."""

import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.backups.errors import BackupRefused

CHUNK = 1024 * 1024
_SALT, _TAG = 16, 16


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"vouch backup").derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((is_last,))


class SealedWriter:
    """Takes bytes and writes chunks; `close` writes the last one."""

    def __init__(self, target: BinaryIO, key: bytes) -> None:
        salt = os.urandom(_SALT)
        self.target, self.cipher, self.number, self.held = target, _cipher(key, salt), 0, bytearray()
        target.write(salt)

    def write(self, data: bytes) -> int:
        """How many bytes were taken: all."""
        self.held += data
        while len(self.held) > CHUNK:
            self._put(bytes(self.held[:CHUNK]), is_last=False)
            del self.held[:CHUNK]
        return len(data)

    def close(self) -> None:
        """The archive is whole."""
        self._put(bytes(self.held), is_last=True)

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        self.target.write(self.cipher.encrypt(_nonce(self.number, is_last=is_last), chunk, None))
        self.number += 1


class SealedReader:
    """Gives the bytes again. Raises BackupRefused for another key and for anything that was changed, swapped or cut off."""

    def __init__(self, source: BinaryIO, key: bytes) -> None:
        self.source, self.cipher, self.number, self.held = source, _cipher(key, source.read(_SALT)), 0, b""
        self.next = source.read(CHUNK + _TAG)

    def read(self, size: int) -> bytes:
        """As many bytes, fewer only at the end."""
        while len(self.held) < size and self.next:
            self.held += self._open()
        given, self.held = self.held[:size], self.held[size:]
        return given

    def _open(self) -> bytes:
        chunk, self.next = self.next, self.source.read(CHUNK + _TAG)
        try:
            opened = self.cipher.decrypt(_nonce(self.number, is_last=not self.next), chunk, None)
        except (InvalidTag, ValueError):
            first = "The key file is not the one this archive was sealed with, or the archive is damaged."
            raise BackupRefused(first if self.number == 0 else "The archive is damaged: use another copy.") from None
        self.number += 1
        return opened
