"""The house keeps its rules: names, one-line purposes, one direction of imports, and a light web process."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

ROOT = Path(__file__).resolve().parents[2]
APPS = ("portal", "scoring", "partners", "audit")
MODULES = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)
DRAWERS = {"core", "common", "utils", "helpers", "lib", "misc", "extras"}
TRAINING_LIBRARIES = {
    "lightgbm", "xgboost", "catboost", "optuna", "pandas", "sklearn", "shap", "pyarrow", "joblib", "matplotlib", "plotly", "sqlalchemy",
}    # fmt: skip
UNSAFE_LOADERS = {"pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}


def imported_by(path: Path) -> set[str]:
    """Top-level names of everything a module imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_is_a_drawer() -> None:
    drawers = [str(path.relative_to(ROOT)) for path in MODULES if {path.stem, *path.relative_to(ROOT).parts} & DRAWERS]

    assert drawers == []


def test_every_module_says_what_it_is_for() -> None:
    written = [path for path in MODULES if path.read_text().strip()]
    silent = [str(path.relative_to(ROOT)) for path in written if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_nothing_loads_code_from_data() -> None:
    unsafe = {str(path.relative_to(ROOT)): found for path in MODULES if (found := imported_by(path) & UNSAFE_LOADERS)}

    assert unsafe == {}


def test_training_libraries_stay_in_training() -> None:
    outside = [path for path in MODULES if "training" not in path.parts]
    found = {str(path.relative_to(ROOT)): names for path in outside if (names := imported_by(path) & (TRAINING_LIBRARIES - {"pyarrow"}))}

    assert found == {}


@pytest.mark.slow
def test_a_web_process_begins_without_what_it_seldom_or_never_needs() -> None:
    program = (
        "import json, sys, portal.wsgi, django.urls\n"
        "django.urls.get_resolver().url_patterns\n"
        "import scoring.services.score, scoring.registry\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    assert (TRAINING_LIBRARIES | {"typst"}) & set(json.loads(answer.stdout.splitlines()[-1])) == set()


def test_no_merge_was_left_half_done() -> None:
    written = [path for folder in (*APPS, "tests", "templates", "static", "locale", "docs", "bench") for path in (ROOT / folder).rglob("*")]
    ours = [path for path in written if path.is_file() and ".venv" not in path.parts]    # the peers of the bench have their own below it
    texts = [path for path in ours if path.suffix in {".py", ".html", ".typ", ".po", ".txt", ".md", ".css", ".js"}]
    marks = ("<" * 7 + " ", ">" * 7 + " ")

    assert [str(path.relative_to(ROOT)) for path in texts if any(line.startswith(marks) for line in path.read_text().splitlines())] == []


DOCUMENTS = [ROOT / name for name in ("README.md", "THREAT_MODEL.md", "clients/python/README.md")] + sorted((ROOT / "docs").rglob("*.md"))


def test_every_command_in_the_documents_exists_with_the_options_shown() -> None:
    commands, wrong, seen = get_commands(), [], 0
    for path in DOCUMENTS:
        for name, told in re.findall(r"manage\.py ([a-z_]+)((?:[^`\n#|;>\\]|\\\n)*)", path.read_text()):
            seen += 1
            options = set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", told))
            if name in commands:
                parser = load_command_class(commands[name], name).create_parser("manage.py", name)
                options -= set(parser._option_string_actions)
            if name not in commands or options:
                wrong.append((path.name, name, options))

    assert seen > 40
    assert wrong == []


def test_every_route_in_the_documents_answers() -> None:
    wrong, seen = [], 0
    for path in DOCUMENTS:
        for told in re.findall(r"(?:GET|POST|PATCH|PUT|DELETE) (/api/v\d/[\w{}/<>-]+)", path.read_text()):
            seen += 1
            try:
                name = resolve(re.sub(r"[{<]\w+[}>]", "1", told).rstrip("/"), "portal.urls").url_name
            except Resolver404:
                name = None
            if name in {None, "nothing-here"}:
                wrong.append((path.name, told))

    assert seen > 20
    assert wrong == []
