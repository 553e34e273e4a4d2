"""Cohort: a class of a course, and the dates of its own."""

from __future__ import annotations

from typing import Any, Literal, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import F, Func, OuterRef, Q
from django.utils.formats import date_format
from django.utils.timezone import now
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from offers.models.course import Course
from offers.models.lesson import Lesson
from portal.models import School

COUNTED = 1000  # people; beyond, pages say "1,000+"


class CohortQuerySet(models.QuerySet["Cohort"]):
    def not_over(self) -> Self:
        """Those that somebody may still join."""
        return self.filter(Q(ends_on=None) | Q(ends_on__gte=School.current().today()))

    def with_counts(self) -> Self:
        """Adds `people_count`: how many are in each, archived contacts aside. Beyond COUNTED it stops counting."""
        present = Cohort.objects.filter(
            pk=OuterRef("pk"),
            enrollments__course=OuterRef("course"),
            enrollments__contact__archived_at=None,
        )
        # In the order of an index: PostgreSQL then stops at the last instead of reading everybody.
        people = present.order_by("enrollments").values("enrollments")[: COUNTED + 1]
        return self.annotate(
            people_count=Func(
                ArraySubquery(people), function="cardinality", output_field=models.IntegerField()
            )
        )


class Cohort(models.Model):
    """A class of a course (turma): the same content, with dates and progress of its own.

    Before its first day its lessons are shut. Its last day closes nothing: that is the grants' affair.
    """

    course = models.ForeignKey(Course, models.CASCADE, related_name="cohorts")
    title = models.CharField(_("title"), max_length=120)
    starts_on = models.DateField(_("first day"), null=True, blank=True)
    ends_on = models.DateField(_("last day"), null=True, blank=True)
    created_at = models.DateTimeField(default=now)

    objects = CohortQuerySet.as_manager()

    class Meta:
        ordering = ["starts_on", "title", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["course", "title"], name="one_cohort_of_a_name"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(starts_on=None) | Q(ends_on__gte=F("starts_on")),
                name="a_cohort_starts_before_it_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def facts(self) -> dict[str, Any]:
        """What the log says of it, by its name: it may be deleted later."""
        return {"cohort": self.pk, "course": self.course_id, "title": self.title}

    @property
    def state(self) -> Literal["upcoming", "running", "over"]:
        """Where today is in its days, both included."""
        today = School.current().today()
        if self.starts_on and self.starts_on > today:
            return "upcoming"
        return "over" if self.ends_on and self.ends_on < today else "running"

    @property
    def period(self) -> str:
        """Its days in words; "" if it has none."""
        words = {
            "first": date_format(self.starts_on) if self.starts_on else "",
            "last": date_format(self.ends_on) if self.ends_on else "",
        }
        match bool(self.starts_on), bool(self.ends_on):
            case True, True:
                return _now("%(first)s – %(last)s") % words
            case True, False:
                return _now("from %(first)s") % words
            case False, True:
                return _now("until %(last)s") % words
        return ""


class CohortDate(models.Model):
    """What is different about a lesson for one cohort: its opening day, when the live class is, where to join."""

    cohort = models.ForeignKey(Cohort, models.CASCADE, related_name="dates")
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="cohort_dates")
    opens_on = models.DateField(_("opens on"), null=True, blank=True)
    live_at = models.DateTimeField(_("begins"), null=True, blank=True)
    join_url = models.URLField(_("link to join"), blank=True, max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cohort", "lesson"], name="one_row_of_dates_per_lesson")
        ]

    def __str__(self) -> str:
        return f"{self.lesson_id} for {self.cohort_id}"
