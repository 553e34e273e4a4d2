"""What somebody holds and is enrolled in, as the contact page shows it: two statements.

Written by hand, and read without models: Django would take longer over them than PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import Contact
from enrollments.models.grant_terms import source_label
from enrollments.status import AccessStatus, access_status
from offers.models.lesson import IS_COUNTED
from portal.ui.numbers import progress
from portal.ui.states import state
from portal.ui.times import day, when

# What str() says of a user; a test holds the two together. Not a join: PostgreSQL would weigh the order of them
# all, for longer than it looks them up.
NAME = """(
    SELECT coalesce(
        CASE WHEN login.role <> '' THEN nullif(login.name, '') END,
        nullif(CASE WHEN person.id IS NULL THEN login.name ELSE person.name END, ''),
        login.email
    )
    FROM accounts_user AS login LEFT JOIN accounts_contact AS person ON person.id = login.contact_id
    WHERE login.id = {column}
)"""


def named(column: str) -> str:
    """The name of the user in `column`, if there is one."""
    return NAME.format(column=column)


# In the order of GrantRow; PostgreSQL puts those that are not revoked first. The state is what Grant.state
# says; a test holds the two together.
GRANTS = f"""
    SELECT held.id, held.contact_id, held.offer_id, offer.title, offer.status,
           CASE
               WHEN held.revoked_at IS NOT NULL THEN 'revoked'
               WHEN held.ends_at <= %(now)s THEN 'ended'
               WHEN held.suspended_at IS NOT NULL THEN 'suspended'
               WHEN held.starts_at > %(now)s THEN 'pending'
               ELSE 'live'
           END,
           held.source, held.starts_at, held.ends_on, held.note, held.revoked_at, held.reason,
           {named("held.granted_by_id")}, {named("held.revoked_by_id")},
           array_agg(course.id),
           coalesce(string_agg(course.title, ', ' ORDER BY course.title, course.id), ''),
           held.source NOT LIKE 'subscription:%%',  -- Stripe moves its end
           held.revoked_at IS NULL AND held.id = min(held.id) OVER same AND held.id < max(held.id) OVER same
    FROM enrollments_grant AS held
    JOIN offers_offer AS offer ON offer.id = held.offer_id
    LEFT JOIN offers_offercourse AS inclusion
        ON inclusion.offer_id = held.offer_id AND held.revoked_at IS NULL
    LEFT JOIN offers_course AS course ON course.id = inclusion.course_id
    WHERE held.contact_id = %(contact)s
    GROUP BY held.id, offer.id
    WINDOW same AS (PARTITION BY held.offer_id, held.revoked_at IS NULL)
    ORDER BY held.revoked_at DESC, offer.title, held.offer_id, held.id DESC
"""  # noqa: S608 (our own words only)

# In the order of EnrollmentRow.
ENROLLMENTS = f"""
    SELECT mine.id, mine.contact_id, mine.course_id, course.title, course.status,
           mine.enrolled_on, mine.inactive_at, mine.learning_status, mine.attempt,
           count(progress.id), count(lesson.id)
    FROM enrollments_enrollment AS mine
    JOIN offers_course AS course ON course.id = mine.course_id
    LEFT JOIN offers_module AS module ON module.course_id = mine.course_id
    LEFT JOIN offers_lesson AS lesson ON lesson.module_id = module.id AND {IS_COUNTED}
    LEFT JOIN enrollments_lessonprogress AS progress
        ON progress.enrollment_id = mine.id AND progress.lesson_id = lesson.id
        AND progress.attempt = mine.attempt AND progress.completed_at IS NOT NULL
    WHERE mine.contact_id = %s
    GROUP BY mine.id, course.id
    ORDER BY course.title, mine.id
