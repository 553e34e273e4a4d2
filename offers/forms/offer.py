"""What may be asked about an offer, and what is valid."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from offers.forms.careful import SluggishForm
from offers.models import Course, Offer
from offers.models.course import Status
from portal.events import Name


class DaysField(forms.CharField):
    """Numbers of days with commas or spaces between them; cleaned to a list, the greatest first."""

    LARGEST, MOST = 365, 5

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(days) for days in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        words = re.split(r"[\s,;]+", super().to_python(value) or "")
        found = set()
        for word in filter(None, words):
            if not re.fullmatch(r"[0-9]{1,4}", word) or not 1 <= int(word) <= self.LARGEST:
                text = gettext("“%(word)s” is not a number of days from 1 to %(largest)d.")
                raise forms.ValidationError(text % {"word": word, "largest": self.LARGEST})
            found.add(int(word))
        if len(found) > self.MOST:
            raise forms.ValidationError(gettext("At most %d reminders.") % self.MOST)
        return sorted(found, reverse=True)


class OfferForm(SluggishForm[Offer]):
    """An offer: what it is, how long it lasts, and the courses it holds."""

    updated = Name.OFFER_UPDATED

    reminder_days = DaysField(
        label=_("Reminders"),
        required=False,
        help_text=_(
            "How many days before the last day its holders get a mail, like 30, 7, 1. Empty: never."
        ),
    )
    courses = forms.ModelMultipleChoiceField(
        Course.objects.none(),
        label=_("Courses"),
        required=False,
        # The style sheet hides the list where the box for all of them is ticked.
        widget=forms.CheckboxSelectMultiple(attrs={"class": "choice-some"}),
        help_text=_("Whoever holds this offer may open them."),
    )

    class Meta:
        model = Offer
        fields: ClassVar[list[str]] = [
            "title",
            "slug",
            "description",
            "kind",
            "default_days",
            "reminder_days",
            "is_internal",
            "holds_all_courses",
        ]
        widgets: ClassVar[dict[str, Any]] = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "kind": forms.RadioSelect,
            "holds_all_courses": forms.CheckboxInput(attrs={"class": "choice-all"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = self.instance.courses.all() if self.instance.pk else Course.objects.none()
        choice = Course.objects.exclude(status=Status.ARCHIVED) | Course.objects.filter(
            pk__in=held.values("pk")
        )
        self.fields["courses"].queryset = choice  # type: ignore[attr-defined]
        self.initial.setdefault("courses", [course.pk for course in held])

    @transaction.atomic
    def save(self, commit: bool = True) -> Offer:
        """Keep the offer, and include or exclude the courses that changed sides.

        With all courses in it, nobody has to choose; without, exactly the ticked ones stay.
        """
        super().save()
        if self.instance.holds_all_courses:
            self.instance.include_all()
            return self.instance
        wanted, held = set(self.cleaned_data["courses"]), set(self.instance.courses.all())
        for course in sorted(wanted - held, key=lambda course: course.pk):
            self.instance.include(course)
        for course in sorted(held - wanted, key=lambda course: course.pk):
            self.instance.exclude(course)
        return self.instance
