"""The floors: for each kind of work the least code that could do it, on the same tables.

A floor checks nothing, reports nothing and speaks straight to psycopg. SEEN is what it gave on the
machine the goals were set on: goals in seconds are scaled by it.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, cast

import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.utils.functional import cached_property

from accounts.models import Contact, User
from enrollments.models import Grant

SEEN = {
    "import": 1 / 13_000,  # a row
    "export": 1 / 350_000,  # a row
    "page": 0.0045,  # in one process; two of them serve 430 a second to eight clients
    "mail": 1 / 820,  # a message, by two processes
    "first start": 2.1,  # seconds
    "second start": 1.5,
}

# Goes on from a WITH that names the ids of `person`.
GRANT = """
    granted AS (
        INSERT INTO enrollments_grant
            (contact_id, offer_id, source, starts_at, granted_at, note, reason)
        SELECT id, %(offer)s, %(source)s, now(), now(), '', '' FROM person
        RETURNING id, contact_id
    ), logged AS (
        INSERT INTO portal_event (name, occurred_at, contact_id, cause, depth, data)
        SELECT 'offer.granted', now(), contact_id, 'floor', 0, jsonb_build_object('grant', id)
        FROM granted RETURNING id
    )
    INSERT INTO portal_outbox (event_id, attempts, next_attempt_at, last_error)
    SELECT id, 0, now(), '' FROM logged
"""
GRANT_ONE = f"WITH person AS (SELECT %(contact)s::bigint AS id), {GRANT}"
GRANT_STAGED = f"""
    WITH person AS (
        INSERT INTO accounts_contact
            (email, name, phone, language, created_at, block_reason, credentials_claim)
        SELECT email, name, phone, '', now(), '', '' FROM staging RETURNING id
    ), {GRANT}
"""  # noqa: S608 (our own words only)
EXPORT = """
    COPY (
        SELECT contact.name, contact.email, course.title, enrollment.learning_status, enrollment.enrolled_on,
               contact.last_seen_at, max(held.ends_on), string_agg(offer.title, ', ')
        FROM enrollments_enrollment AS enrollment
        JOIN accounts_contact AS contact ON contact.id = enrollment.contact_id
        JOIN offers_course AS course ON course.id = enrollment.course_id
        JOIN enrollments_grant AS held USING (contact_id)
        JOIN offers_offercourse AS inclusion USING (offer_id, course_id)
        JOIN offers_offer AS offer ON offer.id = held.offer_id
        GROUP BY enrollment.id, contact.id, course.id
    ) TO STDOUT WITH (FORMAT csv, HEADER)
"""


def driver(*, autocommit: bool = False) -> psycopg.Connection:
    """A connection of psycopg's own to the database of Django's."""
    params = connection.get_connection_params() | {"cursor_factory": None}
    return psycopg.connect(**params, autocommit=autocommit)


def import_floor(path: Path, *, offer: int) -> None:
    """Parse the CSV, COPY it, make contact, grant and waiting event of each; one transaction."""
    with driver() as db, db.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE staging (name text, email text, phone text, ends_on text)"
            " ON COMMIT DROP"
        )
        with path.open(newline="") as file, cursor.copy("COPY staging FROM STDIN") as copy:
            rows = csv.reader(file)
            next(rows)
            for row in rows:
                copy.write_row(row)
        cursor.execute(GRANT_STAGED, {"offer": offer, "source": "floor"})


class GrantFloor:
    """One select, one grant, one event that waits, one commit; on a connection that stays open."""

    def __init__(self, *, offer: int) -> None:
        self.db, self.offer = driver(), offer

    def grant(self, contact: int, *, source: str) -> None:
        with self.db.transaction(), self.db.cursor() as cursor:
            cursor.execute("SELECT id FROM accounts_contact WHERE id = %s", [contact])
            cursor.execute(GRANT_ONE, {"contact": contact, "offer": self.offer, "source": source})


class SearchFloor:
    """50 rows by trigram."""

    def __init__(self) -> None:
        self.db = driver(autocommit=True)
        self.db.execute("SET enable_seqscan = off")  # which is tempting, where 50 rows are enough

    def search(self, text: str) -> list[tuple[Any, ...]]:
        return self.db.execute(
            "SELECT id, name, email FROM accounts_contact WHERE search_text LIKE %s LIMIT 50",
            [f"%{text}%"],
        ).fetchall()


def export_floor() -> None:
    """Let PostgreSQL write the CSV by itself: every enrollment with its person, course and offers."""
    with driver() as db, db.cursor() as cursor, cursor.copy(EXPORT) as copy:
        for _piece in copy:
            pass


class PageFloor:
    """A bare page: what the middleware asks, one joined query of five rows, a small template."""

    SOURCE = "<!DOCTYPE html><title>{{ name }}</title><ul>{% for grant in grants %}<li>{{ grant.offer.title }}, {{ grant.starts_at }}</li>{% endfor %}</ul>"

    @cached_property
    def template(self) -> Any:
        return engines["django"].from_string(self.SOURCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        contact = cast(Contact, cast(User, request.user).contact)
        grants = Grant.objects.filter(contact=contact).select_related("offer").order_by("pk")[:5]
        return HttpResponse(self.template.render({"name": contact.name, "grants": grants}))


page_floor = PageFloor()
