"""Which lessons of a course are open to somebody, and what shuts the others: the rules, once, as SQL.

A lesson that is done stays open, and so does one that staff unlocked. Any other opens on its day
(the last of its own, its module's and its cohort's), when the lessons it requires are done and,
where the course enforces its order, every counted lesson before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from portal.models import School

# One row for each published lesson of the courses that {courses} selects, as it is for
# %(contact)s on the school's day %(today)s, in the order a student goes through them. There
# need be no enrollment yet.
LESSONS = """
    WITH learner AS (
        SELECT course.id AS course_id, course.enforces_order, course.completion,
               mine.id AS enrollment_id, mine.attempt, mine.unlocked_at IS NOT NULL AS is_unlocked,
               mine.cohort_id, cohort.starts_on,
               COALESCE(cohort.starts_on, mine.enrolled_on, %(today)s) AS anchor
        FROM offers_course AS course
        LEFT JOIN enrollments_enrollment AS mine
            ON mine.course_id = course.id AND mine.contact_id = %(contact)s
        LEFT JOIN offers_cohort AS cohort ON cohort.id = mine.cohort_id
        WHERE course.id IN ({courses})
    ), marked AS (
        SELECT lesson.id, lesson.title, lesson.kind, module.id AS module_id, module.title AS module_title,
               learner.course_id, learner.enforces_order,
               COALESCE(dated.live_at, lesson.live_at) AS live_at,
               progress.completed_at IS NOT NULL AS is_done,
               learner.is_unlocked OR unlock.id IS NOT NULL AS is_unlocked,
               learner.completion <> 'quiz' OR lesson.kind = 'quiz' AS is_counted,
               GREATEST(learner.starts_on, module.opens_on, COALESCE(dated.opens_on, lesson.opens_on),
                        learner.anchor + module.opens_after, learner.anchor + lesson.opens_after)
                   AS opening_day,
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
                   PARTITION BY learner.course_id
                   ORDER BY module.position, module.id, lesson.position, lesson.id
               ) AS place
        FROM learner
        JOIN offers_module AS module ON module.course_id = learner.course_id
        JOIN offers_lesson AS lesson ON lesson.module_id = module.id AND lesson.published_at IS NOT NULL
        LEFT JOIN offers_cohortdate AS dated
            ON dated.cohort_id = learner.cohort_id AND dated.lesson_id = lesson.id
        LEFT JOIN enrollments_lessonprogress AS progress
            ON progress.enrollment_id = learner.enrollment_id AND progress.attempt = learner.attempt
            AND progress.lesson_id = lesson.id
        LEFT JOIN enrollments_unlock AS unlock
            ON unlock.enrollment_id = learner.enrollment_id AND unlock.lesson_id = lesson.id
    ), placed AS (
        SELECT marked.*,
               min(place) FILTER (WHERE is_counted AND NOT is_done) OVER (PARTITION BY course_id)
                   AS first_undone
        FROM marked
    )
    SELECT placed.*,
           is_done OR is_unlocked OR (
               (opening_day IS NULL OR opening_day <= %(today)s)
               AND missing IS NULL
               AND NOT (enforces_order AND COALESCE(first_undone < place, false))
           ) AS is_open
    FROM placed
    ORDER BY course_id, place
"""
OPEN_LESSONS = f"SELECT id FROM ({LESSONS}) AS found WHERE is_open"  # noqa: S608 -- our own words only


@dataclass(frozen=True)
class Standing:
    """One published lesson as it is for one person."""

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
    first_undone: int | None  # place of the first counted lesson that is not done
    is_open: bool

    @property
    def waits_for_order(self) -> bool:
        """Whether the course's order alone would shut it."""
        return (
            self.enforces_order and self.first_undone is not None and self.first_undone < self.place
        )


def standings(*, contact: int, course: int) -> list[Standing]:
    """Every published lesson of a course in order, as it is for a contact. One statement.

    Of the rules alone: whether the course itself is open to them is the affair of `access`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            LESSONS.replace("{courses}", "%(course)s"), params(contact) | {"course": course}
        )
        return [Standing(*row) for row in cursor.fetchall()]


def params(contact: int) -> dict[str, Any]:
    """What LESSONS asks for besides its courses."""
    return {"contact": contact, "today": School.current().today()}
