"""The timeline of a contact: what happened and what was mailed, as sentences, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import models
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Contact, User
from accounts.models.link import Section
from enrollments.models.grant import source_label
from notifications.mail import REASONS
from notifications.models import Message, State
from offers.models import Course, Lesson, Offer
from portal.events import Name
from portal.models import Event

ICONS = {
    "contact": "user",
    "course": "book",
    "import": "upload",
    "lesson": "check",
    "login": "lock",
    "magic_link": "link",
    "offer": "key",
    "password": "lock",
    "portal": "arrow-right",
}
TONES = {Name.OFFER_GRANTED: "good", Name.OFFER_REVOKED: "bad", Name.CONTACT_BLOCKED: "bad"}


@dataclass(frozen=True)
class Entry:
    """One line of a timeline, as components/timeline.html prints it."""

    icon: str
    text: str
    at: datetime
    detail: str = ""
    tone: str = ""
    actor: str = ""
    url: str = ""


def timeline(contact: Contact, *, before: datetime | None = None, limit: int = 50) -> list[Entry]:
    """The last `limit` entries before a moment. A handful of statements, however long the story is."""
    events = Event.objects.filter(contact=contact).order_by("-pk")
    mails = Message.objects.filter(contact=contact).defer("body").order_by("-pk")
    if before is not None:
        events, mails = events.filter(occurred_at__lt=before), mails.filter(created_at__lt=before)
    rows = list(events.select_related("actor")[:limit])
    titles = _titles(rows)
    entries = [_of_event(event, titles) for event in rows]
    entries += [_of_message(message) for message in mails[:limit]]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]


def _titles(events: list[Event]) -> dict[tuple[str, int], str]:
    """What the offers, courses and lessons of these events are called today."""
    found: dict[tuple[str, int], str] = {}
    for word, model in (("offer", Offer), ("course", Course), ("lesson", Lesson)):
        pks = {event.data[word] for event in events if word in event.data}
        if pks:
            rows = model._default_manager.filter(pk__in=pks).values_list("pk", "title")
            found |= {(word, pk): title for pk, title in rows}
    return found


def _of_event(event: Event, titles: dict[tuple[str, int], str]) -> Entry:
    name, data = Name(event.name), event.data
    subject = next(
        (
            titles[word, data[word]]
            for word in ("lesson", "offer", "course")
            if (word, data.get(word)) in titles
        ),
        "",
    )
    details = []
    if name in (Name.OFFER_GRANTED, Name.OFFER_EXTENDED):
        end = parse_date(data["ends_on"]) if data.get("ends_on") else None
        details.append(_("until %s") % date_format(end) if end else _("no end"))
        details.append(_("source: %s") % source_label(data["source"]))
        if not data.get("notify", True):
            details.append(_("without a mail"))
    if data.get("reason"):
        details.append(str(data["reason"]))
    if data.get("fields"):
        details.append(", ".join(_field_label(name) for name in data["fields"]))
    if data.get("section"):
        details.append(_("to: %s") % Section(data["section"]).label)
    details += [f"+ {tag}" for tag in data.get("added", [])] + [
        f"− {tag}" for tag in data.get("removed", [])
    ]
    actor = event.actor if isinstance(event.actor, User) else None
    return Entry(
        icon=ICONS.get(event.name.split(".")[0], "info"),
        text=f"{name.label}: {subject}" if subject else str(name.label),
        at=event.occurred_at,
        detail=" · ".join(details),
        tone=TONES.get(name, ""),
        actor=str(actor) if actor else "",
    )


def _field_label(name: str) -> str:
    """What the form calls a field of a contact."""
    return str(cast("models.Field[Any, Any]", Contact._meta.get_field(name)).verbose_name)


def _of_message(message: Message) -> Entry:
    state = State(message.state)
    subject = message.subject or message.get_kind_display()
    reason = str(REASONS.get(message.reason, "")) or message.last_error
    return Entry(
        icon="mail",
        text=_("Mail %(state)s: %(subject)s")
        % {"state": str(state.label).lower(), "subject": subject},
        at=message.created_at,
        detail=reason,
        tone={State.FAILED: "bad", State.DEAD: "bad", State.SUPPRESSED: "warn"}.get(state, ""),
        url=reverse("notifications:message_detail", args=[message.pk]),
    )
