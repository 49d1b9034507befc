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
    from bench.models import HTTP_CASE, fitted

    model = fitted(HTTP_CASE)
    product = replace(model.table.product, slug=PRODUCT, id_column="id")
    if not _exists():
        _make(model.content(product))
    write_rows(Path(sys.argv[2]), model.table.records, int(sys.argv[1]), prefix=(sys.argv[3:] or ["L"])[0])


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

    return bool(Partner.objects.filter(slug=SLUG).exists())


def _make(content: Any) -> None:
    from audit.context import SYSTEM
    from bench.made import promoted
    from partners.services import create_partner
    from partners.tenancy import tenant_context

    partner = create_partner(slug=SLUG, name="Bench", country="KE", currency="KES", plan="enterprise", actor=SYSTEM)
    with tenant_context(partner):
        promoted(content)


if __name__ == "__main__":
    main()
