"""The shelf: a student's open courses, each with how far they are and until when it is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Exists, Subquery, When
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact
from enrollments import access
from offers.models.lesson import IS_COUNTED


@dataclass(frozen=True)
class Book:
    """One open course of one student."""

    id: int
    slug: str
    title: str
    description: str  # its beginning
    cover_id: UUID | None
    total: int  # lessons
    done: int
    until: date | None  # last day; None: no end
    completed_at: datetime | None
    last_lesson_id: int | None
    last_lesson_title: str | None
    last_lesson_at: datetime | None
    is_last_done: bool  # the last lesson: then they go on with another

    @property
    def url(self) -> str:
        return reverse("enrollments:course_detail", args=[self.slug])

    @property
    def resume_url(self) -> str:
        """Where they stopped, or else the course."""
        if self.last_lesson_id is None:
            return self.url
        return reverse("enrollments:lesson_detail", args=[self.slug, self.last_lesson_id])

    @property
    def resume_title(self) -> str:
        """What is at `resume_url`."""
        return self.last_lesson_title or self.title

    @property
    def cover_url(self) -> str:
        """Its picture; "" for the one that is made from its title."""
        return cover_url(self.cover_id)

    @property
    def is_completed(self) -> bool:
        return self.completed_at is not None

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to start or to go on with."""
        return self.total > 0 and not self.is_completed


def cover_url(cover_id: UUID | None) -> str:
    """The address of a course's picture; "" where it has none of its own."""
    return reverse("enrollments:file_detail", args=[cover_id]) if cover_id else ""


# The courses that grants open to %(contact)s now, each with its last day. Says what
# access.opening_grants() says; a test holds the two together.
OPENED = """
    SELECT inclusion.course_id, max(held.ends_on) AS until, bool_or(held.ends_on IS NULL) AS is_endless
    FROM enrollments_grant AS held
    JOIN offers_offer AS offer ON offer.id = held.offer_id AND offer.status <> 'draft'
    JOIN offers_offercourse AS inclusion ON inclusion.offer_id = offer.id
    JOIN accounts_contact AS contact ON contact.id = held.contact_id AND contact.blocked_at IS NULL
    WHERE held.contact_id = %(contact)s AND held.revoked_at IS NULL AND held.suspended_at IS NULL
      AND held.starts_at <= %(at)s AND (held.ends_at IS NULL OR held.ends_at > %(at)s)
    GROUP BY inclusion.course_id
"""
# Written by hand, for Django takes longer to put this statement together than PostgreSQL to answer.
# WHERE says what access.open_courses() says; a test holds the two together.
SHELF = """
    WITH opened AS ({opened}), chosen AS (
        SELECT course.id, course.slug, course.title, left(course.description, 200) AS description,
               course.cover_id, course.completion,
               CASE WHEN NOT opened.is_endless THEN opened.until END AS until,
               mine.id AS enrollment_id, mine.attempt, mine.completed_at,
               mine.last_lesson_at, last.id AS last_lesson_id, last.title AS last_lesson_title
        FROM opened
        JOIN offers_course AS course ON course.id = opened.course_id AND course.status = 'published'
        LEFT JOIN enrollments_enrollment AS mine
            ON mine.course_id = course.id AND mine.contact_id = %(contact)s
        LEFT JOIN offers_lesson AS last ON last.id = mine.last_lesson_id AND last.published_at IS NOT NULL
        WHERE mine.inactive_at IS NULL
        ORDER BY {order} LIMIT %(limit)s
    )
    SELECT id, slug, title, description, cover_id,
           (SELECT count(*) FROM offers_lesson AS lesson
            JOIN offers_module AS module ON module.id = lesson.module_id
            WHERE module.course_id = course.id AND {counted}),
           (SELECT count(*) FROM enrollments_lessonprogress AS progress
            JOIN offers_lesson AS lesson ON lesson.id = progress.lesson_id AND {counted}
            WHERE progress.enrollment_id = course.enrollment_id AND progress.attempt = course.attempt
              AND progress.completed_at IS NOT NULL),
           until, completed_at, last_lesson_id, last_lesson_title, last_lesson_at,
           EXISTS (SELECT FROM enrollments_lessonprogress AS progress
                   WHERE progress.enrollment_id = course.enrollment_id AND progress.attempt = course.attempt
                     AND progress.lesson_id = course.last_lesson_id AND progress.completed_at IS NOT NULL)
    FROM chosen AS course ORDER BY {order}
""".replace("{opened}", OPENED).replace("{counted}", IS_COUNTED)
BY_TITLE = "title, id"
# What somebody is at comes first, then what is new to them, then what is done.
BY_USE = "completed_at IS NOT NULL, last_lesson_at DESC NULLS LAST, title, id"


def shelf(contact: Contact) -> list[Book]:
    """What `contact` may open now, by title. One statement, however many courses."""
    return _books(contact, order=BY_TITLE, limit=None)


def desk(contact: Contact, *, limit: int) -> list[Book]:
    """The first `limit` of what `contact` may open now: what they are at, what is new, what is done."""
    return _books(contact, order=BY_USE, limit=limit)


def _books(contact: Contact, *, order: str, limit: int | None) -> list[Book]:
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"contact": contact.pk, "at": now(), "limit": limit}
        cursor.execute(SHELF.replace("{order}", order), params)
        return [Book(*row) for row in cursor.fetchall()]


def last_day(contact: Contact) -> Case:
    """Until when a course, the outer row, is open to `contact`; NULL for no end."""
    opening = access.opening_grants(contact)
    return Case(
        When(Exists(opening.filter(ends_on=None)), then=None),
        default=Subquery(opening.order_by("-ends_on").values("ends_on")[:1]),
    )
