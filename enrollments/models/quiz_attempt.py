"""QuizAttempt: one try at a quiz, as it was answered then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.utils.timezone import now

from enrollments.models.enrollment import Enrollment
from offers.models import Question, Quiz
from portal.events import Name, record


class NoAttemptLeft(Exception):
    """The quiz may be tried so often, and was."""


type Answers = Mapping[int, set[int]]  # question's pk -> the choices that are ticked


class QuizAttemptQuerySet(models.QuerySet["QuizAttempt"]):
    @transaction.atomic
    def submit(
        self, *, enrollment: Enrollment, quiz: Quiz, number: int, answers: Answers
    ) -> QuizAttempt:
        """Grade what was answered and keep it; passing it completes the lesson. Records `quiz.submitted`.

        `number` is which attempt the page was made for: sent twice it is one attempt, and the
        first answer counts. Raises NoAttemptLeft.
        """
        # The lock that Enrollment.complete() takes: two devices hand in one after the other.
        mine = Enrollment.objects.select_for_update(no_key=True).get(pk=enrollment.pk)
        made = self.filter(enrollment=mine, attempt=mine.attempt, quiz=quiz)
        if sent := made.filter(number=number).first():
            return sent
        count = made.count()
        if quiz.max_attempts is not None and count >= quiz.max_attempts:
            raise NoAttemptLeft
        sheet = [
            _graded(question, answers.get(question.pk, set()))
            for question in quiz.questions.prefetch_related("choices")
        ]
        tried = QuizAttempt(
            enrollment=mine,
            attempt=mine.attempt,
            quiz=quiz,
            number=count + 1,
            score=sum(question["right"] for question in sheet),
            total=len(sheet),
            sheet=sheet,
        )
        tried.passed = tried.total > 0 and 100 * tried.score >= quiz.pass_mark * tried.total
        tried.save()
        record(
            Name.QUIZ_SUBMITTED,
            contact=mine.contact_id,
            lesson=quiz.lesson_id,
            course=mine.course_id,
            quiz_attempt=tried.pk,
            number=tried.number,
            percent=tried.percent,
            passed=tried.passed,
        )
        if tried.passed:
            mine.complete(quiz.lesson)
        return tried


def _graded(question: Question, ticked: set[int]) -> dict[str, Any]:
    """The question as it is now, with what was ticked: right when exactly the right choices are."""
    choices = list(question.choices.all())
    return {
        "text": question.text,
        "explanation": question.explanation,
        "right": {choice.pk for choice in choices if choice.is_right} == ticked,
        "choices": [
            {
                "text": choice.text,
                "is_right": choice.is_right,
                "is_chosen": choice.pk in ticked,
            }
            for choice in choices
        ],
    }


class QuizAttempt(models.Model):
    """What somebody answered, and what came of it. Never changed: the quiz may be, afterwards.

    `sheet` is the quiz as it was: a list of {"text", "explanation", "right": bool,
    "choices": [{"text", "is_right", "is_chosen"}]}.
    """

    enrollment = models.ForeignKey(
        Enrollment, models.CASCADE, related_name="quiz_attempts", db_index=False
    )
    attempt = models.PositiveSmallIntegerField()  # at the course, as LessonProgress has it
    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()  # of this person at this quiz, from 1
    score = models.PositiveSmallIntegerField()  # questions answered right
    total = models.PositiveSmallIntegerField()
    passed = models.BooleanField()
    sheet = models.JSONField(default=list)
    submitted_at = models.DateTimeField(default=now)

    objects = QuizAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-submitted_at", "-pk"]
        constraints = [
            # A double click sends the same number twice: one of them is the attempt.
            models.UniqueConstraint(
                fields=["enrollment", "attempt", "quiz", "number"],
                name="an_attempt_is_submitted_once",
            )
        ]
        indexes = [models.Index(fields=["quiz", "-id"], name="attempt_by_quiz")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.enrollment_id}"

    @property
    def percent(self) -> int:
        """Of the questions, how many were right; rounded down, so that 69.9 is shown as no 70."""
        return 100 * self.score // self.total if self.total else 0
