"""ImportBatch: one members file, from its upload to its undoing, and what became of its rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Self

import psycopg
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Greatest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Contact, User
from offers.models import Course, Offer
from portal import context, jobs
from portal.events import Name, record


class RowOutcome(models.TextChoices):
    """What became of a row."""

    CREATED = "created", pgettext_lazy("row", "Created")
    UPDATED = "updated", _("Updated")
    UNCHANGED = "unchanged", _("Unchanged")
    DUPLICATE = "duplicate", _("Duplicate")
    FAILED = "failed", _("Failed")


class IfHeld(models.TextChoices):
    """What an import does to the end dates of those who hold the offer already."""

    SET = "set", _("Set their end date to the file's")
    EXTEND = "extend", _("Move their end date to the file's, if that is later")
    LEAVE = "leave", _("Leave them as they are")


type BatchState = Literal[
    "uploaded",
    "checking",
    "checked",
    "refused",
    "running",
    "interrupted",
    "done",
    "undoing",
    "undone",
]

SILENCE = timedelta(hours=1)  # without a row done: the shell's import is dead


class Overtaken(Exception):
    """Another process did these rows meanwhile: whoever hears this has nothing to do."""


class ImportBatchQuerySet(models.QuerySet["ImportBatch"]):
    @transaction.atomic
    def begin(self, *, offers: Collection[Offer], **terms: Any) -> ImportBatch:
        """Make a batch that runs at once and is carried on by the caller: the shell's."""
        at = now()
        batch = self.create(started_by=context.actor(), started_at=at, advanced_at=at, **terms)
        batch.offers.set(offers)
        return batch

    @transaction.atomic
    def upload(
        self,
        *,
        content: bytes,
        offers: Collection[Offer],
        courses: Collection[Course] = (),
        **terms: Any,
    ) -> ImportBatch:
        """Keep a file and what is to become of it.

        courses: those whose offer is still to be said, by `choose()`. Where there are none,
        the dry run begins.
        """
        batch = self.create(started_by=context.actor(), **terms)
        batch.offers.set(offers)
        batch.courses.set(courses)
        ImportFile.objects.keep(batch, content)
        if not courses:
            batch.choose([])
        return batch

    def over(self) -> Self:
        """Whose rows nobody will go on with: all done, or broken off."""
        return self.filter(Q(finished_at__isnull=False) | Q(interrupted_at__isnull=False))

    def interrupt_silent(self) -> int:
        """Note of every import from the shell that has been silent for SILENCE that nobody works at it.

        Those of the pages have a job, which goes on by itself. A process that only slept takes
        its batch up again with its next rows. Returns how many were found.
        """
        at = now()
        silent = self.filter(
            Q(advanced_at=None) | Q(advanced_at__lt=at - SILENCE),
            started_at__lt=at - SILENCE,
            finished_at=None,
            undo_started_at=None,
            interrupted_at=None,
            file=None,
        )
        return silent.update(interrupted_at=at)


