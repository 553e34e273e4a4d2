"""The one loop of due work. Needs only PostgreSQL; any number of clocks may run."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.timezone import now

from accounts import asking, simulation
from accounts.models import Link, Session
from enrollments import expiry
from enrollments.models import ImportBatch, ImportFile
from notifications import mail, reminders
from notifications.models import Message
from portal import context, events, jobs, limits, sweep
from portal.celery import circuit
from portal.models import Heartbeat, Job
from portal.waiting import WaitingQuerySet

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds
ROUND = 60.0  # seconds between two looks at the calendar
KEPT = timedelta(days=90)  # the file of an import that is over, or never began; its rows stay
SWEEP = 3600.0  # seconds between two sweeps of what is merely old

TAKEN_OVER = 3  # a row handed over so often without effect: the workers may be gone


type Line = Callable[[], WaitingQuerySet[Any]]


class Crew:
    """A few threads, and the rows they have in hand: those they work on, and a few more each."""

    def __init__(self, name: str, *, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.room = threads * 8
        self.in_hand: dict[tuple[type, int], Future[None]] = {}

    def take(self, rows: WaitingQuerySet[Any], work: Callable[[int], None]) -> bool:
        """Take as many of `rows` in hand as there is room for; whether there were any."""
        self.in_hand = {key: future for key, future in self.in_hand.items() if not future.done()}
        # Those that wait for a thread are due as well.
        held = [pk for model, pk in self.in_hand if model is rows.model]
        new = rows.exclude(pk__in=held)[: self.room - len(self.in_hand)]
        self.in_hand |= {
            (rows.model, row.pk): self.pool.submit(_in_thread, work, row.pk) for row in new
        }
        return bool(new)


@dataclass
class Clock:
    """Hands due rows to the workers, or, with no broker that answers, works them off in a few threads.

    Login mail has threads of its own, so that one slow mail server cannot keep somebody at the door.
    """

    stopped: threading.Event = field(default_factory=threading.Event)
    looked_at: float = field(default=-ROUND)
    swept_at: float = field(default=-SWEEP)

    def __post_init__(self) -> None:
        # Every row that waits, who works it off, and the threads for it when it is not urgent.
        self.login = Crew("login", threads=2)
        self.lines: list[tuple[Line, Callable[[int], None], Crew]] = [
            (Message.objects.all, mail.deliver, Crew("bulk", threads=settings.CLOCK_THREADS)),
            (Job.objects.all, jobs.run, Crew("jobs", threads=1)),
        ]

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
        for crew in (self.login, *(crew for _rows, _work, crew in self.lines)):
            crew.pool.shutdown(cancel_futures=True)

    def run_once(self) -> None:
        """Do all that is due, and what becomes due by it, one after the other, and return."""
        self.beat()
        more = True
        while more:
            more = self.follow_calendar()
            more |= events.dispatch() > 0
            for rows, work, _crew in self.lines:
                more |= rows().hand_over() > 0
                for row in ours(rows().due().urgent_first()):
                    work(row.pk)
                    more = True

    def tick(self) -> bool:
        """Look once at everything that waits; whether there was anything to do."""
        close_old_connections()
        self.beat()
        more = False
        if time.monotonic() - self.looked_at >= ROUND:
            more = self.follow_calendar()
            self.looked_at = self.looked_at if more else time.monotonic()
        more |= events.dispatch() == events.BATCH
        for rows, work, crew in self.lines:
            more |= rows().hand_over() > 0
            due = ours(rows().due().urgent_first().only("pk", "priority"))
            more |= self.login.take(due.filter(priority=0), work)
            more |= crew.take(due.filter(priority__gt=0), work)
        return more

    def follow_calendar(self) -> bool:
        """Do a batch of what time brings about: ends, of simulations too, and reminders. Whether there was any.

        What fails is tried again in the next round, and holds up nothing else.
        """
        found = 0
        with context.acting(cause=f"clock:{uuid.uuid4().hex}"):
            for work in (expiry.record_expired, reminders.queue_reminders, simulation.end_overdue):
                try:
                    found += work()
                except (OperationalError, InterfaceError):
                    raise
                except Exception:
                    logger.exception("%s failed", work.__name__)
        return found > 0

    def beat(self) -> None:
        """Say that a clock runs, and once an hour delete what is merely old and tell what is dead."""
        Heartbeat.objects.update_or_create(name="clock", defaults={"beat_at": now()})
        if time.monotonic() - self.swept_at >= SWEEP:
            self.swept_at = time.monotonic()
            Session.objects.filter(expire_date__lt=now()).delete()
            Link.objects.over().delete()
            Job.objects.filter(kind=asking.KIND, created_at__lt=now() - asking.KEPT).delete()
            limits.sweep()
            ImportFile.objects.idle_since(now() - KEPT).delete()
            sweep.queue_sweep()
            ImportBatch.objects.interrupt_silent()


def ours(due: WaitingQuerySet[Any]) -> WaitingQuerySet[Any]:
    """Which due rows the clock works off itself: all without a broker that answers.

    With one, those that were handed over again and again, for nobody seems to take them.
    """
    if not settings.CELERY_BROKER_URL or circuit.is_open:
        return due
    return due.filter(handovers__gte=TAKEN_OVER)


def _in_thread(work: Callable[[int], None], pk: int) -> None:
    """One row, in a thread that gives its connection back if it is broken or old."""
    close_old_connections()
    try:
        work(pk)
    except (OperationalError, InterfaceError):
        logger.exception("The database does not answer; the row is due again after its lease")
    finally:
        close_old_connections()
