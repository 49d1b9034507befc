"""Papers for the file: tables under titles as a PDF/A that can be read aloud, set by typst from our own template."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "templates" / "portal"


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
    """The file: the same bytes for the same paper. What people wrote is passed as data and never read as markup.

    With signs that no font of ours has it is set without the claim that it is a PDF/A and can be read aloud."""
    typst = import_module("typst")    # several MiB, for the workers that set a PDF only
    given = {"paper": json.dumps({**asdict(paper), "made_at": [paper.made_at.year, paper.made_at.month, paper.made_at.day]})}
    compiler = typst.Compiler(input=FOLDER / "paper.typ", root=FOLDER, ignore_system_fonts=True, sys_inputs=given)
    when = int(paper.made_at.timestamp())
    try:
        made = compiler.compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=when)
    except typst.TypstError:
        made = compiler.compile(format="pdf", timestamp=when)
    assert isinstance(made, bytes)
    return made
