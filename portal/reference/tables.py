"""Reference tables as files: which rows each has, and the service that takes one in. What is tried or brought is django-import-export's
work: every row in one transaction, which is undone when only tried, and when any row is refused."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from types import SimpleNamespace
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export import fields, resources, widgets
from import_export.instance_loaders import BaseInstanceLoader

from audit.actions import Action
from audit.context import Actor
from audit.errors import DomainError
from audit.holds import place_hold
from audit.models import Hold, RetentionPolicy
from audit.retention.services import change_policy
from audit.services import record
from partners.accounts.roles import Permission
from partners.models import ExchangeRate
from partners.services import set_exchange_rate
from scoring.engine.contract import DefinitionRefused
from scoring.engine.product import Product as ProductDefinition
from scoring.engine.reasons import is_reason_code
from scoring.engine.texts import LANGUAGES, check_template, check_texts
from scoring.engine.writing import Cell, ColumnKinds
from scoring.models import Product
from scoring.services.products import change_product

Key = tuple[str, ...]


class Text(widgets.Widget):
    """A cell as it is."""

    def clean(self, value: str, row: Any = None, **_more: Any) -> Any:
        """Nothing is the empty text."""
        return value or ""


class Whole(Text):
    """A whole number."""

    def clean(self, value: str, row: Any = None, **_more: Any) -> Any:
        """Raises ValueError."""
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise ValueError(_("Give a whole number."))
        return int(value)


class Day(Text):
    """A day, or none."""

    def clean(self, value: str, row: Any = None, **_more: Any) -> Any:
        """Raises ValueError."""
        try:
            return date.fromisoformat(value) if value else None
        except ValueError as error:
            raise ValueError(_("Give a day such as 2026-11-21.")) from error


class Number(Text):
    """A decimal number."""

    def clean(self, value: str, row: Any = None, **_more: Any) -> Any:
        """Raises ValueError."""
        try:
            return Decimal(value)
        except InvalidOperation as error:
            raise ValueError(_("Give a number such as 0.0077.")) from error


class ReferenceTable(resources.Resource):
    """One table as a file. Its rows are told apart by `keys`; `permission` is what bringing it needs. What a file leaves out stays."""

    name: ClassVar[str]
    permission: ClassVar[Permission]
    columns: ClassVar[ColumnKinds]
    keys: ClassVar[Key]
    read_as: ClassVar[Mapping[str, type[Text]]] = {}    # columns that are no text

    class Meta:
        skip_unchanged = report_skipped = skip_html_diff = store_instance = use_transactions = True
        instance_loader_class = BaseInstanceLoader    # which looks nothing up: `get_instance` does

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.fields = {
            name: fields.Field(attribute=name, column_name=name, widget=self.read_as.get(name, Text)()) for name in self.columns
        }  # fmt: skip
        self._held = {self._key(row): SimpleNamespace(**row) for row in self.rows()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """What there is, in one order."""
        raise NotImplementedError

    def store(self, row: SimpleNamespace, is_new: bool, actor: Actor) -> None:
        """The row is taken in by its service. Raises DomainError."""
        raise NotImplementedError

    def finish(self, actor: Actor) -> None:
        """What is done once for the whole file. Raises DomainError."""

    def cells(self) -> Iterator[list[Cell]]:
        """The rows as they are written into a file; numbers as numbers."""
        return ([_cell(row[name]) for name in self.columns] for row in self.rows())

    def init_instance(self, row: Any = None) -> SimpleNamespace:
        """A row that is not there yet."""
        return SimpleNamespace(**dict.fromkeys(self.columns, ""))

    def get_instance(self, _loader: Any, row: Mapping[str, str]) -> SimpleNamespace | None:
        """The row that has these keys."""
        return self._held.get(tuple(row[name] for name in self.keys)) if any(row[name] for name in self.keys) else None

    def save_instance(self, instance: SimpleNamespace, is_create: bool, row: Any, **about: Any) -> None:
        """By its service, whose refusal is the row's."""
        try:
            self.store(instance, is_create, about["actor"])
        except DomainError as refusal:
            raise ValidationError(refusal.fields or refusal.detail) from refusal
        self._held[self._key(vars(instance))] = instance

    def after_import(self, dataset: Any, result: Any, **about: Any) -> None:
        """Recorded, with what came of it."""
        if result.has_validation_errors() or result.has_errors():
            return
        self.finish(about["actor"])
        detail = {"rows": len(dataset), "new": result.totals["new"], "changed": result.totals["update"], "sha256": about["digest"]}
        record(action=Action.REFERENCE_IMPORTED, actor=about["actor"], object_kind="table", object_id=self.name, detail=detail)

    def _key(self, row: Mapping[str, Any]) -> Key:
        return tuple(str(row[name]) for name in self.keys)


def _cell(value: Any) -> Cell:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int | None) else str(value)


