"""What a trial of a policy shows: counts and hours, pictures by cut-off, who moves, and how groups fare."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from scoring.engine.policy import STRICTNESS, Outcome
from scoring.engine.what_if import FEW_OUTCOMES, Comparison, CurvePoint, GroupRatio, Range
from scoring.services.what_if import Found, Mover
from scoring.web.plots import Line, Plot, Tick, number

LONG = 2.0    # seconds; beyond, the page says how long it took
_SCORES = (300, 400, 500, 600, 700, 800)
_LOWEST_RATIO, _RATIOS = 0.6, 0.4    # where the picture of a group's ratio begins, and how far it reaches
_CEILINGS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class FairGroup:
    """A group's ratio with the line of its interval, in per cent of the picture; `before` is the ratio under the policy in force."""

    name: str
    told: GroupRatio
    before: float | None

    @property
    def at(self) -> str:
        return _place(self.told.ratio)

    @property
    def low(self) -> str:
        return _place(self.told.low)

    @property
    def high(self) -> str:
        return _place(self.told.high)


@dataclass(frozen=True, slots=True)
class Moving:
    """Some of those who go from one outcome to another, with a name by which the page leads to them."""

    anchor: str
    before: Outcome
    after: Outcome
    count: int
    known: int
    known_bad: int
    first: Sequence[Mover]


def tried(found: Found, cuts: tuple[int, int], minutes: float) -> Mapping[str, Any]:
    """Everything that the page shows; `cuts` are where approval begins, in force and as typed."""
    made = found.comparison
    return {
        "found": found, "compared": made, "counts": _counts(made), "money": _money(made), "hours": _hours(found, minutes), "cuts": cuts,
        "plots": list(_plots(made.curve, cuts)), "swap": _swap(made), "moving": _moving(found), "groups": _groups(made),
        "few_outcomes": made.known_outcomes < FEW_OUTCOMES, "enough": FEW_OUTCOMES, "is_long": found.seconds > LONG,
    }  # fmt: skip


def _counts(made: Comparison) -> list[tuple[str, int, int, int]]:
    """What, under the policy in force, as typed, and the difference."""
    rows: Mapping[str, tuple[int, int]] = {
        _("Approved at once"): (made.old.approved, made.new.approved),
        _("Sent to a person"): (made.old.referred, made.new.referred),
        _("Declined"): (made.old.declined, made.new.declined),
    }  # fmt: skip
    return [(name, old, new, new - old) for name, (old, new) in rows.items()]


def _money(made: Comparison) -> tuple[str, list[tuple[str, list[Range]]]]:
    """In which unit money is told, nothing for whole ones, and loss and profit: in force, as typed, the difference."""
    rows = [
        (_("Expected loss"), [made.old.loss, made.new.loss, made.loss_change]),
        (_("Profit"), [made.old.profit, made.new.profit, made.profit_change]),
    ]  # fmt: skip
    most = max(abs(end) for _name, ranges in rows for one in ranges for end in (one.low, one.high))
    unit, words = (1e9, _("in billions")) if most >= 1e10 else (1e6, _("in millions")) if most >= 1e7 else (1.0, "")
    return words, [(name, [Range(one.expected / unit, one.low / unit, one.high / unit) for one in ranges]) for name, ranges in rows]


def _hours(found: Found, minutes: float) -> tuple[float, float, float]:
    """Hours of people a day: in force, as typed, and the difference."""
    old, new = (side.referred * minutes / 60 / found.days for side in (found.comparison.old, found.comparison.new))
    return old, new, new - old


def _anchor(before: Outcome, after: Outcome) -> str:
    return f"moved-{before}-{after}"


def _swap(made: Comparison) -> list[tuple[Outcome, list[tuple[int, str]]]]:
    """Rows of the swap set: how many, and where they are listed; nowhere for those who stay."""
    return [
        (one, [(made.swap[one][other], "" if one is other else _anchor(one, other)) for other in STRICTNESS]) for one in STRICTNESS
    ]


def _moving(found: Found) -> list[Moving]:
    return [
        Moving(_anchor(one.before, one.after), one.before, one.after, one.count, one.known, one.known_bad,
               found.movers.get((one.before, one.after), ()))
        for one in found.comparison.moved
    ]  # fmt: skip


def _groups(made: Comparison) -> list[FairGroup]:
    words = {"yes": _("yes"), "no": _("no")}
    return [
        FairGroup(words.get(new.group, new.group), new, old.ratio)
        for old, new in zip(made.groups_old, made.groups_new, strict=True) if new.people
    ]  # fmt: skip


def _place(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * min(max((ratio - _LOWEST_RATIO) / _RATIOS, 0.0), 1.1):.1f}%"


def _plots(curve: Sequence[CurvePoint], cuts: tuple[int, int]) -> Iterator[tuple[str, Plot]]:
    """Share approved, loss and profit by where the line is, each with what stands above it."""
    shares = (Tick("0%", 0.0), Tick("50%", 0.5), Tick("100%", 1.0))
    title = _("Share approved at once")
    yield title, _plot(title, curve, cuts, lambda one: one.approved_share, (0.0, 1.0), shares, "accent")
    most = max(one.loss_share for one in curve)
    ceiling = next((one for one in _CEILINGS if most <= one), 1.0)
    title, losses = _("Expected loss, of money lent"), tuple(Tick(f"{100 * part * ceiling:g}%", part) for part in (0.0, 0.5, 1.0))
    yield title, _plot(title, curve, cuts, lambda one: one.loss_share, (0.0, ceiling), losses, "against")
    low, high = min(0.0, *(one.profit for one in curve)), max(0.0, *(one.profit for one in curve))
    high = high if high > low else low + 1.0
    unit, title = _unit(max(-low, high))
    told = [one for one in (low, 0.0, high) if one == 0.0 or abs(one) > 0.1 * (high - low)]    # others would stand on the line of 0
    profits = tuple(Tick(number(one / unit), (one - low) / (high - low)) for one in dict.fromkeys(told))
    yield title, _plot(title, curve, cuts, lambda one: one.profit, (low, high), profits, "for")


def _unit(most: float) -> tuple[float, str]:
    """So that what stands beside the picture is short."""
    if most >= 1e9:
        return 1e9, _("Profit, in billions")
    return (1e6, _("Profit, in millions")) if most >= 1e6 else (1e3, _("Profit, in thousands")) if most >= 1e4 else (1.0, _("Profit"))


def _plot(
    title: str, curve: Sequence[CurvePoint], cuts: tuple[int, int], value: Callable[[CurvePoint], float], ends: tuple[float, float],
    y: tuple[Tick, ...], kind: str,
) -> Plot:
    first, last = curve[0].approve_from, curve[-1].approve_from

    def at(score: float) -> float:
        return min(max((score - first) / (last - first), 0.0), 1.0)

    points = tuple((at(one.approve_from), (value(one) - ends[0]) / (ends[1] - ends[0])) for one in curve)
    old, new = (Line(name, ((at(cut), 0.0), (at(cut), 1.0))) for name, cut in zip(("dash", "mark"), cuts, strict=True))
    words = _("%(title)s, by the score from which is approved. In force it is %(old)s, as typed %(new)s.")
    label = words % {"title": title, "old": cuts[0], "new": cuts[1]}
    return Plot(label, (old, new, Line(kind, points)), tuple(Tick(str(score), at(score)) for score in _SCORES), y)
