"""The student's courses and lessons: what is not open to them does not exist."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.decorators import student_required
from accounts.http import StudentRequest
from enrollments import access
from enrollments.locks import Standing
from enrollments.outline import Study, lock_in_words
from enrollments.shelf import shelf
from offers.markdown import render as render_markdown
from offers.models import Lesson
from offers.video import player_url


@student_required
def course_list(request: StudentRequest) -> HttpResponse:
    """Everything that is open to the student."""
    books = shelf(request.contact)
    context = {
        "current": [book for book in books if not book.is_completed],
        "completed": [book for book in books if book.is_completed],
        "coming": access.coming_grants(request.contact),
    }
    return render(request, "enrollments/student/course_list.html", context)


def study_or_404(request: StudentRequest, slug: str) -> Study:
    """The course with this address, if it is open to the student. What is not theirs does not exist."""
    study = Study.find(contact=request.contact, slug=slug)
    if study is None:
        raise Http404
    return study


def lesson_or_404(study: Study, pk: int) -> Standing:
    """A published lesson of the course, open or not."""
    lesson = study.lesson(pk)
    if lesson is None:
        raise Http404
    return lesson


def lesson_locked(request: StudentRequest, study: Study, lesson: Standing) -> HttpResponse:
    """403: the student knows of the lesson, and is told when it opens or what to do first."""
    context = {
        "study": study,
        "lesson": lesson,
        "reason": lock_in_words(lesson, today=request.school.today()),
    }
    return render(request, "enrollments/student/lesson_locked.html", context, status=403)


@student_required
def course_detail(request: StudentRequest, slug: str) -> HttpResponse:
    """One course the student may open: its outline, with locks that say when and why."""
    study = study_or_404(request, slug)
    context = {"study": study, "course": study.course, "modules": study.modules()}
    return render(request, "enrollments/student/course_detail.html", context)


@student_required
def lesson_detail(request: StudentRequest, slug: str, pk: int) -> HttpResponse:
    """One lesson, its place in the course, and the way on."""
    study = study_or_404(request, slug)
    standing = lesson_or_404(study, pk)
    if not standing.is_open:
        return lesson_locked(request, study, standing)
    lesson = Lesson.objects.get(pk=pk)
    study.enrollment.open_lesson(lesson)
    context = {
        "study": study,
        "course": study.course,
        "lesson": lesson,
        "standing": standing,
        "trail": [(study.course.title, reverse("enrollments:course_detail", args=[slug]))],
        "previous": study.before(standing),
        "next": study.after(standing),
        "modules": study.modules(standing),
        "body": render_markdown(lesson.body),
        "player_url": player_url(lesson.video_url),
    }
    return render(request, "enrollments/student/lesson_detail.html", context)


@require_POST
@student_required
def lesson_complete(request: StudentRequest, slug: str, pk: int) -> HttpResponse:
    """Mark a lesson done and go on to the next; with `undo`, take the mark back and stay."""
    study = study_or_404(request, slug)
    standing = lesson_or_404(study, pk)
    if not standing.is_open:
        return lesson_locked(request, study, standing)
    lesson = Lesson(pk=pk)
    if "undo" in request.POST:
        study.enrollment.uncomplete(lesson)
        return redirect("enrollments:lesson_detail", slug, pk)
    study.enrollment.complete(lesson)
    following = study.after(standing)
    if following is None:
        return redirect("enrollments:course_detail", slug)
    return redirect("enrollments:lesson_detail", slug, following.id)