class RetentionRules(ReferenceTable):
    """How long what is kept."""

    name, permission = "retention-rules", Permission.RETENTION_MANAGE
    columns: ClassVar[ColumnKinds] = {"record_class": str, "trigger": str, "period": int, "unit": str, "citation": str, "action": str}
    keys = ("record_class", "trigger")
    read_as: ClassVar[Mapping[str, type[Text]]] = {"period": Whole}

    def rows(self) -> Iterator[dict[str, Any]]:
        """By class and event."""
        yield from RetentionPolicy.objects.order_by(*self.keys).values(*self.columns)

    def store(self, row: SimpleNamespace, is_new: bool, actor: Actor) -> None:
        """The rule holds from now on."""
        change_policy(**vars(row), actor=actor)


class Holds(ReferenceTable):
    """Legal holds. One with an id is there already and stays as it is; one without is placed."""

    name, permission = "legal-holds", Permission.RETENTION_MANAGE
    columns: ClassVar[ColumnKinds] = {"id": str, "kind": str, "object_id": str, "reason": str, "until": str, "lifted_at": str}
    keys = ("id",)
    read_as: ClassVar[Mapping[str, type[Text]]] = {"until": Day}

    def rows(self) -> Iterator[dict[str, Any]]:
        """In the order in which they were placed."""
        for hold in Hold.objects.order_by("id").values(*self.columns):
            lifted = hold["lifted_at"].isoformat() if hold["lifted_at"] else ""
            yield {**hold, "id": str(hold["id"]), "object_id": str(hold["object_id"]), "lifted_at": lifted}

    def store(self, row: SimpleNamespace, is_new: bool, actor: Actor) -> None:
        """It stands from now on."""
        if not is_new or row.id or row.lifted_at:
            raise ValidationError(_("No file changes or lifts a hold. For a new one, leave id and lifted_at empty."))
        try:
            wanted = uuid.UUID(row.object_id)
        except ValueError:
            wanted = uuid.UUID(int=0)    # that nothing has
        row.id = str(place_hold(kind=row.kind, object_id=wanted, reason=row.reason, until=row.until, actor=actor).id)


class ReasonTexts(ReferenceTable):
    """What reasons say, by product and code, a column for each language. Models trained before keep the texts of their bundle."""

    name, permission = "reason-texts", Permission.PRODUCT_EDIT
    columns: ClassVar[ColumnKinds] = {"product": str, "of": str, "code": str, **dict.fromkeys(LANGUAGES, str)}
    keys = ("product", "of", "code")
    REASON, RULE = "reason", "rule"

    def __init__(self, **named: Any) -> None:
        self._definitions = {one.slug: ProductDefinition.from_dict(one.definition) for one in Product.objects.order_by("slug")}
        self._edited: dict[str, dict[str, Any]] = {}
        super().__init__(**named)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The texts of reasons, then those of rules."""
        for slug, definition in self._definitions.items():
            texts = [(self.REASON, code, one) for code, one in sorted(definition.texts.items())]
            texts += [(self.RULE, rule.code, rule.texts) for rule in definition.rules.rules]
            for of, code, one in texts:
                yield {"product": slug, "of": of, "code": code, **{language: one.get(language, "") for language in LANGUAGES}}

    def store(self, row: SimpleNamespace, is_new: bool, actor: Actor) -> None:
        """The text is looked at now, and put in force with the others of its product when all rows were."""
        definition, texts = self._definitions.get(row.product), {one: text for one in LANGUAGES if (text := getattr(row, one))}
        if definition is None:
            raise ValidationError({"product": _("There is no such product.")})
        rules = [rule.code for rule in definition.rules.rules]
        if row.of not in (self.REASON, self.RULE):
            raise ValidationError({"of": _("Write “reason” or “rule”.")})
        if not (is_reason_code(row.code, definition) if row.of == self.REASON else row.code in rules):
            raise ValidationError({"code": _("No reason or rule of this product has such a code.")})
        try:
            check_texts(texts, check_template) if row.of == self.REASON else check_texts(texts)
        except DefinitionRefused as refusal:
            raise ValidationError(str(refusal)) from refusal
        edited = self._edited.setdefault(row.product, definition.to_dict())
        if row.of == self.RULE:
            next(one for one in edited["rules"]["rules"] if one["code"] == row.code)["texts"] = texts
        elif texts:
            edited["texts"][row.code] = texts
        else:
            edited["texts"].pop(row.code, None)

    def finish(self, actor: Actor) -> None:
        """One revision of each product."""
        for edited in self._edited.values():
            change_product(definition=ProductDefinition.from_dict(edited), actor=actor, reason="reason texts from a file")


class ExchangeRates(ReferenceTable):
    """What currencies are worth, for all partners."""

    name, permission = "exchange-rates", Permission.RECORD_READ    # of operators: the list is on their host alone
    columns: ClassVar[ColumnKinds] = {"base": str, "quote": str, "valid_from": str, "rate": float, "source": str}
    keys = ("base", "quote", "valid_from")
    read_as: ClassVar[Mapping[str, type[Text]]] = {"valid_from": Day, "rate": Number}

    def rows(self) -> Iterator[dict[str, Any]]:
        """By currencies and day."""
        yield from ExchangeRate.objects.order_by(*self.keys).values(*self.columns)

    def store(self, row: SimpleNamespace, is_new: bool, actor: Actor) -> None:
        """The rate holds."""
        if row.valid_from is None:
            raise ValidationError({"valid_from": _("Give a day such as 2026-11-21.")})
        set_exchange_rate(**vars(row), actor=actor)
