"""The student's courses and lessons: what is not open to them does not exist."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import simulation
from accounts.decorators import student_required
from accounts.http import StudentRequest
from enrollments.absences import absences
from enrollments.decorators import open_course_required, open_lesson_required
from enrollments.forms.play import PlayForm
from enrollments.locks import Standing
from enrollments.outline import Study, lock_in_words
from enrollments.shelf import shelf
from enrollments.sitting import PLAYED, Sitting, is_watched
from offers.markdown import render as render_markdown
from offers.models import Lesson, LessonKind


@student_required
def course_list(request: StudentRequest) -> HttpResponse:
    """Everything the student was given: what is open, and what is not, with the reason."""
    books, shut = shelf(request.contact), absences(request.contact)
    context = {
        "current": [book for book in books if not book.is_completed],
        "completed": [book for book in books if book.is_completed],
        "coming": [absence for absence in shut if absence.is_coming],
        "ended": [absence for absence in shut if not absence.is_coming],
    }
    return render(request, "enrollments/student/course_list.html", context)


@student_required
@open_course_required
def course_detail(request: StudentRequest, study: Study) -> HttpResponse:
    """One course the student may open: its outline, with locks that say when and why."""
    resume = study.resume
    context = {
        "study": study,
        "course": study.course,
        "modules": study.modules(),
        "resume": resume,
        "resume_url": resume and study.address_of(resume),
    }
    return render(request, "enrollments/student/course_detail.html", context)


@student_required
@open_lesson_required
def lesson_detail(request: StudentRequest, study: Study, standing: Standing) -> HttpResponse:
    """One lesson, its place in the course, and the way on."""
    if not simulation.is_on():
        study.enrollment.open_lesson(Lesson(pk=standing.id))
    sitting = Sitting.find(study, standing)
    context = {
        **on_the_way(request, study, standing),
        "sitting": sitting,
        "is_watched": sitting.is_watched,
        "trail": study.trail(),
        "body": render_markdown(sitting.row.body),
    }
    return render(request, "enrollments/student/lesson_detail.html", context)


def on_the_way(request: StudentRequest, study: Study, standing: Standing) -> dict[str, Any]:
    """What the foot and the side of a lesson show: what completes it, what comes next, where one is."""
    following, locked = study.after(standing), ""
    if following and not following.is_open:
        locked = lock_in_words(following, today=request.school.today())
    return {
        "study": study,
        "course": study.course,
        "standing": standing,
        "is_quiz": standing.kind == LessonKind.QUIZ,
        "previous": study.before(standing),
        "next": following,
        "next_locked": locked,
        "modules": study.modules(standing),
    }


@require_POST
@student_required
@open_lesson_required
def lesson_complete(request: StudentRequest, study: Study, standing: Standing) -> HttpResponse:
    """Mark a lesson done and go on to the next; with `undo`, take the mark back and stay.

    A quiz is done by passing it, and by nothing else.
    """
    if standing.kind == LessonKind.QUIZ:
        messages.error(request, _("This lesson is complete when you pass its quiz."))
        return redirect(study.address_of(standing))
    if "undo" in request.POST:
        study.enrollment.uncomplete(Lesson(pk=standing.id))
        return redirect(study.address_of(standing))
    study.enrollment.complete(Lesson(pk=standing.id))
    return redirect(way_on(study, standing))


def way_on(study: Study, standing: Standing) -> str:
    """Where to go from a lesson that was just done: to the next one, if it is open by now, or else to the course."""
    following = study.after(standing)
    if following is not None and not following.is_open:
        following = study.anew().lesson(following.id)
    return study.address_of(following) if following and following.is_open else study.url


@require_POST
@student_required
@open_lesson_required
def lesson_progress(request: StudentRequest, study: Study, standing: Standing) -> HttpResponse:
    """What the player reports every few seconds: where it stands, what was played. See PlayForm.

    Answers with the foot and the side of the page where that completed the lesson, else with nothing.
    """
    if standing.kind not in PLAYED:
        raise Http404
    form = PlayForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    is_done = study.enrollment.play(
        Lesson(pk=standing.id),
        position=form.cleaned_data["position"],
        parts=form.cleaned_data["played"],
        duration=form.cleaned_data["duration"],
        completes=is_watched(study, standing),
    )
    if not is_done:
        return HttpResponse(status=204)
    study = study.anew()
    context = on_the_way(request, study, study.lesson(standing.id) or standing) | {
        "is_watched": True
    }
    return render(request, "enrollments/student/lesson_progress.html", context)
