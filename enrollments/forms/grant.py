"""What may be asked about access, and what is valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from enrollments.members_file import FIRST_DAY, LAST_DAY
from enrollments.models import Grant, Outcome
from offers.models import Offer
from portal.models import School


def day_field(**options: Any) -> forms.DateField:
    """A date that can be meant: a typing error like 0026 or 9999 is refused with a sentence."""
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    limits = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
    return forms.DateField(required=False, widget=widget, validators=limits, **options)


@dataclass(frozen=True)
class Choice:
    """One offer in the form: its tick box, its end date, and what staff should know first."""

    offer: Offer
    chosen: BoundField
    ends_on: BoundField
    held: Grant | None
    courses: list[str]
    warning: str


class GrantForm(forms.Form):
    """Staff give one contact access by hand: one or several offers, each with its last day."""

    starts_on = day_field(label=gettext_lazy("Starts on"), help_text=gettext_lazy("Empty: now."))
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Why, for whoever asks later. Only staff see it."),
    )
    notify = forms.BooleanField(
        label=gettext_lazy("Send the access mail"),
        required=False,
        initial=True,
        help_text=gettext_lazy("One mail lists everything that is granted here."),
    )

    def __init__(self, *args: Any, contact: Contact, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contact, self.school = contact, School.current()
        self.offers = list(Offer.objects.grantable())
        today = self.school.today()
        for offer in self.offers:
            self.fields[f"offer_{offer.pk}"] = forms.BooleanField(label=offer.title, required=False)
            self.fields[f"ends_on_{offer.pk}"] = day_field(
                label=_("Last day of %(offer)s") % {"offer": offer},
                initial=offer.default_end(today),
            )

    def choices(self) -> Iterator[Choice]:
        """The offers, for the template to print as rows."""
        prefetch_related_objects(self.offers, "courses")
        held = {grant.offer_id: grant for grant in self.contact.grants.held().order_by("pk")}
        for offer in self.offers:
            courses = list(offer.courses.all())
            warning = ""
            if not offer.is_active:
                warning = _("A draft: it opens nothing and mails nobody until it is published.")
            elif not courses:
                warning = _("Holds no course yet.")
            elif not any(course.is_published for course in courses):
                warning = _("No course of it is published: nobody is mailed.")
            yield Choice(
                offer=offer,
                chosen=self[f"offer_{offer.pk}"],
                ends_on=self[f"ends_on_{offer.pk}"],
                held=held.get(offer.pk),
                courses=[course.title for course in courses],
                warning=warning,
            )

    def terms(self) -> list[BoundField]:
        """The fields that hold for all chosen offers."""
        return [self[name] for name in ("starts_on", "note", "notify")]

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
        return words

    @transaction.atomic
    def save(self) -> tuple[list[Offer], list[Offer]]:
        """Grant the chosen offers in one transaction, hence one mail. Returns those granted, and those held already."""
        given: list[Offer] = []
        held: list[Offer] = []
        starts_on = self.cleaned_data["starts_on"]
        for offer in self.chosen:
            outcomes = Grant.objects.grant_many(
                contact_ids=[self.contact.pk],
                offer=offer,
                source="manual",
                ends={self.contact.pk: self.cleaned_data[f"ends_on_{offer.pk}"]},
                starts_at=self.school.start_of(starts_on) if starts_on else None,
                notify=self.cleaned_data["notify"],
                note=self.cleaned_data["note"],
            )
            (held if outcomes[self.contact.pk] == Outcome.UNCHANGED else given).append(offer)
        return given, held


class RevokeForm(forms.Form):
    """Why access is taken. Only staff read it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Only staff see it."),
    )
