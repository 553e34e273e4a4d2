"""The lessons of one person in one course: which are open, what shuts the others, and unlocking them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from enrollments import access
from enrollments.locks import Standing, standings
from enrollments.models import Enrollment
from offers.models import Lesson


@dataclass(frozen=True)
class Row:
    """One lesson, and what shuts it, if anything does."""

    lesson: Standing
    shut_by: list[str]
    is_unlocked: bool  # by itself, besides all of them

    @property
    def state(self) -> str:
        """The word of its badge: done, unlocked, open or shut."""
        if self.lesson.is_done:
            return "done"
        if not self.lesson.is_open:
            return "shut"
        return "unlocked" if self.shut_by else "open"


@staff_required("view_contacts")
def lesson_list(request: StaffRequest, pk: int) -> HttpResponse:
    """Every published lesson with its state, as the student finds it once the course is open to them."""
    enrollment = _enrollment(pk)
    contact, course = enrollment.contact, enrollment.course
    unlocked = set(enrollment.unlocks.values_list("lesson_id", flat=True))
    lessons = standings(contact=contact.pk, course=course.pk)
    counted = [lesson for lesson in lessons if lesson.is_counted]
    context = {
        "enrollment": enrollment,
        "contact": contact,
        "course": course,
        "rows": list(_rows(lessons, unlocked, today=request.school.today())),
        "anchor": lessons[0].anchor if lessons else None,
        "done": sum(lesson.is_done for lesson in counted),
        "total": len(counted),
        "is_open": access.open_courses(contact).filter(pk=course.pk).exists(),
    }
    return render(request, "enrollments/dashboard/lesson_list.html", context)


def _rows(
    lessons: Collection[Standing], unlocked: Collection[int], *, today: date
) -> Iterator[Row]:
    for lesson in lessons:
        yield Row(lesson, list(_shut_by(lesson, today=today)), lesson.id in unlocked)


def _shut_by(lesson: Standing, *, today: date) -> Iterator[str]:
    """Everything that shuts it, or would if staff had not unlocked it."""
    if lesson.is_done:
        return
    if lesson.opening_day and lesson.opening_day > today:
        yield _("Opens on %(day)s.") % {"day": date_format(lesson.opening_day)}
    if lesson.missing:
        yield _("Waits for “%(lesson)s”.") % {"lesson": lesson.missing}
    if lesson.waits_for_order:
        yield _("Waits for the lessons before it: the course goes in order.")


@require_POST
@staff_required("manage_access")
def lesson_unlock(request: StaffRequest, pk: int, lesson_pk: int) -> HttpResponse:
    """Open one lesson to this person before its rules do."""
    enrollment, lesson = _enrollment(pk), _lesson(pk, lesson_pk)
    enrollment.unlock(lesson)
    words = {"lesson": lesson, "name": enrollment.contact}
    messages.success(request, _("“%(lesson)s” is unlocked for %(name)s.") % words)
    return redirect("enrollments:lesson_list", pk)


@require_POST
@staff_required("manage_access")
def lesson_lock(request: StaffRequest, pk: int, lesson_pk: int) -> HttpResponse:
    """Let the rules decide about it again."""
    enrollment, lesson = _enrollment(pk), _lesson(pk, lesson_pk)
    enrollment.lock(lesson)
    text = _("“%(lesson)s” follows the rules of the course again.")
    messages.success(request, text % {"lesson": lesson})
    return redirect("enrollments:lesson_list", pk)


@require_POST
@staff_required("manage_access")
def enrollment_unlock(request: StaffRequest, pk: int) -> HttpResponse:
    """Open every lesson of the course to this person, whatever its rules say."""
    enrollment = _enrollment(pk)
    enrollment.unlock_all()
    text = _("Every lesson is unlocked for %(name)s.")
    messages.success(request, text % {"name": enrollment.contact})
    return redirect("enrollments:lesson_list", pk)


@require_POST
@staff_required("manage_access")
def enrollment_lock(request: StaffRequest, pk: int) -> HttpResponse:
    """Let the rules decide again; lessons that were unlocked one by one stay so."""
    enrollment = _enrollment(pk)
    enrollment.unlock_all(on=False)
    messages.success(request, _("The rules of the course hold for them again."))
    return redirect("enrollments:lesson_list", pk)


def _enrollment(pk: int) -> Enrollment:
    mine = Enrollment.objects.select_related("contact", "course", "cohort")
    return get_object_or_404(mine, pk=pk)


def _lesson(pk: int, lesson_pk: int) -> Lesson:
    """A lesson of the course of that enrollment."""
    lessons = Lesson.objects.filter(module__course__enrollments=pk)
    return get_object_or_404(lessons, pk=lesson_pk)
