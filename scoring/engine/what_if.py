"""What another policy would have made of past decisions: who moves, what it costs, how groups fare, and how far that is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.engine.contract import Value
from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE, STRICTNESS, Band, Outcome, Policy

FEW_OUTCOMES = 30      # below, a band's own outcomes say nothing
FEW_PEOPLE = 30        # below, a group's share says nothing
FOUR_FIFTHS = 0.8
LEVEL = 1.959963984540054    # 95 %, two-sided
_CODES = {outcome: code for code, outcome in enumerate(STRICTNESS)}
_APPROVE = _CODES[Outcome.APPROVE]
_BANDS = tuple(Band)
_SCORES = HIGHEST_SCORE - LOWEST_SCORE + 1

# The columns of a tally: what is summed over decisions. `bad` is 1 for a default and 0 for none; amounts are of money lent.
_COUNT, _AMOUNT, _KNOWN, _KNOWN_BAD, _KNOWN_BAD_AMOUNT, _OPEN_AMOUNT, _OPEN_EXPECTED, _OPEN_HALF, _OPEN_DOUBLE = range(9)
_COLUMNS = 9

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Past decisions: [n] each. `values` is needed where knock-out rules are: the column of each input that they ask about; `amount` is 1
    a loan where nothing is told; `bad` is NaN where no outcome is known; `group` indexes `WhatIf.groups`, -1 for not told."""

    score: Codes
    probability: Numbers
    may_approve: NDArray[np.bool_]
    values: Mapping[str, Sequence[Value]] | None = None
    amount: Numbers | None = None
    bad: Numbers | None = None
    group: Codes | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a loan brings and costs: the share of the amount that is earned when it is repaid, and that is lost when it is not."""

    margin_share: float = 0.15
    loss_share: float = 0.6

    def __post_init__(self) -> None:
        if not (0 <= self.margin_share <= 10 and 0 <= self.loss_share <= 1):
            raise ValueError("margin_share is 0 to 10 and loss_share 0 to 1")


@dataclass(frozen=True, slots=True)
class Range:
    """An expectation and between what it lies; all equal where everything is known."""

    expected: float
    low: float
    high: float

    def __sub__(self, other: "Range") -> "Range":
        return Range(self.expected - other.expected, self.low - other.high, self.high - other.low)


@dataclass(frozen=True, slots=True)
class Side:
    """What one policy makes of the decisions. `loss` and `profit` are of money approved at once; a person's decisions are not guessed."""

    approved: int
    referred: int
    declined: int
    amount: float
    loss: Range
    profit: Range

    @property
    def decisions(self) -> int:
        return self.approved + self.referred + self.declined


@dataclass(frozen=True, slots=True)
class Moved:
    """Those who go from one outcome to another: how many, with how much, and how those turned out whose outcome is known."""

    before: Outcome
    after: Outcome
    count: int
    amount: float
    known: int
    known_bad: int


