"""Long work about people, in slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.bulk import ACTIONS, UNCHANGED, Result, Results, Undoable
from accounts.models import BulkRun, User
from accounts.models.bulk import Outcome
from portal import context
from portal.jobs import SLICE_SECONDS, job
from portal.models import Job, School


@job("bulk_run")
def bulk_run_slice(job: Job) -> bool:
    """Do a bulk action to its next contacts."""
    run = _run(job)
    return _go_on(job, run, _do, user=run.started_by, cause=run.cause)


@job("bulk_undo")
def bulk_undo_slice(job: Job) -> bool:
    """Take a bulk action back for the next contacts it changed, as long as whoever asked for it may."""
    run = _run(job)
    user = User.objects.select_related("contact").filter(pk=job.data["user"]).first()
    if user and not user.may(ACTIONS[run.action].permission):  # no more: the rest stays done
        BulkRun.objects.filter(pk=run.pk, undone_at=None).update(undone_at=now())
        return True
    return _go_on(job, run, _undo, user=user, cause=f"undo:{run.cause}")


def _run(job: Job) -> BulkRun:
    return BulkRun.objects.select_related("started_by__contact").get(pk=job.data["run"])


def _go_on(
    job: Job,
    run: BulkRun,
    step: Callable[[Job, BulkRun], bool],
    *,
    user: User | None,
    cause: str,
) -> bool:
    """Do batches, each in its own transaction, for half a slice's time; whether none is left."""
    until = monotonic() + SLICE_SECONDS / 2
    with _acting_as(user, cause=cause):
        while monotonic() < until:
            if not step(job, run):
                return True
    return False


@contextmanager
def _acting_as(user: User | None, *, cause: str) -> Iterator[None]:
    """In the name, the language and the hour of whoever pressed the button."""
    school = School.current()
    language = (user.reads if user else "") or school.language
    with (
        context.acting(cause=cause, user=user),
        translation.override(language),
        timezone.override(school.zone),
    ):
        yield


@transaction.atomic
def _do(job: Job, run: BulkRun) -> bool:
    """One batch; False when there is none left."""
    action = ACTIONS[run.action]
    _hold(job)
    waiting = run.rows.filter(outcome="", contact__gt=job.cursor).order_by("contact")
    ids = list(waiting.values_list("contact_id", flat=True)[: action.batch])
    if not ids:
        BulkRun.objects.filter(pk=run.pk).update(finished_at=now())
        return False
    if run.started_by is None or run.started_by.may(action.permission):
        results = action.run(ids, run.terms, run)
    else:  # no more: the rest is not done
        reason = _("Whoever started it may not do this any more.")
        results = dict.fromkeys(ids, Result(Outcome.REFUSED, reason))
    became = _write(run, ids, results)
    more = {outcome: F(outcome) + number for outcome, number in became.items()}
    BulkRun.objects.filter(pk=run.pk).update(done=F("done") + len(ids), **more)
    job.advance(cursor=ids[-1])
    return True


def _hold(job: Job) -> None:
    """Lock the job's row: whoever else believes to have it waits here, and goes on behind us."""
    job.cursor = Job.objects.select_for_update(no_key=True).get(pk=job.pk).cursor


def _write(run: BulkRun, ids: list[int], results: Results) -> Counter[str]:
    """Write down what became of these contacts; returns how many had which outcome."""
    found = [results.get(pk, UNCHANGED) for pk in ids]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE accounts_bulkrow AS row SET outcome = given.outcome, reason = given.reason
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (contact_id, outcome, reason)
            WHERE row.run_id = %s AND row.contact_id = given.contact_id
            """,
            [
                ids,
                [result.outcome.value for result in found],
                [result.reason for result in found],
                run.pk,
            ],
        )
    return Counter(result.outcome.value for result in found)


@transaction.atomic
def _undo(job: Job, run: BulkRun) -> bool:
    """One batch backwards; False when there is none left."""
    action = ACTIONS[run.action]
    _hold(job)
    changed = run.rows.filter(outcome=Outcome.CHANGED, contact__gt=job.cursor).order_by("contact")
    ids = list(changed.values_list("contact_id", flat=True)[: action.batch])
    if not ids or not isinstance(action, Undoable):
        BulkRun.objects.filter(pk=run.pk).update(undone_at=now())
        return False
    undone = action.undo(ids, run.terms, run)
    progress = {"done": F("done") + len(ids), "undone": F("undone") + len(undone)}
    BulkRun.objects.filter(pk=run.pk).update(**progress)
    job.advance(cursor=ids[-1])
    return True
