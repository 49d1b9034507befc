"""Numbers, values and units as the language of the page writes them."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from partners.accounts.web.told import localised
from scoring.engine.contract import Input
from scoring.engine.product import Product
from scoring.engine.reasons import shown_number, shown_value
from scoring.engine.texts import LANGUAGES, UNITS


def language_of_page() -> str:
    """The language of the page, if products have texts in it; else English."""
    language = (get_language() or "en").partition("-")[0]
    return language if language in LANGUAGES else "en"


def in_page_language(product: Product) -> Product:
    """The product as readers of the page say it."""
    return product.spoken(language_of_page())


def number_words(value: float) -> str:
    """A number with grouped thousands and as many decimals as matter."""
    return localised(shown_number(value))


def value_words(value: Any, one: Input, words: Mapping[str, str]) -> str:
    """An input's value as people read it; `words` are for yes, no and other."""
    if isinstance(value, str):
        return shown_value(value, one, words)
    return localised(shown_value(value, one, unit_words(words)))


def unit_words(words: Mapping[str, str]) -> dict[str, str]:
    """The same words, with those for units."""
    return {**UNITS[language_of_page()], **words}


def named(name: str, said: str) -> str:
    """A name and what is said of it: "Age: 34."""
    return _("%(label)s: %(value)s") % {"label": name, "value": said}


def state_words(state: str) -> str:
    """Where a model version stands."""
    words = {"draft": _("draft"), "candidate": _("waits"), "challenger": _("in shadow"), "champion": _("in force"), "retired": _("retired")}
    return words.get(state, state)
