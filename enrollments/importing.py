"""The importer: a members file becomes contacts with grants, batch by batch, with an outcome for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Literal, cast

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import Contact
from accounts.people import Known, Person, add_many, tag_many, taken_ids
from enrollments.cells import Blank
from enrollments.members_file import Problem, Row, Sheet
from enrollments.models import Grant, IfHeld, ImportBatch, ImportRow, Outcome, RowOutcome
from enrollments.models.import_batch import Told
from offers.models import Offer
from portal import context

BATCH = 2000  # rows a transaction


@dataclass
class Report:
    """What became of the rows. `failed` holds the rows to mend, with their cells as written."""

    counts: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(RowOutcome.values, 0))
    )
    failed: list[Row] = field(default_factory=list)


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

    Killed anywhere, whole batches of rows are in, and the same file again does the rest and
    leaves them unchanged. A dry run is the same work, taken back at the end.
    """
    with transaction.atomic() if dry_run else nullcontext():
        batch = ImportBatch.objects.begin(
            file_name=file_name[:255], offers=offers, notify=notify, total=sheet.total
        )
        with context.caused_by(batch.source):
            importer = Importer(batch, sheet)
            while importer.step():
                if progress:
                    progress(batch.done)
        if dry_run:
            transaction.set_rollback(True)
    return importer.report


