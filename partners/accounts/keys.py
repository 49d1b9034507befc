"""API keys as text: `vk_live_<slug>_<secret>_<checksum>`, so that a typo or a foreign key is refused without a look at the database."""

import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 32    # 190 bits
CHECKSUM_LENGTH = 6   # 62 ** 6 > 2 ** 32
LONGEST = 100


@dataclass(frozen=True, slots=True, repr=False)
class ParsedKey:
    """A key that is well formed, whoever's it is."""

    slug: str
    kind: str
    digest: bytes


def make_key(slug: str, *, kind: str = "live") -> str:
    """A new random key of this partner."""
    head = f"vk_{kind}_{slug}_{''.join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))}"
    return f"{head}_{_checksum(head)}"


def parse_key(text: str) -> ParsedKey | None:
    """The parts of a well-formed key, None for anything else."""
    if len(text) > LONGEST or not text.isascii():
        return None
    head, _, checksum = text.rpartition("_")
    parts = head.split("_")
    if len(parts) != 4 or parts[0] != "vk" or parts[1] != "live" or len(parts[3]) != SECRET_LENGTH or checksum != _checksum(head):
        return None
    return ParsedKey(slug=parts[2], kind=parts[1], digest=digest_of(text))


def digest_of(text: str) -> bytes:
    """What is stored of a credential: SHA-256, enough for a random secret of this length."""
    return hashlib.sha256(text.encode()).digest()


def _checksum(head: str) -> str:
    number, letters = zlib.crc32(head.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(reversed(letters))
