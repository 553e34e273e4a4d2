"""The shelf: a student's open courses, each with how far they are and until when it is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts.models import Contact
from enrollments import access
from enrollments.models import LessonProgress
from offers.models import Lesson


@dataclass(frozen=True)
class Book:
    """One open course of one student."""

    slug: str
    title: str
    description: str
    total: int  # lessons
    done: int
    until: date | None  # last day; None: no end
    completed_at: datetime | None
    last_lesson_id: int | None
    last_lesson_title: str | None
    last_lesson_at: datetime | None

    @property
    def url(self) -> str:
        return reverse("enrollments:course_detail", args=[self.slug])

    @property
    def resume_url(self) -> str:
        """Where they stopped, or else the course."""
        if self.last_lesson_id is None:
            return self.url
        return reverse("enrollments:lesson_detail", args=[self.slug, self.last_lesson_id])

    @property
    def resume_title(self) -> str:
        """What is at `resume_url`."""
        return self.last_lesson_title or self.title

    @property
    def is_completed(self) -> bool:
        return self.completed_at is not None

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to start or to go on with."""
        return self.total > 0 and not self.is_completed


def shelf(contact: Contact) -> list[Book]:
    """What `contact` may open now, by title. One statement, however many courses."""
    lessons = Lesson.objects.filter(module__course=OuterRef("pk")).order_by()
    done = LessonProgress.objects.filter(
        enrollment__contact=contact,
        enrollment__course=OuterRef("pk"),
        attempt=F("enrollment__attempt"),
    )
    rows = (
        access.open_courses(contact)
        .annotate(
            mine=FilteredRelation("enrollments", condition=Q(enrollments__contact=contact)),
            total=_count(lessons, by="module__course"),
            done=_count(done, by="enrollment__course"),
            until=last_day(contact),
        )
        .order_by("title", "pk")
        .values_list(
            "slug",
            "title",
            "description",
            "total",
            "done",
            "until",
            "mine__completed_at",
            "mine__last_lesson",
            "mine__last_lesson__title",
            "mine__last_lesson_at",
        )
    )
    return [Book(*row) for row in rows]


def last_day(contact: Contact) -> Case:
    """Until when a course, the outer row, is open to `contact`; NULL for no end."""
    opening = access.opening_grants(contact)
    return Case(
        When(Exists(opening.filter(ends_on=None)), then=None),
        default=Subquery(opening.order_by("-ends_on").values("ends_on")[:1]),
    )


def _count(rows: QuerySet[Any], *, by: str) -> Coalesce:
    """How many of `rows` there are for each outer row; 0 for none."""
    return Coalesce(Subquery(rows.values(by).annotate(number=Count("pk")).values("number")), 0)
