"""Approval policies of a product: every version with who made it and why."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from audit.actions import Action
from audit.models import Event
from portal.approvals.models import ApprovalPolicy


@dataclass(frozen=True, slots=True)
class ApprovalPolicyVersion:
    """One version of the rules for people. `reason` is empty where it was set up without one."""

    version: int
    created_at: datetime
    created_by: str
    reason: str


def approval_policies(product_id: uuid.UUID, *, at_most: int = 50) -> list[ApprovalPolicyVersion]:
    """The newest versions, the one in force first."""
    rows = list(ApprovalPolicy.objects.filter(product_id=product_id).order_by("-version")[:at_most])
    events = Event.objects.filter(object_kind="approval_policy", object_id__in=[str(row.id) for row in rows])
    reasons = {event.object_id: event.detail.get("reason", "") for event in events.filter(action=Action.APPROVAL_POLICY_CHANGED)}
    return [ApprovalPolicyVersion(row.version, row.created_at, row.created_by, reasons.get(str(row.id), "")) for row in rows]
