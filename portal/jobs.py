"""Long work in slices: register a function by name, queue a row, and the clock carries it on."""

import logging
from collections.abc import Callable

from django.db import transaction

from portal import context
from portal.events import Fact
from portal.models import Job
from portal.waiting import MAX_ATTEMPTS

logger = logging.getLogger(__name__)

SLICE_SECONDS = 20

type Slice = Callable[[Job], bool]
_slices: dict[str, Slice] = {}


def job(kind: str) -> Callable[[Slice], Slice]:
    """Register a function that does one slice (at most SLICE_SECONDS) and says whether the job is done.

    It advances `job.cursor` in the transaction of its work: killed anywhere, it goes on from there.
    """

    def register(function: Slice) -> Slice:
        _slices[kind] = function
        return function

    return register


@transaction.atomic
def queue(kind: str, *, key: str, priority: int = 5, **data: Fact) -> None:
    """Let `kind` be done soon, with priority 0 at once. A second call with the same `key` changes nothing."""
    fields = {"kind": kind, "data": data, "priority": priority}
    row, is_new = Job.objects.get_or_create(key=key, defaults=fields)
    if is_new:
        transaction.on_commit(Job.objects.filter(pk=row.pk).hand_over, robust=True)


def run(pk: int) -> None:
    """Do one slice of job `pk`, if it is due and nobody else holds it."""
    claimed = Job.objects.claim(pk)
    if claimed is None:
        return
    if claimed.attempts > MAX_ATTEMPTS:  # its processes were killed each time
        claimed.end("dead", error=claimed.last_error)
        return
    try:
        with context.acting(cause=f"job:{claimed.pk}", depth=1):
            done = _slices[claimed.kind](claimed)
    except Exception as error:
        logger.exception("Job %s failed", claimed)
        claimed.fail(f"{type(error).__name__}: {error}")
    else:
        if done:
            claimed.end("done")
        else:
            claimed.release()
