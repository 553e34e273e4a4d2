"""Every e-mail leaves here: queue_mail() writes the row, deliver() composes and sends it."""

from __future__ import annotations

import logging
import re
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from email.utils import formataddr
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, Link, User
from accounts.models.link import Purpose, Section
from enrollments.access import open_lessons
from enrollments.expiry import ending
from enrollments.models import Comment, Grant, ImportBatch, RowOutcome
from notifications.models import Kind, Message, State
from offers.models import Lesson, Offer
from offers.models.course import Status as CourseStatus
from portal import context
from portal.events import Name
from portal.logs import scrub
from portal.models import Event, School
from portal.waiting import MAX_ATTEMPTS

logger = logging.getLogger(__name__)

REASONS = {
    "offer_inactive": _("the offer is not active"),
    "course_unpublished": _("course unpublished"),
    "grant_ended": _("the access ended before it could be sent"),
    "blocked": _("the contact is blocked"),
    "end_moved": _("the end date moved, or the access was taken or paused first"),
    "link_ended": _("the link was replaced or used before it could be sent"),
    "refused": _("the mail server refused the address"),
    "comment_gone": _("the comment or the answer was hidden or taken back first"),
    "lesson_closed": _("the lesson is not open to them any more"),
    "not_wanted": _("they do not want to be told of answers any more"),
    "not_reminded": _("they do not want to be reminded"),
    "address_taken": _("the address belongs to somebody who is blocked"),
    "erasure_withdrawn": _("they changed their mind before it could be sent"),
}


class NotNow(Exception):
    """This message must not go out: `state` and one of REASONS say what becomes of it."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


@dataclass
class Letter:
    """What is about to be sent."""

    template: str
    words: dict[str, Any] = field(default_factory=dict)


def queue_mail(messages: Iterable[Message]) -> None:
    """Write the rows; those whose key is known are owed already and stay as they are.

    Workers hear of the due ones after the commit.
    """
    rows = list(messages)
    Message.objects.bulk_create(rows, ignore_conflicts=True)
    keys = [row.key for row in rows if row.state == State.WAITING]
    if keys:
        transaction.on_commit(Message.objects.filter(key__in=keys).hand_over, robust=True)


def deliver(pk: int) -> None:
    """Claim, commit, send, mark. A second caller finds nothing to do.

    No transaction is open while the mail server is spoken to. Killed between sending and
    marking, the next attempt sends the same mail again: same links, same Message-ID.
    """
    message = Message.objects.claim(pk)
    if message is None:
        return
    with context.acting(cause=message.cause, depth=1):
        try:
            _send(message)
        except NotNow as answer:
            message.end(answer.state, reason=answer.reason)
        except (
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPDataError,
            AnymailRecipientsRefused,
        ) as error:
            _refused(message, error)
        except (OSError, smtplib.SMTPException, AnymailError) as error:
            logger.warning("%s was not sent: %s", message, error)
            message.fail(f"{type(error).__name__}: {error}")
        except Exception as error:
            # Whatever it is, the row must say so and come again; the worker goes on with the next.
            logger.exception("%s was not sent", message)
            message.fail(f"{type(error).__name__}: {error}")


def _send(message: Message) -> None:
    if message.attempts > MAX_ATTEMPTS:  # its senders were killed each time
        message.end(State.DEAD, error=message.last_error)
        return
    mail = compose(message)
    mail.send()
    message.mark_sent(address=mail.to[0], subject=str(mail.subject), body=scrub(str(mail.body)))


def _refused(message: Message, error: Exception) -> None:
    """A 5xx is final; a 4xx asks us to come again."""
    codes = [550]
    if isinstance(error, smtplib.SMTPDataError):
        codes = [error.smtp_code]
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _text in error.recipients.values()]
    if min(codes) >= 500:
        message.end(State.FAILED, reason="refused", error=str(error))
    else:
        message.fail(str(error))


def compose(message: Message) -> EmailMultiAlternatives:
    """The mail as it goes out now, in the reader's language. Raises NotNow if it must not."""
    school, person = School.current(), message.recipient
    if message.contact and message.contact.is_blocked:
        raise NotNow(State.CANCELED, "blocked")
    language = (message.kind not in TO_SCHOOL and person.language) or school.language
    with translation.override(language), timezone.override(school.zone):
        letter = LETTERS[Kind(message.kind)](message)
        words = {
            "school": school,
            "person": person,
            "portal_url": settings.PORTAL_URL,
            **letter.words,
        }
        subject, text, html = (
            render_to_string(f"emails/{letter.template}/{part}", words)
            for part in ("subject.txt", "body.txt", "body.html")
        )
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=re.sub(r"\n{3,}", "\n\n", text).strip() + "\n",
        from_email=formataddr((school.name, settings.DEFAULT_FROM_EMAIL)),
        to=[message.address or person.email],
        headers={"Message-ID": f"<{message.header_id}@{urlsplit(settings.PORTAL_URL).hostname}>"},
        reply_to=[school.support_email] if school.support_email else None,
    )
    mail.attach_alternative(html, "text/html")
    return mail