class ImportBatch(models.Model):
    """One file, one run. Its pk names the source of the grants it makes: `import:<pk>`."""

    file_name = models.CharField(max_length=255)
    sheet = models.JSONField(default=dict)  # what was understood of the file, for people to see
    offers = models.ManyToManyField(Offer, related_name="+")
    courses = models.ManyToManyField(Course, related_name="+")  # their offer is still to be said
    only_dates = models.BooleanField(default=False)  # grant nothing: change the dates of holders
    if_held = models.CharField(max_length=8, choices=IfHeld, default=IfHeld.SET)
    notify = models.BooleanField(default=True)
    language = models.CharField(max_length=10, blank=True)  # of the sentences in its rows

    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    uploaded_at = models.DateTimeField(default=now)
    check_started_at = models.DateTimeField(null=True)  # the dry run
    checked_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)  # why nothing of it can be imported
    started_at = models.DateTimeField(null=True)
    advanced_at = models.DateTimeField(null=True)  # when it last did rows
    interrupted_at = models.DateTimeField(null=True)  # when it was found that nobody works at it
    finished_at = models.DateTimeField(null=True)
    undo_started_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    total = models.PositiveIntegerField(default=0)  # rows of the file
    done = models.PositiveIntegerField(default=0)  # rows of the step that runs now, or ran last
    counts = models.JSONField(default=dict)  # outcome -> rows; of the dry run until it is started
    undo_counts = models.JSONField(default=dict)  # what undoing took back, and what it left

    objects = ImportBatchQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.file_name} #{self.pk}"

    @property
    def source(self) -> str:
        return f"import:{self.pk}"

    @property
    def state(self) -> BatchState:
        """How far it is."""
        if self.undo_started_at:
            return "undone" if self.undone_at else "undoing"
        if self.started_at:
            if self.finished_at:
                return "done"
            return "interrupted" if self.interrupted_at else "running"
        if self.refusal:
            return "refused"
        if self.check_started_at:
            return "checked" if self.checked_at else "checking"
        return "uploaded"

    @property
    def undo_stopped(self) -> bool:
        """Whether its undoing was broken off: whoever started that may no more."""
        if not (self.undo_started_at and self.undone_at and self.interrupted_at):
            return False
        return self.interrupted_at > self.undo_started_at

    @property
    def has_file(self) -> bool:
        """Whether its file is kept still."""
        return ImportFile.objects.filter(batch=self).exists()

    @property
    def is_over(self) -> bool:
        """Whether it can be undone: all its rows are done, or nobody goes on with them."""
        return self.state in ("done", "interrupted")

    @property
    def step(self) -> str:
        """The job that carries it on, "" if none does."""
        steps = {"checking": "check_import", "running": "run_import", "undoing": "undo_import"}
        return steps.get(self.state, "")

    def _turn(self, where: Q, **times: Any) -> bool:
        """Write `times` if the batch still is as `where` says: of any number of callers one gets a yes."""
        turned = ImportBatch.objects.filter(where, pk=self.pk).update(**times)
        if turned:
            self.refresh_from_db()
        return bool(turned)

    @transaction.atomic
    def choose(self, offers: Collection[Offer]) -> bool:
        """Add the offers that were asked for, and begin the dry run. False if it has begun, or the file is gone."""
        ready = Q(_has_file(), check_started_at=None, started_at=None)
        begun = self._turn(ready, check_started_at=now())
        if begun:
            self.offers.add(*offers)
            jobs.queue("check_import", key=f"check_import:{self.pk}", batch=self.pk)
        return begun

    def understand(self, *, sheet: dict[str, Any], total: int) -> None:
        """Note what the file was found to be, once all of it was read."""
        self._turn(Q(checked_at=None), sheet=sheet, total=total)

    @transaction.atomic
    def refuse(self, reason: str) -> None:
        """Nothing of the file can be imported; `reason` is a sentence for whoever chose it. Forgets the file."""
        if self._turn(Q(started_at=None), refusal=reason, checked_at=now()):
            ImportFile.objects.filter(batch=self).delete()

    @transaction.atomic
    def start(self) -> bool:
        """Let the rows be imported in the background. False if the batch is not ready, or started already."""
        ready = Q(_has_file(), checked_at__isnull=False, started_at=None, refusal="")
        started = self._turn(ready, started_at=now(), started_by=context.actor(), done=0, counts={})
        if started:
            self.rows.all().delete()  # those of the dry run
            jobs.queue("run_import", key=f"run_import:{self.pk}", batch=self.pk)
        return started

    @transaction.atomic
    def undo(self) -> bool:
        """Let what the batch did be taken back in the background. False if it runs, or is undone already."""
        ready = Q(pk__in=ImportBatch.objects.over(), undo_started_at=None)
        actor = context.actor()
        if not self._turn(ready, undo_started_at=now(), done=0):
            return False
        jobs.queue(
            "undo_import",
            key=f"undo_import:{self.pk}",
            batch=self.pk,
            user=actor.pk if actor else None,
        )
        return True

    def interrupt(self) -> None:
        """Nobody goes on with its rows; those that are done stay. Twice is harmless."""
        at_work = Q(started_at__isnull=False, finished_at=None, interrupted_at=None)
        self._turn(at_work & Q(undo_started_at=None), interrupted_at=now())

    def advance(self, *, rows: int, counts: Mapping[str, int]) -> None:
        """Count `rows` more as done, in the transaction that does them. Raises Overtaken."""
        at_work = Q(finished_at=None) if self.started_at else Q(checked_at=None, started_at=None)
        mine = ImportBatch.objects.filter(at_work, pk=self.pk, done=self.done, undo_started_at=None)
        if not mine.update(
            done=self.done + rows, counts=dict(counts), advanced_at=now(), interrupted_at=None
        ):
            raise Overtaken
        self.done, self.counts = self.done + rows, dict(counts)

    @transaction.atomic
    def finish(self) -> None:
        """All rows are done: note it, and record `import.finished` unless it is the dry run. Twice is harmless."""
        if not self.started_at:
            self._turn(Q(checked_at=None, started_at=None), checked_at=now())
        elif self._turn(
            Q(finished_at=None, undo_started_at=None), finished_at=now(), interrupted_at=None
        ):
            record(Name.IMPORT_FINISHED, batch=self.pk, **self.counts)


