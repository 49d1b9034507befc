"""What the text of a reason may say: a full sentence in a language of ours that tells the applicant something."""

import re
from collections.abc import Callable, Mapping
from string import Formatter

from scoring.engine.contract import DefinitionRefused

LANGUAGES = ("en", "fr")

# Words that tell an applicant nothing (12 CFR 1002.9(b)(2): internal standards or a score too low are not reasons).
_VAGUE = re.compile(
    r"\b(scores?|scoring|internal (standards?|polic(y|ies))|insufficient|credit ?worthiness|features?|risk(y|s)?|model|algorithm|"
    r"normes internes|insuffisante?s?|risques?|modèle)\b",
    re.IGNORECASE,
)
_PLACES = frozenset({"label", "value", "usual"})


class VagueReason(DefinitionRefused):
    """The text of a reason tells the applicant nothing; name the fact that counted, with its value and what is usual."""

    code = "vague_reason"


def refuse_vague(text: str) -> str:
    """The text, if it says something. Raises VagueReason."""
    if found := _VAGUE.search(text):
        raise VagueReason(f"{found.group(0)!r} tells the applicant nothing: name the fact that counted, with its value and what is usual.")
    if len(text.split()) < 3:
        raise VagueReason("A reason is a full sentence.")
    return text


def check_texts(texts: Mapping[str, str], check: Callable[[str], str] = refuse_vague) -> None:
    """Every text is in a language that is spoken here and says something. Raises DefinitionRefused."""
    for language, text in texts.items():
        if language not in LANGUAGES:
            raise DefinitionRefused(f"texts are in {' or '.join(LANGUAGES)}, not {language!r}.")
        check(text)


def check_template(text: str) -> str:
    """The text, if it says something and {label}, {value} and {usual} are all it leaves open. Raises VagueReason and DefinitionRefused."""
    try:
        open_places = [place[1:] for place in Formatter().parse(text) if place[1] is not None]
    except ValueError as error:
        raise DefinitionRefused(f"the text {text!r} has a brace too many or too few: write {{label}}, {{value}} or {{usual}}.") from error
    for name, form, conversion in open_places:
        if name not in _PLACES or form or conversion:
            raise DefinitionRefused(f"the text {text!r} leaves {{{name}}} open: write {{label}}, {{value}} or {{usual}}.")
    return refuse_vague(text)