# What each kind of message says. Looked up when it is sent, so that it is true then.


def _access(message: Message) -> Letter:
    """Credentials for who never had access, "you now have …" with a login button for everybody else."""
    contact = message.contact
    if contact is None or (login := contact.login) is None:
        raise NotNow(State.CANCELED, "grant_ended")
    grants = granted(message)
    if not grants:
        raise NotNow(State.CANCELED, "grant_ended")
    offers = [grant.offer for grant in grants]
    if not message.data.get("by_hand") and (reason := held_back(offers)):
        raise NotNow(State.SUPPRESSED, reason)
    words: dict[str, Any] = {"grants": grants}
    if not login.is_staff:
        words["login_link"] = link_inside(message, login, Purpose.LOGIN, Section.COURSES)
    if not (contact.may_log_in or login.is_staff) and contact.claim_credentials(by=message.key):
        words["password_link"] = link_inside(message, login, Purpose.SET_PASSWORD, Section.COURSES)
        return Letter("welcome", words)
    return Letter("access", words)


def granted(message: Message) -> list[Grant]:
    """The grants an access mail tells of: those of its cause, person and start that are live now.

    Read from the log, which holds all of them whatever was dispatched when.
    """
    events = Event.objects.filter(
        contact=message.contact_id, cause=message.cause, name=Name.OFFER_GRANTED, data__notify=True
    )
    start = message.data.get("starts_at")
    events = (
        events.filter(data__starts_at=start) if start else events.exclude(data__has_key="starts_at")
    )
    return list(
        Grant.objects.live()
        .filter(pk__in=[event.data["grant"] for event in events])
        .select_related("offer")
        .prefetch_related("offer__courses")
        .order_by("offer__title")
    )


def held_back(offers: Iterable[Offer]) -> str:
    """Why nobody is told of these offers yet: one of REASONS, "" if they may be told.

    Some offer must be active, and hold a published course if it holds any at all.
    """
    active = [offer for offer in offers if offer.is_active]
    if not active:
        return "offer_inactive"
    for offer in active:
        courses = list(offer.courses.all())
        if not courses or any(course.status == CourseStatus.PUBLISHED for course in courses):
            return ""
    return "course_unpublished"


def link_inside(message: Message, user: User, purpose: Purpose, section: Section) -> Link:
    """The link a mail carries: the same one on every attempt, while it can be used."""
    key = f"{message.key}:{purpose}:{message.data.get('round', 0)}"
    ask = partial(
        Link.objects.request, user=user, purpose=purpose, section=section, delivery="inside"
    )
    link = ask(key=key)
    return link if link.is_usable else ask(key=f"{key}:{message.attempts}")


def _reminder(message: Message) -> Letter:
    """What ends on the day the mail was queued for, as far as it still does."""
    contact = message.contact
    if contact is None or (login := contact.login) is None:
        raise NotNow(State.CANCELED, "end_moved")
    if not contact.wants_reminders:
        raise NotNow(State.CANCELED, "not_reminded")
    last_day = date.fromisoformat(message.data["ends_on"])
    grants = ending().filter(pk__in=message.data["grants"], ends_on=last_day)
    offers = {grant.offer: grant for grant in grants.select_related("offer")}
    if not offers:
        raise NotNow(State.CANCELED, "end_moved")
    words: dict[str, Any] = {
        "grants": sorted(offers.values(), key=lambda grant: grant.offer.title),
        "last_day": last_day,
        "days_left": (last_day - School.current().today()).days,
    }
    if not login.is_staff:
        words["login_link"] = link_inside(message, login, Purpose.LOGIN, Section.COURSES)
    return Letter("reminder", words)


