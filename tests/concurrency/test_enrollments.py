"""Two of the staff change one enrollment at the same moment: it changes once, and the log says so once."""

from __future__ import annotations

from collections.abc import Callable

import make
import pytest
from racing import RACERS, race

from enrollments.models import Enrollment
from enrollments.models.enrollment import LearningStatus
from portal.events import Name
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def enrollment() -> Enrollment:
    School.current()
    make.grant(contact=make.contact("Bob"))
    return Enrollment.objects.get()


def at_once(pk: int, change: Callable[[Enrollment], None]) -> int:
    """Let all do `change` to what they read before; how often the log says that something changed."""
    read = [Enrollment.objects.get(pk=pk) for _ in range(RACERS)]
    race(*[lambda mine=mine: change(mine) for mine in read])
    return Event.objects.filter(name=Name.ENROLLMENT_CHANGED).count()


CHANGES = [
    lambda mine: mine.change(learning_status=LearningStatus.CANCELED),
    lambda mine: mine.switch(on=False),
    lambda mine: mine.unlock_all(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_change_at_once_is_one_change(enrollment, change):
    assert at_once(enrollment.pk, change) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_control_who_compares_with_what_they_read_records_it_again(enrollment, change, monkeypatch):
    monkeypatch.setattr(Enrollment, "_lock", lambda self: self)
    assert at_once(enrollment.pk, change) > 1


def test_a_field_that_somebody_else_changed_meanwhile_is_set_all_the_same(enrollment):
    late = Enrollment.objects.get(pk=enrollment.pk)
    enrollment.change(learning_status=LearningStatus.CANCELED)
    late.change(learning_status=LearningStatus.ACTIVE)
    enrollment.refresh_from_db()
    assert enrollment.learning_status == LearningStatus.ACTIVE
