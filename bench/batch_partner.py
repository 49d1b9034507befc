"""A partner with a promoted model of 300 trees x 31 leaves over 60 columns, and a table: `main` with ROWS FILE [PREFIX] as arguments."""

import csv
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

SLUG, PRODUCT = "bench", "batch"


def main() -> None:
    """Makes both; the product answers by its model from here on."""
    import django

    warnings.simplefilter("ignore")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from bench.explain import CASES, content, trained

    records, _, model, product = trained(CASES[0])
    product = replace(product, slug=PRODUCT, id_column="id")
    if not _exists():
        _make(product, content(model, product, records))
    write_rows(Path(sys.argv[2]), records, int(sys.argv[1]), prefix=(sys.argv[3:] or ["L"])[0])


def write_rows(path: Path, records: list[dict[str, Any]], rows: int, *, prefix: str) -> None:
    """Rows whose columns are drawn from the records, each column by itself, so that every row takes other ways through the trees."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *records[0]])
        writer.writerows(_rows(records, rows, prefix))


def _rows(records: list[dict[str, Any]], rows: int, prefix: str) -> Iterator[list[str]]:
    import numpy as np

    draw = np.random.default_rng(7)
    texts = [["" if one[name] is None else f"{one[name]:.6g}" if isinstance(one[name], float) else str(one[name]) for one in records]
             for name in records[0]]
    for first in range(0, rows, 1_000):
        picks = draw.integers(0, len(records), (min(1_000, rows - first), len(texts))).tolist()
        for place, picked in enumerate(picks):
            yield [f"{prefix}{first + place:07}", *(column[pick] for column, pick in zip(texts, picked, strict=True))]


def _exists() -> bool:
    from partners.models import Partner

    return Partner.objects.filter(slug=SLUG).exists()


def _make(product: Any, content: Any) -> None:
    from audit.context import SYSTEM
    from audit.vault import keyring
    from partners.services import create_partner
    from partners.tenancy import tenant_context
    from scoring.engine.bundle import sign_bundle, write_bundle
    from scoring.engine.policy import Policy
    from scoring.services.models import promote_model, store_model_version
    from scoring.services.products import create_product

    partner = create_partner(slug=SLUG, name="Bench", country="KE", currency="KES", plan="enterprise", actor=SYSTEM)
    with tenant_context(partner):
        ring = keyring()
        create_product(definition=product, policy=Policy.for_base_rate(0.1), actor=SYSTEM)
        bundle = sign_bundle(write_bundle(content, card=b"{}"), sign=ring.sign, key_id=ring.key_id)
        store_model_version(product_slug=product.slug, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)
        promote_model(product_slug=product.slug, version=1, actor=SYSTEM)


if __name__ == "__main__":
    main()
