"""ImportBatch: one members file, from its upload to its undoing, and what became of its rows."""

from __future__ import annotations

from typing import Literal

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, User
from offers.models import Offer


class RowOutcome(models.TextChoices):
    """What became of a row."""

    CREATED = "created", _("Created")
    UPDATED = "updated", _("Updated")
    UNCHANGED = "unchanged", _("Unchanged")
    DUPLICATE = "duplicate", _("Duplicate")
    FAILED = "failed", _("Failed")


class IfHeld(models.TextChoices):
    """What an import does to the end dates of those who hold the offer already."""

    SET = "set", _("Set their end date to the file's")
    EXTEND = "extend", _("Move their end date to the file's, if that is later")
    LEAVE = "leave", _("Leave them as they are")


type BatchState = Literal["uploaded", "checking", "checked", "running", "done", "undoing", "undone"]


class ImportBatch(models.Model):
    """One file, one run. Its pk names the source of the grants it makes: `import:<pk>`."""

    file_name = models.CharField(max_length=255)
    offers = models.ManyToManyField(Offer, related_name="+")
    only_dates = models.BooleanField(default=False)  # grant nothing: change the dates of holders
    if_held = models.CharField(max_length=8, choices=IfHeld, default=IfHeld.SET)
    notify = models.BooleanField(default=True)
    language = models.CharField(max_length=10, blank=True)  # of the sentences in its rows

    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    uploaded_at = models.DateTimeField(default=now)
    check_started_at = models.DateTimeField(null=True)  # the dry run
    checked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    undo_started_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    total = models.PositiveIntegerField(default=0)  # rows of the file
    done = models.PositiveIntegerField(default=0)  # rows of the step that runs now, or ran last
    counts = models.JSONField(default=dict)  # outcome -> rows; of the dry run until it is started
    undo_counts = models.JSONField(default=dict)  # what undoing took back, and what it left

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
            return "done" if self.finished_at else "running"
        if self.check_started_at:
            return "checked" if self.checked_at else "checking"
        return "uploaded"


class ImportFile(models.Model):
    """The file of a batch, in the database: web, worker and clock may run on different machines."""

    batch = models.OneToOneField(ImportBatch, models.CASCADE, primary_key=True, related_name="file")
    content = models.BinaryField()


class ImportRow(models.Model):
    """One row of the file and what became of it; of the dry run until the batch is started."""

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
