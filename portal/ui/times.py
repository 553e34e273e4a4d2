"""Days and moments: how far away in the text, exactly in the title."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import get_language, ngettext_lazy
from django.utils.translation import gettext as _

from portal.models import School
from portal.ui import NOTHING, Text

register = template.Library()

# Seconds in a unit, and how to speak of that many of them.
PAST = (
    (365 * 86400, ngettext_lazy("%(count)d year ago", "%(count)d years ago", "count")),
    (30 * 86400, ngettext_lazy("%(count)d month ago", "%(count)d months ago", "count")),
    (86400, ngettext_lazy("%(count)d day ago", "%(count)d days ago", "count")),
    (3600, ngettext_lazy("%(count)d hour ago", "%(count)d hours ago", "count")),
    (60, ngettext_lazy("%(count)d minute ago", "%(count)d minutes ago", "count")),
)
FUTURE = (
    (365 * 86400, ngettext_lazy("in %(count)d year", "in %(count)d years", "count")),
    (30 * 86400, ngettext_lazy("in %(count)d month", "in %(count)d months", "count")),
    (86400, ngettext_lazy("in %(count)d day", "in %(count)d days", "count")),
    (3600, ngettext_lazy("in %(count)d hour", "in %(count)d hours", "count")),
    (60, ngettext_lazy("in %(count)d minute", "in %(count)d minutes", "count")),
)


@register.filter
def ago(value: datetime | None) -> str:
    """How far `value` is from now, in words: "3 hours ago", "in 2 days", "just now"."""
    if value is None:
        return NOTHING
    seconds = int((value - now()).total_seconds())
    for length, words in PAST if seconds < 0 else FUTURE:
        if count := abs(seconds) // length:
            return str(words % {"count": count})
    return _("just now")


@register.simple_tag
def when(value: datetime | None, *, empty: Text = NOTHING) -> SafeString:
    """A moment: relative in the text, exact in the title, in the active time zone."""
    if value is None:
        return format_html('<span class="muted">{}</span>', empty)
    local = localtime(value)
    return format_html(
        '<relative-time><time datetime="{}" title="{} {}">{}</time></relative-time>',
        local.isoformat(timespec="seconds"),
        date_format(local, "DATETIME_FORMAT"),
        local.tzname() or "",
        ago(value),
    )


@register.simple_tag
def day(value: date | None, *, empty: Text = NOTHING) -> SafeString:
    """A date; its title holds the weekday and how far away it is. Takes a datetime too: see school_day."""
    if value is None:
        return format_html('<span class="muted">{}</span>', empty)
    return _day(school_day(value), School.current().today(), get_language())


@register.filter
def school_day(value: date | datetime) -> date:
    """The day a moment lies on in the school's zone, whatever clock its reader lives by."""
    return localdate(value, School.current().zone) if isinstance(value, datetime) else value


@lru_cache(maxsize=5000)
def _day(value: date, today: date, _language: str | None) -> SafeString:
    """A page says the same few days again and again."""
    return format_html(
        '<time datetime="{}" title="{}, {}">{}</time>',
        value.isoformat(),
        date_format(value, "l"),
        _days_away(value - today),
        date_format(value, "DATE_FORMAT"),
    )


def _days_away(distance: timedelta) -> str:
    if not distance:
        return _("today")
    words = PAST if distance.days < 0 else FUTURE
    count = abs(distance.days)
    return str(words[2][1] % {"count": count})
