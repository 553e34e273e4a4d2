"""Twenty tabs start a simulated session at once: one gets it. Beside it the control, without the index."""

from __future__ import annotations

from collections.abc import Callable

import make
import pytest
from django.db import connection, models
from racing import RACERS, race

from accounts.models import Contact, Simulation, User
from accounts.models.simulation import End, Running
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> list[Contact]:
    """Whom one member of staff wants to look through the eyes of, all at once."""
    School.current()
    return [make.contact() for _ in range(RACERS)]


@pytest.fixture
def alice() -> User:
    """One member of staff."""
    return make.staff()


def start(actor: User, contact: Contact) -> Callable[[], bool]:
    def run() -> bool:
        try:
            Simulation.objects.start(actor=actor, contact=contact, reason="They all called")
        except Running:
            return False
        return True

    return run


def test_of_many_starts_at_once_one_wins(alice, people):
    won = race(*[start(alice, contact) for contact in people])
    assert sum(won) == 1
    assert Simulation.objects.live().count() == 1
    assert Event.objects.filter(name="simulation.started").count() == 1


def test_control_without_the_index_all_of_them_start(alice, people):
    [constraint] = Simulation._meta.constraints
    with connection.schema_editor() as editor:
        editor.remove_constraint(Simulation, constraint)
    try:
        won = race(*[start(alice, contact) for contact in people])
        assert sum(won) == RACERS
    finally:
        Simulation.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Simulation, constraint)


def test_of_many_ends_at_once_one_is_written_down(alice, people):
    row = Simulation.objects.start(actor=alice, contact=people[0], reason="They called us")
    ended = race(
        *[lambda: Simulation.objects.filter(pk=row.pk).finish(End.ENDED) for _ in range(RACERS)]
    )
    assert sum(ended) == 1
    assert Event.objects.filter(name="simulation.ended").count() == 1


def test_control_without_the_lock_it_is_written_down_often(alice, people, monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    row = Simulation.objects.start(actor=alice, contact=people[0], reason="They called us")
    ended = race(
        *[lambda: Simulation.objects.filter(pk=row.pk).finish(End.ENDED) for _ in range(RACERS)]
    )
    assert sum(ended) > 1
