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

__all__ = [
    "PAGE",
    "ApplicationFilters",
    "ApplicationPage",
    "HistoryEntry",
    "application",
    "applications",
    "details",
    "history",
    "open_proposal",
    "reference_of",
]
