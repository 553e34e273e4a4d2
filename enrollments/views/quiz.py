"""The student's quiz: the questions, and what came of each attempt."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import student_required
from accounts.http import StudentRequest, posted
from enrollments.decorators import open_lesson_required
from enrollments.forms.quiz import QuizForm
from enrollments.locks import Standing
from enrollments.models import QuizAttempt
from enrollments.models.quiz_attempt import NoAttemptLeft
from enrollments.outline import Study
from offers.models import LessonKind, Quiz, Reveal


def _attempts(study: Study, quiz: Quiz) -> list[QuizAttempt]:
    """What the student tried so far in this attempt at the course, the first first."""
    mine = QuizAttempt.objects.filter(
        enrollment=study.enrollment, attempt=study.enrollment.attempt, quiz=quiz
    )
    return list(mine.defer("sheet").order_by("number"))


def _quiz_or_404(lesson: Standing) -> Quiz:
    if lesson.kind != LessonKind.QUIZ:
        raise Http404
    return get_object_or_404(Quiz.objects.select_related("lesson"), lesson=lesson.id)


@student_required
@open_lesson_required
def quiz_take(request: StudentRequest, study: Study, lesson: Standing) -> HttpResponse:
    """The questions of a quiz lesson, to be answered once more while attempts are left."""
    quiz = _quiz_or_404(lesson)
    made = _attempts(study, quiz)
    form = QuizForm(posted(request), quiz=quiz, number=len(made) + 1)
    left = None if quiz.max_attempts is None else max(0, quiz.max_attempts - len(made))
    has_questions = len(form.fields) > 1
    if has_questions and form.is_valid():
        try:
            tried = QuizAttempt.objects.submit(
                enrollment=study.enrollment,
                quiz=quiz,
                number=form.cleaned_data["number"],
                answers=form.answers(),
            )
        except NoAttemptLeft:
            messages.error(request, _("You used every attempt: this one was not counted."))
            return redirect("enrollments:quiz_take", study.course.slug, lesson.id)
        return redirect("enrollments:quiz_result", study.course.slug, lesson.id, tried.number)
    context = {
        "study": study,
        "lesson": lesson,
        "quiz": quiz,
        "form": form if has_questions and left != 0 else None,
        "has_questions": has_questions,
        "attempts": made,
        "number": len(made) + 1,
        "left": left,
        "trail": study.trail(lesson),
    }
    return render(request, "enrollments/student/quiz_take.html", context)


@student_required
@open_lesson_required
def quiz_result(
    request: StudentRequest, study: Study, lesson: Standing, number: int
) -> HttpResponse:
    """What came of one of the student's own attempts, with the right answers if the quiz shows them."""
    quiz = _quiz_or_404(lesson)
    made = _attempts(study, quiz)
    tried = get_object_or_404(
        QuizAttempt,
        enrollment=study.enrollment,
        attempt=study.enrollment.attempt,
        quiz=quiz,
        number=number,
    )
    shown = quiz.reveal == Reveal.ALWAYS or (
        quiz.reveal == Reveal.PASSED and any(attempt.passed for attempt in made)
    )
    context = {
        "study": study,
        "lesson": lesson,
        "quiz": quiz,
        "tried": tried,
        "reveals": shown,
        "may_retry": quiz.max_attempts is None or len(made) < quiz.max_attempts,
        "next": study.after(lesson),
        "trail": study.trail(lesson),
    }
    return render(request, "enrollments/student/quiz_result.html", context)
