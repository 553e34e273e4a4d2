"""Lessons that are marked and recordings that are played on many devices at once: nothing is lost, nothing is told twice."""

from __future__ import annotations

import threading
from functools import partial

import make
import pytest
from django.db import IntegrityError
from racing import RACERS, race

from enrollments.models import Enrollment, LessonProgress
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = ("course.started", "lesson.completed", "course.completed")


@pytest.fixture
def enrollment():
    """Of somebody in a course of two lessons."""
    School.current()
    course = make.course(lessons=2)
    make.grant(contact=make.contact(), offer=make.offer(courses=[course]))
    return Enrollment.objects.get()


@pytest.fixture
def lessons(enrollment):
    return list(enrollment.course.modules.get().lessons.order_by("position"))


@pytest.fixture
def unlocked(monkeypatch):
    """The control: everybody looks before anybody writes, as an unlucky schedule would have it."""
    gate = threading.Barrier(2)

    def look(self, lesson):
        key = {"enrollment": self, "attempt": self.attempt, "lesson": lesson}
        found = LessonProgress.objects.filter(**key).first() or LessonProgress(**key)
        gate.wait(timeout=10)
        return found

    monkeypatch.setattr(Enrollment, "_lock", lambda self: Enrollment.objects.get(pk=self.pk))
    monkeypatch.setattr(Enrollment, "_progress", look)


def told():
    names = list(Event.objects.values_list("name", flat=True))
    return [names.count(name) for name in TOLD]


def play(enrollment, lesson, start, end, *, completes=True):
    """One device reports a part of a recording of 100 seconds."""
    return partial(
        Enrollment.objects.get(pk=enrollment.pk).play,
        lesson,
        position=end,
        parts=[[start, end]],
        duration=100,
        completes=completes,
    )


def test_one_lesson_on_twenty_devices_is_done_once(enrollment, lessons):
    race(*[partial(enrollment.complete, lessons[0]) for _ in range(RACERS)])
    assert told() == [1, 1, 0]
    assert LessonProgress.objects.done().count() == 1


def test_the_last_two_lessons_on_twenty_devices_complete_the_course_once(enrollment, lessons):
    race(*[partial(enrollment.complete, lesson) for lesson in lessons * (RACERS // 2)])
    assert told() == [1, 2, 1]
    enrollment.refresh_from_db()
    assert enrollment.completed_at
    assert enrollment.learning_status == "completed"


def test_control_without_the_lock_the_last_two_do_not_complete_the_course(
    enrollment, lessons, unlocked, monkeypatch
):
    enrollment._start()
    gate = threading.Barrier(2)
    look = Enrollment._complete_course

    def look_together(self):
        look(self)
        gate.wait(timeout=10)

    monkeypatch.setattr(Enrollment, "_complete_course", look_together)
    race(*[partial(enrollment.complete, lesson) for lesson in lessons])
    assert told() == [1, 2, 0], "neither saw the other"


def test_marking_and_unmarking_at_once_tells_each_lesson_once(enrollment, lessons):
    race(
        *[partial(enrollment.complete, lessons[0]) for _ in range(RACERS // 2)],
        *[partial(enrollment.uncomplete, lessons[0]) for _ in range(RACERS // 2)],
    )
    assert told() == [1, 1, 0]


def test_what_twenty_devices_play_adds_up(enrollment, lessons):
    runs = [play(enrollment, lessons[0], start, start + 5) for start in range(0, 100, 5)]
    answers = race(*runs)
    assert LessonProgress.objects.get().played == [[0, 100]]
    assert answers.count(True) == 1, "one report completed it"
    assert told() == [1, 1, 0]
    race(*runs)
    assert LessonProgress.objects.get().played == [[0, 100]]
    assert told() == [1, 1, 0]


def test_control_without_the_lock_a_part_is_lost(enrollment, lessons, unlocked):
    LessonProgress.objects.create(enrollment=enrollment, lesson=lessons[0])
    race(play(enrollment, lessons[0], 0, 45), play(enrollment, lessons[0], 45, 95))
    assert LessonProgress.objects.get().played != [[0, 95]]
    assert told() == [0, 0, 0]


def test_without_the_lock_the_index_still_keeps_a_lesson_from_being_done_twice(
    enrollment, lessons, unlocked
):
    with pytest.raises(IntegrityError, match="a_lesson_is_done_once"):
        race(*[partial(enrollment.complete, lessons[0]) for _ in range(2)])


def test_playing_on_one_device_and_the_button_on_another_is_one_completion(enrollment, lessons):
    mark = partial(enrollment.complete, lessons[0])
    watch = play(enrollment, lessons[0], 0, 100)
    race(*[run for _ in range(RACERS // 2) for run in (mark, watch)])
    assert told() == [1, 1, 0]
    assert LessonProgress.objects.get().played == [[0, 100]]
