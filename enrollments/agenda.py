"""What is next in a student's courses: the live class to come, the lesson that opens, the one to go on with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact
from enrollments.locks import LESSONS, params
from enrollments.shelf import Book

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
# A live class is next until it is over; a lesson is announced if only its day keeps it shut. Where
# %(stopped)s, the lesson somebody was at, is done, they go on with the next open one that is not.
NEXT = """
    WITH coming AS MATERIALIZED (
        SELECT found.*, lesson.live_minutes
        FROM ({lessons}) AS found JOIN offers_lesson AS lesson ON lesson.id = found.id
        WHERE found.live_at > %(since)s
           OR (found.course_id = %(current)s AND found.opening_day > %(today)s AND NOT found.is_open)
           OR (found.course_id = %(current)s AND found.is_open AND NOT found.is_done)
           OR found.id = %(stopped)s
    ), chosen AS (
        (SELECT 'live' AS what, * FROM coming
         WHERE live_at + COALESCE(live_minutes, 60) * interval '1 minute' > %(at)s
         ORDER BY live_at, id LIMIT 1)
        UNION ALL
        (SELECT 'opening', * FROM coming
         WHERE opening_day > %(today)s AND NOT is_open AND missing IS NULL AND NOT waits_for_order
           AND course_id = %(current)s
         ORDER BY opening_day, place, id LIMIT 1)
        UNION ALL
        (SELECT 'resume', coming.* FROM coming JOIN coming AS stopped ON stopped.id = %(stopped)s
         WHERE coming.course_id = %(current)s AND coming.is_open AND NOT coming.is_done
         ORDER BY coming.place < stopped.place, coming.place LIMIT 1)
    )
    SELECT what, chosen.id, chosen.title, chosen.is_open, chosen.opening_day, chosen.live_at, course.slug,
           course.title
    FROM chosen JOIN offers_course AS course ON course.id = chosen.course_id
""".replace("{lessons}", LESSONS.replace("{courses}", "SELECT unnest(%(dated)s::bigint[])"))


@dataclass(frozen=True)
class Entry:
    """A lesson that something is about to happen with."""

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
    resume: Entry | None = None


def agenda(contact: Contact, *, books: Collection[Book], current: Book | None) -> Agenda:
    """The live class that is next in `books`, and of `current`, one of them: what opens next, and, if
    they are done with the lesson they were at, which one to go on with.

    All of them are open to `contact`. One statement, and another where there is anything to tell.
    """
    if not books:
        return Agenda()
    at = now()
    asked = {
        "courses": [book.id for book in books],
        "current": current and current.id,
        "stopped": current.last_lesson_id if current and current.is_last_done else None,
        "at": at,
        "since": at - LONGEST,
    }
    rules = params(contact.pk) | asked
    with connection.cursor() as cursor:
        cursor.execute(DATED, rules)
        dated = {pk for (pk,) in cursor.fetchall()}
        if current and current.is_last_done:
            dated.add(current.id)
        if not dated:
            return Agenda()
        cursor.execute(NEXT, rules | {"dated": list(dated)})
        return Agenda(**{row[0]: Entry(*row[1:]) for row in cursor.fetchall()})
