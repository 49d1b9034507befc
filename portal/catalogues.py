"""Every text that pages say, found in the sources without any tool of the system; what `manage.py makemessages` writes down."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils.translation.template import templatize

from portal.errors import TABLE, UNEXPECTED

PACKAGES = ("audit", "partners", "portal", "scoring")
# Modules whose sentences reach pages although they are written for the API and the log as well: see partners.accounts.web.told.
REFUSING = (
    "audit/errors.py", "audit/proofs.py", "audit/holds.py", "audit/retention/services.py", "audit/retention/turns.py",
    "portal/record/bundle.py", "portal/compliance/report.py", "portal/compliance/web.py",
    "partners/errors.py", "scoring/errors.py", "portal/approvals/errors.py",
    "scoring/engine/contract.py", "scoring/engine/texts.py", "scoring/engine/training/card.py",
    "scoring/services/*.py", "scoring/selectors/*.py", "audit/privacy/*.py", "scoring/privacy.py",
    "scoring/engine/intake.py", "scoring/engine/sheets.py", "scoring/engine/tables.py",
    "partners/webhooks/*.py", "partners/accounts/*.py", "portal/approvals/*.py", "portal/approvals/services/*.py",
)  # fmt: skip
FEWEST_WORDS = 3    # of its own that a sentence with values needs: with less it could be taken for another one
_SINGULAR, _CONTEXT = ("_", "gettext", "gettext_lazy", "gettext_noop"), ("pgettext", "pgettext_lazy")
_PLURAL, _BOTH = ("ngettext", "ngettext_lazy"), ("npgettext", "npgettext_lazy")
_LITERAL = r"u?('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
_ONE_MORE = rf"(?:\s*,\s*{_LITERAL})?"
_IN_TEMPLATE = re.compile(rf"\b(_|gettext|pgettext|ngettext|npgettext)\(\s*{_LITERAL}{_ONE_MORE}{_ONE_MORE}", re.DOTALL)
_SENTENCE = re.compile(r"[A-Z%'].*\s.*[.:?]", re.DOTALL)
_PLACE = re.compile(r"%\(\w+\)s")


class NotExtractable(Exception):
    """A text is marked for translation and made on the spot: mark a constant with %(places)s and fill it in afterwards."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What the catalogue knows a text by."""

    text: str
    context: str = ""


