"""What each kind of mail says: looked up when it is sent, so that it is true then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import BigIntegerField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts import codes
from accounts.mfa import KINDS as FACTORS
from accounts.models import Contact, Link, Simulation, User
from accounts.models.link import Purpose, Section
from enrollments.access import open_lessons
from enrollments.expiry import ending
from enrollments.models import Comment, Grant, ImportBatch, RowOutcome
from notifications import credentials
from notifications.models import Kind, Message, State
from offers.models import Lesson, Offer
from offers.models.course import Status as CourseStatus
from portal.events import Name
from portal.models import Event, School

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
    "password_overtaken": _("they logged in or got another password before it could be sent"),
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
    secrets: dict[str, str] = field(default_factory=dict)  # words that the archive does not keep


def _access(message: Message) -> Letter:
    """Credentials for who never had access, "you now have …" with a login button for everybody else."""
    if message.data.get("help"):
        return _help()
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
    if login.is_staff:
        return Letter("access", words)
    is_new = not contact.may_log_in and contact.claim_credentials(by=message.key)
    if is_new and (password := credentials.first(message, login)):
        return _with_password("welcome", login, password, words)
    if is_new:
        links = links_inside(message, login, Purpose.LOGIN, Purpose.SET_PASSWORD)
        words["login_link"], words["password_link"] = links
        return Letter("welcome", words)
    [words["login_link"]] = links_inside(message, login, Purpose.LOGIN)
    return Letter("access", words)


def _help() -> Letter:
    """How people get in by themselves: the login page, and what to press there. No key, no password."""
    return Letter("access_help", {"url": settings.PORTAL_URL + reverse("account_login")})


def _with_password(template: str, login: User, password: str, words: dict[str, Any]) -> Letter:
    """A letter that carries a temporary password, the address it belongs to, and the way to the login page."""
    words |= {"login": login, "login_url": settings.PORTAL_URL + reverse("account_login")}
    return Letter(template, words, secrets={"password": password})


def granted(message: Message) -> list[Grant]:
    """The grants an access mail tells of: those of its cause, person and start that are live now.

    Read from the log, which holds all of them whatever was dispatched when. What staff send once
    more tells of everything that is live.
    """
    if message.data.get("resent"):
        return _live(message.contact_id)
    events = Event.objects.filter(
        contact=message.contact_id, cause=message.cause, name=Name.OFFER_GRANTED, data__notify=True
    )
    start = message.data.get("starts_at")
    events = (
        events.filter(data__starts_at=start) if start else events.exclude(data__has_key="starts_at")
    )
    told = events.values_list(Cast(KT("data__grant"), BigIntegerField()))
    return _live(message.contact_id, pk__in=told)


def _live(contact_id: int | None, **which: Any) -> list[Grant]:
    """The live grants of somebody, as a mail lists them."""
    live = Grant.objects.live().filter(contact=contact_id, **which).select_related("offer")
    return list(live.prefetch_related("offer__courses").order_by("offer__title"))


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


def links_inside(message: Message, user: User, *purposes: Purpose) -> list[Link]:
    """The links a mail carries, one of each purpose: the same ones on every attempt, while they can be used."""
    turn = message.data.get("round", 0)
    keys = {f"{message.key}:{purpose}:{turn}": purpose for purpose in purposes}
    ask = partial(Link.objects.request_inside, user, section=Section.COURSES)
    links = ask(purposes=keys)
    if all(link.is_usable for link in links):
        return links
    # What was used, or ended by somebody, does not go out once more.
    known = zip(keys.items(), links, strict=True)
    return ask(
        purposes={
            key if link.is_usable else f"{key}:{message.attempts}": purpose
            for (key, purpose), link in known
        }
    )


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
        [words["login_link"]] = links_inside(message, login, Purpose.LOGIN)
    return Letter("reminder", words)


def _link(message: Message) -> Letter:
    """The one link somebody asked for."""
    link = Link.objects.usable().select_related("user").filter(pk=message.data["link"]).first()
    if link is None:
        raise NotNow(State.CANCELED, "link_ended")
    if link.purpose == Purpose.INVITATION:
        return Letter("link_invitation", {"link": link, "grants": _live(message.contact_id)})
    if not link.email:
        secrets = {"code": codes.show(link.code)} if link.code else {}
        return Letter(f"link_{link.purpose}", {"link": link}, secrets=secrets)
    # To an address that nobody has confirmed goes no name: it may be a stranger's.
    words = {"link": link, "person": None}
    holder = Contact.objects.filter(email=link.email).first()
    if holder and holder.is_blocked:
        raise NotNow(State.CANCELED, "address_taken")
    is_taken = holder is not None or User.objects.filter(email=link.email).exists()
    return Letter("email_taken" if is_taken else "link_confirm_email", words)


def _link_copied(message: Message) -> Letter:
    """Who of the staff took a login link to them, which lets whoever has it in; told whatever became of it.

    The shell does not know who it was.
    """
    link = Link.objects.select_related("created_by__contact").get(pk=message.data["link"])
    url = settings.PORTAL_URL + reverse("accounts:session_list")
    who = link.created_by or _("The staff")
    return Letter("link_copied", {"link": link, "who": who, "url": url})


def _password_changed(message: Message) -> Letter:
    return Letter("password_changed")


def _temporary_password(message: Message) -> Letter:
    """What staff asked for. They never see it."""
    contact = message.contact
    login = contact.login if contact else None
    password = credentials.temporary(message, login) if login and not login.is_staff else ""
    if login is None or not password:
        raise NotNow(State.CANCELED, "password_overtaken")
    return _with_password("temporary_password", login, password, {})


def _email_changed(message: Message) -> Letter:
    """To the old address, in case it was not they who left it."""
    return Letter("email_changed", {"before": message.address, "after": message.recipient.email})


def _second_factor(message: Message) -> Letter:
    """What became of which; the way to have a look at it."""
    kind = message.data["kind"]
    return Letter(
        "second_factor",
        {
            "what": message.data["what"],
            "kind": str(FACTORS.get(kind, "")),
            "url": settings.PORTAL_URL + reverse("mfa_index"),
        },
    )


def _simulation(message: Message) -> Letter:
    """Who of the staff saw the portal as them, when, and for how long. Not why: that is between staff and the audit."""
    looks = Simulation.objects.select_related("actor__contact", "contact")
    look = looks.get(pk=message.data["simulation"])
    with timezone.override(look.contact.zone):
        began = date_format(timezone.localtime(look.started_at), "DATETIME_FORMAT")
    url = settings.PORTAL_URL + reverse("accounts:session_list")
    return Letter("simulation", {"look": look, "who": look.actor, "began": began, "url": url})


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
        [link] = links_inside(message, login, Purpose.LOGIN)
        words |= {"login_link": link, "url": f"{link.url}?{urlencode({'next': path})}"}
    return Letter("reply", words)


LETTERS: dict[Kind, Callable[[Message], Letter]] = {
    Kind.ACCESS: _access,
    Kind.REMINDER: _reminder,
    Kind.LINK: _link,
    Kind.LINK_COPIED: _link_copied,
    Kind.PASSWORD_CHANGED: _password_changed,
    Kind.TEMPORARY_PASSWORD: _temporary_password,
    Kind.IMPORT_FINISHED: _import_finished,
    Kind.REPLY: _reply,
    Kind.EMAIL_CHANGED: _email_changed,
    Kind.SECOND_FACTOR: _second_factor,
    Kind.ERASURE_ASKED: _erasure_asked,
    Kind.SIMULATION: _simulation,
}
# What is about a student, and read by the school.
TO_SCHOOL = {Kind.ERASURE_ASKED}
# What is about a login: staff have theirs whatever becomes of them as a contact.
OF_LOGIN = {Kind.LINK, Kind.PASSWORD_CHANGED, Kind.EMAIL_CHANGED, Kind.SECOND_FACTOR}
