"""Who wants to know of stored decisions and loaded models: what sits above this app registers at start-up."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring.services.score import Decided

_of_decisions: list[Callable[[Sequence["Decided"]], None]] = []
_of_loads: list[Callable[[int], None]] = []


def observe(*, decisions: Callable[[Sequence["Decided"]], None], loads: Callable[[int], None]) -> None:
    """The observers are told of decisions once they are durable, and of how many models are in memory. They are quick and never raise."""
    _of_decisions.append(decisions)
    _of_loads.append(loads)


def tell(decided: Sequence["Decided"]) -> None:
    """Every observer knows of these decisions."""
    for observer in _of_decisions:
        observer(decided)


def tell_loaded(count: int) -> None:
    """Every observer knows how many models this process holds."""
    for observer in _of_loads:
        observer(count)