@dataclass(frozen=True, slots=True)
class GroupRatio:
    """How a group fares under one policy: its approved share against that of the most approved group, with a 95 % interval.

    `ratio` is None for too few people; `is_below` says that even the upper end stays below four fifths."""

    group: str
    people: int
    approved: int
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def is_below(self) -> bool:
        return self.high is not None and self.high < FOUR_FIFTHS

    @property
    def is_to_look_at(self) -> bool:
        return self.ratio is not None and self.ratio < FOUR_FIFTHS


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What approving from this score would give, with the new policy's rules: share approved, expected loss of money lent, profit."""

    approve_from: int
    approved_share: float
    loss_share: float
    profit: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both policies over the same decisions. `swap` counts by outcome under the old one, then the new one. `profit_change` concerns
    only those who move: what stays the same cannot differ."""

    old: Side
    new: Side
    swap: Mapping[Outcome, Mapping[Outcome, int]]
    moved: tuple[Moved, ...]
    profit_change: Range
    loss_change: Range
    groups_old: tuple[GroupRatio, ...]
    groups_new: tuple[GroupRatio, ...]
    curve: tuple[CurvePoint, ...]
    known_outcomes: int
    bands_by_outcomes: tuple[Band, ...] = field(default=())


class WhatIf:
    """Adds past decisions up, part after part, in memory that does not grow with them."""

    def __init__(self, old: Policy, new: Policy, terms: Terms, *, groups: Sequence[str] = ()) -> None:
        self.old, self.new, self.terms, self.groups = old, new, terms, tuple(groups)
        self._cells = np.zeros((3, 3, len(_BANDS), _COLUMNS))
        self._groups = np.zeros((2, len(self.groups), 2), np.int64)
        self._curve = np.zeros((3, _SCORES))    # count, amount, bad amount as expected, of those whom no rule holds back

    @property
    def asked(self) -> frozenset[str]:
        """The inputs that rules ask about, so that `Past.values` has to have them."""
        return frozenset(rule.condition.input for one in (self.old, self.new) for rule in one.knock_outs)

    def add(self, past: Past) -> tuple[Codes, Codes]:
        """These decisions count too. [n] places in STRICTNESS each: what the old policy and the new one make of them.

        Raises ValueError when inputs are needed and not told."""
        knocked = _knocked(self.old, past), _knocked(self.new, past)
        before, after = (_settled(policy, past, rules) for policy, rules in zip((self.old, self.new), knocked, strict=True))
        if not len(past.score):
            return before, after
        bands = _bands(self.old, past.score)
        place = (before * 3 + after) * len(_BANDS) + bands
        columns = _columns(past)
        for column, weights in enumerate(columns):
            self._cells[..., column] += np.bincount(place, weights, 9 * len(_BANDS)).reshape(self._cells.shape[:3])
        if past.group is not None:
            for side, codes in enumerate((before, after)):
                self._groups[side] += _grouped(past.group, codes == _APPROVE, len(self.groups))
        free = (knocked[1] == _APPROVE) & past.may_approve
        expected = columns[_KNOWN_BAD_AMOUNT] + columns[_OPEN_EXPECTED]
        for row, weights in enumerate((columns[_COUNT], columns[_AMOUNT], expected)):
            self._curve[row] += np.bincount(past.score[free] - LOWEST_SCORE, weights[free], _SCORES)
        return before, after

    def result(self) -> Comparison:
        """Both policies over everything that was added."""
        cells, rates = self._cells, _rates(self._cells)
        swapped = cells[..., _COUNT].sum(axis=2).round().astype(int)
        moved = tuple(
            _moved(cells[i, j].sum(axis=0), STRICTNESS[i], STRICTNESS[j]) for i in range(3) for j in range(3) if i != j and swapped[i, j]
        )
        came = cells[1:, _APPROVE].sum(axis=0)    # approved by the new policy only
        went = cells[_APPROVE, 1:].sum(axis=0)    # by the old one only
        return Comparison(
            old=self._side(cells.sum(axis=1), rates), new=self._side(cells.sum(axis=0), rates),
            swap={one: dict(zip(STRICTNESS, map(int, row), strict=True)) for one, row in zip(STRICTNESS, swapped, strict=True)},
            moved=moved, profit_change=self._profit(came, rates) - self._profit(went, rates),
            loss_change=self._loss(came, rates) - self._loss(went, rates),
            groups_old=_ratios(self.groups, self._groups[0]), groups_new=_ratios(self.groups, self._groups[1]),
            curve=self._points(), known_outcomes=int(cells[..., _KNOWN].sum()),
            bands_by_outcomes=tuple(band for band, rate in zip(_BANDS, rates, strict=True) if rate is not None),
        )    # fmt: skip

    def _side(self, by_outcome: Numbers, rates: Sequence[tuple[float, float] | None]) -> Side:
        """`by_outcome` [outcomes, bands, columns]."""
        approved, referred, declined = map(int, by_outcome[:, :, _COUNT].sum(axis=1).round())
        lent = by_outcome[_APPROVE]
        amount, loss, profit = float(lent[:, _AMOUNT].sum()), self._loss(lent, rates), self._profit(lent, rates)
        return Side(approved=approved, referred=referred, declined=declined, amount=amount, loss=loss, profit=profit)

    def _loss(self, lent: Numbers, rates: Sequence[tuple[float, float] | None]) -> Range:
        """What is lost of the money lent, [bands, columns]."""
        bad = _bad_amount(lent, rates)
        return Range(*(self.terms.loss_share * one for one in (bad.expected, bad.low, bad.high)))

    def _profit(self, lent: Numbers, rates: Sequence[tuple[float, float] | None]) -> Range:
        bad, amount = _bad_amount(lent, rates), float(lent[:, _AMOUNT].sum())
        earned, turned = self.terms.margin_share * amount, self.terms.margin_share + self.terms.loss_share
        return Range(earned - turned * bad.expected, earned - turned * bad.high, earned - turned * bad.low)

    def _points(self) -> tuple[CurvePoint, ...]:
        """From each score up, for every fifth cut-off."""
        count, amount, bad = np.cumsum(self._curve[:, ::-1], axis=1)[:, ::-1]
        total = max(float(self._cells[..., _COUNT].sum()), 1.0)
        found = []
        for place in range(0, _SCORES, 5):
            lost = self.terms.loss_share * float(bad[place])
            profit = self.terms.margin_share * float(amount[place] - bad[place]) - lost
            share = lost / float(amount[place]) if amount[place] else 0.0
            found.append(CurvePoint(LOWEST_SCORE + place, float(count[place]) / total, share, profit))
        return tuple(found)


def outcomes(policy: Policy, past: Past) -> Codes:
    """[n] places in STRICTNESS: what the policy makes of each decision, as `pipeline.score` would."""
    return _settled(policy, past, _knocked(policy, past))


def _settled(policy: Policy, past: Past, knocked: Codes) -> Codes:
    by_score = np.full(len(past.score), _CODES[Outcome.REFER])
    by_score[past.score >= policy.approve_from] = _APPROVE
    by_score[past.score < policy.decline_below] = _CODES[Outcome.DECLINE]
    found: Codes = np.maximum(by_score, knocked)
    found[(found == _APPROVE) & ~past.may_approve] = _CODES[Outcome.REFER]
    return found


def _knocked(policy: Policy, past: Past) -> Codes:
    """[n] the strictest outcome of the rules that hold; that of approval where none does."""
    found = np.full(len(past.score), _APPROVE)
    if policy.knock_outs and past.values is None:
        raise ValueError("the policy has knock-out rules, so the inputs have to be told")
    for rule in policy.knock_outs:
        given = (past.values or {})[rule.condition.input]
        holds = np.fromiter(map(rule.condition.holds_of, given), bool, len(found))
        found[holds] = np.maximum(found[holds], _CODES[rule.outcome])
    return found


def _bands(policy: Policy, score: Codes) -> Codes:
    below: Codes = np.count_nonzero(score[:, None] < np.array(policy.bands)[None, :], axis=1)
    return below


def _columns(past: Past) -> list[Numbers]:
    """[columns][n] what each decision adds."""
    amount = np.ones(len(past.score)) if past.amount is None else past.amount
    bad = np.full(len(past.score), np.nan) if past.bad is None else past.bad
    known = ~np.isnan(bad)
    is_open, happened = np.where(known, 0.0, amount), np.where(known, bad, 0.0)
    chance = past.probability
    return [
        np.ones(len(amount)), amount, known.astype(float), happened, happened * amount, is_open, is_open * chance,
        is_open * chance / 2, is_open * np.minimum(2 * chance, 1.0),
    ]    # fmt: skip


def _grouped(group: Codes, is_approved: NDArray[np.bool_], groups: int) -> Codes:
    """[groups, 2] people and approved."""
    told = group >= 0
    people = np.bincount(group[told], minlength=groups)
    approved = np.bincount(group[told & is_approved], minlength=groups)
    return np.asarray(np.stack([people, approved], axis=1), np.int64)


def _rates(cells: Numbers) -> list[tuple[float, float] | None]:
    """For each band between which shares its known outcomes put the bad ones; None where they are too few."""
    known, bad = cells[..., _KNOWN].sum(axis=(0, 1)), cells[..., _KNOWN_BAD].sum(axis=(0, 1))
    return [wilson(int(happened), int(count)) if count >= FEW_OUTCOMES else None for happened, count in zip(bad, known, strict=True)]


def wilson(happened: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score interval)."""
    share, z = happened / count, LEVEL
    middle, spread = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return max((middle - spread) / whole, 0.0), min((middle + spread) / whole, 1.0)


