"""What follows what. Read this table to learn everything an event sets off.

A reaction turns events into rows that wait (messages, jobs), each with its unique key, in the
transaction that dispatches the events. It sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils.timezone import now

from accounts.models import Contact, User
from accounts.models.link import Purpose
from enrollments.models import Comment
from notifications.letters import held_back
from notifications.mail import queue_mail
from notifications.models import Kind, Message, State
from offers.models import Offer
from portal import context, jobs
from portal.events import Name, occurred
from portal.models import Event, School, SimulationNotice


def queue_access_mail(events: list[Event]) -> None:
    """One mail per person and cause tells of what was granted; a grant that starts later tells when it starts."""
    told = [event for event in events if event.data.get("notify")]
    if not told or not School.current().mails_access:
        return
    offers = Offer.objects.prefetch_related("courses").in_bulk(
        {event.data["offer"] for event in told}
    )
    by_key: dict[str, list[Event]] = {}
    for event in told:
        start = event.data.get("starts_at", "")
        by_key.setdefault(
            f"granted:{event.cause}:{event.contact_id}:{start}".rstrip(":"), []
        ).append(event)
    messages = []
    for key, group in by_key.items():
        first, start = group[0], group[0].data.get("starts_at")
        reason = held_back(offers[event.data["offer"]] for event in group)
        messages.append(
            Message(
                key=key,
                kind=Kind.ACCESS,
                contact_id=first.contact_id,
                cause=first.cause,
                data={"starts_at": start} if start else {},
                next_attempt_at=datetime.fromisoformat(start) if start else now(),
                # What starts later is judged when it starts.
                state=State.SUPPRESSED if reason and not start else State.WAITING,
                reason="" if start else reason,
            )
        )
    queue_mail(messages)
    invited: dict[str, list[int]] = {}
    for row in messages:
        if row.state == State.WAITING and not row.data and row.contact_id:
            invited.setdefault(row.cause, []).append(row.contact_id)
    for cause, contact_ids in invited.items():
        with context.acting(cause=cause, depth=events[0].depth + 1):
            Contact.objects.invite(contact_ids)


def _mail(event: Event, kind: Kind, key: object, **fields: Any) -> Message:
    """A message to whom the event is about: a contact, or a member of staff who is none. Owed once for each `key`."""
    return Message(
        key=f"{kind.value}:{key}",
        kind=kind,
        contact_id=event.contact_id,
        user_id=None if event.contact_id else event.data["user"],
        cause=event.cause,
        **fields,
    )


def queue_link_mail(events: list[Event]) -> None:
    """A link somebody asked for goes out at once; one that was copied, or lies inside another mail, does not."""
    queue_mail(
        _mail(
            event,
            Kind.LINK,
            event.data["link"],
            data={"link": event.data["link"]},
            address=event.data.get("email", ""),
            priority=_priority(event),
        )
        for event in events
        if event.data["delivery"] == "mail"
    )


def queue_copy_notice(events: list[Event]) -> None:
    """Whoever a login link was made for, to be taken along by staff or from the shell, is told who made it."""
    queue_mail(
        _mail(
            event,
            Kind.LINK_COPIED,
            event.data["link"],
            data={"link": event.data["link"]},
            priority=0,
        )
        for event in events
        if event.data["delivery"] == "copy"
        and event.data["purpose"] == Purpose.LOGIN
        and event.contact_id
        and (event.actor_id or event.cause.startswith("command:"))
    )


def queue_access_again(events: list[Event]) -> None:
    """Staff send somebody the access mail once more."""
    queue_mail(_once_more(event, "resent") for event in events)


def queue_access_help(events: list[Event]) -> None:
    """Staff have somebody told how they get in by themselves."""
    queue_mail(_once_more(event, "help") for event in events)


def _once_more(event: Event, what: str) -> Message:
    """An access mail that staff asked for; a page that was sent twice asks for one."""
    return Message(
        key=f"{what}:{event.data['key']}:{event.contact_id}",
        kind=Kind.ACCESS,
        contact_id=event.contact_id,
        cause=event.cause,
        data={what: True},
        priority=_priority(event),
    )


def _priority(event: Event) -> int:
    """What many get at once holds up nobody who waits at the door."""
    return 5 if event.cause.startswith("bulk:") else 0


def queue_password_notice(events: list[Event]) -> None:
    """Whoever had a password is told that it changed, in case it was not they who changed it.

    A temporary one comes in a mail that says so itself.
    """
    queue_mail(
        _mail(event, Kind.PASSWORD_CHANGED, event.pk, priority=0)
        for event in events
        if not (event.data["first"] or event.data.get("temporary"))
    )


def queue_temporary_password(events: list[Event]) -> None:
    """Staff want somebody to have a temporary password: it is made and told by the mail itself."""
    queue_mail(
        _mail(
            event,
            Kind.TEMPORARY_PASSWORD,
            event.pk,
            data={"epoch": event.data["epoch"]},
            priority=_priority(event),
        )
        for event in events
    )


def queue_address_notice(events: list[Event]) -> None:
    """Whoever has a login is told at the old address that there is a new one, whoever changed it."""
    moved = [event.contact_id for event in events]
    with_login = set(User.objects.filter(contact__in=moved).values_list("contact", flat=True))
    queue_mail(
        _mail(event, Kind.EMAIL_CHANGED, event.pk, address=event.data["before"], priority=0)
        for event in events
        if event.contact_id in with_login
    )


def queue_second_factor_notice(events: list[Event]) -> None:
    """Whoever's second factor changed is told, in case it was not they who changed it."""
    queue_mail(
        _mail(
            event,
            Kind.SECOND_FACTOR,
            event.pk,
            data={"what": event.data["what"], "kind": event.data.get("kind", "")},
            priority=0,
        )
        for event in events
    )


