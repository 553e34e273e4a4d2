"""The words for states that people meet, each with its tone: in one place, so that green always means the same."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy

from portal.events import Name
from portal.ui import Text

register = template.Library()

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


@register.filter
def tone(state: object) -> str:
    """The tone of a badge for a state ("expired" is muted); muted for words nobody knows."""
    return STATES.get(str(state), ("muted", ""))[0]


@register.filter
def state_label(state: object) -> str:
    """What people read for a state ("past_due" is "Past due"); unknown words stay as they are."""
    return str(STATES.get(str(state), ("", str(state)))[1])


@register.simple_tag
def state(word: object) -> SafeString:
    """The badge of a state: components/state.html for lists, where a template per cell is too slow."""
    return _badge(str(word), get_language())


@lru_cache(maxsize=500)
def _badge(word: str, _language: str | None) -> SafeString:
    return format_html('<span class="badge badge--{}">{}</span>', tone(word), state_label(word))


@register.filter
def event_label(name: str) -> str:
    """What an event is called on screen."""
    return str(Name(name).label)
