"""Undoing an import: take back what a batch did, where nothing was built upon it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now

from accounts.models import Contact
from accounts.models.contact import ContactQuerySet
from enrollments.models import Grant, ImportBatch, ImportRow, RowOutcome
from portal.events import Name, record
from portal.models import Event, Job

SLICE = 2000  # rows a transaction
NUMBERS = ("revoked", "reset", "dates_left", "archived", "contacts_left")

# What shows that a person has become more than a row of a file.
EDITS = (
    Name.CONTACT_UPDATED,
    Name.CONTACT_TAGGED,
    Name.CONTACT_EMAIL_CHANGED,
    Name.CONTACT_BLOCKED,
    Name.CONTACT_UNBLOCKED,
)


def undo_rows(batch: ImportBatch, job: Job) -> bool:
    """Take back the next rows of the batch, in one transaction with how far that is. False at the end.

    Revokes the batch's grants, resets each end date that still is what the batch set, and
    archives the contacts it created that have nothing else. Doing it twice is harmless.
    """
    with transaction.atomic():
        # Another process may be at the same rows: one waits here, and then goes on behind them.
        job.cursor = Job.objects.select_for_update().get(pk=job.pk).cursor
        batch.refresh_from_db()
        numbers = batch.rows.filter(number__gt=job.cursor).order_by("number")
        rows = list(numbers.values_list("number", "contact_id")[:SLICE])
        if not rows:
            _finish(batch)
            return False
        contacts = sorted({contact for _number, contact in rows if contact})
        # Locked as grants are given: contacts first, in their order; then their grants, so that
        # whoever moves an end meanwhile waits.
        list(
            Contact.objects.filter(pk__any_of=contacts)
            .order_by("pk")
            .select_for_update(no_key=True)
        )
        list(
            Grant.objects.filter(contact__pk__any_of=contacts)
            .order_by("pk")
            .select_for_update(no_key=True, of=["self"])
            .values_list("pk")
        )
        ends, dates_left = _dates(batch, contacts)
        counts = Counter(batch.undo_counts or dict.fromkeys(NUMBERS, 0))
        counts["reset"] += Grant.objects.set_ends(ends)
        counts["dates_left"] += dates_left
        mine = Grant.objects.filter(contact__pk__any_of=contacts, source=batch.source)
        counts["revoked"] += mine.revoke()
        created = _created(batch).filter(pk__any_of=contacts)
        archived = Contact.objects.filter(
            pk__in=_forgettable(batch, created).values("pk")
        ).archive()
        counts["archived"] += archived
        counts["contacts_left"] += created.present().count()
        batch.undo_counts = dict(counts)
        batch.done += len(rows)
        batch.save(update_fields=["undo_counts", "done"])
        job.advance(cursor=rows[-1][0])
    return True


@transaction.atomic
def stop_undoing(batch: ImportBatch) -> None:
    """Let it be with what is taken back so far: nobody goes on with the other rows. Twice is harmless."""
    ImportBatch.objects.filter(pk=batch.pk, undone_at=None).update(interrupted_at=now())
    _finish(batch)


def _finish(batch: ImportBatch) -> None:
    unfinished = ImportBatch.objects.filter(pk=batch.pk, undone_at=None)
    if unfinished.update(undone_at=now()):
        counts = dict.fromkeys(NUMBERS, 0) | batch.undo_counts
        record(Name.IMPORT_UNDONE, batch=batch.pk, **counts)


class _Move(NamedTuple):
    """That the batch moved the last day of a grant."""

    before: date | None
    ends_on: date | None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _dates(
    batch: ImportBatch, contacts: Collection[int] | None = None
) -> tuple[dict[int, date | None], int]:
    """Grant's pk -> the day to reset it to, and how many dates stay because somebody moved them since.

    Of these contacts, or of all: the log tells what the batch moved, and from where.
    """
    moved = Event.objects.filter(
        cause=batch.source,
        name__in=[Name.OFFER_EXTENDED, Name.OFFER_GRANTED],
        data__has_key="before",
    )
    if contacts is None:
        moved = moved.filter(contact__in=batch.rows.values("contact"))
    else:
        moved = moved.filter(contact__pk__any_of=list(contacts))
    moves = {
        data["grant"]: _Move(_day(data["before"]), _day(data["ends_on"]))
        for data in moved.order_by("pk").values_list("data", flat=True)
    }
    grants = Grant.objects.filter(pk__any_of=list(moves), revoked_at=None).exclude(
        source=batch.source
    )
    days = dict(grants.values_list("pk", "ends_on"))
    ends = {pk: moves[pk].before for pk, day in days.items() if day == moves[pk].ends_on}
    return ends, len(days) - len(ends)


def _created(batch: ImportBatch) -> ContactQuerySet:
    """The contacts that are there because of this batch."""
    rows = ImportRow.objects.filter(batch=batch, outcome=RowOutcome.CREATED)
    return Contact.objects.filter(pk__in=rows.values("contact"))


def _forgettable(batch: ImportBatch, created: ContactQuerySet) -> ContactQuerySet:
    """Those who have nothing but what the batch gave them: no other grant, no login used, no edit, no note."""
    me = OuterRef("pk")
    others = Grant.objects.filter(contact=me).exclude(source=batch.source)
    edits = Event.objects.filter(contact=me, name__in=EDITS).exclude(cause=batch.source)
    no_password = (
        Q(user=None)
        | Q(user__password__startswith=UNUSABLE_PASSWORD_PREFIX)
        | Q(user__temporary_until__isnull=False)
    )
    return created.filter(
        no_password,
        ~Exists(others),
        ~Exists(edits),
        joined_at=None,
        archived_at=None,
        blocked_at=None,
        notes=None,
    )


@dataclass(frozen=True)
class Prospect:
    """What undoing a batch would do, in numbers."""

    grants: int
    dates: int
    dates_left: int
    contacts: int
    contacts_left: int


def prospect(batch: ImportBatch) -> Prospect:
    """What undoing would do now. Five statements, however many rows."""
    ends, dates_left = _dates(batch)
    created = _created(batch).filter(archived_at=None)
    forgettable = _forgettable(batch, created).count()
    return Prospect(
        grants=Grant.objects.filter(
            source=batch.source, revoked_at=None, contact__in=batch.rows.values("contact")
        ).count(),
        dates=len(ends),
        dates_left=dates_left,
        contacts=forgettable,
        contacts_left=created.count() - forgettable,
    )
