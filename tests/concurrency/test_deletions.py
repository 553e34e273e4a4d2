"""Two who delete one thing at the same moment: it is gone once, and told once; and who looks at it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import make
import pytest
from django import shortcuts
from django.db import models
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from racing import race

from accounts.models import Note, Segment, User
from accounts.views import dashboard
from offers.models import Cohort, Lesson, LessonKind, Module, Question
from offers.views import cohorts, courses, lessons, quizzes
from portal.models import Event, School
from portal.views import contacts

pytestmark = pytest.mark.django_db(transaction=True)


def everything(alice: User) -> dict[str, tuple[Any, models.Model]]:
    """One of each that is deleted by a button: its address, the module of its view, the noun."""
    course = make.course("Bread")
    make.quiz(course)
    return {
        "offers:cohort_delete": (cohorts, Cohort.objects.create(course=course, title="May")),
        "offers:question_delete": (quizzes, Question.objects.get()),
        "offers:lesson_delete": (lessons, course.modules.get().lessons.get(position=1)),
        "offers:module_delete": (courses, Module.objects.create(course=course, title="Empty")),
        "accounts:note_delete": (
            dashboard,
            Note.objects.create(contact=make.contact("Bob"), author=alice, text="Pays late"),
        ),
        "portal:segment_delete": (
            contacts,
            Segment.objects.create(name="Late", query="q=x", created_by=alice),
        ),
    }


def look_together(gate: threading.Barrier) -> Callable[..., Any]:
    """Find it, and go on when the other has found it too."""

    def look(*args: Any, **terms: Any) -> Any:
        found = shortcuts.get_object_or_404(*args, **terms)
        gate.wait(timeout=10)
        return found

    return look


def test_what_two_delete_at_once_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    School.current()
    alice = make.staff(email="alice@example.com")
    for address, (views, noun) in everything(alice).items():
        monkeypatch.setattr(views, "get_object_or_404", look_together(threading.Barrier(2)))

        def delete(url: str = reverse(address, args=[noun.pk])) -> int:
            browser = Client()
            browser.force_login(alice)
            return browser.post(url).status_code

        assert race(delete, delete) == [302, 302]
        name = f"{noun._meta.model_name}.deleted"
        assert Event.objects.filter(name=name).count() == 1, address


def test_a_quiz_whose_lesson_goes_while_its_page_is_asked_for(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    School.current()
    lesson = make.lesson(make.course("Bread"), "Check", kind=LessonKind.QUIZ)
    browser = Client()
    browser.force_login(alice)
    look = QuerySet.get_or_create

    def look_too_late(self: Any, *args: Any, **terms: Any) -> Any:
        Lesson.objects.filter(pk=lesson.pk).delete()
        return look(self, *args, **terms)

    monkeypatch.setattr(QuerySet, "get_or_create", look_too_late)
    answer = browser.get(reverse("offers:quiz_update", args=[lesson.pk]))
    assert answer.status_code == 404
