"""A member registered by hand: who, which contents, how long, in what state, all in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from accounts.models.contact import normalize_email
from accounts.people import Person, add_many
from enrollments.access import open_courses
from enrollments.forms.grant import OffersForm
from enrollments.models import Enrollment
from offers.models import Offer


class SwitchedTo(models.TextChoices):
    """The staff's own switch of a new enrollment."""

    ACTIVE = "active", gettext_lazy("Active: open from the first day to the last")
    INACTIVE = (
        "inactive",
        gettext_lazy("Inactive: enrolled, but nothing opens until you switch it on"),
    )


@dataclass(frozen=True)
class Registered:
    """What registering did."""

    contact: Contact
    is_new: bool
    given: list[Offer]
    held: list[Offer]


class MemberForm(OffersForm):
    """Name, e-mail and contents. A known e-mail asks once more, and then adds to that contact."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    known = forms.IntegerField(required=False, widget=forms.HiddenInput)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"), choices=SwitchedTo, widget=forms.RadioSelect, initial="active"
    )

    field_order = ("name", "email", "known", "starts_on", "status", "notify", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contact: Contact | None = None
        self.fields["notify"].help_text = _(
            "One mail lists everything. Nobody is mailed about what is inactive."
        )

    @property
    def is_asking(self) -> bool:
        """Whether the address is somebody's, and staff have not said yet that it is meant."""
        return self.contact is not None and self.cleaned_data.get("known") != self.contact.pk

    def clean_email(self) -> str:
        email = normalize_email(self.cleaned_data["email"])
        self.contact = Contact.objects.filter(email=email).first()
        return email

    @transaction.atomic
    def save(self) -> Registered:
        """Make the contact, or take the one there is: what is known of them stays. Then grant.

        Switching off is for courses that were not open before: others keep their state.
        """
        words = self.cleaned_data
        is_off = words["status"] == SwitchedTo.INACTIVE
        name = words["name"].strip() if not (self.contact and self.contact.name) else ""
        [known] = add_many([Person(words["email"], name)]).values()
        contact = Contact.objects.get(pk=known.pk)
        before = set(open_courses(contact).values_list("pk", flat=True))
        given, held = self.grant_to(contact, notify=words["notify"] and not is_off)
        if is_off:
            made = Enrollment.objects.filter(contact=contact, course__offers__in=given)
            for enrollment in made.exclude(course__in=before).distinct():
                enrollment.switch(on=False)
        return Registered(contact, known.is_new, given, held)
