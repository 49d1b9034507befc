"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562)."""

import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A new identifier, larger than every earlier one of this process: 60 bits of time in 1/4096 ms, then 62 random bits."""
    global _last
    ticks = time.time_ns() * 4096 // 1_000_000
    with _lock:
        # Two calls within one tick, or a clock set back, still go up.
        _last = ticks = max(ticks, _last + 1)
    return _made(ticks, int.from_bytes(os.urandom(8)))


def id_at(nanoseconds: int) -> uuid.UUID:
    """An identifier of this moment (ns since 1970), which sorts among those that `uuid7` made then."""
    return _made(nanoseconds * 4096 // 1_000_000, int.from_bytes(os.urandom(8)))


def first_id_at(moment: datetime) -> uuid.UUID:
    """What every identifier from this moment on is not smaller than."""
    return _made(max(0, (moment - _EPOCH) // timedelta(milliseconds=1)) << 12, 0)


def _made(ticks: int, random: int) -> uuid.UUID:
    return uuid.UUID(int=(ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF)
