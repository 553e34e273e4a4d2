"""Fills the benchmark's courses with what students leave there: progress, comments, ratings, tries at quizzes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from offers.models import (
    Choice,
    Cohort,
    CohortDate,
    Course,
    Lesson,
    LessonKind,
    Module,
    Question,
    Quiz,
    Requirement,
)
from portal.benchmark.filling import TEXT
from portal.models import School

COHORTS = 12
QUESTIONS = 10
TALKERS = 1 / 5  # of the people of the busy course
FEW = 10  # people of the quiet course

# Half of the people are in the first cohort, a quarter in none.
MEMBERS = """
    UPDATE enrollments_enrollment SET started_at = now(), cohort_id = CASE
        WHEN contact_id %% 2 = 0 THEN (%(cohorts)s::bigint[])[1]
        ELSE (%(cohorts)s::bigint[])[2 + contact_id / 2 %% 22]
    END
    WHERE course_id = %(course)s
"""
# Everybody has done up to five lessons.
PROGRESS = """
    INSERT INTO enrollments_lessonprogress (enrollment_id, attempt, lesson_id, completed_at, announced_at)
    SELECT mine.id, 1, lesson, now(), now()
    FROM enrollments_enrollment AS mine
    CROSS JOIN unnest(%(lessons)s::bigint[]) WITH ORDINALITY AS done (lesson, place)
    WHERE mine.course_id = %(course)s AND place <= mine.contact_id %% 6
"""
# Those who say something.
TALKER = """
    SELECT mine.id, contact_id, login.id AS author_id, row_number() OVER (ORDER BY contact_id) AS n
    FROM enrollments_enrollment AS mine JOIN accounts_user AS login USING (contact_id)
    WHERE course_id = %(course)s AND contact_id %% 7 > 0
    ORDER BY contact_id LIMIT %(talkers)s
"""
# One begins a thread, the next answers one. Half of the threads are below the first lesson, and the
# latest there has a tenth of all answers. Of 200 comments one is hidden, and two are taken back.
COMMENTS = """
    WITH said AS (
        SELECT *, now() - (%(talkers)s - n) * interval '1 minute' AS created_at,
               CASE WHEN n %% 200 = 7 THEN now() END AS hidden_at,
               CASE WHEN n %% 100 = 3 THEN now() END AS deleted_at,
               CASE WHEN n %% 100 = 3 THEN '' ELSE repeat('It did rise at last, and how. ', 4) END AS text
        FROM ({talker}) AS talker
    ), begun AS (
        INSERT INTO enrollments_comment
            (lesson_id, author_id, contact_id, text, created_at, hidden_at, deleted_at)
        SELECT (%(lessons)s::bigint[])[CASE n %% 4 WHEN 1 THEN 1 ELSE 1 + n %% %(lesson_count)s END],
               author_id, contact_id, text, created_at, hidden_at, deleted_at
        FROM said WHERE n %% 2 = 1 ORDER BY n
        RETURNING id, lesson_id
    ), thread AS (
        SELECT id, lesson_id, count(*) OVER () AS number,
               row_number() OVER (ORDER BY lesson_id = (%(lessons)s::bigint[])[1], id) AS place
        FROM begun
    )
    INSERT INTO enrollments_comment
        (lesson_id, parent_id, author_id, contact_id, text, created_at, hidden_at, deleted_at)
    SELECT lesson_id, thread.id, author_id, contact_id, text, created_at, hidden_at, deleted_at
    FROM said JOIN thread
        ON place = CASE WHEN n %% 20 = 0 THEN number ELSE 1 + n * 7 %% number END
    WHERE n %% 2 = 0 ORDER BY n
""".replace("{talker}", TALKER)
RATINGS = f"""
    INSERT INTO enrollments_rating (enrollment_id, course_id, stars, text, created_at, changed_at)
    SELECT id, %(course)s, 1 + n %% 5, CASE WHEN n %% 3 = 0 THEN 'I bake every week now.' ELSE '' END, now(), now()
    FROM ({TALKER}) AS talker ORDER BY n
