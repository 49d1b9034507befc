"""Reading applications of the current partner. For every role that may see decisions."""

from portal.approvals.selectors.applications import (
    PAGE,
    ApplicationFilters,
    ApplicationPage,
    HistoryEntry,
    application,
    applications,
    history,
    open_proposal,
    reference_of,
)
from portal.approvals.selectors.policies import ApprovalPolicyVersion, approval_policies

__all__ = [
    "PAGE",
    "ApplicationFilters",
    "ApplicationPage",
    "ApprovalPolicyVersion",
    "HistoryEntry",
    "application",
    "applications",
    "approval_policies",
    "history",
    "open_proposal",
    "reference_of",
]