class Importer:
    """Carries a batch on from where it stands, a few thousand rows a step.

    Before the batch is started this is the dry run: each step is done, told, and taken back, so
    that others see how far it is, and no lock is held for long.
    """

    def __init__(self, batch: ImportBatch, sheet: Sheet) -> None:
        self.batch, self.is_dry = batch, batch.started_at is None
        self.offers = list(batch.offers.all())
        self.report = Report()
        self.report.counts.update(batch.counts)
        self.seen = set[str]()  # the addresses of earlier rows
        self.ids = dict[str, str]()  # external id -> the first address with it
        self.rows = sheet.rows()
        for row in islice(self.rows, batch.done):
            self._note(row)

    def step(self) -> bool:
        """Do the next rows, in one transaction with what became of them. False if there were none.

        Raises Overtaken, and has done nothing, if another process was quicker.
        """
        rows = list(islice(self.rows, BATCH))
        if not rows:
            self.batch.finish()
            return False
        with transaction.atomic():
            with transaction.atomic():
                told = list(self._judged(rows))
                transaction.set_rollback(self.is_dry)
            self.report.counts.update(row.outcome for row in told)
            ImportRow.objects.note(self.batch, filter(_is_problem, told) if self.is_dry else told)
            self.batch.advance(rows=len(rows), counts=self.report.counts)
        return True

    def _note(self, row: Row) -> bool:
        """Remember whom a row is about; whether it is the first one about them."""
        if row.problem:
            return False
        is_first = row.email not in self.seen
        self.seen.add(row.email)
        if row.external_id and is_first:
            self.ids.setdefault(row.external_id, row.email)
        return is_first

    def _judged(self, rows: list[Row]) -> Iterator[Told]:
        """Import what can be imported of `rows`; yields what became of each."""
        fit = []
        for row in rows:
            if row.problem:
                yield self._failed(row, row.problem)
            elif self._note(row):
                fit.append(row)
            else:
                yield Told(row.number, RowOutcome.DUPLICATE)
        if self.batch.only_dates:
            yield from self._redated(fit)
        else:
            yield from self._imported(fit)

    def _failed(self, row: Row, problem: Problem) -> Told:
        self.report.failed.append(row._replace(problem=problem))
        return Told(row.number, RowOutcome.FAILED, None, *problem, row.cells)

    def _imported(self, rows: list[Row]) -> Iterator[Told]:
        """Make or change the people of these rows and grant them the offers. A constant number of statements."""
        ids = {row.external_id: self.ids[row.external_id] for row in rows if row.external_id}
        taken = taken_ids(ids) if ids else {}
        fit = []
        for row in rows:
            owner = taken.get(row.external_id) or self.ids.get(row.external_id, row.email)
            if owner == row.email:
                fit.append(row)
                continue
            reason = _("%(email)s has this id already. Correct it, or leave the cell empty.")
            problem = Problem("external_id", row.external_id, reason % {"email": owner})
            yield self._failed(row, problem)
        known = add_many(
            [Person(row.email, row.name, row.phone, row.language, row.external_id) for row in fit]
        )
        pks = {row.email: known[row.email].pk for row in fit}
        changed = tag_many({pks[row.email]: row.tags for row in fit if row.tags})
        ends = _ends(fit, pks)
        for offer in self.offers:
            outcomes = Grant.objects.grant_many(
                contact_ids=list(pks.values()),
                offer=offer,
                source=self.batch.source,
                ends=ends,
                if_held=cast(Literal["leave", "extend", "set"], self.batch.if_held),
                notify=self.batch.notify,
            )
            changed |= {pk for pk, outcome in outcomes.items() if outcome != Outcome.UNCHANGED}
        changed |= self._enroll_on(fit, pks)
        for row in fit:
            person = known[row.email]
            contact = None if self.is_dry else person.pk
            yield Told(row.number, _outcome(person, changed), contact)

    def _redated(self, rows: list[Row]) -> Iterator[Told]:
        """Move the dates of those who hold an offer of the batch; whoever holds none fails. Makes nobody."""
        emails = [row.email for row in rows]
        # Locked in the order of grant_many(), so that no grant comes or goes between our two looks.
        people = Contact.objects.filter(email__any_of=emails).order_by("pk")
        pks = dict(people.select_for_update(no_key=True).values_list("email", "pk"))
        ends = _ends(rows, pks)
        held = self._held(pks.values())
        later_only = self.batch.if_held == IfHeld.EXTEND
        wanted = {
            grant.pk: ends[contact]
            for contact, grants in held.items()
            if contact in ends
            for grant in grants
            if not grant.is_fixed and (not later_only or _is_later(ends[contact], grant.ends_on))
        }
        moved = {
            grant.contact_id
            for grants in held.values()
            for grant in grants
            if grant.pk in wanted and grant.ends_on != wanted[grant.pk]
        }
        Grant.objects.set_ends(wanted)
        holders = [row for row in rows if pks.get(row.email) in held]
        moved |= self._enroll_on(holders, pks)
        titles = ", ".join(f"“{offer}”" for offer in self.offers)
        for row in rows:
            pk = pks.get(row.email)
            if pk in held:
                outcome = RowOutcome.UPDATED if pk in moved else RowOutcome.UNCHANGED
                yield Told(row.number, outcome, pk)
            else:
                reason = _("%(email)s does not hold %(offers)s. Grant it, or delete the row.")
                facts = {"email": row.email, "offers": titles}
                yield self._failed(row, Problem("email", row.email, reason % facts))

    def _held(self, pks: Collection[int]) -> dict[int, list[Grant]]:
        """By contact, the grants of our offers they hold, or, to be set anew, the last one that ended."""
        grants = Grant.objects.filter(
            contact__pk__any_of=list(pks), offer__in=self.offers, revoked_at=None
        ).order_by("ends_at", "pk")
        held: dict[int, list[Grant]] = {}
        ended: dict[tuple[int, int], Grant] = {}
        for grant in grants:
            if grant.ends_at is None or grant.ends_at > now():
                held.setdefault(grant.contact_id, []).append(grant)
                ended.pop((grant.contact_id, grant.offer_id), None)
            else:
                ended[grant.contact_id, grant.offer_id] = grant
        if self.batch.if_held == IfHeld.SET:
            for (contact, _offer), grant in ended.items():
                held.setdefault(contact, []).append(grant)
        return held

    def _enroll_on(self, rows: Iterable[Row], pks: dict[str, int]) -> set[int]:
        """Set the day these people count as enrolled in the offers' courses; returns whose day changed."""
        days = {
            pks[row.email]: row.enrolled_on
            for row in rows
            if not isinstance(row.enrolled_on, Blank)
        }
        if not days:
            return set()
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE enrollments_enrollment AS enrollment SET enrolled_on = given.day
                FROM unnest(%s::bigint[], %s::date[]) AS given (contact_id, day)
                WHERE enrollment.contact_id = given.contact_id AND enrollment.enrolled_on <> given.day
                  AND enrollment.course_id IN
                    (SELECT course_id FROM offers_offercourse WHERE offer_id = ANY(%s))
                RETURNING enrollment.contact_id
                """,
                [list(days), list(days.values()), [offer.pk for offer in self.offers]],
            )
            return {pk for (pk,) in cursor.fetchall()}


def _is_problem(told: Told) -> bool:
    return told.outcome in (RowOutcome.DUPLICATE, RowOutcome.FAILED)


def _ends(rows: Iterable[Row], pks: dict[str, int]) -> dict[int, date | None]:
    """Contact's pk -> the last day its row names, None for no end."""
    return {
        pks[row.email]: row.ends_on
        for row in rows
        if row.email in pks and not isinstance(row.ends_on, Blank)
    }


def _is_later(wanted: date | None, day: date | None) -> bool:
    """Whether access until `wanted` lasts longer than until `day`. None is no end."""
    return day is not None and (wanted is None or wanted > day)


def _outcome(person: Known, changed: Collection[int]) -> RowOutcome:
    if person.is_new:
        return RowOutcome.CREATED
    is_changed = person.is_changed or person.pk in changed
    return RowOutcome.UPDATED if is_changed else RowOutcome.UNCHANGED
