"""What may be asked about giving and taking offers, and what is valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from enrollments.access import open_courses
from enrollments.forms.cohorts import CohortsForm
from enrollments.forms.dates import day_field
from enrollments.models import Enrollment, Grant, Outcome
from offers.models import Course, Offer
from portal.models import School


def note_field() -> forms.CharField:
    """Why something is given."""
    return forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Why, for whoever asks later. Only staff see it."),
    )


@dataclass(frozen=True)
class Choice:
    """One offer in the form: its tick box, its end date, and what staff should know first."""

    offer: Offer
    chosen: BoundField
    ends_on: BoundField
    courses: list[Course]
    warnings: list[str]
    held: Grant | None = None
    begun: list[Course] = field(default_factory=list)  # where they stopped once


class OffersForm(CohortsForm):
    """Offers to give, each with its last day, and the cohorts of their courses."""

    contact: Contact | None = None  # whom this is about, if that is known before the form is sent

    starts_on = day_field(
        label=gettext_lazy("Starts on"),
        help_text=gettext_lazy("Empty: now. Until a later day the access is pending."),
    )
    note = note_field()
    notify = forms.BooleanField(
        label=gettext_lazy("Send the access mail"),
        required=False,
        initial=True,
        help_text=gettext_lazy("One mail lists everything that is granted here."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.school = School.current()
        self.offers = list(Offer.objects.grantable())
        today = self.school.today()
        for offer in self.offers:
            self.fields[f"offer_{offer.pk}"] = forms.BooleanField(label=offer.title, required=False)
            self.fields[f"ends_on_{offer.pk}"] = day_field(
                label=_("Last day of %(offer)s") % {"offer": offer},
                initial=offer.default_end(today),
            )
        self.add_cohorts(contact=self.contact)

    def lonely_courses(self) -> list[Course]:
        """What cannot be given here, for no offer that can be granted holds it."""
        return list(Course.objects.without_offer())

    def choices(self) -> Iterator[Choice]:
        """The offers, for the template to print as rows."""
        prefetch_related_objects(self.offers, "courses")
        for offer in self.offers:
            courses = list(offer.courses.all())
            yield Choice(
                offer=offer,
                chosen=self[f"offer_{offer.pk}"],
                ends_on=self[f"ends_on_{offer.pk}"],
                courses=courses,
                warnings=_warnings(offer, courses),
            )

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        self.chosen = [offer for offer in self.offers if words.get(f"offer_{offer.pk}")]
        if not self.chosen:
            raise forms.ValidationError(_("Choose at least one offer."))
        first_day = words.get("starts_on") or self.school.today()
        for offer in self.chosen:
            ends_on = words.get(f"ends_on_{offer.pk}")
            if ends_on and ends_on < first_day:
                self.add_error(f"ends_on_{offer.pk}", _("The last day is before the first."))
        self.joined = self.clean_cohorts(words, self.chosen)
        return words

    def grant_to(self, contact: Contact, *, notify: bool) -> tuple[list[Offer], list[Offer]]:
        """Grant the chosen offers. Returns those granted, and those held already, which stay as they are."""
        given: list[Offer] = []
        held: list[Offer] = []
        starts_on = self.cleaned_data["starts_on"]
        for offer in self.chosen:
            outcomes = Grant.objects.grant_many(
                contact_ids=[contact.pk],
                offer=offer,
                source="manual",
                ends={contact.pk: self.cleaned_data[f"ends_on_{offer.pk}"]},
                starts_at=self.school.start_of(starts_on) if starts_on else None,
                notify=notify,
                note=self.cleaned_data["note"],
                cohorts=self.joined,
            )
            (held if outcomes[contact.pk] == Outcome.UNCHANGED else given).append(offer)
        return given, held


def _warnings(offer: Offer, courses: list[Course]) -> list[str]:
    """What keeps an offer from opening what it seems to promise."""
    found = []
    if not offer.is_active:
        found.append(_("A draft: it opens nothing and mails nobody until it is published."))
    hidden = [course.title for course in courses if not course.is_published]
    if not courses:
        found.append(_("Holds no course yet."))
    elif len(hidden) == len(courses):
        found.append(_("No course of it is published: nobody is mailed."))
    elif hidden:
        found.append(_("Not published yet: %s.") % ", ".join(hidden))
    return found


class GrantForm(OffersForm):
    """Staff give one contact access by hand."""

    contact: Contact

    restart = forms.ChoiceField(
        label=gettext_lazy("In courses they began before"),
        choices=[
            ("", gettext_lazy("Continue where they stopped")),
            ("yes", gettext_lazy("Start a new attempt")),
        ],
        required=False,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("A new attempt begins at 0%. What was done before is kept."),
    )

    def __init__(self, *args: Any, contact: Contact, **kwargs: Any) -> None:
        self.contact = contact
        super().__init__(*args, **kwargs)

    def choices(self) -> Iterator[Choice]:
        held = {grant.offer_id: grant for grant in self.contact.grants.held().order_by("pk")}
        mine = {row.course_id: row for row in self.contact.enrollments.all()}
        is_open = set(open_courses(self.contact).values_list("pk", flat=True))
        for choice in super().choices():
            rows = [(course, mine[course.pk]) for course in choice.courses if course.pk in mine]
            if off := [course.title for course, row in rows if row.inactive_at]:
                choice.warnings.append(
                    _("Switched off for them, and stays so: %s.") % ", ".join(off)
                )
            # What they are in now goes on: it is no question.
            begun = [course for course, row in rows if row.started_at and course.pk not in is_open]
            yield replace(choice, held=held.get(choice.offer.pk), begun=begun)

    def rows(self) -> list[Choice]:
        """The offers; hides the question about progress where there is none."""
        rows = list(self.choices())
        if not any(row.begun for row in rows):
            del self.fields["restart"]
        return rows

    @transaction.atomic
    def save(self) -> tuple[list[Offer], list[Offer]]:
        """Grant in one transaction, hence one mail. Returns what was granted, and what was held already."""
        restarts = bool(self.cleaned_data["restart"])
        was_open = list(open_courses(self.contact)) if restarts else []
        given, held = self.grant_to(self.contact, notify=self.cleaned_data["notify"])
        if restarts:
            begun = Enrollment.objects.filter(
                contact=self.contact, course__offers__in=given, started_at__isnull=False
            )
            for enrollment in begun.exclude(course__in=was_open).distinct():
                enrollment.restart()
        return given, held


class ReasonForm(forms.Form):
    """Why access is taken, or paused. Only staff read it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Only staff see it."),
    )
