"""Product definitions as files that a person reads and edits: <home>/partners/<partner>/products/<product>.json."""

import json
import os
from pathlib import Path

from django.conf import settings

from audit.context import Actor
from partners.tenancy import current_schema, slug_of
from scoring.engine.product import Product as ProductDefinition
from scoring.errors import DefinitionRefused
from scoring.models import Product
from scoring.services.products import change_product


def definition_file(product_slug: str) -> Path:
    """Where the current partner's product is written for people."""
    return Path(settings.VOUCH_HOME) / "partners" / slug_of(current_schema()) / "products" / f"{product_slug}.json"


def write_definition(definition: ProductDefinition) -> Path:
    """The definition is on disk, complete or not at all."""
    path = definition_file(definition.slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(definition.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
    return path


def take_up_edits(*, product: Product, actor: Actor) -> list[str]:
    """What a person changed in the file since it was written is the product's definition now; the names of the changed parts.

    Raises DefinitionRefused when the file is not a product any more; then nothing is changed."""
    path = definition_file(product.slug)
    if not path.exists():
        return []
    try:
        edited = ProductDefinition.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise DefinitionRefused(f"{path} is not a product definition: {error}") from error
    if edited.slug != product.slug:
        raise DefinitionRefused(f"{path} says slug '{edited.slug}'; the slug of a product cannot be changed")
    after = edited.to_dict()
    changed = sorted(part for part in after.keys() | product.definition.keys() if after.get(part) != product.definition.get(part))
    if changed:
        change_product(definition=edited, actor=actor)
    return changed