"""  # noqa: S608 (our own words only)


class GrantShape(NamedTuple):
    """What decides how a grant looks."""

    state: str
    offer_status: str
    may_extend: bool
    is_last_of_several: bool


class GrantRow(NamedTuple):
    """One grant on the page, as include_each shows it."""

    pk: int
    contact_pk: int
    offer_pk: int
    offer: str
    offer_status: str
    state: str
    source: str
    starts_at: datetime
    ends_on: date | None
    note: str
    revoked_at: datetime | None
    reason: str
    granter: str | None
    revoker: str | None
    course_pks: list[int | None]
    courses: str
    may_extend: bool
    is_last_of_several: bool  # grants of the same offer, none of them revoked

    @property
    def shape(self) -> GrantShape:
        return GrantShape(self.state, self.offer_status, self.may_extend, self.is_last_of_several)

    @property
    def words(self) -> dict[str, object]:
        source = source_label(self.source)
        words: dict[str, object] = {
            "pk": self.pk,
            "contact_pk": self.contact_pk,
            "offer": self.offer,
            "offer_pk": self.offer_pk,
            "source": source,
            "about": f"{self.offer}, {source}",  # beside the others
            "start": day(self.starts_at),
            "end": self.end,
            "granter": self.granter,
            "courses": self.courses,
            "note": self.note,
        }
        if self.revoked_at:
            words |= {
                "revoked": when(self.revoked_at),
                "revoker": self.revoker,
                "reason": self.reason,
            }
        return words

    @property
    def opening(self) -> SafeString:
        """What it says beside a course that it opens, or will, or did."""
        badge = "" if self.state == "live" else state(self.state)
        source = source_label(self.source)
        return format_html("<li>{} ({}): {} {}</li>", self.offer, source, self.end, badge)

    @property
    def end(self) -> SafeString:
        if self.ends_on is None:
            return SafeString(conditional_escape(_("no end")))
        return SafeString(_("until %(on)s") % {"on": day(self.ends_on)})


class CourseShape(NamedTuple):
    """What decides how a course looks."""

    status: AccessStatus
    course_status: str
    learning_status: str
    is_open: bool
    is_switched_off: bool


class EnrollmentRow(NamedTuple):
    """One enrollment."""

    pk: int
    contact_pk: int
    course_pk: int
    course: str
    course_status: str
    enrolled_on: date
    inactive_at: datetime | None
    learning_status: str
    attempt: int
    done: int
    total: int


class CourseRow(NamedTuple):
    """One course on the page, as include_each shows it: how far they are, and which grants open it."""

    mine: EnrollmentRow
    status: AccessStatus
    grants: list[GrantRow]
    is_open: bool

    @property
    def shape(self) -> CourseShape:
        mine = self.mine
        return CourseShape(
            self.status,
            mine.course_status,
            mine.learning_status,
            self.is_open,
            mine.inactive_at is not None,
        )

    @property
    def words(self) -> dict[str, object]:
        mine = self.mine
        return {
            "pk": mine.pk,
            "contact_pk": mine.contact_pk,
            "course": mine.course,
            "course_pk": mine.course_pk,
            "progress": progress(mine.done, mine.total, label=mine.course) if mine.total else "",
            "enrolled_on": day(mine.enrolled_on),
            "attempt": mine.attempt if mine.attempt > 1 else "",
            "openings": SafeString("".join([row.opening for row in self.grants])),
        }


def grant_rows(contact: Contact) -> list[GrantRow]:
    """Every grant of theirs, those that are revoked last."""
    with connection.cursor() as cursor:
        cursor.execute(GRANTS, {"contact": contact.pk, "now": now()})
        return [GrantRow(*row) for row in cursor.fetchall()]


def course_rows(contact: Contact, grants: Sequence[GrantRow]) -> list[CourseRow]:
    """The courses they are enrolled in; `grants` are theirs, without revoked ones."""
    with connection.cursor() as cursor:
        cursor.execute(ENROLLMENTS, [contact.pk])
        return [_course_row(contact, grants, EnrollmentRow(*row)) for row in cursor.fetchall()]


def _course_row(contact: Contact, grants: Sequence[GrantRow], mine: EnrollmentRow) -> CourseRow:
    opening = [row for row in grants if mine.course_pk in row.course_pks]
    states = {row.state for row in opening if row.offer_status != "draft"}
    status = access_status(states, is_off=mine.inactive_at is not None)
    is_published = mine.course_status == "published"
    is_open = status == AccessStatus.ACTIVE and is_published and not contact.is_blocked
    return CourseRow(mine, status, opening, is_open)
