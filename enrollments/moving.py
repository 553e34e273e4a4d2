"""The bulk action that moves people to another cohort of a course, and its way back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.bulk import CHANGED, Result, Results, Undoable, register
from accounts.models import BulkRun
from accounts.models.bulk import Outcome as Done
from accounts.models.contact import ContactQuerySet
from enrollments.cohorts import cohorts_back, set_cohorts
from enrollments.forms.cohorts import in_words
from enrollments.models import Enrollment
from offers.models import Cohort, Course

LEAVE = "leave"


class MoveToCohortForm(forms.Form):
    """A cohort, or none of a certain course."""

    cohort = forms.ChoiceField(label=gettext_lazy("Cohort"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cohorts = Cohort.objects.select_related("course")
        groups: list[tuple[str, list[tuple[str, str]]]] = []
        self.meant: dict[str, tuple[int, int | None]] = {}  # choice -> course, cohort
        ordered = cohorts.order_by("course__title", "course", "starts_on", "title", "pk")
        for course, group in groupby(ordered, key=lambda cohort: cohort.course):
            choices = []
            for cohort in group:
                choices.append((str(cohort.pk), in_words(cohort)))
                self.meant[str(cohort.pk)] = (course.pk, cohort.pk)
            choices.append((f"{LEAVE}-{course.pk}", _("No cohort any more")))
            self.meant[f"{LEAVE}-{course.pk}"] = (course.pk, None)
            groups.append((course.title, choices))
        field = self.fields["cohort"]
        field.choices = [("", _("Choose a cohort")), *groups]  # type: ignore[attr-defined]
        if not groups:
            field.help_text = _("No course has a cohort yet: add one on the course's page.")

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if "cohort" in words:
            words["course"], words["cohort"] = self.meant[words["cohort"]]
        return words


@register
class MoveToCohort(Undoable):
    """Move those who are enrolled in its course to a cohort, or out of all of them."""

    key = "cohort"
    label = gettext_lazy("Move to a cohort")
    icon = "users"
    permission = "manage_access"
    form = MoveToCohortForm

    def sentence(self, terms: dict[str, Any]) -> str:
        words = {"course": Course.objects.get(pk=terms["course"]), "cohort": _cohort(terms)}
        if terms["cohort"] is None:
            return _("Take out of the cohorts of “%(course)s”") % words
        if words["cohort"] is None:
            return _("Move to a cohort of “%(course)s” that is deleted") % words
        return _("Move to “%(cohort)s” in “%(course)s”") % words

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        course, cohort = Course.objects.get(pk=terms["course"]), _cohort(terms)
        mine = _enrollments(contacts.order_by().values("pk"), terms)
        number, enrolled = contacts.order_by().count(), mine.count()
        there = mine.filter(cohort=terms["cohort"]).count()
        moves = ngettext(
            "Moves %(number)d person in “%(course)s”.",
            "Moves %(number)d people in “%(course)s”.",
            enrolled - there,
        )
        sentences = [moves % {"number": enrolled - there, "course": course}]
        if there:
            text = ngettext("%d is there already.", "%d are there already.", there)
            sentences.append(text % there)
        if number > enrolled:
            text = ngettext(
                "%d is not enrolled in the course: nothing happens to them.",
                "%d are not enrolled in the course: nothing happens to them.",
                number - enrolled,
            )
            sentences.append(text % (number - enrolled))
        return [*sentences, _dates(cohort), _("Progress is kept. Nobody is told by mail.")]

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        if terms["cohort"] is not None and _cohort(terms) is None:
            gone = Result(Done.REFUSED, _("The cohort is deleted."))
            return dict.fromkeys(contact_ids, gone)
        enrolled = dict(_enrollments(contact_ids, terms).values_list("contact_id", "pk"))
        moved = set_cohorts(dict.fromkeys(enrolled.values(), terms["cohort"]))
        missing = Result(Done.REFUSED, _("Is not enrolled in the course."))
        return {
            **dict.fromkeys(set(contact_ids) - enrolled.keys(), missing),
            **dict.fromkeys(moved, CHANGED),
        }

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        return cohorts_back(contact_ids, run)


def _cohort(terms: dict[str, Any]) -> Cohort | None:
    return Cohort.objects.filter(pk=terms["cohort"]).first() if terms["cohort"] else None


def _enrollments(contacts: Any, terms: dict[str, Any]) -> Any:
    return Enrollment.objects.filter(contact__in=contacts, course=terms["course"])


def _dates(cohort: Cohort | None) -> str:
    """What the move does to the lessons."""
    if cohort is None or cohort.starts_on is None:
        return _("Lessons that open after some days count from each one's enrollment.")
    text = _("Lessons open no earlier than %(day)s; what is done stays open.")
    return text % {"day": date_format(cohort.starts_on)}
