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
from typing import Literal, NamedTuple

from django.db.models import Exists, Subquery
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.models import Contact
from enrollments.models import Enrollment, Grant
from offers.models import Course, Offer


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


class Standing(NamedTuple):
    """How the contact stands to the course, apart from grants."""

    enrollment: int | None
    switched_off_at: datetime | None
    is_offered: bool  # whether an offer that can be granted holds the course


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
    def standing(self) -> Standing:
        mine = Enrollment.objects.filter(contact=self.contact, course=self.course)
        row = Course.objects.filter(pk=self.course.pk).values_list(
            Subquery(mine.values("pk")),
            Subquery(mine.values("inactive_at")),
            Exists(Offer.objects.grantable().filter(courses=self.course)),
        )
        return Standing(*row.get())


type Source = Callable[[Question], Iterable[Reason]]

SOURCES: list[Source] = []


def reason(source: Source) -> Source:
    """Register what may bear on every question. Registering twice is harmless."""
    if source not in SOURCES:
        SOURCES.append(source)
    return source


def answer(question: Question) -> Verdict:
    """The verdict of all that is registered."""
    return Verdict([found for source in SOURCES for found in source(question)])


def on(moment: date | None) -> str:
    """A day in words, in the active time zone; "" for none."""
    if moment is None:
        return ""
    return date_format(localtime(moment) if isinstance(moment, datetime) else moment)
