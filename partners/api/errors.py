"""What is wrong with a request before anybody has looked at what it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.errors import DomainError


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field: where (a JSON pointer into the body, or the name of a query parameter), a stable code, and what to do."""

    pointer: str
    code: str
    detail: str
    is_parameter: bool = False


MOST_FAULTS = 1_000  # what somebody can still read; looking for more only keeps others waiting


class RequestRefused(DomainError):
    """Some fields cannot be used: `errors` names each of them."""

    code = "invalid_request"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


class QueryRefused(RequestRefused):
    """Some query parameters cannot be used: `errors` names each of them."""

    code = "invalid_query"


class BodyMalformed(DomainError):
    """The body is not JSON."""

    code = "malformed_body"


class BodyTooLarge(DomainError):
    """The body is larger than this route takes."""

    code = "body_too_large"


class LengthMissing(DomainError):
    """The request says nothing about the length of its body."""

    code = "length_required"


class MediaTypeUnsupported(DomainError):
    """The body must be JSON in UTF-8: send Content-Type: application/json."""

    code = "unsupported_media_type"


class BodyCompressed(DomainError):
    """Compressed bodies are not accepted."""

    code = "unsupported_encoding"


class AnswerTypeRefused(DomainError):
    """Answers are JSON: accept application/json."""

    code = "not_acceptable"


class IdempotencyKeyRefused(DomainError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""

    code = "invalid_idempotency_key"


class PermissionMissing(DomainError):
    """This credential may not do that."""

    code = "permission_missing"


class LimitReached(DomainError):
    """The plan's requests of this hour are used up."""

    code = "rate_limited"

    def __init__(self, detail: str = "", *, wait_seconds: int = 1) -> None:
        super().__init__(detail)
        self.wait_seconds = wait_seconds


class ConditionMissing(DomainError):
    """Say which version you change: send its ETag as If-Match."""

    code = "condition_missing"
