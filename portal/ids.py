"""Ids of requests: sortable by time, unguessable, made without a system call per request."""

import secrets
import time
from uuid import UUID


def new_request_id() -> str:
    """A UUIDv7 (RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(secrets.token_bytes(10), "big")
    value = (milliseconds << 80) | (0x7 << 76) | ((tail >> 64 & 0xFFF) << 64) | (0b10 << 62) | (tail & ((1 << 62) - 1))
    return str(UUID(int=value))
