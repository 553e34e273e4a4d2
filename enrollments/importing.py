"""The importer: a members file becomes contacts with grants, batch by batch, with an outcome for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import batched

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.people import Known, Person, add_many, tag_many, taken_ids
from enrollments.members_file import Blank, Problem, Row, Sheet
from enrollments.models import Grant, ImportBatch, Outcome
from offers.models import Offer
from portal import context
from portal.events import Name, record

BATCH = 2000  # rows a transaction
OUTCOMES = ("created", "updated", "unchanged", "duplicate", "failed")


@dataclass
class Report:
    """What became of the rows. `failed` holds the rows to mend, with their cells as written."""

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0)))
    failed: list[Row] = field(default_factory=list)

    def fail(self, row: Row, problem: Problem) -> None:
        self.counts["failed"] += 1
        self.failed.append(row._replace(problem=problem))


def import_members(
    sheet: Sheet,
    *,
    offers: Collection[Offer],
    file_name: str,
    notify: bool = True,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Read every row of `sheet` and grant `offers` to its person; `progress` hears of the rows done.

    Each batch is a transaction of its own, in which a person gets all the offers: killed
    anywhere, whole batches are in, and the same file again does the rest and leaves them unchanged.
    A dry run is the same work, taken back at the end.
    """
    if dry_run:
        with transaction.atomic():
            report = _run(sheet, offers, file_name, notify, progress)
            transaction.set_rollback(True)
        return report
    return _run(sheet, offers, file_name, notify, progress)


def _run(
    sheet: Sheet,
    offers: Collection[Offer],
    file_name: str,
    notify: bool,
    progress: Callable[[int], None] | None,
) -> Report:
    with transaction.atomic():
        batch = ImportBatch.objects.create(file_name=file_name[:255], started_by=context.actor())
        batch.offers.set(offers)
    report, seen, done = Report(), set[str](), 0
    with context.caused_by(batch.source):
        for rows in batched(sheet.rows(), BATCH, strict=False):
            fit = list(_fit(rows, seen, report))
            with transaction.atomic():
                report.counts.update(
                    _import(fit, batch=batch, offers=offers, notify=notify, report=report)
                )
            done += len(rows)
            if progress:
                progress(done)
        with transaction.atomic():
            batch.counts, batch.finished_at = dict(report.counts), now()
            batch.save(update_fields=["counts", "finished_at"])
            record(Name.IMPORT_FINISHED, batch=batch.pk, **report.counts)
    return report


def _fit(rows: Iterable[Row], seen: set[str], report: Report) -> Iterable[Row]:
    """The rows that can be imported; the others are put into the report."""
    for row in rows:
        if row.problem:
            report.fail(row, row.problem)
        elif row.email in seen:
            report.counts["duplicate"] += 1
        else:
            seen.add(row.email)
            yield row


def _import(
    rows: list[Row],
    *,
    batch: ImportBatch,
    offers: Collection[Offer],
    notify: bool,
    report: Report,
) -> Counter[str]:
    """Import one batch; returns how many rows had which outcome. A constant number of statements."""
    rows = list(_with_free_ids(rows, report))
    known = add_many(
        [Person(row.email, row.name, row.phone, row.language, row.external_id) for row in rows]
    )
    pks = {row.email: known[row.email].pk for row in rows}
    changed = tag_many({pks[row.email]: row.tags for row in rows if row.tags})
    ends: dict[int, date | None] = {
        pks[row.email]: row.ends_on for row in rows if not isinstance(row.ends_on, Blank)
    }
    for offer in offers:
        outcomes = Grant.objects.grant_many(
            contact_ids=list(pks.values()),
            offer=offer,
            source=batch.source,
            ends=ends,
            if_held="set",
            notify=notify,
        )
        changed |= {pk for pk, outcome in outcomes.items() if outcome != Outcome.UNCHANGED}
    days = {
        pks[row.email]: row.enrolled_on for row in rows if not isinstance(row.enrolled_on, Blank)
    }
    changed |= _enroll_on(days, offers)
    return Counter(_outcome(known[row.email], changed) for row in rows)


def _outcome(person: Known, changed: Collection[int]) -> str:
    if person.is_new:
        return "created"
    return "updated" if person.is_changed or person.pk in changed else "unchanged"


def _with_free_ids(rows: list[Row], report: Report) -> Iterable[Row]:
    """Rows whose external id nobody else has, in the database or earlier in this batch."""
    wanted: dict[str, str] = {}
    for row in rows:
        if row.external_id:
            wanted.setdefault(row.external_id, row.email)
    taken = taken_ids(wanted) if wanted else {}
    for row in rows:
        owner = taken.get(row.external_id) or wanted.get(row.external_id, row.email)
        if owner == row.email:
            yield row
            continue
        reason = _("%(email)s has this id already. Correct it, or leave the cell empty.")
        report.fail(row, Problem("external_id", row.external_id, reason % {"email": owner}))


def _enroll_on(days: dict[int, date], offers: Collection[Offer]) -> set[int]:
    """Set the day these contacts count as enrolled in the offers' courses; returns whose day changed."""
    if not days:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE enrollments_enrollment AS enrollment SET enrolled_on = given.day
            FROM unnest(%s::bigint[], %s::date[]) AS given (contact_id, day)
            WHERE enrollment.contact_id = given.contact_id AND enrollment.enrolled_on <> given.day
              AND enrollment.course_id IN (SELECT course_id FROM offers_offercourse WHERE offer_id = ANY(%s))
            RETURNING enrollment.contact_id
            """,
            [list(days), list(days.values()), [offer.pk for offer in offers]],
        )
        return {pk for (pk,) in cursor.fetchall()}
