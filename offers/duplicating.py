"""A course once more, to change it without touching the first: its content, and nobody's progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext as _

from offers.models import (
    Attachment,
    Choice,
    Course,
    Lesson,
    Module,
    Question,
    Quiz,
    Requirement,
)
from offers.models.course import Status
from offers.slugs import free_slug, lock_slugs


@transaction.atomic
def duplicate(course: Course) -> Course:
    """A draft with the same modules, lessons, rules, quizzes and files; without cohorts and people.

    A constant number of statements. Files are shared: they never change. An offer of all courses
    holds the copy as it holds every new course.
    """
    title = _("%(title)s (copy)")
    room = 160 - len(title % {"title": ""})
    title %= {"title": course.title[:room]}
    lock_slugs()
    made = Course(
        title=title,
        slug=free_slug(title, among=Course.objects.all()),
        description=course.description,
        cover_id=course.cover_id,
        status=Status.DRAFT,
        completion=course.completion,
        enforces_order=course.enforces_order,
    )
    made.save()

    modules = _copy(Module.objects.filter(course=course), course_id=lambda _old: made.pk)
    lessons = _copy(
        Lesson.objects.filter(module__course=course), module_id=modules.get, version=lambda _old: 1
    )
    inside = {"lesson__module__course": course}
    _copy(Attachment.objects.filter(**inside), lesson_id=lessons.get)
    _copy(Requirement.objects.filter(**inside), lesson_id=lessons.get, required_id=lessons.get)
    quizzes = _copy(Quiz.objects.filter(**inside), lesson_id=lessons.get)
    questions = _copy(Question.objects.filter(quiz__in=quizzes), quiz_id=quizzes.get)
    _copy(Choice.objects.filter(question__in=questions), question_id=questions.get)
    return made


def _copy[Row: models.Model](
    rows: Iterable[Row], **changes: Callable[[Any], Any]
) -> dict[int, int]:
    """Insert each row anew with what `changes` make of its columns; returns old keys with new ones. Two statements."""
    found = list(rows)
    old = [row.pk for row in found]
    for row in found:
        row.pk, row._state.adding = None, True
        for name, change in changes.items():
            setattr(row, name, change(getattr(row, name)))
    made = type(found[0])._default_manager.bulk_create(found) if found else []
    return dict(zip(old, [row.pk for row in made], strict=True))
