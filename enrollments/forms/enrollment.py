"""The enrollments of one person in one form: expiration dates, status, learning status, cohort, locks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db import transaction
from django.forms import BoundField
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.models import Contact
from enrollments.cohorts import set_cohorts
from enrollments.forms.cohorts import in_words
from enrollments.forms.dates import Moved, day_field, enrolled_on_field, is_reversed
from enrollments.models import Enrollment, Grant
from enrollments.models.enrollment import LearningStatus
from enrollments.status import with_access_status
from offers.models import Cohort


@dataclass(frozen=True)
class End:
    """The end of one grant that opens a course, and what else moves with it."""

    grant: Grant
    field: BoundField | None  # None where the date is not ours to change
    others: list[str]  # courses of the same offer


@dataclass(frozen=True)
class Row:
    """One course in the form."""

    enrollment: Enrollment
    ends: list[End]
    status: BoundField
    learning: BoundField
    enrolled_on: BoundField
    cohort: BoundField | None  # None where the course has none
    unlocked: BoundField


@dataclass(frozen=True)
class Saved:
    """What saving changed."""

    moved: Moved
    changed: list[Enrollment]
    left: list[Grant]  # that still open a course whose learning was canceled or returned


class EnrollmentsForm(forms.Form):
    """All courses of a contact, or one of them.

    Each field carries along what it showed: only what was changed here is written, so that
    two people who edit at the same time do not undo each other.
    """

    def __init__(
        self, data: QueryDict | None = None, *, contact: Contact, only: int | None = None
    ) -> None:
        super().__init__(data)
        self.contact = contact
        mine = with_access_status(Enrollment.objects.filter(contact=contact))
        if only is not None:
            mine = mine.filter(pk=only)
        self.enrollments = list(mine.select_related("course").order_by("course__title", "pk"))
        self.grants: dict[int, list[Grant]] = {}  # course's pk -> grants that open it
        granted = contact.grants.filter(revoked_at=None).select_related("offer")
        for grant in granted.prefetch_related("offer__courses").order_by("offer__title", "pk"):
            for course in grant.offer.courses.all():
                self.grants.setdefault(course.pk, []).append(grant)
        self.cohorts: dict[int, list[Cohort]] = {}  # by course
        for cohort in Cohort.objects.filter(course__enrollments__in=self.enrollments):
            self.cohorts.setdefault(cohort.course_id, []).append(cohort)
        for enrollment in self.enrollments:
            self._add_fields(enrollment)

    def _add_fields(self, enrollment: Enrollment) -> None:
        pk, course = enrollment.pk, enrollment.course
        self.fields[f"status_{pk}"] = forms.ChoiceField(
            label=_("Status of %(course)s") % {"course": course},
            choices=[
                ("active", _("Active: as granted")),
                ("inactive", _("Inactive: switched off")),
            ],
            initial="inactive" if enrollment.inactive_at else "active",
            show_hidden_initial=True,
        )
        self.fields[f"learning_{pk}"] = forms.ChoiceField(
            label=_("Learning status of %(course)s") % {"course": course},
            choices=LearningStatus,
            initial=enrollment.learning_status,
            show_hidden_initial=True,
        )
        self.fields[f"enrolled_on_{pk}"] = enrolled_on_field(
            label=_("Enrolled in %(course)s on") % {"course": course},
            initial=enrollment.enrolled_on,
            show_hidden_initial=True,
            required=True,
        )
        self.fields[f"unlocked_{pk}"] = forms.BooleanField(
            label=_("Unlock all lessons of %(course)s") % {"course": course},
            initial=enrollment.unlocked_at is not None,
            show_hidden_initial=True,
            required=False,
        )
        if cohorts := self.cohorts.get(course.pk):
            self.fields[f"cohort_{pk}"] = forms.TypedChoiceField(
                label=_("Cohort in %(course)s") % {"course": course},
                choices=[("", _("No cohort")), *((each.pk, in_words(each)) for each in cohorts)],
                coerce=int,
                empty_value=None,
                initial=enrollment.cohort_id,
                show_hidden_initial=True,
                required=False,
            )
        for grant in self._movable(enrollment):
            self.fields[f"ends_on_{pk}_{grant.pk}"] = day_field(
                label=_("Expiration date of %(course)s through %(offer)s")
                % {"course": course, "offer": grant.offer},
                initial=grant.ends_on,
                show_hidden_initial=True,
            )

    def _movable(self, enrollment: Enrollment) -> list[Grant]:
        held = self.grants.get(enrollment.course_id, [])
        return [grant for grant in held if not grant.is_fixed]

    def rows(self) -> Iterator[Row]:
        """The courses, for the template to print."""
        for enrollment in self.enrollments:
            pk = enrollment.pk
            ends = []
            for grant in self.grants.get(enrollment.course_id, []):
                name = f"ends_on_{pk}_{grant.pk}"
                others = [
                    course.title
                    for course in grant.offer.courses.all()
                    if course.pk != enrollment.course_id
                ]
                ends.append(End(grant, self[name] if name in self.fields else None, others))
            yield Row(
                enrollment=enrollment,
                ends=ends,
                status=self[f"status_{pk}"],
                learning=self[f"learning_{pk}"],
                enrolled_on=self[f"enrolled_on_{pk}"],
                cohort=self[f"cohort_{pk}"] if f"cohort_{pk}" in self.fields else None,
                unlocked=self[f"unlocked_{pk}"],
            )

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        self.ends: dict[int, date | None] = {}
        for enrollment in self.enrollments:
            for grant in self._movable(enrollment):
                name = f"ends_on_{enrollment.pk}_{grant.pk}"
                if name not in self.changed_data or name not in words:
                    continue
                day = words[name]
                if self.ends.setdefault(grant.pk, day) != day:
                    text = _("“%(offer)s” has one end for all its courses: here are two.")
                    self.add_error(name, text % {"offer": grant.offer})
                elif is_reversed(grant, day):
                    self.add_error(name, _("The last day is before the first."))
        return words

    @transaction.atomic
    def save(self) -> Saved:
        """Write what was changed here; the dates by one statement, for all courses."""
        before = {grant.pk: grant.ends_on for grants in self.grants.values() for grant in grants}
        Grant.objects.set_ends(self.ends)
        set_cohorts(
            {
                each.pk: self.cleaned_data[f"cohort_{each.pk}"]
                for each in self.enrollments
                if f"cohort_{each.pk}" in self.changed_data
            }
        )
        changed = [each for each in self.enrollments if self._change(each)]
        ended = {LearningStatus.CANCELED, LearningStatus.RETURNED}
        left = {
            grant.pk: grant
            for each in changed
            if f"learning_{each.pk}" in self.changed_data and each.learning_status in ended
            for grant in self.grants.get(each.course_id, [])
            if grant.state != "ended"
        }
        moved = {pk: (before[pk], day) for pk, day in self.ends.items() if before[pk] != day}
        return Saved(moved, changed, list(left.values()))

    def _change(self, enrollment: Enrollment) -> bool:
        """Write one enrollment; whether anything was changed."""
        pk, words = enrollment.pk, self.cleaned_data
        fields: dict[str, Any] = {}
        if f"learning_{pk}" in self.changed_data:
            fields["learning_status"] = words[f"learning_{pk}"]
        if f"enrolled_on_{pk}" in self.changed_data:
            fields["enrolled_on"] = words[f"enrolled_on_{pk}"]
        if fields:
            enrollment.change(**fields)
        if f"status_{pk}" in self.changed_data:
            enrollment.switch(on=words[f"status_{pk}"] == "active")
        if f"unlocked_{pk}" in self.changed_data:
            enrollment.unlock_all(on=words[f"unlocked_{pk}"])
        others = {f"status_{pk}", f"unlocked_{pk}", f"cohort_{pk}"}
        return bool(fields) or not others.isdisjoint(self.changed_data)