@dataclass(slots=True)
class Found:
    """The plural of a text, if it has one, and the files it stands in."""

    plural: str = ""
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of the pages, and those among them that are refusals."""

    found: Mapping[Key, Found]
    refusals: tuple[str, ...]


def texts_of(root: Path) -> Texts:
    """What stands in the sources below `root`. Raises NotExtractable."""
    found: dict[Key, Found] = {}

    def note(key: Key, plural: str, file: str) -> None:
        one = found.setdefault(key, Found())
        one.plural = one.plural or plural
        one.files.add(file)

    for path in sorted((root / "templates").rglob("*.html")):
        name = path.relative_to(root).as_posix()
        for key, plural in _in_template(path.read_text("utf-8")):
            note(key, plural, name)
    refusals: set[str] = set()
    for path in _modules(root):
        name = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text("utf-8"), name)
        for key, plural in _in_module(tree, name):
            note(key, plural, name)
        if any(path.relative_to(root).match(pattern) for pattern in REFUSING):
            for text in (*_sentences(tree), *_of_tables(tree)):
                refusals.add(text)
                note(Key(text), "", name)
    for outcome in (*(TABLE[kind] for kind in TABLE if TABLE[kind].at_page or not _is_of_api(kind)), UNEXPECTED):
        note(Key(outcome.title), "", "portal/errors.py")
        advice = (outcome.at_page or outcome.advice).replace(f"<partner>.{settings.BASE_DOMAIN}", "<partner>.%(domain)s")
        note(Key(advice), "", "portal/errors.py")
        refusals |= {advice} if _PLACE.search(advice) else set()
    return Texts(found, tuple(sorted(refusals)))


def _is_of_api(kind: type[BaseException]) -> bool:
    return kind.__module__.startswith(("partners.api.", "rest_framework."))


def _modules(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if not {"migrations", "management"} & set(path.relative_to(root).parts):
                yield path


def _in_template(source: str) -> Iterator[tuple[Key, str]]:
    for call in _IN_TEMPLATE.finditer(templatize(source)):
        words = [ast.literal_eval(one) for one in call.groups()[1:] if one is not None]
        yield _keyed(call[1], words)


def _in_module(tree: ast.Module, name: str) -> Iterator[tuple[Key, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        kind = node.func.id
        if kind not in (*_SINGULAR, *_CONTEXT, *_PLURAL, *_BOTH):
            continue
        wanted = node.args[: 1 if kind in _SINGULAR else 3 if kind in _BOTH else 2]
        if any(isinstance(one, ast.JoinedStr | ast.BinOp) for one in wanted):
            raise NotExtractable(f"{name}:{node.lineno}: {(NotExtractable.__doc__ or '').strip()}")
        words = [one.value for one in wanted if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if wanted and len(words) == len(wanted):
            yield _keyed(kind, words)


def _keyed(kind: str, words: list[str]) -> tuple[Key, str]:
    if kind in _CONTEXT:
        return Key(words[1], words[0]), ""
    if kind in _BOTH:
        return Key(words[1], words[0]), words[2]
    return Key(words[0]), words[1] if kind in _PLURAL else ""


# refusals: plain sentences, and sentences with values in them


def _sentences(tree: ast.Module) -> Iterator[str]:
    """What a module can refuse with: its constants that are sentences, and what its refusals say when they are given no words."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    marked = {id(one) for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
              and node.func.id in _SINGULAR for one in node.args}  # fmt: skip
    tables = {id(part) for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)
              for part in ast.walk(node.value)}  # fmt: skip # what a product says by language, not what a module refuses with
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_refusal(node) and (said := ast.get_docstring(node)):
            yield said
        elif id(node) in inside | marked | tables | docstrings:
            continue
        elif isinstance(node, ast.JoinedStr):
            if _is_sentence(template := _template(node)):
                yield template
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_sentence(node.value):
            yield node.value


def _of_tables(tree: ast.Module) -> Iterator[str]:
    """Both parts of every TableError, what is wrong and how to repair it, which begin small and have no full stop, as sentences.

    A name stands for what it is set to in the module. scoring.web.batch_words puts the parts together."""
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TableError":
            for part in (*node.args[:1], *(one.value for one in node.keywords if one.arg == "fix")):
                for said in named.get(part.id, ()) if isinstance(part, ast.Name) else (part,):
                    text = _template(said) if isinstance(said, ast.JoinedStr) else said.value if isinstance(said, ast.Constant) else None
                    if isinstance(text, str):
                        yield f"{text[0].upper()}{text[1:]}."


def _is_refusal(node: ast.ClassDef) -> bool:
    names = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in node.bases}
    return bool(names & {"DomainError", "DefinitionRefused"})


def _is_sentence(text: str) -> bool:
    words = [word for word in _PLACE.sub("", text).split() if any(letter.isalpha() for letter in word)]
    return _SENTENCE.fullmatch(text) is not None and len(words) >= FEWEST_WORDS and "\n" not in text


def _template(node: ast.JoinedStr) -> str:
    """The f-string with a named place for each value."""
    names: dict[str, str] = {}
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("%", "%%")
        elif isinstance(part, ast.FormattedValue):
            written, name = ast.unparse(part.value), _name(part.value)
            while names.setdefault(name, written) != written:
                name += "_"
            text += f"%({name})s"
    return text


def _name(value: ast.expr) -> str:
    if isinstance(value, ast.Name):
        return value.id.lstrip("_") or "value"
    if isinstance(value, ast.Attribute):
        return value.attr
    return "value"
