"""What can go wrong with partners and the people and keys of a partner."""

from audit.errors import DomainError


class NoPartner(DomainError):
    """This belongs to a partner, and no partner's schema is in force."""

    code = "no_partner"


class PartnerUnknown(DomainError):
    """There is no partner of this name: see `manage.py create_partner --help`."""

    code = "partner_unknown"


class HostUnknown(DomainError):
    """No partner is at this address: open your partner's own host name."""

    code = "host_unknown"


class PartnerExists(DomainError):
    """A partner with this slug exists already."""

    code = "partner_exists"


class PartnerRefused(DomainError):
    """The partner's details cannot be used."""

    code = "partner_refused"


class NotASandbox(DomainError):
    """This belongs to a sandbox, and this is none: open the sandbox's own host name."""

    code = "not_a_sandbox"


class MoneyRefused(DomainError):
    """The amount or its currency cannot be used."""

    code = "money_refused"


class RateRefused(DomainError):
    """The exchange rate cannot be used."""

    code = "rate_refused"


class QueuesAway(DomainError):
    """The queues cannot be asked how they stand now; work goes on, and waits where it cannot."""

    code = "queues_away"
