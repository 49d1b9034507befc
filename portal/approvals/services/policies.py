"""Approval policies: the one in force for a product, and the next version."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.codes import CURRENCIES
from portal.approvals.errors import ApprovalPolicyChanged, PolicyRefused
from portal.approvals.models import ApprovalPolicy
from portal.approvals.models.policy import usual_override_reasons
from scoring.engine.contract import DefinitionRefused
from scoring.engine.texts import check_texts
from scoring.services.models import given_reason
from scoring.services.products import locked_product

_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
TIMES = {"proposal_hours": 24 * 30, "due_hours": 24 * 90, "lifetime_days": 730, "notice_days": 365}
MOST_REASONS = 50


def policy_in_force(product_id: uuid.UUID) -> ApprovalPolicy:
    """The product's newest version; without any, the defaults as an unsaved one: no limit, two people on an override."""
    found = ApprovalPolicy.objects.filter(product_id=product_id).order_by("-version").first()
    return found or ApprovalPolicy(product_id=product_id, version=0)


@transaction.atomic
def change_approval_policy(
    *,
    product_slug: str,
    actor: Actor,
    four_eyes: str = ApprovalPolicy.FourEyes.OVERRIDE,
    limits: Mapping[str, int] | None = None,
    override_reasons: Mapping[str, Mapping[str, str]] | None = None,
    times: Mapping[str, int] | None = None,
    reason: str | None = None,
    seen: int | None = None,
) -> ApprovalPolicy:
    """The next version is in force, whole: what is left out has its default. `times` are proposal_hours, due_hours, lifetime_days and
    notice_days. The one in force stays when it is that already. None as `reason` is for what sets a product up; people say why.

    Raises ProductUnknown, PolicyRefused with every fault, ReasonMissing, and ApprovalPolicyChanged where another version is in force than
    was `seen`."""
    given = usual_override_reasons() if override_reasons is None else override_reasons
    limits, reasons, times = dict(limits or {}), {code: dict(texts) for code, texts in given.items()}, dict(times or {})
    faults = _faults(four_eyes, limits, reasons, times)
    if faults:
        raise PolicyRefused(fields=faults)
    said = {} if reason is None else {"reason": given_reason(reason)}
    product = locked_product(product_slug)
    current = policy_in_force(product.id)
    if seen is not None and seen != current.version:
        raise ApprovalPolicyChanged
    version = current.version + 1
    made = ApprovalPolicy(
        product=product, version=version, four_eyes=four_eyes, limits=limits, override_reasons=reasons, created_by=actor.label[:200],
        **times,
    )  # fmt: skip
    if current.version and _says(made) == _says(current):
        return current
    made.save(force_insert=True)
    made.refresh_from_db(fields=["created_at"])
    detail = {
        "product": product.slug, "version": version, "four_eyes": four_eyes, "limits": limits, "reasons": sorted(reasons), **times, **said,
    }  # fmt: skip
    record(action=Action.APPROVAL_POLICY_CHANGED, actor=actor, object_kind="approval_policy", object_id=made.id, detail=detail)
    return made


def _says(policy: ApprovalPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in ("four_eyes", "limits", "override_reasons", *TIMES)}


def _faults(
    four_eyes: str, limits: Mapping[str, Any], reasons: Mapping[str, Mapping[str, str]], times: Mapping[str, Any]
) -> dict[str, str]:
    faults: dict[str, str] = {}
    if four_eyes not in ApprovalPolicy.FourEyes.values:
        faults["four_eyes"] = f"Send one of {', '.join(ApprovalPolicy.FourEyes.values)}."
    for currency, limit in limits.items():
        if currency not in CURRENCIES or type(limit) is not int or not 0 <= limit < 10**18:
            faults["limits"] = f"The limit of {currency!r} cannot be used: send currencies with whole numbers of their smallest unit."
    for code, texts in reasons.items():
        if fault := _fault_of_reason(code, texts):
            faults["override_reasons"] = fault
    if len(reasons) > MOST_REASONS:
        faults["override_reasons"] = f"Send at most {MOST_REASONS} reasons."
    for name, value in times.items():
        most = TIMES.get(name)
        if most is None or type(value) is not int or not 1 <= value <= most:
            faults[name] = f"Send a whole number from 1 to {most}." if most else "There is no such time."
    return faults


def _fault_of_reason(code: str, texts: Mapping[str, str]) -> str:
    if not _CODE.fullmatch(code):
        return f"{code!r} is no code: use small letters, digits and _."
    if not texts:
        return f"The reason {code} needs a text."
    try:
        check_texts(texts)
    except DefinitionRefused as refusal:
        return f"{code}: {refusal}"
    return ""
