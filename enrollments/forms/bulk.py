"""The terms of bulk actions on access."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollments.forms.cohorts import CohortsForm
from enrollments.forms.dates import day_field
from enrollments.forms.grant import ReasonForm, note_field
from offers.models import Offer
from portal.models import School

LEAVE, EXTEND, SET = "leave", "extend", "set"


class _TermsForm(forms.Form):
    """Where an end lies is asked in two fields: `mode`, and of `set` which `day`."""

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if words.get("mode") == "set" and not words.get("day") and "day" not in self.errors:
            self.add_error("day", _("Choose the last day."))
        if words.get("mode") != "set":
            words["day"] = None
        return words


class GrantOfferForm(_TermsForm, CohortsForm):
    """One offer, until when, what of those who hold it, and the cohorts of its courses."""

    offer = forms.ModelChoiceField(Offer.objects.grantable(), label=gettext_lazy("Offer"))
    mode = forms.ChoiceField(
        label=gettext_lazy("Until"),
        choices=[
            ("default", gettext_lazy("as long as the offer says")),
            ("set", gettext_lazy("the day below")),
            ("none", gettext_lazy("without an end")),
        ],
    )
    day = day_field(
        label=gettext_lazy("Last day"), help_text=gettext_lazy("The whole day is included.")
    )
    if_held = forms.ChoiceField(
        label=gettext_lazy("Who holds it already"),
        choices=[
            (LEAVE, gettext_lazy("keeps what they have")),
            (EXTEND, gettext_lazy("gets the later of the two ends")),
            (SET, gettext_lazy("gets this end")),
        ],
    )
    note = note_field()
    notify = forms.BooleanField(
        label=gettext_lazy("Send the access mail"), required=False, initial=True
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_cohorts()
        self.order_fields(["offer", *(field.name for field in self.cohort_fields())])

    def clean(self) -> dict[str, Any]:
        words = super().clean()
        offer = words.get("offer")
        words["cohorts"] = self.clean_cohorts(words, [offer] if offer else [])
        return words

    def clean_day(self) -> date | None:
        day: date | None = self.cleaned_data["day"]
        if day and day < School.current().today():
            raise forms.ValidationError(_("That day is over: choose a later one."))
        return day


class RevokeOfferForm(ReasonForm):
    """One offer, and why."""

    offer = forms.ModelChoiceField(Offer.objects.all(), label=gettext_lazy("Offer"))

    field_order = ("offer", "reason")


class SetEndForm(_TermsForm):
    """Whose end moves, and where to."""

    offer = forms.ModelChoiceField(Offer.objects.all(), label=gettext_lazy("Offer"))
    mode = forms.ChoiceField(
        label=gettext_lazy("New end"),
        choices=[
            ("set", gettext_lazy("the day below")),
            ("extend", gettext_lazy("later by the days below")),
            ("none", gettext_lazy("without an end")),
        ],
    )
    day = day_field(
        label=gettext_lazy("Last day"), help_text=gettext_lazy("The whole day is included.")
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days"), required=False, min_value=1, max_value=3650
    )

    def clean(self) -> dict[str, Any]:
        words = super().clean()
        if words.get("mode") == "extend" and not words.get("days") and "days" not in self.errors:
            self.add_error("days", _("Say by how many days."))
        return words
