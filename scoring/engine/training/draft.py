"""A first product from a table: contract, features, rules and policy, for a person to look over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scoring.engine.columns import Columns, read_columns
from scoring.engine.contract import Change, Contract, Input, InputKind
from scoring.engine.memory import Memory, Watch
from scoring.engine.policy import Policy
from scoring.engine.product import Product, Rules
from scoring.engine.training.dates import feature_of
from scoring.engine.training.events import EventsFile, draft_events
from scoring.engine.training.faults import check_day_formats, check_days, check_numbers
from scoring.engine.training.infer import Finding, Roles, contract_of, label_of
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.memory import FIX
from scoring.engine.training.profile import ColumnProfile
from scoring.engine.training.target import Target, read_target


@dataclass(frozen=True, slots=True)
class Draft:
    """The product, a policy for its base rate, and what a person should know before using them."""

    product: Product
    policy: Policy
    target: Target
    rows: int
    findings: tuple[Finding, ...]

    def described_inputs(self) -> list[str]:
        """One line per input, for people."""
        return [_described(one) for one in self.product.contract.inputs]


def draft_product(
    table: Path, *, slug: str, title: str, target: str, positive: str | None, roles: Roles, events: Sequence[EventsFile] = (),
    memory: int | None = None,
) -> Draft:
    """The product that the table suggests, with windows over the files of events. Raises TableError and TrainingError."""
    if events and not roles.time:
        raise TrainingError("events count only before the day of the case", fix="name the table's column of that day with --time")
    roles = replace(roles, keys=tuple(one.key for one in events))
    watch = Watch(Memory.of_this_machine(memory), fix=FIX)
    columns = read_columns(table, require=[target, *roles.named], watch=watch)
    outcome = read_target(columns.columns[target], positive)
    _check_columns(columns, target, roles)
    contract, findings = contract_of(columns, outcome, roles)
    features = tuple(feature_of(one) for one in contract.inputs if not one.is_protected)
    for file in events:
        told, windows, more = draft_events(file, watch)
        contract = Contract((*contract.inputs, told))
        features += tuple(windows)
        findings += more
    base = min(max(outcome.base_rate, 0.001), 0.999)
    product = Product(
        slug=slug, title=title or label_of(slug), contract=contract, features=features, id_column=roles.id, time_column=roles.time,
        target=target, positive=outcome.positive, rules=Rules(base_probability=round(base, 6)),
    )
    if positive is None:
        text = f"'{outcome.positive}' is the event that is predicted (--positive says otherwise)"
        findings.insert(0, Finding("assumed", target, text))
    if len(outcome.others) > 1:
        findings.append(Finding("assumed", target, f"everything but '{outcome.positive}' counts as no event"))
    if missing := int((~outcome.is_known).sum()):
        findings.append(Finding("looks_wrong", target, f"{missing} rows have no outcome; training drops them"))
    return Draft(product, Policy.for_base_rate(base, product.scale), outcome, columns.rows, tuple(findings))


def _check_columns(columns: Columns, target: str, roles: Roles) -> None:
    """Raises TableError for a column that must be mended, or left out with --exclude, before anything can be learned from it."""
    if roles.time:
        check_days(columns, columns.columns[roles.time])
    for column in columns.columns.values():
        if column.name in {target, roles.id, *roles.exclude, *roles.keys}:
            continue
        profile = ColumnProfile(column)
        check_day_formats(columns, profile)
        check_numbers(columns, profile)


def _described(one: Input) -> str:
    if one.kind is InputKind.CATEGORY:
        what = f"one of {', '.join(one.categories[:6])}" + (f", ... ({len(one.categories)})" if len(one.categories) > 6 else "")
        what += " or another" if one.accepts_other else ""
    elif one.kind is InputKind.EVENTS:
        what = f"events with {', '.join(column.name for column in one.columns)}"
    elif one.minimum is not None and one.maximum is not None:
        what = f"{one.kind} from {one.minimum:,.15g} to {one.maximum:,.15g}"
    else:
        what = str(one.kind)
    notes = ["" if one.required else "optional", "protected, never a feature" if one.is_protected else ""]
    notes.append("" if one.change in {Change.INFER, Change.NEVER} else f"may change: {one.change}")
    notes.append(f"missing: {', '.join(one.missing_codes)}" if one.missing_codes else "")
    return f"{one.name}: {what}" + "".join(f"; {note}" for note in notes if note)
