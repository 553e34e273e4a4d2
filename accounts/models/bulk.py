"""BulkRun: one action on many contacts, and what became of each of them."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection, models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact, ContactQuerySet
from accounts.models.user import User
from portal import context, jobs


class Outcome(models.TextChoices):
    """What a bulk action did for one contact. Blank: its turn has not come."""

    CHANGED = "changed", _("Done")
    UNCHANGED = "unchanged", _("Nothing to do")
    REFUSED = "refused", _("Not done")


def page_key(once: str, *asked: object) -> str | None:
    """The key of a run: the same for a page that is sent twice, another if it asks for something else.

    `once` is the number the page was given when it was made; without one there is no key.
    """
    return hashlib.sha256(repr((once, *asked)).encode()).hexdigest() if once else None


class BulkRunManager(models.Manager["BulkRun"]):
    """Starts runs."""

    @transaction.atomic
    def start(
        self,
        *,
        action: str,
        terms: dict[str, Any],
        contacts: ContactQuerySet,
        key: str | None = None,
    ) -> BulkRun:
        """Let `action` (a name in accounts.bulk) be done to `contacts` as they are found now.

        Who is chosen is written down here, by one statement: contacts that fit later are not
        touched. A second call with the same `key` (a page that was sent twice) returns the first run.
        """
        facts = {"action": action, "terms": terms, "started_by": context.actor()}
        if key:
            run, is_new = self.get_or_create(key=key, defaults=facts)
            if not is_new:
                return run
        else:
            run = self.create(**facts)
        chosen, params = contacts.order_by("pk").values("pk").query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                INSERT INTO accounts_bulkrow (run_id, contact_id, outcome, reason)
                SELECT %s, chosen.pk, '', '' FROM ({chosen}) AS chosen (pk)
                """,  # noqa: S608 -- Django wrote the part in braces
                [run.pk, *params],
            )
            run.total = cursor.rowcount
        run.save(update_fields=["total"])
        jobs.queue("bulk_run", key=f"bulk_run:{run.pk}", run=run.pk)
        return run


class BulkRun(models.Model):
    """An action, its terms, and how far it is. Its pk names the cause of what it does: `bulk:<pk>`."""

    key = models.CharField(max_length=64, null=True, unique=True)  # of the page it was started on
    action = models.CharField(max_length=40)
    terms = models.JSONField(default=dict)  # ids and plain facts, as the action's form gave them
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    undo_started_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)  # of `total`, or of what is being undone
    undone = models.PositiveIntegerField(default=0)  # contacts for whom undoing put something back
    # How many contacts had which outcome so far: its page asks no row for it.
    changed = models.PositiveIntegerField(default=0, db_default=0)
    unchanged = models.PositiveIntegerField(default=0, db_default=0)
    refused = models.PositiveIntegerField(default=0, db_default=0)

    objects = BulkRunManager()

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"

    @property
    def cause(self) -> str:
        return f"bulk:{self.pk}"

    @property
    def state(self) -> str:
        """running, done, undoing or undone."""
        if self.undo_started_at:
            return "undone" if self.undone_at else "undoing"
        return "done" if self.finished_at else "running"

    @property
    def undo_stopped(self) -> bool:
        """Whether its undoing ended before it came to all it changed: whoever started that may no more."""
        return self.undone_at is not None and self.done < self.changed

    @property
    def is_over(self) -> bool:
        """Whether it has come to everybody."""
        return self.finished_at is not None

    @transaction.atomic
    def undo(self) -> None:
        """Take back what it changed, as far as nobody has changed it since. Undoing twice is harmless."""
        mine = BulkRun.objects.filter(
            pk=self.pk, finished_at__isnull=False, undo_started_at__isnull=True
        )
        if mine.update(undo_started_at=now(), done=0):
            actor = context.actor()
            jobs.queue(
                "bulk_undo",
                key=f"bulk_undo:{self.pk}",
                run=self.pk,
                user=actor.pk if actor else None,
            )
        self.refresh_from_db()

    def counts(self) -> dict[str, int]:
        """How many contacts had which outcome so far."""
        return {outcome.value: getattr(self, outcome.value) for outcome in Outcome}


class BulkRow(models.Model):
    """One contact of a run, and what became of them."""

    run = models.ForeignKey(BulkRun, models.CASCADE, related_name="rows", db_index=False)
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="+", db_index=False)
    outcome = models.CharField(max_length=12, blank=True, choices=Outcome)
    reason = models.TextField(blank=True)  # why not, in the language of whoever asked

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "contact"], name="a_contact_is_in_a_run_once")
        ]
        indexes = [models.Index(fields=["run", "outcome", "id"], name="bulk_row_by_outcome")]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.run_id}"
