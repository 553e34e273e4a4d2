"""What may be said: a comment below a lesson, a rating of a course."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, User
from enrollments.models import Comment, Enrollment, Rating
from enrollments.models.rating import STARS
from offers.models import Lesson


class PlainTextField(forms.CharField):
    """A text of several lines. A line break is one letter, as browsers count, and no gap is taller than a line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        text = str(value or "").replace("\r\n", "\n").replace("\r", "\n")
        return super().to_python(re.sub(r"\n\s*\n", "\n\n", text))


class CommentForm(forms.Form):
    """A comment below a lesson, or with `parent` an answer to one."""

    text = PlainTextField(
        label=_("Your comment"),
        max_length=5_000,
        error_messages={"required": _("Write something first.")},
    )
    parent = forms.ModelChoiceField(
        Comment.objects.none(),
        required=False,
        error_messages={"invalid_choice": _("The comment you answer is not there any more.")},
    )

    def __init__(self, data: Any = None, *, lesson: int) -> None:
        super().__init__(data)
        self.lesson = lesson
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ModelChoiceField)  # noqa: S101 -- for the type checker
        parent.queryset = Comment.objects.visible().filter(lesson=lesson, parent=None)

    @property
    def answered(self) -> int | None:
        """The comment that is answered, so that what is wrong is said there."""
        if not self.is_bound or self.errors.get("parent"):
            return None
        parent: Comment | None = self.cleaned_data["parent"]
        return parent.pk if parent else None

    def save(self, *, author: User, contact: Contact | None) -> Comment:
        """Raises TooMany."""
        said = self.cleaned_data
        return Comment.objects.write(
            lesson=Lesson(pk=self.lesson),
            author=author,
            contact=contact,
            text=said["text"],
            parent=said["parent"],
        )


class RatingForm(forms.Form):
    """What a student thinks of a course."""

    stars = forms.TypedChoiceField(
        label=_("Your rating"),
        coerce=int,
        choices=[(str(stars), str(stars)) for stars in STARS],
        error_messages={"required": _("Choose one to five stars.")},
    )
    text = PlainTextField(
        label=_("Why?"), max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, rating: Rating | None) -> None:
        super().__init__(
            data, initial={"stars": rating.stars, "text": rating.text} if rating else {}
        )

    @property
    def chosen(self) -> str:
        """The star that is ticked."""
        return str(self["stars"].value() or "")

    @transaction.atomic
    def save(self, *, enrollment: Enrollment) -> None:
        Rating.objects.rate(enrollment=enrollment, **self.cleaned_data)
