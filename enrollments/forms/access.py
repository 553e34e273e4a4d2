"""What is asked when somebody cannot see a course: who, and which."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from accounts.models.contact import normalize_email
from offers.models import Course

SHOWN = 10  # people, where several are meant


class AccessForm(forms.Form):
    """A person and a course. `candidates` are those the words fit, where they fit several."""

    email = forms.CharField(
        label=gettext_lazy("Person"),
        help_text=gettext_lazy("Their e-mail address, or a part of their name."),
        max_length=254,
    )
    course = forms.ModelChoiceField(
        label=gettext_lazy("Course"),
        queryset=Course.objects.all(),
        empty_label=gettext_lazy("Choose a course"),
    )

    candidates: Sequence[Contact] = ()

    def clean_email(self) -> str:
        """The address of the one person the words fit. Archived people are found too, by their address."""
        words: str = self.cleaned_data["email"]
        known = Contact.objects.filter(email=normalize_email(words)).first()
        if known is not None:
            return known.email
        found = list(Contact.objects.present().matching(words).order_by("name", "pk")[: SHOWN + 1])
        if not found:
            raise ValidationError(
                _("There is no contact with this address or name. Do they use another address?")
            )
        if len(found) == 1:
            return found[0].email
        self.candidates = found[:SHOWN]
        if len(found) > SHOWN:
            raise ValidationError(_("Many people fit. Write more of the name, or the address."))
        raise ValidationError(_("Several people fit. Choose one of them."))
