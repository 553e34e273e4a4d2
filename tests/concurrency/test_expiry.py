"""Several clocks at once: one event for each end, one reminder for each person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import make
import pytest
from django.db import connection, connections, transaction
from racing import race
from stage import wait_until

from accounts.models import Contact
from enrollments.expiry import record_expired
from enrollments.models import Grant
from notifications.models import Message
from notifications.reminders import queue_reminders
from portal.models import Event, School

CLOCKS = 8
PEOPLE = 60

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> list[Contact]:
    """Students who hold two offers, of which they are reminded a week before the end."""
    School.current()
    people = [make.contact() for _ in range(PEOPLE)]
    for title in ("Bread", "Cheese"):
        Grant.objects.grant_many(
            contact_ids=[person.pk for person in people],
            offer=make.offer(title, reminder_days=[7]),
            source="manual",
        )
    return people


def end_in(days: int) -> None:
    last = School.current().today() + timedelta(days=days)
    Grant.objects.update(ends_on=last, ends_at=School.current().end_of(last))


def until_empty(work: Callable[..., int]) -> Callable[[], int]:
    def run() -> int:
        done = 0
        while found := work(limit=7):
            done += found
        return done

    return run


def test_an_end_is_recorded_once(people):
    end_in(-1)
    assert sum(race(*[until_empty(record_expired)] * CLOCKS)) == 2 * PEOPLE
    told = Counter(event.data["grant"] for event in Event.objects.filter(name="offer.expired"))
    assert set(told) == set(Grant.objects.values_list("pk", flat=True))
    assert set(told.values()) == {1}


def test_a_grant_is_told_once(people):
    end_in(7)
    assert sum(race(*[until_empty(queue_reminders)] * CLOCKS)) == 2 * PEOPLE
    reminders = Message.objects.filter(kind="reminder")
    told = Counter(pk for message in reminders for pk in message.data["grants"])
    assert set(told) == set(Grant.objects.values_list("pk", flat=True))
    assert set(told.values()) == {1}


class Second:
    """A second clock on a connection of its own, while the first has not committed yet."""

    def __init__(self, *, unguarded: bool) -> None:
        self.unguarded, self.pid = unguarded, 0
        self.pool = ThreadPoolExecutor(1)

    def start(self, work: Callable[[], int]) -> Future[int]:
        return self.pool.submit(self._run, work)

    def _run(self, work: Callable[[], int]) -> int:
        try:
            connection.ensure_connection()
            self.pid = connection.connection.info.backend_pid
            with connection.execute_wrapper(self._without_guard):
                return work()
        finally:
            connections.close_all()

    def _without_guard(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.unguarded:
            sql = re.sub(r"FOR (NO KEY )?UPDATE( OF [^)]*?)? SKIP LOCKED", "", sql)
        return execute(sql, params, many, context)

    def is_waiting(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", [self.pid])
            return bool(cursor.fetchall())


@pytest.mark.parametrize(("work", "days"), [(record_expired, -1), (queue_reminders, 7)])
@pytest.mark.parametrize("unguarded", [False, True], ids=["guarded", "control"])
def test_the_second_clock_passes_over_what_the_first_holds(people, work, days, unguarded):
    end_in(days)
    second = Second(unguarded=unguarded)
    with transaction.atomic():
        assert work() == 2 * PEOPLE
        answer = second.start(work)
        if unguarded:
            wait_until(second.is_waiting)
        else:
            assert answer.result(timeout=30) == 0, "it does not even wait"
    if unguarded:
        assert answer.result(timeout=30) == 2 * PEOPLE, "the harm: all of it is done again"
