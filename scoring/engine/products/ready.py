"""The products that come with the house: by name, each with its first policy and a table for trials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scoring.engine.contract import Contract
from scoring.engine.policy import Policy
from scoring.engine.product import Product
from scoring.engine.products.credit import MARKET_LOAN, MARKET_LOAN_POLICY
from scoring.engine.products.tontine import TONTINE_CREDIT, TONTINE_CREDIT_POLICY
from scoring.engine.synthetic import market_loans, tontine_loans

DECLARED_IN = "KES"


@dataclass(frozen=True, slots=True)
class ReadyProduct:
    """What to begin with: what it is for, the product, its policy, and `table(rows, seed=)`: invented cases."""

    about: str
    declared: Product    # in DECLARED_IN
    policy: Policy
    table: Callable[..., list[dict[str, Any]]]

    def product(self, currency: str) -> Product:
        """For a lender who counts in this currency."""
        inputs = tuple(replace(one, unit=currency) if one.unit == DECLARED_IN else one for one in self.declared.contract.inputs)
        features = tuple(replace(one, unit=currency) if one.unit == DECLARED_IN else one for one in self.declared.features)
        return replace(self.declared, contract=Contract(inputs), features=features)


READY: Mapping[str, ReadyProduct] = {
    "credit": ReadyProduct("loans to market traders, by sales, savings and earlier loans", MARKET_LOAN, MARKET_LOAN_POLICY, market_loans),
    "tontine": ReadyProduct(
        "loans to members of a savings group, by their contributions", TONTINE_CREDIT, TONTINE_CREDIT_POLICY, tontine_loans
    ),
}
