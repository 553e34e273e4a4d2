"""Quiz: the questions of a lesson, and when it is passed."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from offers.models.course import Compared
from offers.models.lesson import Lesson


class Reveal(models.TextChoices):
    """When a student sees which answers were right."""

    ALWAYS = "always", _("After every attempt")
    PASSED = "passed", _("Once it is passed")
    NEVER = "never", _("Never")


class Quiz(models.Model):
    """What a quiz lesson asks for. The lesson is done when it is passed."""

    lesson = models.OneToOneField(Lesson, models.CASCADE, related_name="quiz")
    pass_mark = models.PositiveSmallIntegerField(
        _("pass mark in percent"),
        default=70,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    max_attempts = models.PositiveSmallIntegerField(
        _("attempts"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("How often it may be tried. Empty: as often as they like."),
    )
    reveal = models.CharField(
        _("show the right answers"), max_length=8, choices=Reveal, default=Reveal.ALWAYS
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pass_mark__lte=100), name="a_pass_mark_is_a_percentage"
            )
        ]

    def __str__(self) -> str:
        return f"quiz of {self.lesson_id}"


class QuestionKind(models.TextChoices):
    """How many of the choices are right."""

    ONE = "one", _("One is right")
    SOME = "some", _("Several may be right")


class Question(Compared):
    """One question of a quiz. It is right when exactly the right choices are ticked."""

    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="questions")
    kind = models.CharField(_("kind"), max_length=4, choices=QuestionKind, default=QuestionKind.ONE)
    text = models.TextField(_("question"))
    explanation = models.TextField(
        _("explanation"), blank=True, help_text=_("Shown with the right answer.")
    )
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.text[:60]

    def facts(self) -> dict[str, Any]:
        """What the log says of it, by its name: it may be deleted later."""
        return self.quiz.lesson.facts() | {"question": self.pk, "title": str(self)}

    def words(self) -> object:
        choices = self.choices.values_list("pk", "text", "is_right")
        return self.text, self.kind, self.explanation, list(choices)


class Choice(models.Model):
    """One answer to choose."""

    question = models.ForeignKey(Question, models.CASCADE, related_name="choices")
    text = models.CharField(_("answer"), max_length=500)
    is_right = models.BooleanField(_("right"), default=False)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.text[:60]
