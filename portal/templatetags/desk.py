"""How templates of the desk write when something is due."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()
SOON = timedelta(minutes=90)


@register.filter
def due_class(at: datetime) -> str:
    """Amber within 90 minutes, red when late."""
    left = at - timezone.now()
    return "is-late" if left < timedelta() else "is-soon" if left <= SOON else ""


@register.filter
def due_in(at: datetime) -> str:
    """How long it is until then: in 1 h 12 min, in 3 days, 2 h late."""
    left = at - timezone.now()
    said = _span(abs(left))
    return _("%(time)s late") % {"time": said} if left < timedelta() else _("in %(time)s") % {"time": said}


def _span(left: timedelta) -> str:
    minutes = int(left.total_seconds()) // 60
    if minutes >= 24 * 60:
        days = round(minutes / (24 * 60))
        return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
    hours, rest = divmod(minutes, 60)
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest} if hours else _("%(minutes)s min") % {"minutes": rest}


@register.filter
def due_moment(at: datetime) -> str:
    """The time of today, the day of another one: 18:53, 23 Nov."""
    here = timezone.localtime(at)
    return date_format(here, "H:i" if here.date() == timezone.localdate() else "j M")
