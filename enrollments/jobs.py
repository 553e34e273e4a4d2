"""Long work about access, in slices."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import translation

from accounts.models import User
from enrollments.importing import Importer
from enrollments.members_file import look_at, open_sheet
from enrollments.models import ImportBatch
from enrollments.models.enrollment import enroll_holders
from enrollments.models.grant import move_ends
from enrollments.models.import_batch import Overtaken
from enrollments.preview import understood
from enrollments.tables import FileRefused
from enrollments.undoing import stop_undoing, undo_rows
from portal import context
from portal.jobs import SLICE_SECONDS, job
from portal.models import Job, School

SLICE = 2000  # rows


def _advance(job: Job, last: int | None) -> bool:
    if last is not None:
        job.advance(cursor=last)
    return last is None


@job("enroll_holders")
@transaction.atomic
def enroll_holders_slice(job: Job) -> bool:
    """Enroll the next holders of an offer in a course that joined it."""
    joined_on = (
        datetime.fromisoformat(job.data["joined_at"]).astimezone(School.current().zone).date()
    )
    last = enroll_holders(
        offer_id=job.data["offer"],
        course_id=job.data["course"],
        joined_on=joined_on,
        after=job.cursor,
        limit=SLICE,
    )
    return _advance(job, last)


@job("move_ends")
@transaction.atomic
def move_ends_slice(job: Job) -> bool:
    """Recompute the ends of the next grants, in the school's new zone."""
    return _advance(job, move_ends(after=job.cursor, limit=SLICE))


@job("check_import")
def check_import_slice(job: Job) -> bool:
    """Dry-run the next rows of a members file; the first time, read all of it once."""
    batch = ImportBatch.objects.get(pk=job.data["batch"])
    if batch.refusal:  # by a process that was killed right after: the file is gone
        return True
    with _working_on(batch, user=batch.started_by):
        try:
            return _import_rows(batch)
        except FileRefused as refused:
            batch.refuse(str(refused))
            return True


@job("run_import")
def run_import_slice(job: Job) -> bool:
    """Import the next rows of a members file, as long as whoever started it may."""
    batch = ImportBatch.objects.select_related("started_by").get(pk=job.data["batch"])
    if batch.started_by and not batch.started_by.may("manage_access"):
        batch.interrupt()
        return True
    with _working_on(batch, user=batch.started_by):
        return _import_rows(batch)


@job("undo_import")
def undo_import_slice(job: Job) -> bool:
    """Take the next rows of an import back, as long as whoever asked for it may."""
    batch = ImportBatch.objects.get(pk=job.data["batch"])
    user = User.objects.filter(pk=job.data["user"]).first()
    with _working_on(batch, user=user, cause=f"undo:{batch.pk}"):
        if user and not user.may("manage_access"):
            stop_undoing(batch)
            return True
        return _until_tired(lambda: undo_rows(batch, job))


@contextmanager
def _working_on(batch: ImportBatch, *, user: User | None, cause: str = "") -> Iterator[None]:
    """Everything inside is done by `user`, and said in the language of whoever uploaded the file."""
    with (
        context.acting(cause=cause or batch.source, user=user),
        translation.override(batch.language or None),
    ):
        yield


def _import_rows(batch: ImportBatch) -> bool:
    """Do rows of the batch as long as a slice may last; whether all are done."""
    source = io.BytesIO(bytes(batch.file.content))
    if batch.total:
        sheet = look_at(source)
    else:
        sheet = open_sheet(source)
        batch.understand(sheet=understood(sheet, only_dates=batch.only_dates), total=sheet.total)
    try:
        return _until_tired(Importer(batch, sheet).step)
    except Overtaken:
        return False


def _until_tired(step: Callable[[], bool]) -> bool:
    """Repeat `step` until nothing is left, or the time of a slice is over; whether nothing is left."""
    enough = time.monotonic() + min(SLICE_SECONDS, settings.LEASE_SECONDS / 2) / 2
    while step():
        if time.monotonic() > enough:
            return False
    return True
