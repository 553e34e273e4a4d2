"""The timeline of a contact: what happened and what was mailed, as sentences, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from notifications.letters import REASONS
from notifications.models import Message, State
from portal.events import Name
from portal.models import Event
from portal.sentences import Sentence, sentences


@dataclass(frozen=True)
class Entry:
    """One line of a timeline, as components/timeline.html prints it; `row` is what it tells of."""

    icon: str
    text: str
    at: datetime
    row: tuple[str, int]  # "event" or "mail", and its pk
    detail: str = ""
    tone: str = ""
    actor: str = ""
    url: str = ""


# What a timeline may be narrowed to, by the nouns of its events.
KINDS: dict[str, tuple[str | Promise, set[str]]] = {
    "access": (gettext_lazy("Access"), {"offer", "enrollment", "group"}),
    "mails": (gettext_lazy("Mails"), {"message"}),
    "learning": (gettext_lazy("Learning"), {"course", "lesson", "quiz", "comment"}),
    "account": (
        gettext_lazy("Account"),
        {"contact", "portal", "magic_link", "password", "role", "simulation", "import", "export"}
        | {"login", "note", "session", "second_factor"},
    ),
}


# Of a simulation the timeline tells that it was; what was seen in it is for the audit.
UNTOLD = (Name.SIMULATION_VIEWED, Name.SIMULATION_LOADED, Name.SIMULATION_REFUSED)


def timeline(
    contact: Contact, *, kind: str = "", before: Mapping[str, int], limit: int = 50
) -> list[Entry]:
    """The last `limit` entries, all or of one of KINDS, after those that were told.

    `before` holds the last event and the last mail that were: the `row` of an entry. A moment would not do:
    what happens in one transaction has the same. A handful of statements, however long the story is.
    """
    events = Event.objects.filter(contact=contact).exclude(name__in=UNTOLD).order_by("-pk")
    mails = Message.objects.filter(contact=contact).defer("body").order_by("-pk")
    if "event" in before:
        events = events.filter(pk__lt=before["event"])
    if "mail" in before:
        mails = mails.filter(pk__lt=before["mail"])
    if kind:
        _label, nouns = KINDS[kind]
        events = events.filter(name__in=[name for name in Name if name.split(".")[0] in nouns])
        mails = mails if kind == "mails" else mails.none()
    rows = list(events.select_related("actor__contact")[:limit])
    happened = [_of_event(*told) for told in zip(rows, sentences(rows), strict=True)]
    mailed = [_of_message(message) for message in mails[:limit]]
    # Merged, not sorted: each of the two stays in the order it is paged by.
    return list(islice(merge(happened, mailed, key=lambda entry: entry.at, reverse=True), limit))


def _of_event(event: Event, said: Sentence) -> Entry:
    return Entry(
        icon=said.icon,
        text=said.text,
        at=event.occurred_at,
        row=("event", event.pk),
        detail=said.detail,
        tone=said.tone,
        actor=str(event.actor) if event.actor else "",
        url=said.url,
    )


def _of_message(message: Message) -> Entry:
    state = State(message.state)
    subject = message.subject or message.get_kind_display()
    reason = str(REASONS.get(message.reason, "")) or message.last_error
    return Entry(
        icon="mail",
        text=_("Mail %(state)s: %(subject)s")
        % {"state": str(state.label).lower(), "subject": subject},
        at=message.created_at,
        row=("mail", message.pk),
        detail=reason,
        tone={State.FAILED: "bad", State.DEAD: "bad", State.SUPPRESSED: "warn"}.get(state, ""),
        url=reverse("notifications:message_detail", args=[message.pk]),
    )