def _bad_amount(lent: Numbers, rates: Sequence[tuple[float, float] | None]) -> Range:
    """How much of the money lent turns bad. What is known counts as it was. The rest is expected by the model; its bounds are the
    interval of the band's known outcomes, or half and twice the model's probability where those are too few."""
    expected = low = high = float(lent[:, _KNOWN_BAD_AMOUNT].sum())
    for band, rate in zip(lent, rates, strict=True):
        guess = float(band[_OPEN_EXPECTED])
        least, most = (float(band[_OPEN_HALF]), float(band[_OPEN_DOUBLE])) if rate is None else (band[_OPEN_AMOUNT] * end for end in rate)
        expected, low, high = expected + guess, low + min(float(least), guess), high + max(float(most), guess)
    return Range(expected, low, high)


def _moved(cell: Numbers, before: Outcome, after: Outcome) -> Moved:
    return Moved(before, after, round(cell[_COUNT]), float(cell[_AMOUNT]), round(cell[_KNOWN]), round(cell[_KNOWN_BAD]))


def _ratios(names: Sequence[str], counted: Codes) -> tuple[GroupRatio, ...]:
    """Each group against the most approved one of those that are large enough (the four-fifths comparison, intervals by Katz)."""
    large = [(approved / people, people, approved) for people, approved in counted.tolist() if people >= FEW_PEOPLE and approved]
    best = max(large, default=None)
    found = []
    for name, (people, approved) in zip(names, counted.tolist(), strict=True):
        if best is None or people < FEW_PEOPLE:
            found.append(GroupRatio(name, people, approved, None, None, None))
            continue
        share, most, most_approved = best
        ratio = approved / people / share
        if not approved:
            found.append(GroupRatio(name, people, approved, 0.0, 0.0, min(wilson(0, people)[1] / share, 1.0)))
            continue
        spread = 0.0 if (people, approved) == (most, most_approved) else LEVEL * math.sqrt(
            1 / approved - 1 / people + 1 / most_approved - 1 / most
        )
        found.append(GroupRatio(name, people, approved, ratio, ratio * math.exp(-spread), ratio * math.exp(spread)))
    return tuple(found)
