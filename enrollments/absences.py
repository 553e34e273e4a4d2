"""The courses a student was given that are not open to them: not yet, not now, or not any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.utils.formats import date_format
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import Contact
from portal.models import School

# Of published courses in offers that are no draft. What is open, by whatever grant, is not absent.
ABSENT = """
    WITH held AS (
        SELECT inclusion.course_id,
               bool_or(NOT is_over AND NOT is_paused AND starts_at <= %(at)s) AS is_open,
               min(starts_at) FILTER (WHERE NOT is_over AND NOT is_paused AND starts_at > %(at)s) AS opens_at,
               bool_or(NOT is_over AND is_paused) AS is_paused,
               max(ends_on) FILTER (WHERE revoked_at IS NULL AND ends_at <= %(at)s) AS ended_on
        FROM (
            SELECT *, revoked_at IS NOT NULL OR COALESCE(ends_at <= %(at)s, false) AS is_over,
                   suspended_at IS NOT NULL AS is_paused
            FROM enrollments_grant WHERE contact_id = %(contact)s
        ) AS mine
        JOIN offers_offer AS offer ON offer.id = mine.offer_id AND offer.status <> 'draft'
        JOIN offers_offercourse AS inclusion ON inclusion.offer_id = offer.id
        GROUP BY inclusion.course_id
    )
    SELECT course.title,
           CASE WHEN record.inactive_at IS NOT NULL AND (is_open OR opens_at IS NOT NULL) THEN 'inactive'
                WHEN opens_at IS NOT NULL THEN 'pending'
                WHEN is_paused THEN 'suspended'
                WHEN ended_on IS NOT NULL THEN 'expired'
                ELSE 'revoked' END AS state,
           (opens_at AT TIME ZONE %(zone)s)::date, ended_on
    FROM held
    JOIN offers_course AS course ON course.id = held.course_id AND course.status = 'published'
    LEFT JOIN enrollments_enrollment AS record
        ON record.course_id = course.id AND record.contact_id = %(contact)s
    WHERE NOT is_open OR record.inactive_at IS NOT NULL
    ORDER BY opens_at, course.title, course.id
"""


@dataclass(frozen=True)
class Absence:
    """One course that is shut for the student. It has no address for them."""

    title: str
    state: str  # inactive (switched off), pending, suspended, expired or revoked
    opens_on: date | None  # in the school's zone
    ended_on: date | None  # last day

    @property
    def is_coming(self) -> bool:
        return self.state == "pending"

    @property
    def reason(self) -> str:
        """How it stands, in words for the student. Why staff did it is not their affair."""
        return REASONS[self.state](self)


REASONS: dict[str, Callable[[Absence], str]] = {
    "inactive": lambda _absence: _("Not open to you at the moment."),
    "pending": lambda it: _("Opens on %(day)s.") % {"day": date_format(it.opens_on or "")},
    "suspended": lambda _absence: _("Your access is paused."),
    "expired": lambda it: (
        _("Your access ended on %(day)s.") % {"day": date_format(it.ended_on or "")}
    ),
    "revoked": lambda _absence: _("Your access has ended."),
}


def absences(contact: Contact) -> list[Absence]:
    """What comes first, then the others by title. One statement, however many there are."""
    with connection.cursor() as cursor:
        zone = School.current().time_zone
        cursor.execute(ABSENT, {"contact": contact.pk, "at": now(), "zone": zone})
        return [Absence(*row) for row in cursor.fetchall()]
