"""What somebody holds and is enrolled in, as the contact page shows it: two statements.

Written by hand, for Django takes longer to put them together than PostgreSQL to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Contact
from enrollments.forms.dates import is_fixed
from enrollments.models import Enrollment, Grant
from enrollments.status import AccessStatus, access_status
from offers.models import Course, Offer
from offers.models.lesson import COUNTED
from portal.templatetags.ui import day, state_label

# What str() says of a user, by the names of the tables of user and contact.
NAME = "coalesce(nullif({user}_contact.name, ''), nullif({user}.name, ''), {user}.email)"
USER = """
    LEFT JOIN accounts_user AS {user} ON {user}.id = {column}
    LEFT JOIN accounts_contact AS {user}_contact ON {user}_contact.id = {user}.contact_id
"""


def named(user: str) -> str:
    """The name of the user that `joined` calls so."""
    return NAME.format(user=user)


def joined(user: str, column: str) -> str:
    """A join of the user in `column`, if there is one."""
    return USER.format(user=user, column=column)


# PostgreSQL puts those that are not revoked first.
GRANTS = f"""
    SELECT held.id, held.contact_id, held.offer_id, held.source, held.starts_at, held.ends_on,
           held.ends_at, held.suspended_at, held.revoked_at, held.note, held.reason,
           offer.title AS offer_title, offer.status AS offer_status,
           {named("granter")} AS granter, {named("revoker")} AS revoker,
           inside.pks AS course_pks, inside.titles AS course_titles
    FROM enrollments_grant AS held
    JOIN offers_offer AS offer ON offer.id = held.offer_id
    {joined("granter", "held.granted_by_id")} {joined("revoker", "held.revoked_by_id")}
    LEFT JOIN LATERAL (
        SELECT array_agg(course.id) AS pks,
               array_agg(course.title ORDER BY course.title, course.id) AS titles
        FROM offers_offercourse AS inclusion
        JOIN offers_course AS course ON course.id = inclusion.course_id
        WHERE inclusion.offer_id = held.offer_id AND held.revoked_at IS NULL
    ) AS inside ON true
    WHERE held.contact_id = %s
    ORDER BY held.revoked_at DESC, offer.title, held.offer_id, held.id DESC
"""  # noqa: S608 (our own words only)

ENROLLMENTS = """
    SELECT mine.id, mine.contact_id, mine.course_id, mine.enrolled_on, mine.inactive_at,
           mine.learning_status, mine.attempt,
           course.title AS course_title, course.status AS course_status,
           (SELECT count(*) FROM enrollments_lessonprogress AS progress
            JOIN offers_lesson AS lesson ON lesson.id = progress.lesson_id AND {counted}
            WHERE progress.enrollment_id = mine.id AND progress.attempt = mine.attempt
              AND progress.completed_at IS NOT NULL) AS done,
           (SELECT count(*) FROM offers_lesson AS lesson
            JOIN offers_module AS module ON module.id = lesson.module_id
            WHERE module.course_id = mine.course_id AND {counted}) AS total
    FROM enrollments_enrollment AS mine
    JOIN offers_course AS course ON course.id = mine.course_id
    WHERE mine.contact_id = %s
    ORDER BY course.title, mine.id
""".replace("{counted}", COUNTED)


@dataclass(frozen=True)
class GrantRow:
    """One grant on the page, with what is said of it more than once."""

    grant: Grant
    offer: Offer
    state: str
    source: str
    about: SafeString  # its name beside the others
    end: SafeString
    courses: frozenset[int]
    course_titles: str
    may_extend: bool

    @property
    def terms(self) -> SafeString:
        """Where it comes from, since when, until when, by whom."""
        since = _("from %(on)s") if self.state == "pending" else _("since %(on)s")
        granter = getattr(self.grant, "granter", None)
        who = _("granted by %(who)s") % {"who": granter} if granter else ""
        return format_html(
            "{} · {} · {}{}{}",
            self.source,
            SafeString(since % {"on": day(self.grant.starts_at)}),
            self.end,
            " · " if who else "",
            who,
        )


@dataclass(frozen=True)
class OfferRows:
    """The grants of one offer that are not revoked."""

    offer: Offer
    rows: list[GrantRow]

    @property
    def are_several(self) -> bool:
        return len(self.rows) > 1


@dataclass(frozen=True)
class CourseRow:
    """One course on the page: how far they are, and which grants open it."""

    enrollment: Enrollment
    course: Course
    status: AccessStatus
    grants: list[GrantRow]
    is_open: bool

    @property
    def record(self) -> SafeString:
        """How the learner stands, and since when."""
        since = _("enrolled on %(on)s") % {"on": day(self.enrollment.enrolled_on)}
        status = state_label(self.enrollment.learning_status)
        return format_html("{}: {} · {}", _("Learning status"), status, SafeString(since))


def grant_rows(contact: Contact) -> list[GrantRow]:
    """Every grant of theirs, those that are revoked last."""
    return [_grant_row(grant) for grant in Grant.objects.raw(GRANTS, [contact.pk])]


def _grant_row(grant: Grant) -> GrantRow:
    told = grant.__dict__
    title, status = told["offer_title"], told["offer_status"]
    grant.offer = Offer.from_db(None, ("id", "title", "status"), (grant.offer_id, title, status))
    source = grant.source_label
    end = _("until %(on)s") % {"on": day(grant.ends_on)} if grant.ends_on else _("no end")
    return GrantRow(
        grant=grant,
        offer=grant.offer,
        state=grant.state,
        source=source,
        about=format_html("{}, {}", title, source),
        end=SafeString(end),
        courses=frozenset(told["course_pks"] or ()),
        course_titles=", ".join(told["course_titles"] or ()),
        may_extend=not is_fixed(grant),
    )


def by_offer(rows: list[GrantRow]) -> list[OfferRows]:
    """Grants that are in the order of their offers, offer by offer."""
    groups = groupby(rows, key=lambda row: row.offer.pk)
    return [OfferRows(same[0].offer, same) for _pk, group in groups if (same := list(group))]


def course_rows(contact: Contact, grants: list[GrantRow]) -> Iterator[CourseRow]:
    """The courses they are enrolled in; `grants` are theirs, without revoked ones."""
    for mine in Enrollment.objects.raw(ENROLLMENTS, [contact.pk]):
        title, status = mine.__dict__["course_title"], mine.__dict__["course_status"]
        course = Course.from_db(None, ("id", "title", "status"), (mine.course_id, title, status))
        opening = [row for row in grants if mine.course_id in row.courses]
        access = access_status(mine, [row.grant for row in opening])
        is_open = access == AccessStatus.ACTIVE and course.is_published and not contact.is_blocked
        yield CourseRow(mine, course, access, opening, is_open)
