"""Bodies that a reader can send: in the description, and one per product made from its contract."""

from typing import Any

from scoring.engine.contract import Contract, Input, InputKind

_APPLICANT = {"reference": "loan-2026-000123", "name": "Amina Otieno", "phone": "+254 700 000 123"}
_INPUTS = {
    "loan_amount": 60000, "term_months": 6, "monthly_revenue": 48000, "months_trading": 30, "stall": "food", "area": "coast",
    "mobile_deposits_30d": 12, "savings_balance": 9000, "previous_loans": 2, "longest_delay_days": 3, "savings_group_member": True,
}  # fmt: skip

SCORE = {"product": "market-loan", "applicant": _APPLICANT, "inputs": _INPUTS}
BATCH = {"product": "market-loan", "items": [{"applicant": {"reference": "loan-2026-000124"}, "inputs": _INPUTS}]}


def example_inputs(contract: Contract) -> dict[str, Any]:
    """Inputs that this contract takes: the middle of each range, the first of each list; nothing that is protected."""
    return {one.name: _example(one) for one in contract.inputs if not one.is_protected}


def _example(one: Input) -> Any:
    if one.kind is InputKind.CATEGORY:
        return one.categories[0] if one.categories else "other"
    if one.kind is InputKind.BOOLEAN:
        return True
    if one.kind is InputKind.DATE:
        return "1990-06-15"
    middle = _middle(one.minimum, one.maximum)
    return round(middle) if one.kind is InputKind.INTEGER else middle


def _middle(lowest: float | None, highest: float | None) -> float:
    if lowest is not None and highest is not None:
        return (lowest + highest) / 2
    return lowest if lowest is not None else highest if highest is not None else 1.0
