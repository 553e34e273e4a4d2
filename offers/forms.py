"""What may be asked about offers and courses, and what is valid."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from offers.models import Course, Lesson, Module, Offer
from offers.models.course import Status, next_position


class _Careful[Noun: (Course, Module, Lesson, Offer)](forms.ModelForm[Noun]):
    """A form that writes what it changed, so that an edit never takes back what happened beside it."""

    def save(self, commit: bool = True) -> Noun:
        """Insert the noun, or update the fields that differ."""
        if not self.instance.pk:
            self.instance.save()
        elif changed := {*self.changed_data, "slug"} & {*(self._meta.fields or ())}:
            self.instance.save(update_fields=changed)
        return self.instance


class _Sluggish[Noun: (Course, Offer)](_Careful[Noun]):
    """A form whose address field may be left empty: it follows the title then."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False
        self.fields["slug"].help_text = _("Part of the web address. Empty: made from the title.")

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if not words.get("slug") and words.get("title"):
            words["slug"] = self._free_slug(slugify(words["title"])[:70] or "untitled")
        return words

    def _free_slug(self, wanted: str) -> str:
        """`wanted`, or with the first number behind it that nobody has."""
        others = self._meta.model._default_manager.exclude(pk=self.instance.pk)
        taken = set(others.filter(slug__startswith=wanted).values_list("slug", flat=True))
        numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
        return (
            wanted if wanted not in taken else next(slug for slug in numbered if slug not in taken)
        )


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


class OfferForm(_Sluggish[Offer]):
    """An offer: what it is, how long it lasts, and the courses it holds."""

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


class CourseForm(_Sluggish[Course]):
    """Title, address and description of a course."""

    class Meta:
        model = Course
        fields: ClassVar[list[str]] = ["title", "slug", "description"]
        widgets: ClassVar[dict[str, Any]] = {"description": forms.Textarea(attrs={"rows": 4})}


class ModuleForm(_Careful[Module]):
    """A module and its place in the course."""

    class Meta:
        model = Module
        fields: ClassVar[list[str]] = ["title", "position"]

    def __init__(self, *args: Any, course: Course, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.course = course
        if not self.instance.pk:
            self.initial.setdefault("position", next_position(course.modules.all()))


class LessonForm(_Careful[Lesson]):
    """A lesson: its text in Markdown, its video, its module and place."""

    class Meta:
        model = Lesson
        fields: ClassVar[list[str]] = ["title", "video_url", "body", "module", "position"]
        widgets: ClassVar[dict[str, Any]] = {"body": forms.Textarea(attrs={"rows": 18})}

    def __init__(self, *args: Any, module: Module, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["module"].queryset = module.course.modules.all()  # type: ignore[attr-defined]
        if not self.instance.pk:
            self.initial["module"] = module
            self.initial["position"] = next_position(module.lessons.all())
