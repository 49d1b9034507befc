"""How the record of the current schema stands, in a few lines for the index of the admin."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import Checkpoint
from audit.selectors import newest_checkpoint, newest_events
from audit.services import is_untouched

LATEST = 100
LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class State:
    """One line: what it is about, how it stands, and whether that is well."""

    title: str | Promise
    text: str
    is_well: bool


def record_state() -> list[State]:
    """The last checkpoint, what waits to be sealed, and whether the newest events are as they were recorded."""
    events, checkpoint = newest_events(LATEST), newest_checkpoint()
    waiting = [event for event in events if not hasattr(event, "leaf")]
    is_late = bool(waiting) and timezone.now() - waiting[-1].recorded_at > LATE
    changed = sum(not is_untouched(event) for event in events)
    return [
        State(gettext_lazy("Last checkpoint"), _told(checkpoint), checkpoint is not None or not events),
        State(gettext_lazy("Events not sealed yet"), f"{len(waiting)}+" if len(waiting) == LATEST else str(len(waiting)), not is_late),
        State(gettext_lazy("The newest events"), _checked(len(events), changed), not changed),
    ]


def _told(checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return _("none yet")
    size, at = checkpoint.size, date_format(timezone.localtime(checkpoint.created_at), "DATETIME_FORMAT")
    return _("%(at)s, over %(size)s events") % {"at": at, "size": size}


def _checked(count: int, changed: int) -> str:
    if changed:
        return _("%(changed)s of %(count)s were changed after they were recorded") % {"changed": changed, "count": count}
    return _("%(count)s looked at just now, all as they were recorded") % {"count": count}
