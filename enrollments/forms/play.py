"""What a player says of a recording: where it stands, and what was played since it last said so."""

from __future__ import annotations

import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from enrollments.played import at_most, united

DAY = 86_400  # seconds: no recording is longer
PART = re.compile(r"(\d{1,5}(?:\.\d+)?)-(\d{1,5}(?:\.\d+)?)", re.ASCII)
PARTS = 20  # in one report
# Seconds of playing that one report may tell of. A player reports every ten seconds; one that
# was out of reach for a while tells the rest in its next report.
MOST = 120


class PlayForm(forms.Form):
    """Times are seconds; `played` is like "0-9.8,31.2-33"."""

    duration = forms.FloatField(min_value=0.1, max_value=DAY)
    position = forms.FloatField(min_value=0, max_value=DAY)
    played = forms.CharField(required=False, max_length=500)

    def clean_position(self) -> int:
        """In whole seconds, and never behind the end."""
        position: float = self.cleaned_data["position"]
        end: float = self.cleaned_data.get("duration", position)
        return round(min(position, end))

    def clean_played(self) -> list[list[int]]:
        """The parts in whole seconds, no longer than MOST together."""
        texts = [text for text in self.cleaned_data["played"].split(",") if text]
        found = [PART.fullmatch(text) for text in texts]
        parts = [(round(float(each[1])), round(float(each[2]))) for each in found if each]
        if len(parts) < len(texts) or len(parts) > PARTS:
            raise ValidationError(_("This is no list of parts."))
        if any(start > end or end > DAY for start, end in parts):
            raise ValidationError(_("A part ends after it begins."))
        return at_most(MOST, united((start, end) for start, end in parts if end > start))
