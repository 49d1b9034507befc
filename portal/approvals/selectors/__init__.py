"""Reading applications of the current partner. For every role that may see decisions."""

from portal.approvals.selectors.applications import (
    PAGE,
    ApplicationFilters,
    ApplicationPage,
    HistoryEntry,
    application,
    applications,
    details,
    history,
    open_proposal,
    reference_of,
)
from portal.approvals.selectors.months import Money, Month, last_months, month_of_applications, months_of_applications
from portal.approvals.selectors.policies import ApprovalPolicyVersion, approval_policies
from portal.approvals.selectors.waiting import MOST, Waiting, WaitingFor, applications_of, waiting_counts, waiting_for

__all__ = [
    "MOST",
    "PAGE",
    "ApplicationFilters",
    "ApplicationPage",
    "ApprovalPolicyVersion",
    "HistoryEntry",
    "Money",
    "Month",
    "Waiting",
    "WaitingFor",
    "application",
    "applications",
    "applications_of",
    "details",
    "approval_policies",
    "history",
    "last_months",
    "month_of_applications",
    "months_of_applications",
    "open_proposal",
    "reference_of",
    "waiting_counts",
    "waiting_for",
]
