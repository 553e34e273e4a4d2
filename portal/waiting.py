"""Rows that wait to be worked off: claimed by one, handed to workers, tried again, and given up in the end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils.timezone import now

from portal.celery import circuit, publish

MAX_ATTEMPTS = 8


def retry_at(attempts: int) -> datetime:
    """When to try again after `attempts` failures: the pauses grow as in RETRY_SECONDS."""
    pauses = settings.RETRY_SECONDS
    return now() + timedelta(seconds=pauses[min(attempts, len(pauses)) - 1])


class WaitingQuerySet[Row: "Waiting"](models.QuerySet[Row]):
    """What any kind of waiting row can be asked for."""

    def due(self) -> Self:
        """Waiting, its time come, and held by nobody."""
        free = Q(lease_until=None) | Q(lease_until__lt=now())
        return self.filter(free, state="waiting", next_attempt_at__lte=now())

    def not_handed_over(self) -> Self:
        """Not, or no longer, believed to lie in a worker's queue."""
        return self.filter(Q(handed_until=None) | Q(handed_until__lt=now()))

    def needing_a_person(self) -> Self:
        """What will not mend by itself: refused, or tried too often."""
        return self.filter(state__in=["failed", "dead"])

    def urgent_first(self) -> Self:
        """Somebody waiting at the door before everybody else, then the longest wait."""
        return self.order_by("priority", "next_attempt_at", "pk")

    def claim(self, pk: int) -> Row | None:
        """Take a due row for the length of a lease; None if there is nothing to do.

        One conditional UPDATE, and the attempt is counted before the work: two callers never
        hold the same row, and one that kills its process is given up in the end.
        """
        lease = now() + timedelta(seconds=settings.LEASE_SECONDS)
        if self.due().filter(pk=pk).update(lease_until=lease, attempts=F("attempts") + 1):
            return self.get(pk=pk)
        return None

    def hand_over(self, *, limit: int = 500) -> int:
        """Give up to `limit` due rows to the workers; returns how many the broker took.

        Each is then left alone for a pause that doubles with every hand-over: a queue that was
        lost is made good, one that is merely long is not made longer. What a dead broker
        did not take is due again at once, for the clock to do itself.
        """
        if not settings.CELERY_BROKER_URL or circuit.is_open:
            return 0
        with transaction.atomic():
            due = self.due().not_handed_over().urgent_first()
            rows = list(due.select_for_update(skip_locked=True)[:limit])
            self._leave_alone([row.pk for row in rows])
        for place, row in enumerate(rows):
            if not publish(row.task, row.pk, queue=row.queue if row.priority else "login"):
                left = [row.pk for row in rows[place:]]
                self.model._default_manager.filter(pk__in=left).update(handed_until=None)
                return place
        return len(rows)

    def _leave_alone(self, pks: Collection[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {self.model._meta.db_table}
                SET handed_until = %(now)s + make_interval(secs => %(pause)s * 2 ^ handovers),
                    handovers = least(handovers + 1, 6)
                WHERE id = ANY(%(pks)s)
                """,  # noqa: S608 -- the table's name is our own
                {"now": now(), "pause": settings.HANDOVER_SECONDS, "pks": list(pks)},
            )


class Waiting(models.Model):
    """The columns of a row that waits. Its state begins as "waiting"; the others are its model's own."""

    task: ClassVar[str]  # the name of the Celery task that works it off, given its pk
    queue: ClassVar[str] = "bulk"  # where it waits for a worker, unless it is urgent

    state = models.CharField(max_length=12, default="waiting")
    priority = models.PositiveSmallIntegerField(default=5)  # 0: somebody is waiting at the door
    created_at = models.DateTimeField(default=now)
    next_attempt_at = models.DateTimeField(default=now)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    handed_until = models.DateTimeField(null=True)
    handovers = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["priority", "next_attempt_at"],
                condition=Q(state="waiting"),
                name="%(class)s_due",
            ),
            models.Index(fields=["state", "-id"], name="%(class)s_by_state"),
        ]

    def end(self, state: str, *, error: str = "") -> None:
        """Say what became of it, for good."""
        self.state, self.last_error, self.lease_until = state, error[:2000], None
        self.save(update_fields=["state", "last_error", "lease_until"])

    def fail(self, error: str) -> None:
        """It did not work this time: again after a pause, or after eight attempts never."""
        if self.attempts >= MAX_ATTEMPTS:
            self.end("dead", error=error)
            return
        self.last_error, self.lease_until, self.handed_until = error[:2000], None, None
        self.next_attempt_at = retry_at(self.attempts)
        self.save(update_fields=["last_error", "lease_until", "handed_until", "next_attempt_at"])

    def wake(self, *states: str) -> bool:
        """A person decided: from one of `states`, start over now. False if it is in none of them."""
        awake = type(self)._default_manager.filter(pk=self.pk, state__in=states)
        return bool(
            awake.update(
                state="waiting",
                attempts=0,
                next_attempt_at=now(),
                lease_until=None,
                handed_until=None,
                handovers=0,
            )
        )
