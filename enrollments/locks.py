"""Which lessons of a course are open to somebody, and what shuts the others: the rules, once, as SQL.

A lesson that is done stays open, and so does one that staff unlocked. Any other opens on its day
(the last of its own, its module's and its cohort's), when the lessons it requires are done and,
where the course enforces its order, every counted lesson before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.timezone import now

from portal.models import School

# The day a lesson opens on; NULL: from the start. A cohort's own day replaces the lesson's.
OPENING_DAY = """GREATEST(cohort.starts_on, module.opens_on, COALESCE(dated.opens_on, lesson.opens_on),
                        {anchor} + module.opens_after, {anchor} + lesson.opens_after)"""

# One row for each published lesson of the courses that {courses} selects, as it is for each of
# %(contacts)s on the school's day %(today)s, in the order a student goes through them. There need
# be no enrollment yet. MATERIALIZED, for otherwise planning so many joins at once takes longer than all else.
LESSONS = """
    WITH learner AS MATERIALIZED (
        SELECT asked.contact_id, course.id AS course_id, course.enforces_order, course.completion,
               mine.id AS enrollment_id, mine.attempt, mine.unlocked_at IS NOT NULL AS is_unlocked,
               mine.cohort_id, COALESCE(cohort.starts_on, mine.enrolled_on, %(today)s) AS anchor
        FROM unnest(%(contacts)s::bigint[]) AS asked (contact_id)
        JOIN offers_course AS course ON course.id IN ({courses})
        LEFT JOIN enrollments_enrollment AS mine
            ON mine.course_id = course.id AND mine.contact_id = asked.contact_id
        LEFT JOIN offers_cohort AS cohort ON cohort.id = mine.cohort_id
    ), marked AS MATERIALIZED (
        SELECT learner.contact_id, learner.anchor,
               lesson.id, lesson.title, lesson.kind, module.id AS module_id, module.title AS module_title,
               learner.course_id, learner.enforces_order,
               COALESCE(dated.live_at, lesson.live_at) AS live_at,
               progress.completed_at IS NOT NULL AS is_done,
               learner.is_unlocked OR unlock.id IS NOT NULL AS is_unlocked,
               learner.completion <> 'quiz' OR lesson.kind = 'quiz' AS is_counted,
               {opening_day} AS opening_day,
               (
                   SELECT required.title
                   FROM offers_requirement AS requirement
                   JOIN offers_lesson AS required
                       ON required.id = requirement.required_id AND required.published_at IS NOT NULL
                   LEFT JOIN enrollments_lessonprogress AS met
                       ON met.enrollment_id = learner.enrollment_id AND met.attempt = learner.attempt
                       AND met.lesson_id = required.id AND met.completed_at IS NOT NULL
                   WHERE requirement.lesson_id = lesson.id AND met.id IS NULL
                   ORDER BY required.position, required.id LIMIT 1
               ) AS missing,
               row_number() OVER (
                   PARTITION BY learner.contact_id, learner.course_id
                   ORDER BY module.position, module.id, lesson.position, lesson.id
               ) AS place
        FROM learner
        JOIN offers_module AS module ON module.course_id = learner.course_id
        JOIN offers_lesson AS lesson ON lesson.module_id = module.id AND lesson.published_at IS NOT NULL
        LEFT JOIN offers_cohort AS cohort ON cohort.id = learner.cohort_id
        LEFT JOIN offers_cohortdate AS dated
            ON dated.cohort_id = learner.cohort_id AND dated.lesson_id = lesson.id
        LEFT JOIN enrollments_lessonprogress AS progress
            ON progress.enrollment_id = learner.enrollment_id AND progress.attempt = learner.attempt
            AND progress.lesson_id = lesson.id
        LEFT JOIN enrollments_unlock AS unlock
            ON unlock.enrollment_id = learner.enrollment_id AND unlock.lesson_id = lesson.id
    ), placed AS (
        SELECT marked.*,
               enforces_order AND COALESCE(place > min(place) FILTER (WHERE is_counted AND NOT is_done)
                   OVER (PARTITION BY contact_id, course_id), false) AS waits_for_order
        FROM marked
    )
    SELECT placed.*,
           is_done OR is_unlocked OR (
               (opening_day IS NULL OR opening_day <= %(today)s)
               AND missing IS NULL
               AND NOT waits_for_order
           ) AS is_open
    FROM placed
    ORDER BY contact_id, course_id, place
""".replace("{opening_day}", OPENING_DAY.replace("{anchor}", "learner.anchor"))
OPEN_LESSONS = f"""
    SELECT id FROM ({LESSONS.replace("{courses}", "SELECT unnest(%(courses)s::bigint[])")}) AS found
    WHERE is_open
