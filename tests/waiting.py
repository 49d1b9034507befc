"""Waiting in tests: for what somebody else does, never for a length of time."""

from collections.abc import Callable

from portal.waiting import wait_until


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Returns when it holds, fails when it does not within this time."""
    assert wait_until(holds, seconds, pause=0.01), f"waited {seconds:g} s in vain"
