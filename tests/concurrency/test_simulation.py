"""Twenty tabs end a simulated session at once: it is over once. Beside it the control, without the lock."""

from __future__ import annotations

import make
import pytest
from django.db import models
from racing import RACERS, race

from accounts.models import Simulation
from accounts.models.simulation import End
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


def ends() -> list[int]:
    """How many each of twenty ended, where one goes on."""
    School.current()
    row = Simulation.objects.start(
        actor=make.staff(), contact=make.contact(), reason="They called us"
    )
    mine = Simulation.objects.filter(pk=row.pk)
    return race(*[lambda: mine.all().finish(End.ENDED) for _ in range(RACERS)])


def test_of_many_ends_at_once_one_is_written_down():
    assert sum(ends()) == 1
    assert Event.objects.filter(name="simulation.ended").count() == 1


def test_control_without_the_lock_it_is_written_down_often(monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    assert sum(ends()) > 1
