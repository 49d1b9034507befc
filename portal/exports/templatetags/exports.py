"""The way from a list to its export, and how an export is told."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.exports.lists import list_of

register = template.Library()


@register.simple_tag(takes_context=True)
def export_address(context: Mapping[str, Any], name: str) -> str:
    """Where the list, as it is filtered on this page, is taken away."""
    asked = context["request"].GET
    given = {one: text for one in list_of(name).filters if (text := asked.get(one, "").strip())}
    return f"{reverse('exports:export-new')}?{urlencode({'list': name, **given})}"


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