"""  # noqa: S608 -- our own words only
# Up to three tries each: who tries more than once passes in the end.
ATTEMPTS = f"""
    INSERT INTO enrollments_quizattempt
        (enrollment_id, attempt, quiz_id, number, score, total, passed, sheet, submitted_at)
    SELECT id, 1, %(quiz)s, number, 6 + number, {QUESTIONS}, number > 1, %(sheet)s::jsonb, now()
    FROM ({TALKER}) AS talker CROSS JOIN generate_series(1, 1 + n %% 3) AS number ORDER BY n, number
"""  # noqa: S608 -- our own words only


def learn(people: int) -> None:
    """Let the `people` that `fill()` made learn: a few in the second course, and later many in the first."""
    busy, quiet = (Course.objects.get(slug=f"benchmark-{number}") for number in (1, 2))
    # What is rare is the oldest too: a list that looks for it among everything looks far.
    live(quiet, talkers=FEW)
    live(busy, talkers=max(FEW, round(people * TALKERS)))


@transaction.atomic
def live(course: Course, *, talkers: int) -> None:
    """Let everybody in the course be in a cohort and learn, and `talkers` of them say and try something."""
    quiz = furnish(course)
    lessons = list(Lesson.objects.filter(module__course=course).in_order())
    facts: dict[str, Any] = {
        "course": course.pk,
        "cohorts": [cohort.pk for cohort in cohorts(course, lessons)],
        "lessons": [lesson.pk for lesson in lessons],
        "lesson_count": len(lessons),
        "quiz": quiz.pk,
        "sheet": json.dumps(list(sheet(quiz))),
        "talkers": talkers,
    }
    with connection.cursor() as cursor:
        for statement in (MEMBERS, PROGRESS, COMMENTS, RATINGS, ATTEMPTS):
            cursor.execute(statement, facts)


def furnish(course: Course) -> Quiz:
    """Add a module with a lesson of every kind, and rules; returns its quiz."""
    first = Lesson.objects.filter(module__course=course).in_order()[0]
    module = Module.objects.create(course=course, title="Part 3", position=3, opens_after=7)
    facts: dict[str, dict[str, Any]] = {
        LessonKind.VIDEO: {"video_url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"},
        LessonKind.EMBED: {"embed_url": "https://example.com/board"},
        LessonKind.LIVE: {"live_at": School.current().end_of(School.current().today())},
    }
    made = Lesson.objects.bulk_create(
        Lesson(
            module=module,
            title=f"Lesson {place}: {kind.label}",
            kind=kind,
            body=TEXT,
            position=place,
            **facts.get(kind, {}),
        )
        for place, kind in enumerate(LessonKind, start=1)
    )
    Requirement.objects.bulk_create(Requirement(lesson=lesson, required=first) for lesson in made)
    quiz = Quiz.objects.create(lesson=next(row for row in made if row.kind == LessonKind.QUIZ))
    questions = Question.objects.bulk_create(
        Question(quiz=quiz, text=f"How long does dough {place} rest?", position=place)
        for place in range(1, QUESTIONS + 1)
    )
    Choice.objects.bulk_create(
        Choice(question=question, text=f"{hours} hours", is_right=hours == 3, position=hours)
        for question in questions
        for hours in range(1, 5)
    )
    return quiz


def cohorts(course: Course, lessons: list[Lesson]) -> list[Cohort]:
    """One a month, three of them over, each with a day of its own for every lesson."""
    today = School.current().today()
    made = Cohort.objects.bulk_create(
        Cohort(
            course=course,
            title=f"Class {number:02}",
            starts_on=today + timedelta(days=30 * number - 200),
            ends_on=today + timedelta(days=30 * number - 110),
        )
        for number in range(1, COHORTS + 1)
    )
    CohortDate.objects.bulk_create(
        CohortDate(cohort=cohort, lesson=lesson, opens_on=cohort.starts_on + timedelta(days=place))
        for cohort in made
        if cohort.starts_on
        for place, lesson in enumerate(lessons)
    )
    return made


def sheet(quiz: Quiz) -> Iterator[dict[str, Any]]:
    """The quiz as an attempt keeps it, with the first choice ticked everywhere."""
    for question in quiz.questions.prefetch_related("choices"):
        yield {
            "text": question.text,
            "explanation": "",
            "right": False,
            "choices": [
                {
                    "text": choice.text,
                    "is_right": choice.is_right,
                    "is_chosen": choice.position == 1,
                }
                for choice in question.choices.all()
            ],
        }
