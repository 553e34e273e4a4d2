"""Comments and ratings sent many times at once."""

from __future__ import annotations

import threading
from functools import partial

import make
import pytest
from django.db import models
from racing import RACERS, race

from enrollments.models import Comment, Enrollment, Rating
from enrollments.models.comment import MOST_IN_A_MOMENT, CommentQuerySet, TooMany
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob():
    """A student of one course."""
    School.current()
    student = make.student("Bob")
    make.grant(contact=student, offer=make.offer())
    return student


def post(bob, texts):
    """Everything is posted at once; what was refused is None."""
    lesson = Enrollment.objects.get(contact=bob).course.modules.get().lessons.first()

    def write(text):
        try:
            return Comment.objects.write(lesson=lesson, author=bob.user, contact=bob, text=text).pk
        except TooMany:
            return None

    return race(*(partial(write, text) for text in texts))


def test_one_comment_sent_twenty_times_is_there_once(bob):
    assert len(set(post(bob, ["Once"] * RACERS))) == 1
    assert Comment.objects.count() == 1
    assert Event.objects.filter(name="comment.created").count() == 1


def test_nobody_gets_past_the_limit_by_writing_at_once(bob):
    outcomes = post(bob, [f"No. {number}" for number in range(RACERS)])
    assert outcomes.count(None) == RACERS - MOST_IN_A_MOMENT
    assert Comment.objects.count() == MOST_IN_A_MOMENT


def test_control_without_the_lock_it_is_there_more_than_once(bob, monkeypatch):
    gate = threading.Barrier(2)
    create = CommentQuerySet.create

    def create_together(self, **fields):
        gate.wait(timeout=10)
        return create(self, **fields)

    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    monkeypatch.setattr(CommentQuerySet, "create", create_together)
    post(bob, ["Twice"] * 2)
    assert Comment.objects.count() == 2


def test_one_rating_sent_twenty_times_is_one_event(bob):
    enrollment = Enrollment.objects.get(contact=bob)
    race(*[partial(Rating.objects.rate, enrollment=enrollment, stars=5)] * RACERS)
    assert Rating.objects.count() == 1
    assert Event.objects.filter(name="course.rated").count() == 1
