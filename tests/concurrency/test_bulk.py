"""Two processes that both believe to have the same bulk run: each contact has its turn once."""

from __future__ import annotations

import threading

import make
import pytest
from racing import race

from accounts import jobs
from accounts.bulk import ACTIONS
from accounts.models import BulkRun, Contact
from portal.events import Name
from portal.models import Event, Job, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> BulkRun:
    """A run of six contacts, in batches of two."""
    School.current()
    for _ in range(6):
        make.contact()
    monkeypatch.setattr(type(ACTIONS["tag"]), "batch", 2)
    everybody = Contact.objects.all()
    return BulkRun.objects.start(action="tag", terms={"tag": "vip"}, contacts=everybody)


def carry_on(run: BulkRun) -> None:
    """As a process does whose lease is over without its noticing."""
    jobs.bulk_run_slice(Job.objects.get(key=f"bulk_run:{run.pk}"))


def test_each_contact_of_a_run_has_its_turn_once(run):
    race(*[lambda: carry_on(run)] * 4)
    run.refresh_from_db()
    assert (run.done, run.total) == (6, 6)
    assert Event.objects.filter(name=Name.CONTACT_TAGGED).count() == 6


def test_the_control_without_the_lock_counts_twice(run, monkeypatch):
    gate, tag = threading.Barrier(2), ACTIONS["tag"].run

    def wait_for_each_other(*args):
        gate.wait(timeout=30)
        return tag(*args)

    monkeypatch.setattr(jobs, "_hold", lambda job: None)
    monkeypatch.setattr(ACTIONS["tag"], "run", wait_for_each_other)
    race(*[lambda: carry_on(run)] * 2)
    run.refresh_from_db()
    assert run.done == 12
