"""Who wants to know of stored decisions: what sits above this app registers at start-up."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring.services.score import Decided

_observers: list[Callable[[Sequence["Decided"]], None]] = []


def observe_decisions(observer: Callable[[Sequence["Decided"]], None]) -> None:
    """The observer is told of every decision once it is durable. It must be quick and must not raise."""
    if observer not in _observers:
        _observers.append(observer)


def tell(decided: Sequence["Decided"]) -> None:
    """Every observer knows."""
    for observer in _observers:
        observer(decided)
