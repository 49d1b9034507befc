"""The products that come with the house: by name, each with its first policy and a table for trials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scoring.engine.policy import Policy
from scoring.engine.product import Product
from scoring.engine.products.credit import MARKET_LOAN_POLICY, market_loan
from scoring.engine.products.tontine import TONTINE_CREDIT_POLICY, tontine_credit
from scoring.engine.synthetic import market_loans, tontine_loans


@dataclass(frozen=True, slots=True)
class ReadyProduct:
    """What to begin with: what it is for, the product in a lender's currency, its policy, and `table(rows, seed=)`: invented cases."""

    about: str
    product: Callable[[str], Product]
    policy: Policy
    table: Callable[..., list[dict[str, Any]]]


READY: Mapping[str, ReadyProduct] = {
    "credit": ReadyProduct("loans to market traders, by sales, savings and earlier loans", market_loan, MARKET_LOAN_POLICY, market_loans),
    "tontine": ReadyProduct(
        "loans to members of a savings group, by their contributions", tontine_credit, TONTINE_CREDIT_POLICY, tontine_loans
    ),
}
