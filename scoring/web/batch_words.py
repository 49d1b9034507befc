"""What is said of a table's columns and cells, in the language of the page."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from partners.accounts.web.told import told
from scoring.engine.contract import Input, InputKind
from scoring.services.batches import Asked
from scoring.web.written import number_words

# What a row is refused with where it is read, which knows no languages; what a service says is in the catalogue by itself.
_READ: Mapping[str, str] = {
    r"has (?P<cells>\d+) cells, the header has (?P<columns>\d+)": gettext_noop("has %(cells)s cells, the header has %(columns)s"),
    r"is longer than (?P<most>\d+) characters": gettext_noop("is longer than %(most)s characters"),
    r"make every row as wide as the header; put double quotes around a cell that contains the separator": gettext_noop(
        "Make every row as wide as the header; put double quotes around a cell that contains the separator."),
    r"shorten it, or look for a quote that is not closed near this line": gettext_noop(
        "Shorten it, or look for a quote that is not closed near this line."),
    r"save the sheet as values and export it again": gettext_noop("Save the sheet as values and export it again."),
}  # fmt: skip


def cell_words(text: str) -> str:
    """What is wrong with a cell, or what to do about it."""
    if (said := told(text)) != text:
        return said
    for pattern, words in _READ.items():
        if found := re.fullmatch(pattern, text):
            return _(words) % found.groupdict()
    return text


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
