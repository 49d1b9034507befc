"""Who acts: the one value that every write carries."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "api_key", "operator", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever caused a write. `id` is empty only for the system; `label` is shown to people and holds no personal data beyond a name."""

    kind: ActorKind
    id: str = ""
    label: str = ""
    role: str = ""
    address: str = ""
    request_id: str = ""
    # What the credential said when it was checked; the statement that stores a decision compares it again.
    token_epoch: int | None = None


SYSTEM = Actor(kind="system", label="Vouch")
