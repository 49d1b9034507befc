"""Files of events for a first product: what their columns are, and the windows that are worth a first try."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scoring.engine.columns import Filling, read_columns
from scoring.engine.contract import Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.training.infer import Finding, input_of, label_of, unusable
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.profile import ColumnProfile
from scoring.engine.windows import Window

WINDOWS = (30, 90, 0)       # days; 0 is all that is known
MOST_KINDS = 8              # of a column of categories, whose shares are worth a feature
_WORDS = {"mean": "mean", "min": "least", "max": "largest", "volatility": "how unsteady the", "trend": "monthly change of the"}


@dataclass(frozen=True, slots=True)
class EventsFile:
    """NAME=FILE:KEY:TIME: what the events are called, where they are, the column that names the applicant, and that of the day."""

    name: str
    file: Path
    key: str
    time: str

    @classmethod
    def parse(cls, text: str) -> "EventsFile":
        """Raises ValueError with what to write."""
        name, _, rest = text.partition("=")
        rest, _, time = rest.rpartition(":")
        file, _, key = rest.rpartition(":")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or not (file and key and time):
            raise ValueError("write NAME=FILE:KEY:TIME, for example transactions=trans.csv:account_id:date; the name in small letters")
        return cls(name, Path(file), key, time)


def draft_events(given: EventsFile, watch: Callable[[Filling], None] | None = None) -> tuple[Input, list[Feature], list[Finding]]:
    """The input that the file suggests, its windows, and what was left out. Raises TableError and TrainingError."""
    table = read_columns(given.file, require=[given.key, given.time], watch=watch)
    if wrong := [text for text in table.columns[given.time].texts if text and not re.match(r"\d{4}-\d{2}-\d{2}", text)]:
        raise TrainingError(f"column '{given.time}' of {given.file.name} says '{wrong[0]}'", fix="write days as YYYY-MM-DD")
    findings: list[Finding] = []
    columns = [Input(name=given.time, kind=InputKind.DATE, label=label_of(given.time))]
    for column in table.columns.values():
        if column.name in {given.key, given.time}:
            continue
        one, reason = _column(ColumnProfile(column))
        if one is None:
            findings.append(Finding("left_out", f"{given.name}.{column.name}", reason))
        else:
            columns.append(one)
    events = Input(
        name=given.name, kind=InputKind.EVENTS, label=label_of(given.name), columns=tuple(columns), time=given.time, key=given.key,
    )    # fmt: skip
    return events, _windows(events), findings


def _column(profile: ColumnProfile) -> tuple[Input | None, str]:
    """A number or a category of few kinds, or why it is neither. It has no range, and another category may come."""
    if reason := unusable(profile):
        return None, reason
    one = input_of(profile, is_protected=False)
    is_category = one.kind in {InputKind.CATEGORY, InputKind.BOOLEAN}
    categories = one.categories or (tuple(text for text in profile.texts if text) if is_category else ())
    if len(categories) > MOST_KINDS:
        return None, f"it has {len(categories)} categories; at most {MOST_KINDS} are counted apart"
    return Input(
        name=one.name, kind=InputKind.CATEGORY if is_category else InputKind.NUMBER, label=one.label, required=False,
        categories=categories, accepts_other=is_category, missing_codes=one.missing_codes,
    ), ""    # fmt: skip


def _windows(events: Input) -> list[Feature]:
    """How lately, how often, how much, how steady, of which kind: a bounded number of windows over every column."""
    found = [_feature(events, "last", Window(statistic="recency"), "days since the last one")]
    counts = [Window(statistic="count", days=days) for days in WINDOWS]
    found += [_feature(events, f"count_{_span(one.days)}", one, f"how many {_words(one.days)}") for one in counts]
    for one in events.columns:
        title = one.title.lower()
        if one.kind is InputKind.NUMBER:
            for days in WINDOWS:
                for statistic in ("mean", "min", "max"):
                    window = Window(statistic=statistic, column=one.name, days=days)
                    label = f"{_WORDS[statistic]} {title} {_words(days)}"
                    found.append(_feature(events, f"{statistic}_{one.name}_{_span(days)}", window, label))
            for statistic in ("volatility", "trend"):
                window = Window(statistic=statistic, column=one.name)
                found.append(_feature(events, f"{statistic}_{one.name}", window, f"{_WORDS[statistic]} {title}"))
        for text in one.categories:
            window = Window(statistic="share", where=(one.name, text))
            found.append(_feature(events, f"share_{one.name}_{_slug(text)}", window, f"share with {title} “{text}”"))
    return list({feature.name: feature for feature in found}.values())


def _feature(events: Input, name: str, window: Window, label: str) -> Feature:
    about = window.column or (window.where[0] if window.where else "how often")
    return Feature(
        name=f"{events.name}_{name}", kind="window", inputs=(events.name,), window=window, label=f"{events.title}: {label}",
        unit="days" if window.statistic == "recency" else "%" if window.statistic == "share" else "", group=f"{events.title}, {about}",
    )    # fmt: skip


def _span(days: int) -> str:
    return f"{days}d" if days else "all"


def _words(days: int) -> str:
    return f"in {days} days" if days else "so far"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "other"
