"""A quiz handed in on many devices at once."""

from __future__ import annotations

from functools import partial

import make
import pytest
from django.db import models
from racing import RACERS, race

from enrollments.models import Enrollment, QuizAttempt
from enrollments.models.quiz_attempt import NoAttemptLeft
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def quiz():
    """A quiz that may be tried three times, in a course that somebody may open."""
    School.current()
    course = make.course(lessons=0)
    made = make.quiz(course, max_attempts=3)
    make.grant(contact=make.contact(), offer=make.offer(courses=[course]))
    return made


def hand_in(quiz, *, same_page):
    """Everybody hands in at once, from one page or each from another; the number each one got."""
    enrollment = Enrollment.objects.get()
    question = quiz.questions.get()
    right = {question.pk: {question.choices.get(is_right=True).pk}}

    def submit(number):
        try:
            return QuizAttempt.objects.submit(
                enrollment=enrollment, quiz=quiz, number=number, answers=right
            ).number
        except NoAttemptLeft:
            return None

    numbers = [1 if same_page else number for number in range(1, RACERS + 1)]
    return race(*(partial(submit, number) for number in numbers))


def names():
    return sorted(
        Event.objects.filter(name__regex="^(quiz|lesson|course)").values_list("name", flat=True)
    )


def test_a_page_sent_twenty_times_is_one_attempt(quiz):
    assert hand_in(quiz, same_page=True) == [1] * RACERS
    assert QuizAttempt.objects.count() == 1
    assert names() == ["course.completed", "course.started", "lesson.completed", "quiz.submitted"]


def test_twenty_devices_get_no_more_attempts_than_there_are(quiz):
    outcomes = hand_in(quiz, same_page=False)
    assert sorted(QuizAttempt.objects.values_list("number", flat=True)) == [1, 2, 3]
    assert len([number for number in outcomes if number]) >= 3
    assert names().count("quiz.submitted") == 3
    assert names().count("lesson.completed") == 1


def test_without_the_lock_somebody_would_be_refused_by_the_database(quiz, monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    with pytest.raises(Exception, match="an_attempt_is_submitted_once"):
        hand_in(quiz, same_page=False)