def queue_erasure_mail(events: list[Event]) -> None:
    """The school's own address hears of who wants to be erased: once a day of each, whatever they press."""
    school = School.current()
    if not school.support_email:
        return
    queue_mail(
        _mail(
            event,
            Kind.ERASURE_ASKED,
            f"{event.contact_id}:{school.today().isoformat()}",
            address=school.support_email,
        )
        for event in events
    )


def queue_simulation_notice(events: list[Event]) -> None:
    """The student is told that staff looked, once: when it starts, a day later, or else when it ends."""
    notice = School.current().simulation_notice
    queue_mail(
        _mail(
            event,
            Kind.SIMULATION,
            event.data["simulation"],
            data={"simulation": event.data["simulation"]},
            next_attempt_at=event.occurred_at
            + timedelta(days=1 if notice == SimulationNotice.DAY_AFTER else 0),
        )
        for event in events
        if notice != SimulationNotice.END or event.name == Name.SIMULATION_ENDED
    )


def enroll_holders(events: list[Event]) -> None:
    """Who holds the offer already gets a record in the course that joined it."""
    for event in events:
        jobs.queue(
            "enroll_holders",
            key=f"enroll_holders:{event.pk}",
            offer=event.data["offer"],
            course=event.data["course"],
            joined_at=event.occurred_at.isoformat(),
        )


def move_ends(events: list[Event]) -> None:
    """Days end at another moment once the school moves to another time zone."""
    for event in events:
        if "time_zone" in event.data["fields"]:
            jobs.queue("move_ends", key=f"move_ends:{event.pk}")


def queue_import_mail(events: list[Event]) -> None:
    """Whoever started an import in the browser hears how it went. The shell told its own reader."""
    queue_mail(
        Message(
            key=f"import_finished:{event.data['batch']}",
            kind=Kind.IMPORT_FINISHED,
            user_id=event.actor_id,
            cause=event.cause,
            data={"batch": event.data["batch"]},
        )
        for event in events
        if event.actor_id
    )


def queue_reply_notice(events: list[Event]) -> None:
    """Who wrote a comment is told of an answer to it, unless it is their own or they do not want to hear of it.

    Students only: staff have a page of all comments.
    """
    answered = Comment.objects.filter(
        pk__in=[event.data["comment"] for event in events if event.data["parent"]],
        parent__contact__wants_replies=True,
    ).exclude(author=F("parent__author"))
    told = dict(answered.values_list("pk", "parent__contact"))
    queue_mail(
        Message(
            key=f"reply:{event.data['comment']}",
            kind=Kind.REPLY,
            contact_id=told[event.data["comment"]],
            cause=event.cause,
            data={"comment": event.data["comment"]},
            priority=8,
        )
        for event in events
        if event.data["comment"] in told
    )


REACTIONS: dict[Name, list[Callable[[list[Event]], None]]] = {
    Name.OFFER_GRANTED: [queue_access_mail],
    Name.OFFER_COURSE_ADDED: [enroll_holders],
    Name.PORTAL_ACCESS_RESENT: [queue_access_again],
    Name.PORTAL_HELP_SENT: [queue_access_help],
    Name.MAGIC_LINK_CREATED: [queue_link_mail, queue_copy_notice],
    Name.PASSWORD_REQUESTED: [queue_temporary_password],
    Name.PASSWORD_CHANGED: [queue_password_notice],
    Name.CONTACT_EMAIL_CHANGED: [queue_address_notice],
    Name.SECOND_FACTOR_CHANGED: [queue_second_factor_notice],
    Name.CONTACT_ERASURE_ASKED: [queue_erasure_mail],
    Name.SIMULATION_STARTED: [queue_simulation_notice],
    Name.SIMULATION_ENDED: [queue_simulation_notice],
    Name.SETTINGS_CHANGED: [move_ends],
    Name.IMPORT_FINISHED: [queue_import_mail],
    Name.COMMENT_CREATED: [queue_reply_notice],
}


def follow(sender: Name, events: list[Event], **_kwargs: Any) -> None:
    """Carry out the table for the events of one name."""
    for reaction in REACTIONS[sender]:
        reaction(events)


def connect() -> None:
    """Listen to every name in the table. Connecting twice is harmless."""
    for name in REACTIONS:
        occurred.connect(follow, sender=name, dispatch_uid=f"reactions:{name}")
