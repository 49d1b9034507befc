"""Runs every measurement in one go, prints the table and writes bench/results.json; exit code 1 if a required figure is missed."""

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

MEASUREMENTS = ("explain", "decision", "batch", "partners")    # modules of this package with run() -> rows
RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", nargs="*", default=MEASUREMENTS, help=f"some of: {', '.join(MEASUREMENTS)}")
    chosen = parser.parse_args().measurements
    rows: list[dict[str, Any]] = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"bench.{name}").run()
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    return 0 if all(row["holds"] is not False for row in rows) else 1


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
