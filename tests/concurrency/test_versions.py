"""Two saves of one version at the same moment: one stands, the other is told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import make
import pytest
from racing import race

from offers.forms.careful import Overtaken
from offers.forms.lesson import LessonForm
from offers.models import Lesson
from offers.ordering import present_order, reorder
from portal.models import School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lesson() -> Lesson:
    School.current()
    return make.course("Bread").modules.get().lessons.get(position=1)


def save(pk: int, title: str) -> Callable[[], bool]:
    """Save as somebody who opened version 1; whether it stood."""

    def run() -> bool:
        lesson = Lesson.objects.select_related("module__course").get(pk=pk)
        sent = {"version": "1", "kind": "text", "title": title, "module": str(lesson.module_id)}
        form = LessonForm(sent, instance=lesson, module=lesson.module)
        assert form.is_valid(), form.errors
        try:
            form.save()
        except Overtaken:
            return False
        return True

    return run


def test_of_two_saves_at_once_one_stands(lesson):
    for _ in range(5):
        Lesson.objects.filter(pk=lesson.pk).update(version=1, title="Before")
        stood = race(save(lesson.pk, "One"), save(lesson.pk, "Two"))
        assert sorted(stood) == [False, True]
        lesson.refresh_from_db()
        assert lesson.version == 2
        assert lesson.title == ("One" if stood[0] else "Two")


def test_control_who_looks_before_writing_overwrites(lesson, monkeypatch):
    gate = threading.Barrier(2)

    def claim_version(self: Lesson, version: int) -> bool:
        is_present = Lesson.objects.filter(pk=self.pk, version=version).exists()
        gate.wait(timeout=10)
        return is_present

    monkeypatch.setattr(Lesson, "claim_version", claim_version)
    assert race(save(lesson.pk, "One"), save(lesson.pk, "Two")) == [True, True]


def test_orders_sent_at_once_leave_one_of_them(lesson):
    course = lesson.module.course
    [(module, lessons)] = present_order(course)
    orders = [[(module, lessons)], [(module, lessons[::-1])]]
    for _ in range(5):
        race(*[lambda order=order: reorder(course, order) for order in orders * 3])
        assert present_order(course) in orders
        places = lesson.module.lessons.values_list("position", flat=True)
        assert list(places) == [1, 2]
