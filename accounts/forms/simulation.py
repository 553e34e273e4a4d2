"""Why somebody wants to see the portal as a student does."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

TOO_SHORT = _("A reason is required, of 10 characters or more.")


class SimulationForm(forms.Form):
    """Asked before a simulated session begins."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=10,
        max_length=500,
        help_text=_(
            "What you want to find out, in 10 characters or more, for the audit. The student does not read it."
        ),
        error_messages={"required": TOO_SHORT, "min_length": TOO_SHORT},
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    # The page to begin with, if it is not their home.
    next = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)
