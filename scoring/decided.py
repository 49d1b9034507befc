"""One decision as it was stored: what answers, files, observers and pages are made of."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from audit.services import NewEvent, Receipt, receipt
from audit.vault import Keyring
from scoring.engine.reasons import Reason


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision as it was stored."""

    id: uuid.UUID
    created_at: datetime
    applicant_id: uuid.UUID
    reference: str
    product: str
    probability: float
    score: int
    band: str
    outcome: str
    reasons: tuple[Reason, ...]
    contributions: Mapping[str, float]
    base: float
    answered_by: str
    model_version: int | None
    policy_version: int
    channel: str
    request_id: str
    processing_ms: float
    event: NewEvent = field(repr=False)
    ring: Keyring = field(repr=False)

    @property
    def receipt(self) -> Receipt:
        """The partner's signed promise that this decision is in the record."""
        return receipt(event_id=self.event.id, leaf=self.event.leaf_hash, recorded_at=self.event.recorded_at, ring=self.ring)
