"""Papers for the file: tables under titles as a PDF/A that can be read aloud."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from scoring.typesetting import typeset


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its title, the names of its columns, its cells. The first column says what a row is about."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Paper:
    """What the paper says. `none`: in place of a table without rows."""

    title: str
    lines: Sequence[str]
    sheets: Sequence[Sheet]
    none: str
    language: str
    made_at: datetime


def paper_pdf(paper: Paper) -> bytes:
    """The file: the same bytes for the same paper."""
    told = {**asdict(paper), "made_at": [paper.made_at.year, paper.made_at.month, paper.made_at.day]}
    return typeset("portal/paper.typ", given={"paper": json.dumps(told)}, standards=("a-2a", "ua-1"), at=paper.made_at)