def _has_file() -> Exists:
    """Said of a batch. No join: that would put the whole condition where an update does not look again."""
    return Exists(ImportFile.objects.filter(batch=OuterRef("pk")))


class ImportFileQuerySet(models.QuerySet["ImportFile"]):
    def keep(self, batch: ImportBatch, content: bytes) -> None:
        """Store the bytes of a file, as they are: Django's own cursor would spell each of them in hex."""
        connection.ensure_connection()
        psycopg.Cursor(connection.connection).execute(
            "INSERT INTO enrollments_importfile (batch_id, content) VALUES (%s, %b)",
            [batch.pk, content],
        )

    def idle_since(self, at: datetime) -> Self:
        """Of imports that are over or were never started, with which nothing was done since `at`."""
        times = ["uploaded", "check_started", "checked", "finished", "interrupted", "undone"]
        latest = Greatest(*(f"batch__{time}_at" for time in times))
        idle = Q(batch__started_at=None) | Q(batch__in=ImportBatch.objects.over())
        return self.alias(latest=latest).filter(idle, latest__lt=at)


class ImportFile(models.Model):
    """The file of a batch, in the database: web, worker and clock may run on different machines."""

    batch = models.OneToOneField(ImportBatch, models.CASCADE, primary_key=True, related_name="file")
    content = models.BinaryField()

    objects = ImportFileQuerySet.as_manager()

    def __str__(self) -> str:
        return f"file of {self.batch_id}"


class Told(NamedTuple):
    """What became of a row. The rest is of rows that failed: see ImportRow."""

    number: int
    outcome: str
    contact: int | None = None
    field: str = ""
    value: str = ""
    reason: str = ""
    cells: list[str] | None = None


def _storable(told: Told) -> dict[str, object]:
    """What there is to say of a row, as jsonb takes it: without halves of characters, as broken files have them."""
    facts = {key: value for key, value in told._asdict().items() if value}
    if told.cells is not None:
        facts["cells"] = [cell.encode("utf-8", "replace").decode() for cell in told.cells]
    return facts


class ImportRowQuerySet(models.QuerySet["ImportRow"]):
    def note(self, batch: ImportBatch, rows: Iterable[Told]) -> None:
        """Write down what became of these rows of `batch`. One statement."""
        told = [_storable(row) for row in rows]
        if not told:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO enrollments_importrow
                    (batch_id, number, outcome, contact_id, field, value, reason, cells)
                SELECT %s, number, outcome, contact, coalesce(field, ''), coalesce(value, ''),
                       coalesce(reason, ''), cells
                FROM jsonb_to_recordset(%s) AS told
                    (number int, outcome text, contact bigint, field text, value text, reason text, cells jsonb)
                """,
                [batch.pk, json.dumps(told)],
            )


class ImportRow(models.Model):
    """One row of the file and what became of it.

    Until the batch is started: what the dry run has to say, of rows that would fail or are duplicates.
    """

    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField()  # as a spreadsheet shows it
    outcome = models.CharField(max_length=12, choices=RowOutcome)
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, related_name="+", db_index=False
    )
    # Of rows that failed: where, what stood there, why, and all cells as written, to be mended.
    field = models.CharField(max_length=40, blank=True)
    value = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    cells = models.JSONField(null=True)

    objects = ImportRowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="a_row_has_one_outcome")
        ]
        indexes = [
            models.Index(
                fields=["batch", "number"],
                condition=Q(outcome="failed"),
                name="import_row_failed",
            )
        ]

    def __str__(self) -> str:
        return f"row {self.number} of {self.batch_id}"
