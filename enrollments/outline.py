"""One open course of one student: where they are in it, and what of it is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from accounts import simulation
from accounts.models import Contact
from enrollments.locks import Standing, standings
from enrollments.models import Enrollment
from enrollments.shelf import OPENED, cover_url
from offers.models import Course, LessonKind
from portal.models import School

# Written by hand, as the shelf is. WHERE says what access.open_courses() says; a test holds the two together.
STUDY = """
    WITH opened AS ({opened})
    SELECT course.id, course.slug, course.title, course.description, course.cover_id, course.completion,
           CASE WHEN NOT opened.is_endless THEN opened.until END AS until,
           mine.id, mine.attempt, mine.started_at, mine.completed_at, mine.last_lesson_id,
           cohort.title, cohort.starts_on, cohort.ends_on
    FROM opened
    JOIN offers_course AS course ON course.id = opened.course_id AND course.status = 'published'
    LEFT JOIN enrollments_enrollment AS mine
        ON mine.course_id = course.id AND mine.contact_id = %(contact)s
    LEFT JOIN offers_cohort AS cohort ON cohort.id = mine.cohort_id
    WHERE mine.inactive_at IS NULL AND course.slug = %(slug)s
""".replace("{opened}", OPENED)


@dataclass(frozen=True)
class Row:
    """A course as STUDY finds it open, and the learner's record in it."""

    course_id: int
    slug: str
    title: str
    description: str
    cover_id: UUID | None
    completion: str
    until: date | None  # last day; None: no end
    enrollment_id: int | None
    attempt: int | None
    started_at: datetime | None
    completed_at: datetime | None
    last_lesson_id: int | None
    cohort: str | None
    cohort_starts_on: date | None
    cohort_ends_on: date | None


@dataclass(frozen=True)
class Study:
    """One open course of one student, with every published lesson as it stands for them."""

    contact: Contact
    course: Row

    @classmethod
    def find(cls, *, contact: Contact, slug: str) -> Study | None:
        """The course with this address if `contact` may open it now, else None. One statement."""
        with connection.cursor() as cursor:
            cursor.execute(STUDY, {"contact": contact.pk, "at": now(), "slug": slug})
            row = cursor.fetchone()
        return cls(contact, Row(*row)) if row else None

    @cached_property
    def lessons(self) -> list[Standing]:
        """In order. One statement."""
        return standings(contact=self.contact.pk, course=self.course.course_id)

    @cached_property
    def enrollment(self) -> Enrollment:
        """The learner's record, to write to; made now if the job that makes it has not come to it yet.

        Staff who simulate make nothing: what they read is of a record with no row then.
        """
        course = self.course
        if course.enrollment_id is None and simulation.is_on():
            return Enrollment(pk=0, contact=self.contact, course_id=course.course_id)
        if course.enrollment_id is None:
            found = Course.objects.get(pk=course.course_id)
            return Enrollment.objects.of(contact=self.contact, course=found)
        return Enrollment(
            pk=course.enrollment_id,
            contact=self.contact,
            course_id=course.course_id,
            attempt=course.attempt or 1,
            started_at=course.started_at,
            completed_at=course.completed_at,
            last_lesson_id=course.last_lesson_id,
        )

    @property
    def url(self) -> str:
        return reverse("enrollments:course_detail", args=[self.course.slug])

    def address_of(self, lesson: Standing) -> str:
        return reverse("enrollments:lesson_detail", args=[self.course.slug, lesson.id])

    def trail(self, *lessons: Standing) -> list[tuple[str, str]]:
        """The way back from a page of the course, or of one of its lessons: titles and addresses."""
        below = ((lesson.title, self.address_of(lesson)) for lesson in lessons)
        return [(self.course.title, self.url), *below]

    def anew(self) -> Study:
        """The same course, to ask again how its lessons stand."""
        return Study(self.contact, self.course)

    @property
    def cover_url(self) -> str:
        return cover_url(self.course.cover_id)

    @property
    def done(self) -> int:
        """How many of the lessons that count are done."""
        return sum(lesson.is_done for lesson in self.lessons if lesson.is_counted)

    @property
    def total(self) -> int:
        """How many lessons count."""
        return sum(lesson.is_counted for lesson in self.lessons)

    def lesson(self, pk: int) -> Standing | None:
        """The lesson with this key, open or not; None if the course has none such."""
        return next((lesson for lesson in self.lessons if lesson.id == pk), None)

    def after(self, lesson: Standing) -> Standing | None:
        """The next one in order, open or not."""
        return self.lessons[lesson.place] if lesson.place < len(self.lessons) else None

    def before(self, lesson: Standing) -> Standing | None:
        """The one before it, open or not."""
        return self.lessons[lesson.place - 2] if lesson.place > 1 else None

    @property
    def resume(self) -> Standing | None:
        """Where to go on: where they stopped, or if that is done, with what is next; None: nothing is open."""
        is_open = [lesson for lesson in self.lessons if lesson.is_open]
        last = self.lesson(self.course.last_lesson_id or 0)
        undone = [lesson for lesson in is_open if not lesson.is_done]
        ahead = (lesson for lesson in undone if last and lesson.place >= last.place)
        return next(ahead, None) or next(iter(undone), None) or next(iter(is_open), None)

    def modules(self, current: Standing | None = None) -> Iterator[dict[str, Any]]:
        """The lessons under their modules, as the tag `outline` prints them."""
        today = School.current().today()
        address = reverse("enrollments:lesson_detail", args=[self.course.slug, 0])
        kinds = {kind.value: {"kind": str(kind.label), "icon": kind.icon} for kind in LessonKind}
        for (_pk, title), group in groupby(
            self.lessons, key=lambda lesson: (lesson.module_id, lesson.module_title)
        ):
            yield {
                "title": title,
                "lessons": [
                    {
                        "title": lesson.title,
                        "url": address.replace("/0/", f"/{lesson.id}/"),
                        "is_done": lesson.is_done,
                        "is_current": lesson is current,
                        "locked": "" if lesson.is_open else lock_in_words(lesson, today=today),
                        "note": _moment(lesson.live_at),
                        **kinds[lesson.kind],
                    }
                    for lesson in group
                ],
            }


def _moment(at: datetime | None) -> str:
    """When a live class is, in the reader's clock."""
    return date_format(localtime(at), "DATETIME_FORMAT") if at else ""


def lock_in_words(lesson: Standing, *, today: date) -> str:
    """When a lesson that is shut opens, or what has to be done first."""
    if lesson.opening_day and lesson.opening_day > today:
        return _("Opens on %(day)s.") % {"day": date_format(lesson.opening_day)}
    if lesson.missing:
        return _("Opens when “%(lesson)s” is done.") % {"lesson": lesson.missing}
    return _("Opens when the lessons before it are done.")
