"""The way from a list to its export, and how an export is told."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.exports.lists import list_of

register = template.Library()


@register.inclusion_tag("exports/_link.html", takes_context=True)
def export_link(context: Mapping[str, Any], name: str, **about: Any) -> dict[str, Any]:
    """The way to take the list away, as it is filtered on this page and about what the page is about."""
    one, asked = list_of(name), context["request"].GET
    given = {**{each: asked.get(each, "").strip() for each in one.filters}, **{each: str(text) for each, text in about.items()}}
    query = urlencode({"list": name, **{each: text for each, text in given.items() if text}})
    return {"address": f"{reverse('exports:export-new')}?{query}", "title": one.title}


@register.filter
def export_state(state: str) -> str:
    """Where an export stands, in words."""
    words = {"queued": _("Waiting"), "running": _("Being written"), "done": _("Done"), "failed": _("Failed"), "gone": _("Kept no longer")}
    return words[state]


@register.filter
def export_mark(state: str) -> str:
    """The class of the dot before it."""
    return {"done": "is-good", "failed": "is-bad"}.get(state, "")


@register.filter
def every_words(every: str) -> str:
    """How often."""
    return {"day": _("Every morning"), "week": _("Every Monday"), "month": _("On the first of each month")}[every]
