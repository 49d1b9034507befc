"""Who wants to know of stored decisions and loaded models: what sits above this app registers at start-up."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Told(Protocol):
    """What observers are told of a stored decision: nothing about the applicant."""

    @property
    def outcome(self) -> str: ...
    @property
    def answered_by(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def processing_ms(self) -> float: ...


_of_decisions: list[Callable[[Sequence[Told]], None]] = []
_of_loads: list[Callable[[int], None]] = []


def observe(*, decisions: Callable[[Sequence[Told]], None], loads: Callable[[int], None]) -> None:
    """The observers are told of decisions once they are durable, and of how many models are in memory. They are quick and never raise."""
    _of_decisions.append(decisions)
    _of_loads.append(loads)


def tell(decided: Sequence[Told]) -> None:
    """Every observer knows of these decisions."""
    for observer in _of_decisions:
        observer(decided)


def tell_loaded(count: int) -> None:
    """Every observer knows how many models this process holds."""
    for observer in _of_loads:
        observer(count)
