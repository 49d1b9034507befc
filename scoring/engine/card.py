"""What follows from a model card's stored counts: what a policy's cut-offs do, how outcomes part along the score, what tenths hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.engine.policy import Outcome, Policy

FORMAT = 1      # of the card that training writes and that pages read
TENTHS = 10
CHANCE = 0.5    # the AUC of a model that knows nothing
Scores = Sequence[Sequence[int]]    # [score, good, bad], scores going up


@dataclass(frozen=True, slots=True)
class Decided:
    """Held-out cases that one outcome would have met, by how they ended."""

    outcome: Outcome
    good: int
    bad: int

    @property
    def cases(self) -> int:
        return self.good + self.bad

    @property
    def bad_share(self) -> float | None:
        """Of those cases; None without any."""
        return self.bad / self.cases if self.cases else None


@dataclass(frozen=True, slots=True)
class Tenth:
    """One of ten equal parts of the cases, the riskiest first. `lift` is its bad share against that of all; shares are of all bad."""

    cases: int
    bad: int
    lowest: int
    highest: int
    lift: float
    bad_found: float


@dataclass(frozen=True, slots=True)
class Parting:
    """[score, share of the bad at or below, share of the good at or below], and where both are furthest apart."""

    points: tuple[tuple[int, float, float], ...]
    widest: tuple[int, float, float]


def decided(scores: Scores, policy: Policy) -> list[Decided]:
    """The confusion table at the policy's cut-offs, knock-out rules left aside."""
    counts = {outcome: [0, 0] for outcome in Outcome}
    for score, good, bad in scores:
        found = counts[policy.outcome(score)]
        found[0], found[1] = found[0] + good, found[1] + bad
    return [Decided(outcome, *found) for outcome, found in counts.items()]


def parting(scores: Scores) -> Parting:
    """The two shares along the score, from lowest to highest: their widest distance is KS, of all held-out cases at whole scores."""
    all_good, all_bad = (max(1, sum(one[place] for one in scores)) for place in (1, 2))
    good = bad = 0
    points = []
    for score, more_good, more_bad in scores:
        good, bad = good + more_good, bad + more_bad
        points.append((score, bad / all_bad, good / all_good))
    return Parting(tuple(points), max(points, key=lambda one: one[1] - one[2]))


def tenths(scores: Scores) -> list[Tenth]:
    """The cases in ten equal parts by score, the riskiest first; a score that lies on a border is parted evenly."""
    total, all_bad = sum(good + bad for _, good, bad in scores), max(1, sum(bad for _, _, bad in scores))
    found, before, place = [], 0.0, 0
    left = [(score, float(good + bad), float(bad)) for score, good, bad in scores]
    for number in range(1, TENTHS + 1):
        size = total * number // TENTHS - total * (number - 1) // TENTHS
        cases, bad, lowest, highest = float(size), 0.0, None, 0
        while cases > 0 and place < len(left):
            score, here, here_bad = left[place]
            taken = min(here, cases)
            part = here_bad * taken / here
            bad, cases, lowest, highest = bad + part, cases - taken, score if lowest is None else lowest, score
            left[place] = (score, here - taken, here_bad - part)
            place += left[place][1] <= 0
        before += bad
        if size:
            lift = (bad / size) / (all_bad / total)
            found.append(Tenth(size, round(bad), lowest or 0, highest, lift, before / all_bad))
    return found
