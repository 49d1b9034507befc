"""What can go wrong with endpoints and deliveries."""

from audit.errors import DomainError


class EndpointUnknown(DomainError):
    """There is no such webhook endpoint, or it was deleted."""

    code = "webhook_unknown"


class EndpointRefused(DomainError):
    """The endpoint's details cannot be used."""

    code = "webhook_refused"


class DeliveryUnknown(DomainError):
    """There is no such delivery; deliveries are kept for 30 days."""

    code = "delivery_unknown"


class AddressRefused(DomainError):
    """The endpoint's host leads to an address that is not public."""

    code = "address_refused"
