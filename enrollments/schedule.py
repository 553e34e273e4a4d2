"""What of a course opens when for whom, as staff see it: its lessons by their dates, and its people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.translation import ngettext

from enrollments.locks import Outlook, opening_days, outlooks
from enrollments.models import Enrollment
from enrollments.status import with_access_status
from offers.models import Cohort, CohortDate, Course, Lesson, Requirement
from offers.rules import in_words
from portal.paging import Page, Place

NOBODYS = "none"  # instead of a cohort: of those who are in none


@dataclass(frozen=True)
class Cell:
    """When a lesson opens for a cohort: a day, some days after each one's enrollment, both, or at once."""

    day: date | None
    after: str
    live_at: datetime | None


@dataclass(frozen=True)
class LessonRow:
    """One published lesson: its rules in words, and a cell for each cohort that is shown."""

    lesson: Lesson
    rules: list[str]
    cells: list[tuple[Cohort | None, Cell]]


def lesson_rows(course: Course, cohorts: Sequence[Cohort | None]) -> list[LessonRow]:
    """The published lessons in order, with their dates for `cohorts`; None stands for no cohort. Four statements."""
    published = Lesson.objects.published().filter(module__course=course)
    lessons = list(published.in_order().select_related("module"))
    required: dict[int, list[Lesson]] = defaultdict(list)
    needs = Requirement.objects.filter(lesson__in=lessons, required__published_at__isnull=False)
    for need in needs.select_related("required").order_by("required__position", "required"):
        required[need.lesson_id].append(need.required)
    named = [cohort.pk for cohort in cohorts if cohort]
    days = opening_days(course=course.pk, cohorts=named)
    live = {
        (row.lesson_id, row.cohort_id): row.live_at
        for row in CohortDate.objects.filter(cohort__in=named, live_at__isnull=False)
    }

    def cell(lesson: Lesson, cohort: Cohort | None) -> Cell:
        key = (lesson.pk, cohort.pk if cohort else None)
        is_counted = not (cohort and cohort.starts_on)
        return Cell(
            day=days.get(key),
            after=_after(lesson) if is_counted else "",
            live_at=live.get((lesson.pk, cohort.pk) if cohort else (0, 0), lesson.live_at),
        )

    return [
        LessonRow(
            lesson,
            [*in_words(lesson.module), *in_words(lesson, required[lesson.pk])],
            [(cohort, cell(lesson, cohort)) for cohort in cohorts],
        )
        for lesson in lessons
    ]


def _after(lesson: Lesson) -> str:
    """How long after enrollment it opens, by its own rule and its module's; "" if that says nothing."""
    days = [after for after in (lesson.opens_after, lesson.module.opens_after) if after is not None]
    if not days:
        return ""
    text = ngettext(
        "%(number)d day after enrollment", "%(number)d days after enrollment", max(days)
    )
    return text % {"number": max(days)}


@dataclass(frozen=True)
class PersonRow:
    """One enrolled person, and what of the course is open to them."""

    enrollment: Enrollment
    outlook: Outlook | None  # None: the course has no published lesson


def enrolled(course: Course, cohort: str = "") -> QuerySet[Enrollment]:
    """Who is enrolled, archived contacts aside: in the cohort with this pk, in none, or all."""
    found = Enrollment.objects.filter(course=course, contact__archived_at=None)
    if cohort == NOBODYS:
        return found.filter(cohort=None)
    return found.filter(cohort=int(cohort)) if cohort else found


def person_rows(
    course: Course, everybody: QuerySet[Enrollment], place: Place
) -> tuple[Page[Enrollment], list[PersonRow]]:
    """The page of the enrollments at this place, and each of them as a row. Three statements.

    The rules are asked for the people of the page alone.
    """
    keys = list(place.cut(everybody).values_list("pk", flat=True))
    chosen = with_access_status(Enrollment.objects.filter(pk__in=keys))
    page = place.page(chosen.select_related("contact", "cohort"))
    found = outlooks(contacts=[row.contact_id for row in page.rows], course=course.pk)
    return page, [PersonRow(row, found.get(row.contact_id)) for row in page.rows]
