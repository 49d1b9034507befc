"""What can go wrong in the record and in the vault, and the base of every refusal in the house."""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal that a caller can act on. `code` is stable; `portal/errors.py` gives it an HTTP status.

    `fields` says what is wrong by the name of what was given; the detail is all of it, unless one is given."""

    code: ClassVar[str]

    def __init__(self, detail: str = "", *, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})
        super().__init__(detail or " ".join(self.fields.values()) or (self.__doc__ or self.code).strip())

    @property
    def detail(self) -> str:
        return str(self.args[0])


class RootKeyMissing(DomainError):
    """No root key is configured: set VOUCH_ROOT_KEY or VOUCH_ROOT_KEY_FILE (32 bytes, base64 or hex)."""

    code = "root_key_missing"


class RootKeyWrong(DomainError):
    """The root key does not open this partner's keys: it is not the key they were made with."""

    code = "root_key_wrong"


class RootKeyUnreachable(DomainError):
    """The program of VOUCH_ROOT_KEY_COMMAND could not be asked: look at it and at the key service behind it."""

    code = "root_key_unreachable"


class KeyringMissing(DomainError):
    """This partner has no keys yet: create the partner first."""

    code = "keyring_missing"


class SealBroken(DomainError):
    """A sealed value does not belong to this row, column, applicant or partner, or was changed."""

    code = "seal_broken"


class IdempotencyMismatch(DomainError):
    """This Idempotency-Key was already used with another body."""

    code = "idempotency_mismatch"


class ReceiptRefused(DomainError):
    """The receipt's signature does not match its content and key."""

    code = "receipt_refused"


class EventUnknown(DomainError):
    """There is no such event."""

    code = "event_unknown"


class EventNotSealed(DomainError):
    """The event is not in the tree yet: that takes a second or two. Ask again."""

    code = "event_not_sealed"


class CheckpointUnknown(DomainError):
    """There is no such checkpoint."""

    code = "checkpoint_unknown"


class PeriodEmpty(DomainError):
    """Nothing was recorded and sealed in this period."""

    code = "period_empty"


class BundleTooLarge(DomainError):
    """So much does not fit into one answer."""

    code = "bundle_too_large"


class VerificationRunning(DomainError):
    """The record is being checked already."""

    code = "verification_running"


class TreeBroken(DomainError):
    """The sealed tree does not continue the last checkpoint: sealing stopped rather than hide it."""

    code = "tree_broken"
