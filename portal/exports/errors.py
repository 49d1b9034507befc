"""What can go wrong when somebody takes a list away."""

from audit.errors import DomainError


class ListUnknown(DomainError):
    """There is no such list."""

    code = "list_unknown"


class ListNotYours(DomainError):
    """This list, or its applicants, are not for this role or key."""

    code = "list_not_yours"


class ExportRefused(DomainError):
    """The export cannot be made like this."""

    code = "export_refused"


class ExportUnknown(DomainError):
    """There is no such export of yours."""

    code = "export_unknown"


class ExportNotReady(DomainError):
    """The file is not there: it is still written, it failed, or it was kept long enough."""

    code = "export_not_ready"


class LinkSpent(DomainError):
    """The link was used already, is older than 15 minutes, or was never yours."""

    code = "link_spent"


class LeaseGone(Exception):
    """Another worker writes this export by now."""
