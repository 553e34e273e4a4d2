"""What staff are asked before they do something about somebody's way in."""

from __future__ import annotations

import uuid

from django import forms
from django.utils.translation import gettext_lazy

from accounts.models.link import Section

# Hours a login link may work: a day unless staff choose, a week at most.
HOURS = (
    (1, gettext_lazy("One hour")),
    (24, gettext_lazy("One day")),
    (72, gettext_lazy("Three days")),
    (168, gettext_lazy("Seven days")),
)


class LinkTermsForm(forms.Form):
    """Where login links lead, and how long they work."""

    section = forms.ChoiceField(label=gettext_lazy("Leads to"), choices=Section)
    hours = forms.TypedChoiceField(
        label=gettext_lazy("Works for"),
        choices=HOURS,
        coerce=int,
        initial=24,
        required=False,
        empty_value=None,
    )


class OnceForm(forms.Form):
    """Nothing but that it is done once: a double click sends one mail."""

    # Drawn anew for each page that shows the form.
    once = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.HiddenInput,
        initial=lambda: uuid.uuid4().hex,
    )

    @property
    def key(self) -> str:
        """What makes doing it twice harmless; another each time for a form without `once`."""
        return f"staff:{self.cleaned_data['once'] or uuid.uuid4().hex}"


class LinkForm(LinkTermsForm, OnceForm):
    """A login link for one person: mailed, or shown once to be copied, as the button says that was pressed."""

    delivery = forms.ChoiceField(choices=[("mail", ""), ("copy", "")], required=False)

    def clean_delivery(self) -> str:
        return self.cleaned_data["delivery"] or "mail"
