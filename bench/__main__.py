"""Runs every measurement in one go, prints the table and keeps it in bench/results.json; exit code 1 if a required figure is missed."""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Modules of this package with run() -> rows; the second line only by name, since they take long or answer a question once.
MEASUREMENTS = ("explain", "decision", "over_http", "steps", "batch", "partners")
ON_REQUEST = ("cache", "growth", "lists", "export", "verify")
RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    every = ", ".join(MEASUREMENTS + ON_REQUEST)
    parser.add_argument("measurements", nargs="*", help=f"some of: {every}; default: all but {', '.join(ON_REQUEST)}")
    chosen = parser.parse_args().measurements or MEASUREMENTS
    if unknown := set(chosen) - {*MEASUREMENTS, *ON_REQUEST}:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}; there are {every}")
    found: dict[str, list[dict[str, Any]]] = {}
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = importlib.import_module(f"bench.{name}").run()
    earlier = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    RESULTS.write_text(json.dumps(merged(earlier, found), indent=1) + "\n")
    rows = [row for several in found.values() for row in several]
    print(table(rows))
    return 0 if all(row["holds"] is not False for row in rows) else 1


def merged(earlier: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """What was found now in place of what the same measurements found before; what others found stays."""
    new = [{"measurement": name, **row} for name, rows in found.items() for row in rows]
    names = {row["name"] for row in new}
    kept = [dict(row) for row in earlier if row.get("measurement") not in found and row["name"] not in names]
    order = {name: place for place, name in enumerate(MEASUREMENTS + ON_REQUEST)}
    return sorted(kept + new, key=lambda row: order.get(row.get("measurement", ""), len(order)))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, under one line about the machine."""
    lines = [f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}", "",
             "| figure | ours | peer | unit | ratio | required | holds |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        figures = (number(row["ours"]), number(row["peer"]), row["unit"], number(row["ratio"]))
        cells = (row["name"], *figures, row["required"] or "", mark(row["holds"]))
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def mark(holds: bool | None) -> str:
    return {True: "yes", False: "NO", None: ""}[holds]


if __name__ == "__main__":
    sys.exit(main())
