"""QuizAttempt: one try at a quiz, as it was answered then."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from enrollments.models.enrollment import Enrollment
from offers.models import Quiz


class QuizAttempt(models.Model):
    """What somebody answered, and what came of it. Never changed: the quiz may be, afterwards.

    `sheet` is the quiz as it was: a list of {"text", "explanation", "right": bool,
    "choices": [{"text", "is_right", "is_chosen"}]}.
    """

    enrollment = models.ForeignKey(
        Enrollment, models.CASCADE, related_name="quiz_attempts", db_index=False
    )
    attempt = models.PositiveSmallIntegerField()  # at the course, as LessonProgress has it
    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()  # of this person at this quiz, from 1
    score = models.PositiveSmallIntegerField()  # questions answered right
    total = models.PositiveSmallIntegerField()
    passed = models.BooleanField()
    sheet = models.JSONField(default=list)
    submitted_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-submitted_at", "-pk"]
        constraints = [
            # A double click sends the same number twice: one of them is the attempt.
            models.UniqueConstraint(
                fields=["enrollment", "attempt", "quiz", "number"],
                name="an_attempt_is_submitted_once",
            )
        ]
        indexes = [models.Index(fields=["quiz", "-submitted_at"], name="attempt_by_quiz")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.enrollment_id}"

    @property
    def percent(self) -> int:
        """Of the questions, how many were right; rounded down, so that 69.9 does not pass 70."""
        return 100 * self.score // self.total if self.total else 0
