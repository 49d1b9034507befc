"""A partner's rules for people in its sandbox: whose agreement an application needs, and who writes the letters."""

from dataclasses import dataclass
from typing import Any

from audit.context import Actor
from portal.approvals.letters import settings_in_force
from portal.approvals.services.notices import change_notice_settings
from portal.approvals.services.policies import TIMES, change_approval_policy, policy_in_force
from scoring.models import Product

_SAID = ("sender", "address", "email", "phone", "authority")


@dataclass(frozen=True, slots=True)
class CopiedRules:
    """Approval policies by product, and the settings of letters if anybody wrote them."""

    policies: dict[str, dict[str, Any]]
    letters: dict[str, Any] | None


def read_rules() -> CopiedRules:
    """Those of the current partner."""
    found = {product.slug: policy_in_force(product.id) for product in Product.objects.only("id", "slug")}
    policies = {
        slug: {
            "four_eyes": policy.four_eyes, "limits": policy.limits, "override_reasons": policy.override_reasons,
            "times": {name: getattr(policy, name) for name in TIMES},
        }
        for slug, policy in found.items() if policy.version
    }  # fmt: skip
    return CopiedRules(policies, _letters())


def write_rules(rules: CopiedRules, actor: Actor) -> None:
    """The sandbox has these. Called after its products are there."""
    for slug, said in rules.policies.items():
        change_approval_policy(product_slug=slug, actor=actor, **said)
    if rules.letters is not None and rules.letters != _letters():
        change_notice_settings(**rules.letters, actor=actor)


def _letters() -> dict[str, Any] | None:
    found = settings_in_force()
    if found is None:
        return None
    return {"said": {name: getattr(found, name) for name in _SAID}, "reason_texts": found.reason_texts}
