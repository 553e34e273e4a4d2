"""The last day of grants: asked for, moved, and moved back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Contact
from enrollments.cells import FIRST_DAY, FIRST_ENROLLMENT, LAST_DAY, last_enrollment
from enrollments.models import Grant
from portal.models import School

STEPS = (30, 90, 365)  # days that one press of a button adds


def day_field(**options: Any) -> forms.DateField:
    """A date that can be meant: a typing error like 0026 or 9999 is refused with a sentence."""
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    limits = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
    return forms.DateField(
        required=options.pop("required", False), widget=widget, validators=limits, **options
    )


def enrolled_on_field(**options: Any) -> forms.DateField:
    """The day somebody counts as enrolled on, within the limits of the members file."""
    field = day_field(**options)
    field.validators = [_validate_enrollment]
    return field


def _validate_enrollment(day: date) -> None:
    last = last_enrollment()
    if not FIRST_ENROLLMENT <= day <= last:
        raise ValidationError(
            _("Nobody is enrolled on that day. Choose one from %(first)s to %(last)s.")
            % {
                "first": date_format(FIRST_ENROLLMENT, "SHORT_DATE_FORMAT"),
                "last": date_format(last, "SHORT_DATE_FORMAT"),
            }
        )


def end_sentence(day: date | None) -> str:
    """A last day in both its forms: the day, and the instant access ends."""
    school = School.current()
    end = school.end_of(day)
    if day is None or end is None:
        return _("No end.")
    local = end.astimezone(school.zone)
    return _("Last day %(day)s, ends %(end)s %(time)s %(zone)s.") % {
        "day": date_format(day),
        "end": date_format(local, "DATE_FORMAT"),
        "time": date_format(local, "H:i"),
        "zone": school.time_zone,
    }


def is_reversed(grant: Grant, ends_on: date | None) -> bool:
    """Whether the last day would be before the first."""
    return bool(ends_on and ends_on < localdate(grant.starts_at, School.current().zone))


@dataclass(frozen=True)
class Step:
    """A button that moves the end by some days."""

    days: int
    label: str
    ends_on: date


class ExtendForm(forms.Form):
    """The end of one grant: a day, no day, or some days more."""

    ends_on = day_field(
        label=gettext_lazy("Expiration date"),
        help_text=gettext_lazy("The last day they may come in. Empty: no end."),
    )
    days = forms.TypedChoiceField(
        choices=[(step, step) for step in STEPS],
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.HiddenInput,
    )

    was = forms.CharField(required=False, widget=forms.HiddenInput)  # the end the page knew

    def __init__(self, data: QueryDict | None = None, *, grant: Grant) -> None:
        end = grant.ends_on.isoformat() if grant.ends_on else ""
        super().__init__(data, initial={"ends_on": grant.ends_on, "was": end})
        self.grant, self.end = grant, end

    def steps(self) -> list[Step]:
        """What the buttons offer: days from the last one on, or from today if that is over. None without an end."""
        if self.grant.ends_on is None:
            return []
        last = max(self.grant.ends_on, School.current().today() - timedelta(days=1))
        ends = [(days, last + timedelta(days=days)) for days in STEPS]
        return [
            Step(days, ngettext("+%(days)d day", "+%(days)d days", days) % {"days": days}, end)
            for days, end in ends
            if end <= LAST_DAY
        ]

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if "was" in self.data and words.get("was") != self.end:
            raise ValidationError(
                _("The end was changed meanwhile. Look at it again before you move it.")
            )
        if days := words.get("days"):
            found = [step.ends_on for step in self.steps() if step.days == days]
            if not found:
                raise ValidationError(_("It has no end: there is nothing to add days to."))
            [words["ends_on"]] = found
        if is_reversed(self.grant, words.get("ends_on")):
            self.add_error("ends_on", _("The last day is before the first."))
        return words

    def save(self) -> bool:
        """Move the end; whether it moved."""
        before = self.grant.ends_on
        self.grant.extend(until=self.cleaned_data["ends_on"])
        return self.grant.ends_on != before


type Moved = dict[int, tuple[date | None, date | None]]  # grant's pk -> its end (before, after)


def undo_words(moved: Moved) -> list[str]:
    """What the fields named `end` of the form below hold for `moved`."""
    return [f"{pk}:{before or ''}:{after or ''}" for pk, (before, after) in sorted(moved.items())]


class UndoForm(forms.Form):
    """Ends that were just moved, to be put back: `<grant>:<before>:<after>` each, a blank day for no end."""

    def __init__(self, data: QueryDict, *, contact: Contact) -> None:
        super().__init__(data)
        self.contact, self.words = contact, data.getlist("end")

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        words["moved"] = {}
        for word in self.words:
            try:
                pk, before, after = word.split(":")
                words["moved"][int(pk)] = (_day(before), _day(after))
            except ValueError as error:
                raise ValidationError(_("Nothing to undo.")) from error
        return words

    @transaction.atomic
    def save(self) -> int:
        """Put back each end that still is where it was moved to; how many."""
        moved = self.cleaned_data["moved"]
        mine = Grant.objects.filter(contact=self.contact, pk__in=moved)
        present = dict(mine.select_for_update().order_by("pk").values_list("pk", "ends_on"))
        return Grant.objects.set_ends(
            {pk: moved[pk][0] for pk, ends_on in present.items() if ends_on == moved[pk][1]}
        )


def _day(text: str) -> date | None:
    """A day of an undo, as it was written: one the forms allow. Raises ValueError."""
    day = date.fromisoformat(text) if text else None
    if day and not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(text)
    return day
