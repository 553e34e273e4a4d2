"""Into which cohort people are put, where courses have cohorts: part of the forms that give offers."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Subquery
from django.forms import BoundField
from django.utils.translation import gettext as _

from accounts.models import Contact
from enrollments.models import Enrollment
from offers.models import Cohort, Offer, OfferCourse


class CohortsForm(forms.Form):
    """One choice for each course that can be given and has a cohort which is not over."""

    def add_cohorts(self, *, contact: Contact | None = None) -> None:
        """Add the fields. Choosing nothing leaves `contact` in the cohort they are in. One statement."""
        can_be_given = OfferCourse.objects.filter(course=OuterRef("course")).filter(
            offer__in=Offer.objects.grantable()
        )
        mine = Enrollment.objects.filter(contact=contact, course=OuterRef("course"))
        cohorts = (
            Cohort.objects.not_over()
            .filter(Exists(can_be_given))
            .annotate(present=Subquery(mine.values("cohort__title")))
            .select_related("course")
        )
        self.cohorts = {
            str(cohort.pk): cohort
            for cohort in cohorts.order_by("course__title", "course", "starts_on", "title")
        }
        for course, group in groupby(self.cohorts.values(), key=lambda cohort: cohort.course):
            offered: list[Any] = list(group)
            present = offered[0].present
            nothing = (
                _("Stays in “%(cohort)s”") % {"cohort": present} if present else _("No cohort")
            )
            self.fields[f"cohort_{course.pk}"] = forms.ChoiceField(
                label=_("Cohort in “%(course)s”") % {"course": course},
                choices=[("", nothing), *((str(each.pk), in_words(each)) for each in offered)],
                required=False,
            )

    def cohort_fields(self) -> list[BoundField]:
        """For the template to print."""
        return [self[name] for name in self.fields if name.startswith("cohort_")]

    def clean_cohorts(self, words: dict[str, Any], offers: Collection[Offer]) -> list[Cohort]:
        """The chosen cohorts. One of a course that none of `offers` holds is refused: nobody would come into it."""
        chosen = {
            name: self.cohorts[value]
            for name, value in words.items()
            if name.startswith("cohort_") and value
        }
        if not chosen:
            return []
        held = set(OfferCourse.objects.filter(offer__in=offers).values_list("course_id", flat=True))
        for name, cohort in chosen.items():
            if cohort.course_id not in held:
                text = _("No offer you chose holds “%(course)s”.")
                self.add_error(name, text % {"course": cohort.course})
        return list(chosen.values())


def in_words(cohort: Cohort) -> str:
    """Its title, and its days if it has any."""
    return f"{cohort} ({cohort.period})" if cohort.period else cohort.title
