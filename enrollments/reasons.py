"""Why a contact may, or may not, open a course: every reason is a small function in one registry.

Work that adds conditions of its own (rules of a course, groups, payments, mails) registers its
reasons here, at the latest in the `ready()` of its app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, Literal, NamedTuple

from django.db import connection
from django.utils.formats import date_format
from django.utils.timezone import localtime, now

from accounts.models import Contact
from enrollments.locks import OUTLOOKS, TODAY, Outlook
from enrollments.models import Grant
from offers.models import Course


class Bearing(Enum):
    """What a reason does to the answer."""

    OPENS = "opens"  # one is enough
    LACKS = "lacks"  # would open the course if it were mended
    CLOSES = "closes"  # whatever opens it
    INFORMS = "informs"  # opens and closes nothing, yet may be why somebody sees nothing


@dataclass(frozen=True)
class Button:
    """The way to what mends it: a page to go to, or a form to send."""

    label: str
    url: str
    permission: str  # who is not allowed to press it does not see it
    method: Literal["get", "post"] = "get"
    fields: Mapping[str, str] = field(default_factory=dict)  # what the form sends


@dataclass(frozen=True)
class Reason:
    """One thing that bears on whether a course opens: a code for programs, sentences for people."""

    code: str
    text: str
    bearing: Bearing
    mend: str = ""  # what to do about it; "" where there is nothing to mend
    button: Button | None = None

    @property
    def informs(self) -> bool:
        return self.bearing is Bearing.INFORMS


@dataclass(frozen=True)
class Verdict:
    """May this person open this course, and why (not)?"""

    found: list[Reason]

    @property
    def allowed(self) -> bool:
        """Whether something opens the course and nothing closes it."""
        bearings = {reason.bearing for reason in self.found}
        return Bearing.OPENS in bearings and Bearing.CLOSES not in bearings

    @property
    def deciding(self) -> list[Reason]:
        """The reasons the answer follows from. For a no: all that must be mended."""
        bearings = {reason.bearing for reason in self.found}
        if self.allowed:
            wanted = {Bearing.OPENS}
        elif Bearing.OPENS in bearings:
            wanted = {Bearing.CLOSES}
        else:
            wanted = {Bearing.CLOSES, Bearing.LACKS}
        return [reason for reason in self.found if reason.bearing in wanted]

    @property
    def others(self) -> list[Reason]:
        """What else there is to know."""
        deciding = self.deciding
        return [reason for reason in self.found if reason not in deciding]

    @property
    def reasons(self) -> list[Reason]:
        """All of them, the deciding ones first."""
        return [*self.deciding, *self.others]


class Situation(NamedTuple):
    """How the contact stands to the course and its lessons, apart from grants."""

    enrollment: int | None
    switched_off_at: datetime | None
    unlocked_at: datetime | None
    cohort: str | None
    cohort_starts_on: date | None
    is_cohort_to_come: bool | None
    is_offered: bool  # whether an offer that can be granted holds the course
    outlook: Outlook | None  # None: no lesson is published


# By hand, so that it is one statement: the lessons are looked at by the rules in locks.py.
SITUATION = f"""
    WITH outlook AS ({OUTLOOKS})
    SELECT mine.id, mine.inactive_at, mine.unlocked_at, cohort.title, cohort.starts_on,
           cohort.starts_on > {TODAY},
           EXISTS (
               SELECT FROM offers_offercourse AS inclusion
               JOIN offers_offer AS offer ON offer.id = inclusion.offer_id AND offer.status <> 'archived'
               WHERE inclusion.course_id = course.id
           ),
           outlook.*
    FROM offers_course AS course
    LEFT JOIN enrollments_enrollment AS mine
        ON mine.course_id = course.id AND mine.contact_id = ANY(%(contacts)s)
    LEFT JOIN offers_cohort AS cohort ON cohort.id = mine.cohort_id
    LEFT JOIN outlook ON true
    WHERE course.id = %(course)s
"""  # noqa: S608 -- our own words only


@dataclass(frozen=True)
class Question:
    """May `contact` open `course`? With what several reasons look at, asked of the database once."""

    contact: Contact
    course: Course

    @cached_property
    def grants(self) -> list[Grant]:
        """Every grant of an offer with the course, the newest first."""
        return list(
            Grant.objects.filter(contact=self.contact, offer__inclusions__course=self.course)
            .select_related("offer", "revoked_by__contact")
            .order_by("-pk")
        )

    @cached_property
    def situation(self) -> Situation:
        asked: dict[str, Any] = {
            "contacts": [self.contact.pk],
            "course": self.course.pk,
            "at": now(),
        }
        with connection.cursor() as cursor:
            cursor.execute(SITUATION, asked)
            row = cursor.fetchone()
        found = Outlook(*row[8:]) if row[7] else None  # row[7] is the contact, if there is a lesson
        return Situation._make((*row[:7], found))


type Finder = Callable[[Question], Iterable[Reason]]

FINDERS: list[Finder] = []


def reason(finder: Finder) -> Finder:
    """Register what finds reasons for every question. Registering twice is harmless."""
    if finder not in FINDERS:
        FINDERS.append(finder)
    return finder


def answer(question: Question) -> Verdict:
    """The verdict of all that is registered."""
    return Verdict([found for finder in FINDERS for found in finder(question)])


def on(moment: date | None) -> str:
    """A day in words, in the active time zone; "" for none."""
    if moment is None:
        return ""
    return date_format(localtime(moment) if isinstance(moment, datetime) else moment)
