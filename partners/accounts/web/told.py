"""What a refusal says, in the reader's language.

Refusals are written in English where they are raised, for the record, the API and the log. A page says the same sentence in its own
language: `locale/refusals.txt` (written by `make messages`) lists the sentences with places for their values, and the catalogue has
them in each language.
"""

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.formats import get_format
from django.utils.translation import get_language, gettext

LIST = "refusals.txt"
LONGEST = 2_000    # characters; what people send may come back in a refusal, and a pattern takes the square of its length
_PLACE = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"(?<![\w.,-])(-?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?![\w.-]|,\d)")
_END_OF_SENTENCE = re.compile(r"(?<=[.!?]) (?=\S)")


def told(text: str) -> str:
    """The sentence, or the sentences, in the language of the page; as it is where nothing else is known, or too long."""
    if (get_language() or "en").partition("-")[0] == "en" or not text or len(text) > LONGEST:
        return text
    if (whole := _sentence(text)) is not None:
        return whole
    parts = _END_OF_SENTENCE.split(text)
    return " ".join(_sentence(part) or part for part in parts) if len(parts) > 1 else text


def localised(text: str) -> str:
    """The numbers in a text, such as 12,500.5, as the language of the page writes them."""
    if (get_language() or "en").partition("-")[0] == "en":
        return text
    point, comma = str(get_format("DECIMAL_SEPARATOR")), str(get_format("THOUSAND_SEPARATOR"))
    return _NUMBER.sub(lambda found: f"{found[1]}{found[2].replace(',', comma)}{point + found[3] if found[3] else ''}", text)


def _sentence(text: str) -> str | None:
    exact = gettext(text)
    if exact != text:
        return exact
    for pattern, template in _patterns():
        if found := pattern.fullmatch(text):
            said = gettext(template)
            return said % {name: localised(value) for name, value in found.groupdict().items()} if said != template else None
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The sentences that have values in them, those with most words of their own first."""
    templates = [line for line in (Path(settings.LOCALE_PATHS[0]) / LIST).read_text("utf-8").splitlines() if _PLACE.search(line)]
    templates.sort(key=lambda one: (-len(_PLACE.sub("", one)), one))
    return tuple((re.compile(_pattern(one), re.DOTALL), one) for one in templates)


def _pattern(template: str) -> str:
    parts = _PLACE.split(template)    # words, name, words, name, words
    seen: set[str] = set()
    text = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            text += re.escape(part.replace("%%", "%"))
        else:
            text += f"(?P={part})" if part in seen else f"(?P<{part}>.*?)"
            seen.add(part)
    return text
