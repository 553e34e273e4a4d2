"""Tags and filters of the design system: the components that need Python.

Everything else is a file in templates/components. The style guide shows them all.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import get_language, gettext_lazy, ngettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from accounts.models import User

from portal import context
from portal.events import Name
from portal.models import School

register = template.Library()

type Text = str | Promise

NOTHING = "—"
COVERS = 8

# Every word for a state that people meet, with its tone: in one place, so that green always
# means the same.
STATES: dict[str, tuple[str, Text]] = {
    # Access and grants
    "active": ("good", gettext_lazy("Active")),
    "live": ("good", gettext_lazy("Live")),
    "pending": ("warn", gettext_lazy("Pending")),
    "expired": ("muted", gettext_lazy("Expired")),
    "inactive": ("muted", gettext_lazy("Inactive")),
    "suspended": ("warn", gettext_lazy("Suspended")),
    "revoked": ("bad", gettext_lazy("Revoked")),
    "ended": ("muted", gettext_lazy("Ended")),
    "blocked": ("bad", gettext_lazy("Blocked")),
    # Learning
    "completed": ("good", gettext_lazy("Completed")),
    "canceled": ("muted", gettext_lazy("Canceled")),
    "returned": ("muted", gettext_lazy("Returned")),
    # The portal
    "none": ("muted", gettext_lazy("Not in the portal")),
    "invited": ("accent", gettext_lazy("Invited")),
    "joined": ("good", gettext_lazy("Joined")),
    # Offers and courses
    "draft": ("muted", pgettext_lazy("state", "Draft")),
    "published": ("good", gettext_lazy("Published")),
    "archived": ("muted", gettext_lazy("Archived")),
    # Cohorts, besides "running"
    "upcoming": ("warn", gettext_lazy("Upcoming")),
    "over": ("muted", gettext_lazy("Over")),
    # Messages and jobs
    "waiting": ("accent", gettext_lazy("Waiting")),
    "queued": ("accent", gettext_lazy("Queued")),
    "running": ("accent", gettext_lazy("Running")),
    "sent": ("good", gettext_lazy("Sent")),
    "delivered": ("good", gettext_lazy("Delivered")),
    "opened": ("good", gettext_lazy("Opened")),
    "done": ("good", gettext_lazy("Done")),
    "bounced": ("bad", gettext_lazy("Bounced")),
    "failed": ("bad", gettext_lazy("Failed")),
    "dead": ("bad", gettext_lazy("Given up")),
    "suppressed": ("warn", gettext_lazy("Suppressed")),
    # Imports and their rows
    "uploaded": ("warn", gettext_lazy("Has a question")),
    "checking": ("accent", gettext_lazy("Being checked")),
    "checked": ("warn", gettext_lazy("Ready to start")),
    "refused": ("bad", gettext_lazy("Refused")),
    "interrupted": ("bad", gettext_lazy("Interrupted")),
    "undoing": ("accent", gettext_lazy("Being undone")),
    "undone": ("muted", gettext_lazy("Undone")),
    "updated": ("good", gettext_lazy("Updated")),
    "unchanged": ("muted", gettext_lazy("Unchanged")),
    "duplicate": ("warn", gettext_lazy("Duplicate")),
    # Links
    "created": ("accent", gettext_lazy("Not opened yet")),
    "used": ("good", gettext_lazy("Used")),
    "superseded": ("muted", gettext_lazy("Replaced")),
    # Payments
    "paid": ("good", gettext_lazy("Paid")),
    "refunded": ("muted", gettext_lazy("Refunded")),
    "disputed": ("bad", gettext_lazy("Disputed")),
    "past_due": ("warn", gettext_lazy("Past due")),
    # Incidents
    "open": ("warn", pgettext_lazy("state", "Open")),
    "answered": ("accent", gettext_lazy("Answered")),
    "closed": ("muted", pgettext_lazy("state", "Closed")),
}

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


# Boxes


@register.simple_block_tag
def capture(content: SafeString) -> SafeString:
    """{% capture as name %}…{% endcapture %}: keep a rendered text to use it twice."""
    return SafeString(content.strip())


@register.simple_block_tag(end_name="endpanel")
def panel(
    content: SafeString, title: Text, *, tone: str = "plain", anchor: str = "", flush: bool = False
) -> SafeString:
    """{% panel "Title" tone="warn" %}…{% endpanel %}: a titled box around its content.

    `anchor` is its id; `flush` lets a table or a list touch the edges.
    """
    return format_html(
        '<section class="panel panel--{}{}"{}><h2 class="panel__title">{}</h2>{}</section>',
        tone,
        " panel--flush" if flush else "",
        format_html(' id="{}"', anchor) if anchor else "",
        title,
        content,
    )


@register.simple_block_tag(end_name="enddialog")
def dialog(content: SafeString, key: str, title: Text) -> SafeString:
    """{% dialog "id" "Title" %}…{% enddialog %}: a native dialog.

    A button opens it with commandfor="id" command="show-modal".
    """
    return format_html(
        '<dialog class="dialog" id="{key}" aria-labelledby="{key}-title" closedby="any">'
        '<header class="dialog__head"><h2 class="dialog__title" id="{key}-title">{title}</h2>'
        '<button type="button" class="button button--quiet button--small dialog__close"'
        ' commandfor="{key}" command="close">{icon}<span class="visually-hidden">{close}</span>'
        '</button></header><div class="dialog__body">{content}</div></dialog>',
        key=key,
        title=title,
        icon=icon("x"),
        close=_("Close"),
        content=content,
    )


@register.simple_block_tag(end_name="enddropdown")
def dropdown(
    content: SafeString,
    key: str,
    label: Text,
    *,
    symbol: str = "chevron-down",
    quiet: bool = False,
    small: bool = False,
    hide_label: bool = False,
) -> SafeString:
    """{% dropdown "id" "More" %}…{% enddropdown %}: a button that opens a menu.

    Its children are links and forms with one button each.
    """
    return format_html(
        '<div class="dropdown"><button type="button" class="button{quiet}{small}"'
        ' popovertarget="{key}"><span{hidden}>{label}</span>{icon}</button>'
        '<div class="dropdown__panel" id="{key}" popover>{content}</div></div>',
        key=key,
        label=label,
        quiet=" button--quiet" if quiet else "",
        small=" button--small" if small else "",
        hidden=SafeString(' class="visually-hidden"' if hide_label else ""),
        icon=icon(symbol),
        content=content,
    )


@register.inclusion_tag("components/breadcrumb.html")
def breadcrumb(*items: Text) -> dict[str, Any]:
    """{% breadcrumb _("Contacts") contacts_url contact contact_url %}: labels and addresses by turns."""
    return {"items": list(zip(items[::2], items[1::2], strict=True))}


@register.simple_tag
def once(template_name: str) -> SafeString:
    """{% once "components/styles.html" %}: an include that says the same on every page, rendered once a process."""
    return render_to_string(template_name) if settings.DEBUG else _rendered(template_name)


_rendered = cache(render_to_string)


# Small things


@register.simple_tag
@cache  # a page has dozens of them, the sheet of drawings one address
def icon(name: str) -> SafeString:
    """A drawing from static/img/icons.svg. Screen readers skip it: put a text beside it."""
    return format_html(
        '<svg class="icon" width="20" height="20" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def request_id() -> str:
    """The number under which the log knows this request."""
    return context.request_id()


@register.filter
def tone(state: object) -> str:
    """The tone of a badge for a state ("expired" is muted); muted for words nobody knows."""
    return STATES.get(str(state), ("muted", ""))[0]


@register.filter
def state_label(state: object) -> str:
    """What people read for a state ("past_due" is "Past due"); unknown words stay as they are."""
    return str(STATES.get(str(state), ("", str(state)))[1])


@register.filter
def initials(name: object) -> str:
    """At most two letters for an avatar: of the first and of the last word."""
    words = str(name).replace("@", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def cover(title: object) -> int:
    """A number from 1 to 8 that a title keeps forever: it chooses the colors of its cover."""
    return crc32(str(title).encode()) % COVERS + 1


@register.simple_tag
def state(word: object) -> SafeString:
    """The badge of a state: components/state.html for lists, where a template per cell is too slow."""
    return _badge(str(word), get_language())


@lru_cache(maxsize=500)
def _badge(word: str, _language: str | None) -> SafeString:
    return format_html('<span class="badge badge--{}">{}</span>', tone(word), state_label(word))


@register.simple_tag
def avatar(name: object) -> SafeString:
    """Initials in a circle; the name stands beside it."""
    return format_html(
        '<span class="avatar cover--{}" aria-hidden="true">{}</span>', cover(name), initials(name)
    )


# What people write: addresses in it, without what is invisible, and the marks that end a sentence after one.
ADDRESS = re.compile(
    r"https?://[\w\[][^\s<>\"'\u200b-\u200f\u202a-\u202e\u2066-\u2069]*", re.IGNORECASE
)
ENDS = ".,:;!?*_~"


@register.filter
def linked(text: object) -> SafeString:
    """Plain text of somebody's, escaped, with its http and https addresses as links that recommend nothing."""
    words, parts, end = str(text), [], 0
    for found in ADDRESS.finditer(words):
        address = found[0].rstrip(ENDS)
        if "(" not in address:
            address = address.rstrip(ENDS + ")")
        parts += [
            escape(words[end : found.start()]),
            format_html('<a href="{0}" rel="ugc nofollow noopener">{0}</a>', address),
        ]
        end = found.start() + len(address)
    return SafeString("".join([*parts, escape(words[end:])]))


