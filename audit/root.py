"""The root key: what guards every partner's keys, be it a secret of the environment or a program that asks a key service."""

import base64
import binascii
import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from audit.errors import RootKeyMissing, RootKeyUnreachable, RootKeyWrong

_NONCE = 12
_PATIENCE_SECONDS = 10


class RootKey(Protocol):
    """Wraps secrets of 32 bytes for one place (schema, purpose, version) and opens them again. A key service has to do no more."""

    def wrap(self, secret: bytes, place: bytes) -> bytes:
        """The secret for this place only. Raises RootKeyUnreachable."""

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """The secret again. Raises RootKeyWrong when this key did not wrap it for this place, RootKeyUnreachable."""


@dataclass(frozen=True, slots=True, repr=False)
class LocalRootKey:
    """32 bytes from the environment or a file: AES-256-GCM in this process."""

    secret: bytes

    def wrap(self, secret: bytes, place: bytes) -> bytes:
        """A nonce, then the ciphertext."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.secret).encrypt(nonce, secret, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """Raises RootKeyWrong."""
        try:
            return AESGCM(self.secret).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], place)
        except (InvalidTag, ValueError) as error:
            raise RootKeyWrong from error


@dataclass(frozen=True, slots=True)
class CommandRootKey:
    """A program that asks a key service. It is called as `PROGRAM wrap` or `PROGRAM unwrap`, reads {"context": text, "data": base64} and
    writes {"data": base64}. It ends with 2 for what it did not wrap, and with anything else but 0 when the service is away."""

    command: tuple[str, ...]

    def wrap(self, secret: bytes, place: bytes) -> bytes:
        """Raises RootKeyUnreachable."""
        return self._asked("wrap", secret, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """Raises RootKeyWrong, RootKeyUnreachable."""
        return self._asked("unwrap", wrapped, place)

    def _asked(self, what: str, data: bytes, place: bytes) -> bytes:
        asked = json.dumps({"context": place.decode(), "data": base64.b64encode(data).decode()}).encode()
        try:
            run = subprocess.run([*self.command, what], input=asked, capture_output=True, timeout=_PATIENCE_SECONDS, check=False)  # noqa: S603 - named by the operator, no shell
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RootKeyUnreachable from error
        if run.returncode == 2 and what == "unwrap":
            raise RootKeyWrong
        if run.returncode:
            raise RootKeyUnreachable
        try:
            return base64.b64decode(json.loads(run.stdout)["data"], validate=True)
        except (ValueError, KeyError, TypeError) as error:
            raise RootKeyUnreachable("The program of VOUCH_ROOT_KEY_COMMAND did not answer with JSON that has data as base64.") from error


def root_keys() -> Sequence[RootKey]:
    """The root key in use, then those that only open what they wrapped. Raises RootKeyMissing when there is none, or one is none."""
    keys: list[RootKey] = []
    if settings.ROOT_KEY_COMMAND:
        keys.append(CommandRootKey(tuple(shlex.split(settings.ROOT_KEY_COMMAND))))
    texts = [text for text in (settings.ROOT_KEY.strip(), settings.ROOT_KEY_PREVIOUS.strip()) if text]
    keys += [LocalRootKey(_decoded(text)) for text in texts]
    if not keys:
        raise RootKeyMissing
    return keys


def wrap(secret: bytes, place: bytes) -> bytes:
    """The secret under the root key in use, for this place only."""
    return root_keys()[0].wrap(secret, place)


def unwrap(wrapped: bytes, place: bytes, keys: Sequence[RootKey] | None = None) -> bytes:
    """The secret again, by whichever of the root keys wrapped it. Raises RootKeyWrong, RootKeyMissing, RootKeyUnreachable."""
    for key in keys or root_keys():
        try:
            return key.unwrap(wrapped, place)
        except RootKeyWrong:
            continue
    raise RootKeyWrong


def is_current(wrapped: bytes, place: bytes) -> bool:
    """Whether the root key in use opens this by itself."""
    try:
        root_keys()[0].unwrap(wrapped, place)
    except RootKeyWrong:
        return False
    return True


def _decoded(text: str) -> bytes:
    for decode in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True), base64.urlsafe_b64decode):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == 32:
            return bytes(key)
    raise RootKeyMissing
