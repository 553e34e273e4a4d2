"""Cohort: a class of a course, and the dates of its own."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from offers.models.course import Course
from offers.models.lesson import Lesson


class Cohort(models.Model):
    """A class of a course (turma): the same content, with dates and progress of its own.

    Before its first day its lessons are shut. Its last day closes nothing: that is the grants' affair.
    """

    course = models.ForeignKey(Course, models.CASCADE, related_name="cohorts")
    title = models.CharField(_("title"), max_length=120)
    starts_on = models.DateField(_("first day"), null=True, blank=True)
    ends_on = models.DateField(_("last day"), null=True, blank=True)
    created_at = models.DateTimeField(default=now)

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
