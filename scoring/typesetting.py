"""PDFs that can be read aloud, set by typst from our own templates, without the network."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def typeset(template: str, *, given: Mapping[str, str], standards: Sequence[str] = ("ua-1",), at: datetime | None = None) -> bytes:
    """The file: the same bytes for the same `given`, JSON by name. What people wrote is passed as data and never read as markup.

    With signs that no font of ours has it cannot be read aloud: it is set without the claim that it keeps the standards."""
    typst = import_module("typst")    # several MiB, for the workers that set a PDF only
    place = TEMPLATES / template
    compiler = typst.Compiler(input=place, root=place.parent, ignore_system_fonts=True, sys_inputs=dict(given))
    when = None if at is None else int(at.timestamp())
    try:
        made = compiler.compile(format="pdf", pdf_standards=list(standards), timestamp=when)
    except typst.TypstError:
        made = compiler.compile(format="pdf", timestamp=when)
    assert isinstance(made, bytes)
    return made
