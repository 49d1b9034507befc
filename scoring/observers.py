"""Who wants to know of stored decisions, loaded models and refused bundles: what sits above this app registers at start-up."""

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
_of_refusals: list[Callable[[], None]] = []


def observe(*, decisions: Callable[[Sequence[Told]], None], loads: Callable[[int], None], refusals: Callable[[], None]) -> None:
    """The observers are told of decisions once they are durable, of how many models are in memory, and of each bundle in force that was
    refused, once until it was good again. They are quick and never raise."""
    _of_decisions.append(decisions)
    _of_loads.append(loads)
    _of_refusals.append(refusals)


def tell(decided: Sequence[Told]) -> None:
    """Every observer knows of these decisions."""
    for observer in _of_decisions:
        observer(decided)


def tell_loaded(count: int) -> None:
    """Every observer knows how many models this process holds."""
    for observer in _of_loads:
        observer(count)


def tell_refused() -> None:
    """Every observer knows that the bundle of a model in force was refused."""
    for observer in _of_refusals:
        observer()
