"""What is next in a student's courses: the live class to come, and the lesson that opens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact
from enrollments.locks import LESSONS, params

LONGEST = timedelta(days=1)  # a live class; one that goes on is still the next

# Of %(courses)s those with a live class to come, and %(current)s if anything of it may open later. Asked
# first, for most have nothing of the kind, and to ask how every lesson stands costs more.
DATED = """
    SELECT DISTINCT module.course_id
    FROM offers_module AS module
    JOIN offers_lesson AS lesson ON lesson.module_id = module.id AND lesson.published_at IS NOT NULL
    LEFT JOIN offers_cohortdate AS dated ON dated.lesson_id = lesson.id
    WHERE module.course_id = ANY(%(courses)s)
      AND (GREATEST(lesson.live_at, dated.live_at) > %(since)s
           OR (module.course_id = %(current)s
               AND COALESCE(module.opens_on, lesson.opens_on, dated.opens_on) IS NOT NULL)
           OR (module.course_id = %(current)s
               AND COALESCE(module.opens_after, lesson.opens_after) IS NOT NULL))
    UNION SELECT course_id FROM offers_cohort WHERE course_id = %(current)s AND starts_on > %(today)s
"""
# A live class is next until it is over; a lesson is announced if only its day keeps it shut.
NEXT = """
    WITH coming AS MATERIALIZED (
        SELECT found.*, lesson.live_minutes
        FROM ({lessons}) AS found JOIN offers_lesson AS lesson ON lesson.id = found.id
        WHERE found.live_at > %(since)s
           OR (found.opening_day > %(today)s AND found.missing IS NULL AND NOT found.is_open)
    ), chosen AS (
        (SELECT true AS is_live, * FROM coming
         WHERE live_at + COALESCE(live_minutes, 60) * interval '1 minute' > %(at)s
         ORDER BY live_at, id LIMIT 1)
        UNION ALL
        (SELECT false, * FROM coming
         WHERE opening_day > %(today)s AND NOT is_open AND missing IS NULL AND course_id = %(current)s
         ORDER BY opening_day, place, id LIMIT 1)
    )
    SELECT is_live, chosen.id, chosen.title, chosen.is_open, chosen.opening_day, chosen.live_at, course.slug,
           course.title
    FROM chosen JOIN offers_course AS course ON course.id = chosen.course_id
""".replace("{lessons}", LESSONS.replace("{courses}", "SELECT unnest(%(dated)s::bigint[])"))


@dataclass(frozen=True)
class Entry:
    """A lesson that something is about to happen with."""

    is_live: bool  # a live class, and not that the lesson opens
    id: int
    title: str
    is_open: bool
    opening_day: date | None
    live_at: datetime | None
    course_slug: str
    course_title: str

    @property
    def url(self) -> str:
        """The lesson, or while it is shut its course."""
        if self.is_open:
            return reverse("enrollments:lesson_detail", args=[self.course_slug, self.id])
        return reverse("enrollments:course_detail", args=[self.course_slug])


@dataclass(frozen=True)
class Agenda:
    """The next of each kind, where there is one."""

    live: Entry | None = None
    opening: Entry | None = None


def agenda(contact: Contact, *, courses: Collection[int], current: int | None) -> Agenda:
    """The live class that is next in `courses`, and what opens next in `current`, one of them.

    All of them are open to `contact`. One statement, and another where there is anything to tell.
    """
    if not courses:
        return Agenda()
    at = now()
    asked = {"courses": list(courses), "current": current, "at": at, "since": at - LONGEST}
    rules = params(contact.pk) | asked
    with connection.cursor() as cursor:
        cursor.execute(DATED, rules)
        dated = [pk for (pk,) in cursor.fetchall()]
        if not dated:
            return Agenda()
        cursor.execute(NEXT, rules | {"dated": dated})
        entries = [Entry(*row) for row in cursor.fetchall()]
    return Agenda(
        live=next((entry for entry in entries if entry.is_live), None),
        opening=next((entry for entry in entries if not entry.is_live), None),
    )
