"""A letter as a PDF that can be read aloud (PDF/UA-1): set by typst from our own template, without the network."""

from importlib import import_module
from pathlib import Path

import msgspec

from portal.approvals.letters import Letter

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "approvals"
TEMPLATE = FOLDER / "letter.typ"


def letter_pdf(letter: Letter) -> bytes:
    """The file: the same bytes for the same letter. What people wrote is passed as data and never read as markup.

    A letter with signs that no font of ours has cannot be read aloud: it is set without the claim that it can."""
    typst = import_module("typst")    # several MiB, for the workers that set a PDF only
    given = {"letter": msgspec.json.encode(letter).decode()}
    compiler = typst.Compiler(input=TEMPLATE, root=FOLDER, ignore_system_fonts=True, sys_inputs=given)
    try:
        made = compiler.compile(format="pdf", pdf_standards=["ua-1"])
    except typst.TypstError:
        made = compiler.compile(format="pdf")
    assert isinstance(made, bytes)
    return made
