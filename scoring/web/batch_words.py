"""What is said of a table's columns and cells, in the language of the page."""

import re
from typing import Any

from django.utils.translation import gettext as _

from partners.accounts.web.told import told
from scoring.engine.contract import Input, InputKind
from scoring.services.batches import Asked
from scoring.web.written import number_words

_TABLE = re.compile(r"(?:Row (?P<row>\d+)(?:, column '(?P<column>.*?)')?: )?(?P<problem>.+?)\. Fix: (?P<fix>.+)\.", re.DOTALL)


def problem_words(text: str) -> str:
    """What is wrong with a cell."""
    said = told(text)
    if said != text:
        return said
    whole = _sentence(text)
    said = told(whole)
    return text if said == whole else f"{said[0].lower()}{said[1:].removesuffix('.')}"


def fix_words(text: str) -> str:
    """What to do about it, as a sentence: a table is read where no languages are known, and said in parts."""
    return told(text if text.endswith(".") else _sentence(text))


def table_words(text: str) -> str:
    """Why a whole table cannot be used."""
    found = _TABLE.fullmatch(text)
    if found is None:
        return told(text)
    places = {**found.groupdict(), "problem": problem_words(found["problem"])}
    if found["column"]:
        problem = _("Row %(row)s, column “%(column)s”: %(problem)s.") % places
    else:
        problem = _("Row %(row)s: %(problem)s.") % places if found["row"] else fix_words(found["problem"])
    return f"{problem} {fix_words(found['fix'])}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def about(one: Asked) -> str:
    """What may stand in the cells of a column."""
    return told(one.about) if one.input is None else _about(one.input)


def _about(one: Input) -> str:
    kinds: dict[InputKind, Any] = {
        InputKind.NUMBER: _("a number"), InputKind.INTEGER: _("a whole number"), InputKind.DATE: _("a day such as 1990-05-17"),
        InputKind.BOOLEAN: _("true or false"),
    }  # fmt: skip
    if one.kind is InputKind.CATEGORY:
        words = _("such as %(categories)s") if one.accepts_other else _("one of %(categories)s")
        parts = [words % {"categories": ", ".join(one.categories[:20])}]
    else:
        parts = [str(kinds[one.kind])]
    if one.minimum is not None and one.maximum is not None:
        parts.append(_("%(low)s to %(high)s") % {"low": number_words(float(one.minimum)), "high": number_words(float(one.maximum))})
    return "; ".join([*parts, *([one.unit] if one.unit else []), _("needed") if one.required else _("may be empty")])
