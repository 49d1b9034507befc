"""How templates write states and times left of applications."""

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.approvals.models import Application
from portal.approvals.web import queue_words as words
from portal.approvals.web.words import STATE_MARK, STATE_WORDS

register = template.Library()
register.filter("because_words", words.because_words)
register.filter("proposal_words", words.proposal_words)


@register.filter
def application_state(state: str) -> str:
    """Where an application stands."""
    return str(STATE_WORDS[state])


@register.filter
def application_mark(state: str) -> str:
    """The class of the dot before it."""
    return STATE_MARK[state]


@register.simple_tag
def due(application: Application) -> SafeString | str:
    """The time left, as a clock that the page's script keeps going; nothing where nothing is due."""
    if application.due_at is None or not application.is_waiting:
        return ""
    text, kind = words.time_left(application.due_at, timezone.now())
    return format_html('<time class="v-due {}" data-due datetime="{}">{}</time>', kind, application.due_at.isoformat(), text)
