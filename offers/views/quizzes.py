"""Staff pages of a quiz: when it is passed, and its questions."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from offers.forms.careful import Overtaken
from offers.forms.quiz import MOST, QuestionForm, QuizForm
from offers.models import Lesson, LessonKind, Question, Quiz
from offers.views.overtaken import gone, overtaken
from portal.events import Name, delete_and_record, record


@staff_required("manage_content")
def quiz_update(request: StaffRequest, pk: int) -> HttpResponse:
    """The quiz of the lesson `pk`: its rules and its questions. 410 if somebody deleted the lesson."""
    lesson = Lesson.objects.select_related("module__course").filter(pk=pk).first()
    if lesson is None:
        return gone(request, QuizForm.base_fields)
    if lesson.kind != LessonKind.QUIZ:
        raise Http404
    try:
        quiz, _is_new = Quiz.objects.get_or_create(lesson=lesson)
    except IntegrityError:  # deleted since the look above
        return gone(request, QuizForm.base_fields)
    form = QuizForm(posted(request), instance=quiz)
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return gone(request, form.fields)
        messages.success(request, _("Saved."))
        return redirect("offers:quiz_update", pk)
    context = {
        "form": form,
        "lesson": lesson,
        "course": lesson.module.course,
        "questions": quiz.questions.prefetch_related("choices"),
    }
    return render(request, "offers/dashboard/quiz_form.html", context)


@staff_required("manage_content")
def question_create(request: StaffRequest, lesson_pk: int) -> HttpResponse:
    """A new question at the end of a quiz. 410 with what was typed if somebody deleted the lesson."""
    quiz = Quiz.objects.select_related("lesson__module__course").filter(lesson=lesson_pk).first()
    if quiz is None:
        return _gone(request)
    form = QuestionForm(posted(request), quiz=quiz)
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return _gone(request)
        messages.success(request, _("Saved."))
        again = "another" in request.POST
        return redirect("offers:question_create" if again else "offers:quiz_update", lesson_pk)
    context = {"form": form, "lesson": quiz.lesson, "course": quiz.lesson.module.course}
    return render(request, "offers/dashboard/question_form.html", context)


def _questions() -> QuerySet[Question]:
    return Question.objects.select_related("quiz__lesson__module__course")


@staff_required("manage_content")
def question_update(request: StaffRequest, pk: int) -> HttpResponse:
    """One question and its answers. What was handed in before stays as it was graded.

    409 with both texts if somebody else saved it meanwhile, 410 with one if they deleted it.
    """
    question = _questions().filter(pk=pk).first()
    if question is None:
        return _gone(request)
    form = QuestionForm(posted(request), instance=question, quiz=question.quiz)
    lesson = question.quiz.lesson
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return _overtaken(request, form)
        messages.success(request, _("Saved."))
        return redirect("offers:quiz_update", lesson.pk)
    context = {
        "form": form,
        "question": question,
        "lesson": lesson,
        "course": lesson.module.course,
    }
    return render(request, "offers/dashboard/question_form.html", context)


def _overtaken(request: StaffRequest, form: QuestionForm) -> HttpResponse:
    """Both texts, for whoever saves second."""
    there = _questions().filter(pk=form.instance.pk).first()
    if there is None:
        return _gone(request)
    mine = QuestionForm(instance=there, quiz=there.quiz, initial=form.typed())
    theirs = QuestionForm(instance=there, quiz=there.quiz, rows=len(mine.numbers))
    return overtaken(request, mine=mine, theirs=theirs)


def _gone(request: StaffRequest) -> HttpResponse:
    return gone(request, QuestionForm(request.POST, quiz=Quiz(), rows=MOST).fields)


@require_POST
@staff_required("manage_content")
@transaction.atomic
def question_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Take a question out. What was handed in before stays as it was graded."""
    question = get_object_or_404(_questions(), pk=pk)
    delete_and_record(question, Name.QUESTION_DELETED, **question.facts())
    messages.success(request, _("The question is deleted."))
    return redirect("offers:quiz_update", question.quiz.lesson_id)


@require_POST
@staff_required("manage_content")
@transaction.atomic
def question_move(request: StaffRequest, pk: int) -> HttpResponse:
    """One place up, or with `down` one place down. At the edge nothing happens."""
    question = get_object_or_404(_questions(), pk=pk)
    quiz = get_object_or_404(Quiz.objects.select_for_update(), pk=question.quiz_id)
    order = list(quiz.questions.all())
    if question not in order:  # somebody deleted it before the lock
        raise Http404
    here = order.index(question)
    there = here + (1 if "down" in request.POST else -1)
    if 0 <= there < len(order):
        order[here], order[there] = order[there], order[here]
        record(Name.QUIZ_UPDATED, **question.quiz.lesson.facts(), fields=["order"])
    for position, moved in enumerate(order, start=1):
        moved.position = position
    Question.objects.bulk_update(order, ["position"])
    return redirect("offers:quiz_update", quiz.lesson_id)
