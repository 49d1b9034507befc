"""Texts that a spreadsheet would run: written so that it only shows them, and read back as they were.

The two patterns are written for Python and for PostgreSQL alike, so that a list which the database writes by itself keeps the same rule."""

import re

# What a reader of tables takes away around a cell, and what hides a sign from the eye.
_SPACE = "\t-\r\x1c- \x85\xa0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
LEADS = "=+-@＝＋－＠"
RISKY = rf"\A'*[{_SPACE}=+@＝＋－＠-]|[{_SPACE}]\Z"
NUMBER = r"\A[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\Z"
_risky, _number = re.compile(RISKY).search, re.compile(NUMBER).search


def is_risky(text: str) -> bool:
    """Whether a spreadsheet might run this text, or a reader would not give it back as it is; numbers are neither."""
    return _risky(text) is not None and _number(text) is None


def inert(text: str) -> str:
    """The text as a spreadsheet shows it but never runs it; numbers stay numbers."""
    return f"'{text}" if is_risky(text) else text


def as_it_was(cell: str) -> str:
    """The text that was written as this cell by `inert`; of any other cell what is left without space around it."""
    return cell[1:] if cell[:1] == "'" and is_risky(cell[1:]) else cell.strip()
