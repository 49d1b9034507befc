"""What can stand against what is asked of a request."""

from datetime import date

from audit.errors import DomainError


class PrivacyRequestUnknown(DomainError):
    """There is no such request."""

    code = "privacy_request_unknown"


class PrivacyRequestRefused(DomainError):
    """The request cannot be taken in like this."""

    code = "privacy_request_refused"


class PrivacyStepRefused(DomainError):
    """That cannot be done with this request now."""

    code = "privacy_step_refused"


class SecondPersonMissing(DomainError):
    """You proposed this erasure: somebody else has to agree."""

    code = "second_person_missing"


class ErasureRefused(DomainError):
    """A rule stands against the erasure."""

    code = "erasure_refused"

    def __init__(self, rule: str, until: date | None) -> None:
        self.rule, self.until = rule, until
        end = f"until {until.isoformat()}" if until else "until it is lifted"
        super().__init__(f"Not erased: {rule}, {end}.")
