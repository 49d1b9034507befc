"""Waiting for what another process does: asked for again and again, and never for longer than was said."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], seconds: float, *, pause: float = 0.02) -> bool:
    """Whether it came to hold in this time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
