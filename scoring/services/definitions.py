"""Product definitions as files that a person reads and edits: <home>/partners/<partner>/products/<product>.json."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit.context import Actor
from partners.tenancy import current_schema, slug_of
from scoring.engine.contract import DefinitionRefused
from scoring.engine.product import Product as ProductDefinition
from scoring.errors import ProductFileRefused, ProductRefused, RulesChanged
from scoring.models import Product
from scoring.services.models import given_reason
from scoring.services.products import change_product, locked_product

WRITTEN_FROM = "written_from"     # in the file: which product and which definition it shows


def definition_file(product_slug: str) -> Path:
    """Where the current partner's product is written for people."""
    return Path(settings.VOUCH_HOME) / "partners" / slug_of(current_schema()) / "products" / f"{product_slug}.json"


def write_definition(product: Product) -> Path:
    """The definition in force is on disk, complete or not at all."""
    path = definition_file(product.slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    shown = {WRITTEN_FROM: _written_from(product), **ProductDefinition.from_dict(product.definition).to_dict()}
    part.write_text(json.dumps(shown, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
    return path


def take_up_edits(*, product: Product, actor: Actor, reason: str = "") -> list[str]:
    """What a person changed in the file since it was written is the product's definition now; the names of the changed parts.

    Raises ProductFileRefused when the file is no product, or when the product was changed elsewhere meanwhile; then nothing is changed."""
    path = definition_file(product.slug)
    if not path.exists():
        write_definition(product)
        return []
    shown = _read(path)
    written_from = shown.pop(WRITTEN_FROM, None)
    try:
        edited = ProductDefinition.from_dict(shown)
    except DefinitionRefused as refusal:
        raise ProductFileRefused(f"{path} is not a product definition: {refusal}") from refusal
    if unknown := [part for part in shown if part not in edited.to_dict()]:
        known = ", ".join(edited.to_dict())
        raise ProductFileRefused(f"{path} is not a product definition: there is no key {unknown[0]!r}; the keys are {known}.")
    if edited.slug != product.slug:
        raise ProductFileRefused(f"{path} says slug '{edited.slug}'; the slug of a product cannot be changed.")
    before, after = product.definition, edited.to_dict()
    changed = sorted(part for part in after.keys() | before.keys() if after.get(part) != before.get(part))
    if changed and written_from != _written_from(product):
        raise ProductFileRefused(f"{path} was written before the product was last changed; move it away, and it is written anew.")
    if changed:
        write_definition(change_product(definition=edited, actor=actor, reason=reason))
    return changed


def _read(path: Path) -> dict[str, Any]:
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ProductFileRefused(f"{path} is not UTF-8; save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        fix = "look there, and just before, for a comma, quote or bracket too many or too few"
        raise ProductFileRefused(f"{path} is not JSON at line {error.lineno}, column {error.colno}: {fix}.") from error
    except RecursionError as error:
        raise ProductFileRefused(f"{path} is nested too deeply to be a product definition.") from error
    if not isinstance(shown, dict):
        raise ProductFileRefused(f"{path} is not a product definition: write one JSON object, {{...}}.")
    return shown


def change_rules(*, product_slug: str, rules: Mapping[str, Any], actor: Actor, reason: str, seen: str | None = None) -> Product:
    """These rules answer when no model does: the product's definition with a new revision; its file too, unless a person edited that.

    `rules` as the definition writes them: base_probability, may_approve, rules. `seen`: the digest of the rules that the person changed.
    Raises ProductUnknown, ProductRefused, ReasonMissing, and RulesChanged when others are in force than were seen."""
    with transaction.atomic():
        product, said = locked_product(product_slug), given_reason(reason)
        if seen is not None and seen != digest_of_rules(ProductDefinition.from_dict(product.definition)):
            raise RulesChanged
        try:
            definition = ProductDefinition.from_dict({**product.definition, "rules": dict(rules)})
        except DefinitionRefused as refusal:
            raise ProductRefused(f"The rules cannot be used: {refusal}") from refusal
        is_file_ours = _shows(product)
        changed = change_product(definition=definition, actor=actor, reason=said)
        if is_file_ours:
            transaction.on_commit(partial(write_definition, changed))
    return changed


def digest_of_rules(definition: ProductDefinition) -> str:
    """What tells these rules from any others."""
    return hashlib.sha256(json.dumps(definition.to_dict()["rules"], sort_keys=True).encode()).hexdigest()


def _shows(product: Product) -> bool:
    """Whether the file is there and shows the definition in force, unedited."""
    try:
        shown: dict[str, Any] = json.loads(definition_file(product.slug).read_text(encoding="utf-8"))
        written_from = shown.pop(WRITTEN_FROM, None)
        return bool(written_from == _written_from(product) and ProductDefinition.from_dict(shown).to_dict() == product.definition)
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def _written_from(product: Product) -> str:
    text = json.dumps([str(product.id), product.definition], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
