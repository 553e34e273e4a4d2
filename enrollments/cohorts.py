"""Putting people into cohorts, one or 100,000 by the same statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.db import connection, transaction

from accounts.models import BulkRun
from enrollments.models.enrollment import Enrollment
from offers.models import Cohort, Offer
from portal.events import Fact, Name, record_many
from portal.models import Event


@transaction.atomic
def set_cohorts(cohorts: Mapping[int, int | None]) -> list[int]:
    """Move enrollments: `cohorts` is enrollment's pk -> cohort's pk, None for none. Returns whose it changed.

    A cohort of another course is passed over. Records `enrollment.changed`, which tells the cohort
    before, for undoing. Two statements, however many they are; a repeat changes nothing.
    """
    if not cohorts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE enrollments_enrollment AS mine SET cohort_id = wanted.cohort_id
            FROM (
                SELECT held.id, held.cohort_id AS before, asked.cohort_id
                FROM enrollments_enrollment AS held
                JOIN unnest(%(enrollments)s::bigint[], %(cohorts)s::bigint[]) AS asked (id, cohort_id) USING (id)
                LEFT JOIN offers_cohort AS cohort ON cohort.id = asked.cohort_id
                WHERE held.cohort_id IS DISTINCT FROM asked.cohort_id
                  AND (asked.cohort_id IS NULL OR cohort.course_id = held.course_id)
                ORDER BY held.id
                FOR NO KEY UPDATE OF held
            ) AS wanted
            WHERE mine.id = wanted.id
            RETURNING mine.contact_id, mine.course_id, mine.cohort_id, wanted.before
            """,
            {"enrollments": list(cohorts), "cohorts": list(cohorts.values())},
        )
        moved = sorted(cursor.fetchall(), key=lambda row: row[:2])
    told: list[tuple[int | None, dict[str, Fact]]] = [
        (contact, {"course": course, "fields": ["cohort"], "cohort": cohort, "before": before})
        for contact, course, cohort, before in moved
    ]
    record_many(Name.ENROLLMENT_CHANGED, told)
    return list(dict.fromkeys(contact for contact, *_rest in moved))


def join_cohorts(
    *, contact_ids: Collection[int], cohorts: Collection[Cohort], offer: Offer
) -> list[int]:
    """Put contacts into `cohorts` of the offer's courses, as far as they are enrolled. Returns whom it moved."""
    wanted = {cohort.course_id: cohort.pk for cohort in cohorts}
    mine = Enrollment.objects.filter(contact__in=contact_ids, course__in=wanted)
    rows = mine.filter(course__inclusions__offer=offer).values_list("pk", "course")
    return set_cohorts({pk: wanted[course] for pk, course in rows})


def cohorts_back(contact_ids: Sequence[int], run: BulkRun) -> list[int]:
    """Move those whom a run moved where they were, if they still are where it put them; returns whose."""
    told = Event.objects.filter(
        contact__in=contact_ids, cause=run.cause, name=Name.ENROLLMENT_CHANGED
    )
    moved = {
        (contact, data["course"]): data
        for contact, data in told.order_by("pk").values_list("contact_id", "data")
        if data["fields"] == ["cohort"]
    }
    courses = {course for _contact, course in moved}
    mine = Enrollment.objects.filter(contact__in=contact_ids, course__in=courses)
    there = set(Cohort.objects.filter(course__in=courses).values_list("pk", flat=True))
    back = {}
    for pk, contact, course, cohort in mine.values_list("pk", "contact", "course", "cohort"):
        data = moved.get((contact, course))
        if data and data["cohort"] == cohort and data["before"] in {None, *there}:
            back[pk] = data["before"]
    return set_cohorts(back)
