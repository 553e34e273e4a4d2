"""The one loop of due work. Needs only PostgreSQL; any number of clocks may run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.timezone import now

from accounts.models import Session
from notifications import mail
from notifications.models import Message
from portal import events, jobs
from portal.celery import circuit
from portal.models import Heartbeat, Job
from portal.waiting import WaitingQuerySet

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds
SWEEP = 3600.0  # seconds between two sweeps of what is merely old

# Every row that waits, and who works it off.
LINES: list[tuple[Callable[[], WaitingQuerySet], Callable[[int], None]]] = [  # type: ignore[type-arg]
    (Message.objects.all, mail.deliver),
    (Job.objects.all, jobs.run),
]


class Crew:
    """A few threads, and the rows they have in hand: those they work on, and a few more each."""

    def __init__(self, name: str, *, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.room = threads * 8
        self.in_hand: dict[tuple[type, int], Future[None]] = {}

    def take(self, rows: WaitingQuerySet, work: Callable[[int], None]) -> bool:  # type: ignore[type-arg]
        """Take as many of `rows` in hand as there is room for; whether there were any."""
        self.in_hand = {key: future for key, future in self.in_hand.items() if not future.done()}
        found = False
        for row in rows[: self.room - len(self.in_hand)]:
            key = (type(row), row.pk)
            if key not in self.in_hand:
                self.in_hand[key] = self.pool.submit(_in_thread, work, row.pk)
                found = True
        return found


@dataclass
class Clock:
    """Hands due rows to the workers, or, with no broker that answers, works them off in a few threads.

    Login mail has threads of its own, so that one slow mail server cannot keep somebody at the door.
    """

    stopped: threading.Event = field(default_factory=threading.Event)
    swept_at: float = field(default=-SWEEP)

    def __post_init__(self) -> None:
        self.bulk = Crew("bulk", threads=settings.CLOCK_THREADS)
        self.login = Crew("login", threads=2)

    def run(self) -> None:
        """Tick until stopped. PostgreSQL may go and come back meanwhile."""
        while not self.stopped.is_set():
            try:
                more = self.tick()
            except (OperationalError, InterfaceError):
                logger.exception("The database does not answer; trying again")
                close_old_connections()
                more = False
            self.stopped.wait(0.05 if more else TICK)
        for crew in (self.login, self.bulk):
            crew.pool.shutdown(cancel_futures=True)

    def run_once(self) -> None:
        """Do all that is due, and what becomes due by it, one after the other, and return."""
        self.beat()
        more = True
        while more:
            more = events.dispatch() > 0
            for rows, work in LINES:
                more |= rows().hand_over() > 0
                for row in rows().due().urgent_first() if broker_is_away() else ():
                    work(row.pk)
                    more = True

    def tick(self) -> bool:
        """Look once at everything that waits; whether there was anything to do."""
        close_old_connections()
        self.beat()
        more = events.dispatch() == events.BATCH
        for rows, work in LINES:
            more |= rows().hand_over() > 0 or self.work_off(rows(), work)
        return more

    def work_off(self, rows: WaitingQuerySet, work: Callable[[int], None]) -> bool:  # type: ignore[type-arg]
        """Do due rows here, unless they lie in the queue of a broker that lives; whether there were any."""
        if not broker_is_away():
            return False
        due = rows.due().urgent_first().only("pk", "priority")
        to_login = self.login.take(due.filter(priority=0), work)
        return self.bulk.take(due.filter(priority__gt=0), work) or to_login

    def beat(self) -> None:
        """Say that a clock runs, and once an hour delete what is merely old."""
        Heartbeat.objects.update_or_create(name="clock", defaults={"beat_at": now()})
        if time.monotonic() - self.swept_at >= SWEEP:
            self.swept_at = time.monotonic()
            Session.objects.filter(expire_date__lt=now()).delete()


def broker_is_away() -> bool:
    """Whether there is no broker, or none that answers: then the rows are ours to work off."""
    return not settings.CELERY_BROKER_URL or circuit.is_open


def _in_thread(work: Callable[[int], None], pk: int) -> None:
    """One row, in a thread that gives its connection back if it is broken or old."""
    close_old_connections()
    try:
        work(pk)
    except (OperationalError, InterfaceError):
        logger.exception("The database does not answer; the row is due again after its lease")
    finally:
        close_old_connections()
