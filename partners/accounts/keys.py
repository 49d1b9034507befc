"""API keys as text: `vk_live_<slug>_<secret>_<checksum>`, `vk_test_` for a sandbox.

A typo or a foreign key is refused without a look at the database."""

import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 32    # 190 bits
CHECKSUM_LENGTH = 6   # 62 ** 6 > 2 ** 32
LONGEST = 100
LIVE, TEST = "live", "test"
_SANDBOX = "-sandbox"


@dataclass(frozen=True, slots=True, repr=False)
class ParsedKey:
    """A key that is well formed, whoever's it is. `slug` is the sandbox's for a key of a sandbox: it opens nothing else."""

    slug: str
    kind: str
    digest: bytes


def kind_of(slug: str) -> str:
    """Which keys open this partner: those of a sandbox are told from live ones at a glance."""
    return TEST if slug.endswith(_SANDBOX) else LIVE


def make_key(slug: str) -> str:
    """A new random key of this partner or sandbox."""
    head = f"vk_{kind_of(slug)}_{slug.removesuffix(_SANDBOX)}_{''.join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))}"
    return f"{head}_{_checksum(head)}"


def parse_key(text: str) -> ParsedKey | None:
    """The parts of a well-formed key, None for anything else."""
    if len(text) > LONGEST or not text.isascii():
        return None
    head, _, checksum = text.rpartition("_")
    parts = head.split("_")
    if len(parts) != 4 or parts[0] != "vk" or parts[1] not in {LIVE, TEST} or len(parts[3]) != SECRET_LENGTH or checksum != _checksum(head):
        return None
    slug = parts[2] + _SANDBOX if parts[1] == TEST else parts[2]
    return None if kind_of(slug) != parts[1] else ParsedKey(slug=slug, kind=parts[1], digest=digest_of(text))


def digest_of(text: str) -> bytes:
    """What is stored of a credential: SHA-256, enough for a random secret of this length."""
    return hashlib.sha256(text.encode()).digest()


def _checksum(head: str) -> str:
    number, letters = zlib.crc32(head.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(reversed(letters))