def _link(message: Message) -> Letter:
    """The one link somebody asked for."""
    link = Link.objects.usable().select_related("user").filter(pk=message.data["link"]).first()
    if link is None:
        raise NotNow(State.CANCELED, "link_ended")
    if not link.email:
        return Letter(f"link_{link.purpose}", {"link": link})
    # To an address that nobody has confirmed goes no name: it may be a stranger's.
    words = {"link": link, "person": None}
    holder = Contact.objects.filter(email=link.email).first()
    if holder and holder.is_blocked:
        raise NotNow(State.CANCELED, "address_taken")
    is_taken = holder is not None or User.objects.filter(email=link.email).exists()
    return Letter("email_taken" if is_taken else "link_confirm_email", words)


def _password_changed(message: Message) -> Letter:
    return Letter("password_changed")


def _email_changed(message: Message) -> Letter:
    """To the old address, in case it was not they who left it."""
    return Letter("email_changed", {"before": message.address, "after": message.recipient.email})


def _erasure_asked(message: Message) -> Letter:
    """To the school: who wants to be erased, and the way to their page."""
    contact = message.contact
    if contact is None or contact.erasure_asked_at is None:
        raise NotNow(State.CANCELED, "erasure_withdrawn")
    url = settings.PORTAL_URL + reverse("portal:contact_detail", args=[contact.pk])
    return Letter("erasure_asked", {"contact": contact, "url": url, "person": None})


def _import_finished(message: Message) -> Letter:
    """How an import went, in numbers, and the way to its page."""
    batch = ImportBatch.objects.get(pk=message.data["batch"])
    counts = [
        (label, batch.counts[outcome])
        for outcome, label in RowOutcome.choices
        if batch.counts.get(outcome)
    ]
    url = settings.PORTAL_URL + reverse("enrollments:import_detail", args=[batch.pk])
    failed = batch.counts.get(RowOutcome.FAILED, 0)
    return Letter(
        "import_finished", {"batch": batch, "counts": counts, "failed": failed, "url": url}
    )


def _reply(message: Message) -> Letter:
    """Who answered what they wrote, in which words, and the way there."""
    contact = message.contact
    answers = Comment.objects.visible().signed().select_related("parent", "lesson__module__course")
    comment = answers.filter(pk=message.data["comment"]).first()
    if comment is None or comment.parent is None or not comment.parent.is_visible:
        raise NotNow(State.CANCELED, "comment_gone")
    if contact is None or (login := contact.login) is None or not contact.wants_replies:
        raise NotNow(State.CANCELED, "not_wanted")
    lesson = comment.lesson
    if not open_lessons(contact, among=Lesson.objects.filter(pk=lesson.pk)).exists():
        raise NotNow(State.CANCELED, "lesson_closed")
    path = reverse("enrollments:comment_list", args=[lesson.module.course.slug, lesson.pk])
    path += f"?thread={comment.parent_id}#comment-{comment.pk}"
    words: dict[str, Any] = {
        "comment": comment,
        "lesson": lesson,
        "url": settings.PORTAL_URL + path,
    }
    if not login.is_staff:
        link = link_inside(message, login, Purpose.LOGIN, Section.COURSES)
        words |= {"login_link": link, "url": f"{link.url}?{urlencode({'next': path})}"}
    return Letter("reply", words)


LETTERS: dict[Kind, Callable[[Message], Letter]] = {
    Kind.ACCESS: _access,
    Kind.REMINDER: _reminder,
    Kind.LINK: _link,
    Kind.PASSWORD_CHANGED: _password_changed,
    Kind.IMPORT_FINISHED: _import_finished,
    Kind.REPLY: _reply,
    Kind.EMAIL_CHANGED: _email_changed,
    Kind.ERASURE_ASKED: _erasure_asked,
}
# What is about a student, and read by the school.
TO_SCHOOL = {Kind.ERASURE_ASKED}