# Times


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


# Numbers


@register.simple_tag
def progress(done: int, total: int, *, label: Text = "", short: bool = False) -> SafeString:
    """How much of `total` is done, as a bar and in words. Nothing to do counts as 0%."""
    percent = min(100, 100 * done // total) if total else 0
    text = f"{percent}%" if short else _done_of(done, total, percent, get_language())
    # Not by format_html(): a shelf may have hundreds of them.
    name = conditional_escape(str(label or _("Progress")))
    return SafeString(
        f'<span class="progress{" progress--done" if percent == 100 else ""}">'
        f'<progress max="{total or 1}" value="{done}" aria-label="{name}"></progress>'
        f'<span class="progress__text">{text}</span></span>'
    )


@lru_cache(maxsize=5000)
def _done_of(done: int, total: int, percent: int, _language: str | None) -> str:
    return _("%(done)s of %(total)s · %(percent)s%%") % {
        "done": number_format(done, force_grouping=True),
        "total": number_format(total, force_grouping=True),
        "percent": percent,
    }


@register.simple_tag
def stars(number: float) -> SafeString:
    """So many of five stars, to the nearest half, drawn and in words."""
    halves = round(number * 2)
    return format_html(
        '<span class="stars stars--{}" role="img" aria-label="{}"></span>',
        halves,
        _("%(stars)s of 5 stars") % {"stars": number_format(halves / 2, 1 if halves % 2 else 0)},
    )


@register.inclusion_tag("components/bar_chart.html")
def bar_chart(points: Sequence[tuple[date, int]], *, title: Text) -> dict[str, Any]:
    """Daily numbers as bars, and the same numbers as a table. Draws on a canvas of 100 by 100."""
    peak = max((number for _day, number in points), default=0)
    step = 100 / (len(points) or 1)
    bars = [
        {
            "day": on,
            "number": number,
            "column": f"{index * step:.3f}",
            "step": f"{step:.3f}",
            "x": f"{index * step + step * 0.14:.3f}",
            "width": f"{step * 0.72:.3f}",
            "y": f"{100 - (100 * number / (peak or 1)):.2f}",
            "height": f"{100 * number / (peak or 1):.2f}",
        }
        for index, (on, number) in enumerate(points)
    ]
    total = sum(number for _day, number in points)
    return {"bars": bars, "peak": peak, "title": title, "total": total}


# People


@register.filter
def may(user: "User", permission: str) -> bool:
    """Whether this person's role includes `permission`: {% if user|may:"manage_access" %}."""
    return user.may(permission)


# Addresses


@register.simple_tag
def address(name: str, *pks: int | str) -> SafeString:
    """{% address "app:name" pk %}: {% url %} for the rows of a list, where looking it up each time is too slow.

    For addresses with nothing but numbers in them.
    """
    return SafeString(_pattern(name, len(pks), get_script_prefix()).format(*pks))


@register.simple_tag
def row_link(
    label: Text, about: object, name: str, *pks: int | str, asks: bool = False, tone: str = ""
) -> SafeString:
    """{% row_link "Revoke…" about "app:name" pk asks=True tone="danger" %}: what may be done to a row of a list.

    `about` is the row's name, for those who cannot see where the link stands; `asks`: what it
    leads to is a question, which opens in a dialog.
    """
    kind = f" button--{tone}" if tone else ""
    # Not by format_html(): a page has a hundred of them.
    link = (
        f'<a class="button button--small button--quiet{kind}" href="{address(name, *pks)}">'
        f"<span>{conditional_escape(str(label))} "
        f'<span class="visually-hidden">{conditional_escape(str(about))}</span></span></a>'
    )
    return SafeString(f"<confirm-dialog>{link}</confirm-dialog>" if asks else link)


@cache
def _pattern(name: str, count: int, _prefix: str) -> str:
    """The address with {} for each number."""
    marks = [1_000_000_000 + number for number in range(count)]
    pattern = reverse(name, args=marks)
    for mark in marks:
        pattern = pattern.replace(str(mark), "{}")
    return pattern


@register.filter
def masked(address: object) -> str:
    """An e-mail address its owner knows again and nobody else can read: "b•••@example.com"."""
    name, _at, host = str(address).rpartition("@")
    return f"{name[:1]}•••@{host}"


@register.filter
def event_label(name: str) -> str:
    """What an event is called on screen."""
    return str(Name(name).label)
