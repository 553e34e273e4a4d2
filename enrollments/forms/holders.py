"""Where the end of all holders of an offer is to move."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from enrollments.forms.dates import day_field
from offers.models import Offer
from offers.models.offer import LONGEST

MODES = [
    ("set", gettext_lazy("The day below")),
    ("extend", gettext_lazy("Later, by the days below")),
    ("none", gettext_lazy("No end")),
    ("default", gettext_lazy("The default length, which is no end")),
]


class MoveEndsForm(forms.Form):
    """A day, some days more, no end, or the length the offer has now."""

    mode = forms.ChoiceField(
        label=gettext_lazy("New end"),
        widget=forms.RadioSelect,
        initial="set",
        choices=MODES,
    )
    day = day_field(
        label=gettext_lazy("Last day"), help_text=gettext_lazy("The whole day is included.")
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days"), required=False, min_value=1, max_value=3650
    )
    # Only those whose end is so many days after their start; 0: who has no end. Empty: everybody.
    length = forms.IntegerField(
        required=False, min_value=0, max_value=LONGEST, widget=forms.HiddenInput
    )
    # Of the page that asked: what is sent from it twice is done once.
    once = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, offer: Offer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer = offer
        if offer.default_days:
            text = ngettext(
                "%d day from each one's start, the default length",
                "%d days from each one's start, the default length",
                offer.default_days,
            )
            *others, (default, _label) = MODES
            choices = [*others, (default, text % offer.default_days)]
            self.fields["mode"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        match words.get("mode"):
            case "set" if not self.errors.get("day"):
                if words["day"] is None:
                    self.add_error("day", _("Choose the last day."))
            case "extend" if not self.errors.get("days"):
                if words["days"] is None:
                    self.add_error("days", _("By how many days?"))
        return words

    def terms(self) -> dict[str, Any]:
        """What the bulk action is told."""
        mode, words = self.cleaned_data["mode"], self.cleaned_data
        return {
            "offer": self.offer.pk,
            "mode": mode,
            "day": words["day"].isoformat() if mode == "set" else None,
            "days": {"extend": words["days"], "default": self.offer.default_days}.get(mode),
            "length": words["length"],
        }

    @classmethod
    def settled(cls, words: dict[str, Any], *, offer: Offer) -> MoveEndsForm:
        """The answers once more, all in hidden fields, for the button that does it."""
        form = cls(offer=offer, initial=words | {"once": uuid.uuid4().hex}, auto_id=False)
        for field in form.fields.values():
            field.widget = forms.HiddenInput()
        return form
