"""Invented loans of market traders and of members of savings groups: the same rows for the same seed, for demo, tests and trials."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STALLS = ("food", "clothing", "household", "electronics", "services")
AREAS = ("central", "north", "east", "coast", "lake")
_STALL_RISK = dict(zip(STALLS, (0.0, 0.15, -0.1, 0.45, 0.2), strict=True))


def market_loans(rows: int, *, seed: int) -> list[dict[str, Any]]:
    """Loans with what was known when they were asked for, and whether they defaulted (1) or not (0); None where it is unknown."""
    random = np.random.default_rng(seed)
    months = random.gamma(2.2, 18.0, rows).round().clip(1, 240)
    revenue = np.exp(random.normal(10.6, 0.6, rows)).round(-2).clip(4_000, 900_000)
    deposits = random.poisson(np.clip(months / 4, 2, 28)).astype(float)
    late = random.negative_binomial(1, 0.14, rows).astype(float).clip(0, 120)
    loans = random.poisson(np.clip(months / 18, 0.2, 6)).astype(float)
    savings = np.exp(random.normal(8.4, 1.2, rows)).round(-1).clip(0, 400_000)
    amount = (revenue * random.uniform(0.3, 2.6, rows)).round(-2).clip(2_000, 1_000_000)
    term = random.choice([3, 6, 9, 12, 18], rows, p=[0.2, 0.35, 0.2, 0.2, 0.05])
    stall = random.choice(STALLS, rows, p=[0.38, 0.22, 0.18, 0.08, 0.14])
    area = random.choice(AREAS, rows)
    group = random.random(rows) < 0.45
    gender = random.choice(["female", "male"], rows, p=[0.63, 0.37])
    age = random.normal(37, 10, rows).round().clip(18, 75)
    strain = np.log(amount / term / revenue)
    margin = (
        -1.05 + 0.95 * (strain + 1.6) - 0.35 * np.log1p(months / 12) + 0.055 * late - 0.045 * deposits - 0.13 * np.log1p(savings / 1000)
        - 0.5 * group + np.vectorize(_STALL_RISK.get)(stall) + 0.5 * (loans == 0) + random.normal(0, 0.45, rows)
    )  # fmt: skip
    defaulted = random.random(rows) < 1 / (1 + np.exp(-margin))
    late_known = np.where(loans > 0, late, np.nan)  # nobody was late who never borrowed
    savings_known = np.where(random.random(rows) < 0.12, np.nan, savings)
    return [
        {
            "loan_id": f"ML-{seed}-{number:05d}",
            "loan_amount": float(amount[number]),
            "term_months": int(term[number]),
            "monthly_revenue": float(revenue[number]),
            "months_trading": int(months[number]),
            "stall": str(stall[number]),
            "area": str(area[number]),
            "mobile_deposits_30d": int(deposits[number]),
            "savings_balance": _known(savings_known[number]),
            "previous_loans": int(loans[number]),
            "longest_delay_days": _known(late_known[number]),
            "savings_group_member": bool(group[number]),
            "age": int(age[number]),
            "gender": str(gender[number]),
            "defaulted": int(defaulted[number]),
        }
        for number in range(rows)
    ]


def tontine_loans(rows: int, *, seed: int) -> list[dict[str, Any]]:
    """Loans to members of savings groups: what the group knew of each, and whether the loan defaulted (1) or not (0); None: unknown."""
    random = np.random.default_rng(seed)
    diligence = random.normal(0, 1, rows)    # what nobody sees, and every column tells a little of
    count = random.poisson(np.clip(16 + 5 * diligence, 2, 40)).astype(float)
    count[random.random(rows) < 0.02] = 0    # who has just joined
    each = np.exp(random.normal(7.3, 0.55, rows) + 0.12 * diligence)
    paid = (count * each).round(-1)
    on_time = _expit(1.9 + 0.9 * diligence + random.normal(0, 0.5, rows))
    punctuality = np.divide(random.binomial(count.astype(int), on_time), count, out=np.full(rows, np.nan), where=count > 0)
    delay = np.where(count > 0, (1 - on_time) * random.gamma(2.0, 8.0, rows), np.nan).round(1).clip(0, 120)
    volume = np.exp(random.normal(9.9, 0.8, rows) + 0.2 * diligence).round(-1).clip(0, 2_000_000)
    endorsements = random.poisson(np.clip(1.8 + 0.8 * diligence, 0.1, 9)).astype(float)
    margin = (
        -1.9 - 2.6 * (np.nan_to_num(punctuality, nan=0.75) - 0.83) + 0.045 * np.nan_to_num(delay, nan=4.0) - 0.03 * (count - 16)
        - 0.28 * (np.log(volume + 1) - 9.9) - 0.2 * (endorsements - 2) - 0.2 * (np.log(each) - 7.3) + random.normal(0, 0.45, rows)
    )  # fmt: skip
    defaulted = random.random(rows) < _expit(margin)
    volume_known = np.where(random.random(rows) < 0.1, np.nan, volume)    # not everybody pays by phone
    return [
        {
            "loan_id": f"TL-{seed}-{number:05d}",
            "tontine_contributions": float(paid[number]),
            "punctuality_rate": _known(punctuality[number].round(3)),
            "contributions_count": int(count[number]),
            "mobile_tx_volume": _known(volume_known[number]),
            "avg_payment_delay_days": _known(delay[number]),
            "community_endorsements": int(endorsements[number]),
            "defaulted": int(defaulted[number]),
        }
        for number in range(rows)
    ]


def _expit(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a CSV file; what is unknown is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
