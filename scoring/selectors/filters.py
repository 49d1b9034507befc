"""What a list of decisions is asked for."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from scoring.errors import FilterRefused
from scoring.models import AnsweredBy, BandCode, Channel, OutcomeCode


@dataclass(frozen=True, slots=True)
class DecisionFilters:
    """Which decisions are wanted; what is None does not matter. Raises FilterRefused for a word that is none of ours."""

    product: str | None = None
    band: str | None = None
    outcome: str | None = None
    answered_by: str | None = None
    channel: str | None = None
    model_version: int | None = None
    reference: str | None = None
    applicant_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    score_from: int | None = None
    score_below: int | None = None
    batch: uuid.UUID | None = None

    def __post_init__(self) -> None:
        known = {"band": BandCode, "outcome": OutcomeCode, "answered_by": AnsweredBy, "channel": Channel}
        for name, choices in known.items():
            value = getattr(self, name)
            if value is not None and value not in choices.values:
                raise FilterRefused(f"{name} is one of {', '.join(choices.values)}.")

    @property
    def is_of_kinds(self) -> bool:
        """Whether only kinds of decisions are wanted, which are found by kind; whose they are and how they came is looked for by time."""
        by_time = (self.channel, self.model_version, self.reference, self.applicant_id, self.batch)
        by_kind = (self.product, self.band, self.outcome, self.answered_by, self.score_from, self.score_below)
        return all(one is None for one in by_time) and any(one is not None for one in by_kind)
