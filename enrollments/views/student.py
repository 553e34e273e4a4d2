"""The student's courses and lessons: the queryset is the permission."""

from __future__ import annotations

from itertools import groupby
from typing import Any, TypedDict, cast

from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_stubs_ext import WithAnnotations

from accounts.decorators import student_required
from accounts.http import StudentRequest
from enrollments import access
from enrollments.models import Enrollment, LessonProgress
from enrollments.shelf import last_day, shelf
from offers.markdown import render as render_markdown
from offers.models import Course, Lesson
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


class Mark(TypedDict):
    """What a student's lesson has besides."""

    is_done: bool


type Marked = WithAnnotations[Lesson, Mark]


def _lessons(request: StudentRequest, course: Course) -> list[Marked]:
    """The lessons of a course in order, each with `is_done` and its module. One statement."""
    done = LessonProgress.objects.filter(
        lesson=OuterRef("pk"),
        enrollment__contact=request.contact,
        attempt=OuterRef("module__course__enrollments__attempt"),
    )
    lessons = (
        Lesson.objects.filter(
            module__course=course, module__course__enrollments__contact=request.contact
        )
        .defer("body")
        .select_related("module")
        .annotate(is_done=Exists(done))
        .in_order()
    )
    return cast("list[Marked]", list(lessons))


def _outline(
    course: Course, lessons: list[Marked], current: Lesson | None = None
) -> list[dict[str, Any]]:
    """The lessons under their modules, as components/outline.html prints them."""
    return [
        {
            "title": module.title,
            "lessons": [
                {
                    "title": lesson.title,
                    "url": reverse("enrollments:lesson_detail", args=[course.slug, lesson.pk]),
                    "is_done": lesson.is_done,
                    "is_current": current is not None and lesson.pk == current.pk,
                    "locked": "",
                    "note": "",
                }
                for lesson in group
            ],
        }
        for module, group in groupby(lessons, key=lambda lesson: lesson.module)
    ]


@student_required
def course_detail(request: StudentRequest, slug: str) -> HttpResponse:
    """One course the student may open. What is not theirs does not exist: 404, not 403."""
    courses = access.open_courses(request.contact).annotate(until=last_day(request.contact))
    course = get_object_or_404(courses, slug=slug)
    enrollment = Enrollment.objects.of(contact=request.contact, course=course)
    lessons = _lessons(request, course)
    done = sum(lesson.is_done for lesson in lessons)
    current = next((lesson for lesson in lessons if lesson.pk == enrollment.last_lesson_id), None)
    undone = (lesson for lesson in lessons if not lesson.is_done)
    context = {
        "course": course,
        "modules": _outline(course, lessons),
        "resume": current or next(undone, None) or next(iter(lessons), None),
        "is_started": enrollment.started_at is not None,
        "completed_at": enrollment.completed_at,
        "done": done,
        "total": len(lessons),
    }
    return render(request, "enrollments/student/course_detail.html", context)


@student_required
def lesson_detail(request: StudentRequest, slug: str, pk: int) -> HttpResponse:
    """One lesson, its place in the course, and the way on."""
    lesson = get_object_or_404(
        access.open_lessons(request.contact).select_related("module__course"),
        pk=pk,
        module__course__slug=slug,
    )
    course = lesson.module.course
    enrollment = Enrollment.objects.of(contact=request.contact, course=course)
    enrollment.open_lesson(lesson)
    lessons = _lessons(request, course)
    place = next(n for n, other in enumerate(lessons) if other.pk == lesson.pk)
    context = {
        "course": course,
        "lesson": lesson,
        "number": place + 1,
        "trail": [(course.title, reverse("enrollments:course_detail", args=[course.slug]))],
        "is_done": lessons[place].is_done,
        "previous": lessons[place - 1] if place else None,
        "next": lessons[place + 1] if place + 1 < len(lessons) else None,
        "modules": _outline(course, lessons, lesson),
        "done": sum(other.is_done for other in lessons),
        "total": len(lessons),
        "body": render_markdown(lesson.body),
        "player_url": player_url(lesson.video_url),
    }
    return render(request, "enrollments/student/lesson_detail.html", context)


@require_POST
@student_required
def lesson_complete(request: StudentRequest, slug: str, pk: int) -> HttpResponse:
    """Mark a lesson done and go on to the next; with `undo`, take the mark back and stay."""
    lesson = get_object_or_404(
        access.open_lessons(request.contact).select_related("module__course"),
        pk=pk,
        module__course__slug=slug,
    )
    enrollment = Enrollment.objects.of(contact=request.contact, course=lesson.module.course)
    if "undo" in request.POST:
        enrollment.uncomplete(lesson)
        return redirect("enrollments:lesson_detail", slug, pk)
    enrollment.complete(lesson)
    following = _following(lesson)
    if following is None:
        return redirect("enrollments:course_detail", slug)
    return redirect("enrollments:lesson_detail", slug, following)


def _following(lesson: Lesson) -> int | None:
    pks = list(
        Lesson.objects.filter(module__course=lesson.module.course_id)
        .in_order()
        .values_list("pk", flat=True)
    )
    place = pks.index(lesson.pk) + 1
    return pks[place] if place < len(pks) else None