"""  # noqa: S608 -- our own words only

# The school's day at %(at)s, for statements that ask for it themselves.
TODAY = (
    "(SELECT (%(at)s::timestamptz AT TIME ZONE time_zone)::date FROM portal_school WHERE id = 1)"
)
# One row for each of %(contacts)s: what of the course %(course)s is open to them, what comes on its
# day, and what waits for something to be done.
OUTLOOKS = f"""
    WITH found AS ({LESSONS.replace("{courses}", "%(course)s")}), told AS (
        SELECT *, NOT is_open AND COALESCE(opening_day > %(today)s, false) AS is_coming FROM found
    )
    SELECT contact_id, min(anchor), count(*), count(*) FILTER (WHERE is_open),
           count(*) FILTER (WHERE is_coming),
           (array_agg(title ORDER BY opening_day, place) FILTER (WHERE is_coming))[1],
           min(opening_day) FILTER (WHERE is_coming),
           count(*) FILTER (WHERE is_waiting),
           (array_agg(title ORDER BY place) FILTER (WHERE is_waiting))[1],
           (array_agg(missing ORDER BY place) FILTER (WHERE is_waiting))[1]
    FROM (SELECT *, NOT is_open AND NOT is_coming AS is_waiting FROM told) AS told
    GROUP BY contact_id
""".replace("%(today)s", TODAY)  # noqa: S608 -- our own words only

# The day each published lesson of a course opens on by its dates alone, for %(cohorts)s and, with
# no cohort, for anybody else; of these, and of a cohort without a first day, nothing is known that
# counts from each one's enrollment.
DAYS = """
    SELECT lesson.id, cohort.id, {opening_day}
    FROM (
        SELECT NULL::bigint AS id, NULL::date AS starts_on
        UNION ALL SELECT id, starts_on FROM offers_cohort WHERE id = ANY(%(cohorts)s)
    ) AS cohort
    JOIN offers_module AS module ON module.course_id = %(course)s
    JOIN offers_lesson AS lesson ON lesson.module_id = module.id AND lesson.published_at IS NOT NULL
    LEFT JOIN offers_cohortdate AS dated
        ON dated.cohort_id = cohort.id AND dated.lesson_id = lesson.id
""".replace("{opening_day}", OPENING_DAY.replace("{anchor}", "cohort.starts_on"))


@dataclass(frozen=True)
class Standing:
    """One published lesson as it is for one person."""

    contact_id: int
    anchor: date  # days are counted from it: the cohort's first, else that of enrollment
    id: int
    title: str
    kind: str
    module_id: int
    module_title: str
    course_id: int
    enforces_order: bool
    live_at: datetime | None
    is_done: bool
    is_unlocked: bool  # by staff, whatever the rules say
    is_counted: bool  # needed to complete the course
    opening_day: date | None  # in the school's zone; None: from the start
    missing: str | None  # title of the first required lesson that is not done
    place: int  # 1, 2, 3 … in the course
    waits_for_order: bool  # the course's order alone would shut it
    is_open: bool


@dataclass(frozen=True)
class Outlook:
    """A course as it is for one person, in numbers; and the next of its lessons to open."""

    anchor: date
    total: int
    open: int
    coming: int  # shut until their day
    next_title: str | None  # of these the soonest
    next_day: date | None
    waiting: int  # shut until something is done
    waiting_title: str | None  # of these the first in the course
    waiting_for: str | None  # title of a lesson it requires; None: the course goes in order


def standings(*, contact: int, course: int) -> list[Standing]:
    """Every published lesson of a course in order, as it is for a contact. One statement.

    Of the rules alone: whether the course itself is open to them is the affair of `access`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            LESSONS.replace("{courses}", "%(course)s"), params(contact) | {"course": course}
        )
        return [Standing(*row) for row in cursor.fetchall()]


def open_lessons(*, contact: int, courses: Collection[int]) -> set[int]:
    """The published lessons of these courses that no rule shuts for a contact. One statement, none for no course."""
    if not courses:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(OPEN_LESSONS, params(contact) | {"courses": list(courses)})
        return {pk for (pk,) in cursor.fetchall()}


def outlooks(*, contacts: Collection[int], course: int) -> dict[int, Outlook]:
    """What of a course is open and what comes next, for each of a page of contacts. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(OUTLOOKS, {"contacts": list(contacts), "course": course, "at": now()})
        return {row[0]: Outlook(*row[1:]) for row in cursor.fetchall()}


def params(*contacts: int) -> dict[str, Any]:
    """What LESSONS asks for besides its courses."""
    return {"contacts": list(contacts), "today": School.current().today()}


def opening_days(
    *, course: int, cohorts: Collection[int]
) -> dict[tuple[int, int | None], date | None]:
    """(lesson, cohort or None) -> the day it opens on by its dates. One statement. See DAYS."""
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"course": course, "cohorts": list(cohorts)})
        return {(lesson, cohort): day for lesson, cohort, day in cursor.fetchall()}
