"""Long work about access, in slices."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from enrollments.models.enrollment import enroll_holders
from enrollments.models.grant import move_ends
from portal.jobs import job
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
