"""The doors of a course and its lessons: what is not open to the student does not exist, or says when it opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast

from django.http import Http404, HttpResponse
from django.shortcuts import render

from accounts.http import StudentRequest
from enrollments.locks import Standing
from enrollments.outline import Study, lock_in_words

type CourseView[**P] = Callable[Concatenate[StudentRequest, Study, P], HttpResponse]
type LessonView[**P] = Callable[Concatenate[StudentRequest, Study, Standing, P], HttpResponse]


def open_course_required[**P](
    view: CourseView[P],
) -> Callable[Concatenate[StudentRequest, str, P], HttpResponse]:
    """Give the view the course at the address `slug`: 404 unless the student may open it now."""

    @wraps(view)
    def door(request: StudentRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        study = Study.find(contact=request.contact, slug=slug)
        if study is None:
            raise Http404
        return view(request, study, *args, **kwargs)

    return cast("Callable[Concatenate[StudentRequest, str, P], HttpResponse]", door)


def open_lesson_required[**P](
    view: LessonView[P],
) -> Callable[Concatenate[StudentRequest, str, int, P], HttpResponse]:
    """Give the view the course, and its lesson `pk`: 404 unless it is published there, 403 while it is shut."""

    @wraps(view)
    def door(
        request: StudentRequest, study: Study, pk: int, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        lesson = study.lesson(pk)
        if lesson is None:
            raise Http404
        if not lesson.is_open:
            return _locked(request, study, lesson)
        return view(request, study, lesson, *args, **kwargs)

    return open_course_required(
        cast("Callable[Concatenate[StudentRequest, Study, int, P], HttpResponse]", door)
    )


def _locked(request: StudentRequest, study: Study, lesson: Standing) -> HttpResponse:
    """The student knows of the lesson, and is told when it opens or what to do first."""
    context = {
        "study": study,
        "lesson": lesson,
        "reason": lock_in_words(lesson, today=request.school.today()),
    }
    return render(request, "enrollments/student/lesson_locked.html", context, status=403)
