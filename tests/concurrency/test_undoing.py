"""Staff move an end while what moved it is taken back: theirs holds. Beside it the control, without the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import make
import pytest
from django.db import models
from racing import race

from accounts.jobs import bulk_run_slice, bulk_undo_slice
from accounts.models import BulkRun, Contact
from enrollments.jobs import undo_import_slice
from enrollments.models import Grant, ImportBatch, ImportRow
from enrollments.models.grant import GrantQuerySet
from enrollments.models.import_batch import Told
from portal import context
from portal.models import Job, School

BEFORE, MOVED, STAFF = date(2037, 1, 1), date(2037, 2, 2), date(2037, 3, 3)

pytestmark = pytest.mark.django_db(transaction=True)


def in_bulk(action: str, **terms: Any) -> Callable[[Grant], Callable[[], object]]:
    """Let a bulk action move the end; returns what takes it back."""

    def move(grant: Grant) -> Callable[[], object]:
        everything = {"offer": grant.offer_id, "mode": "set", "day": MOVED.isoformat()} | terms
        run = BulkRun.objects.start(action=action, terms=everything, contacts=Contact.objects.all())
        bulk_run_slice(Job.objects.get(key=f"bulk_run:{run.pk}"))
        run.undo()
        return lambda: bulk_undo_slice(Job.objects.get(key=f"bulk_undo:{run.pk}"))

    return move


def by_import(grant: Grant) -> Callable[[], object]:
    """Let an import move the end; returns what takes it back."""
    batch = ImportBatch.objects.begin(file_name="members.csv", offers=[grant.offer], total=1)
    with context.acting(cause=batch.source):
        grant.extend(until=MOVED)
    ImportRow.objects.note(batch, [Told(2, "updated", grant.contact_id)])
    batch.finish()
    batch.undo()
    return lambda: undo_import_slice(Job.objects.get(key=f"undo_import:{batch.pk}"))


MOVES = [
    pytest.param(in_bulk("set_end"), id="set_end"),
    pytest.param(in_bulk("grant", if_held="set", notify=False, note=""), id="grant"),
    pytest.param(by_import, id="import"),
]


@pytest.fixture
def end_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., date | None]:
    """The end of a grant that staff move after its undoing has looked, and before that writes."""
    set_ends, looked, moved = GrantQuerySet.set_ends, threading.Event(), threading.Event()

    def linger(self: GrantQuerySet, ends: dict[int, date | None]) -> int:
        if STAFF not in ends.values():
            looked.set()
            moved.wait(timeout=1)  # staff cannot be done before we are, if we hold the lock
        return set_ends(self, ends)

    def play(move: Callable[[Grant], Callable[[], object]]) -> date | None:
        School.current()
        grant = make.grant(contact=make.contact("Bob"), ends_on=BEFORE)
        take_back = move(grant)
        grant.refresh_from_db()
        assert grant.ends_on == MOVED
        monkeypatch.setattr(GrantQuerySet, "set_ends", linger)

        def staff() -> None:
            assert looked.wait(timeout=30)
            Grant.objects.set_ends({grant.pk: STAFF})
            moved.set()

        race(take_back, staff)
        grant.refresh_from_db()
        return grant.ends_on

    return play


@pytest.mark.parametrize("move", MOVES)
def test_an_end_that_staff_move_while_it_is_set_back_is_theirs(end_after, move):
    assert end_after(move) == STAFF


@pytest.mark.parametrize("move", MOVES)
def test_control_without_the_lock_theirs_is_overwritten(end_after, move, monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    assert end_after(move) == BEFORE
