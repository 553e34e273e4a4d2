"""The statements that write grants: each does any number of people at once, and records what it did.

They are the working parts of the verbs of `Grant.objects`, which own the transaction and the locks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.timezone import now

from enrollments.models.grant_terms import Ends, Outcome, Terms
from offers.models import Offer
from portal import context
from portal.events import Fact, Name, record_many
from portal.models import School

# From the contacts to their grants. By an index on the offer it would read all of its grants for
# each of them, and takes such an index while the statistics know nothing of a new offer: hence "+ 0".
HOLDING = """
    SELECT asked.contact_id
    FROM unnest(%(contacts)s::bigint[], %(dated)s::boolean[]) AS asked (contact_id, is_dated)
    CROSS JOIN LATERAL (
        SELECT FROM enrollments_grant AS held
        WHERE held.contact_id = asked.contact_id AND held.offer_id + 0 = %(offer)s
          AND held.revoked_at IS NULL
          AND (asked.is_dated OR held.ends_at IS NULL OR held.ends_at > %(at)s)
        LIMIT 1
    ) AS held
"""

# Django's ignore_conflicts cannot tell which rows are new, and its update_conflicts refuses a
# partial index; unsorted batches would deadlock.
INSERT = """
    INSERT INTO enrollments_grant
        (contact_id, offer_id, source, starts_at, ends_on, ends_at, granted_by_id, granted_at, note,
         reason)
    SELECT asked.contact_id, %(offer)s, %(source)s, %(starts_at)s, asked.ends_on, asked.ends_at,
           %(actor)s, %(at)s, %(note)s, ''
    FROM unnest(%(contacts)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
        AS asked (contact_id, ends_on, ends_at)
    ORDER BY asked.contact_id
    ON CONFLICT (contact_id, offer_id, source) WHERE revoked_at IS NULL
    DO UPDATE SET starts_at = EXCLUDED.starts_at, ends_on = EXCLUDED.ends_on,
        ends_at = EXCLUDED.ends_at, suspended_at = NULL, expired_at = NULL, note = EXCLUDED.note,
        granted_by_id = EXCLUDED.granted_by_id, granted_at = EXCLUDED.granted_at
    WHERE enrollments_grant.ends_at <= %(at)s
    RETURNING id, contact_id, ends_on, xmax = 0
"""

SET_ENDS_OF_HOLDERS = """
    UPDATE enrollments_grant AS granted
    SET ends_on = wanted.ends_on, ends_at = wanted.ends_at,
        expired_at = CASE WHEN wanted.ends_at > %(at)s OR wanted.ends_at IS NULL
                          THEN NULL ELSE granted.expired_at END
    FROM (
        SELECT held.id, held.ends_on AS day_before, held.ends_at AS before, asked.ends_on, asked.ends_at
        FROM (
            SELECT *, ends_at IS NULL OR ends_at > %(at)s AS is_held,
                bool_or(ends_at IS NULL OR ends_at > %(at)s) OVER of_contact AS any_held,
                row_number() OVER (of_contact ORDER BY ends_at DESC NULLS FIRST, id DESC) AS place
            FROM enrollments_grant
            WHERE offer_id = %(offer)s AND revoked_at IS NULL AND contact_id = ANY(%(contacts)s)
            WINDOW of_contact AS (PARTITION BY contact_id)
        ) AS held
        JOIN unnest(%(contacts)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
            AS asked (contact_id, ends_on, ends_at) USING (contact_id)
        WHERE (held.is_held OR (held.place = 1 AND NOT held.any_held))
          AND held.source NOT LIKE 'subscription:%%'
          AND held.ends_on IS DISTINCT FROM asked.ends_on
          AND (NOT %(later_only)s OR asked.ends_on IS NULL OR held.ends_on < asked.ends_on)
    ) AS wanted
    WHERE granted.id = wanted.id
    RETURNING granted.id, granted.contact_id, granted.ends_on, wanted.day_before,
        wanted.before <= %(at)s AND (granted.ends_at IS NULL OR granted.ends_at > %(at)s)
"""

SET_ENDS = """
    UPDATE enrollments_grant AS granted
    SET ends_on = wanted.ends_on, ends_at = wanted.ends_at,
        expired_at = CASE WHEN wanted.ends_at > %(at)s OR wanted.ends_at IS NULL
                          THEN NULL ELSE granted.expired_at END
    FROM (
        SELECT held.id, held.ends_on AS day_before, held.ends_at AS before, asked.ends_on, asked.ends_at
        FROM enrollments_grant AS held
        JOIN unnest(%(grants)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
            AS asked (id, ends_on, ends_at) USING (id)
        WHERE held.revoked_at IS NULL AND held.source NOT LIKE 'subscription:%%'
          AND held.ends_on IS DISTINCT FROM asked.ends_on
        ORDER BY held.id
        FOR UPDATE OF held
    ) AS wanted
    WHERE granted.id = wanted.id
    RETURNING granted.id, granted.contact_id, granted.offer_id, granted.source, granted.ends_on,
        wanted.day_before,
        wanted.before <= %(at)s AND (granted.ends_at IS NULL OR granted.ends_at > %(at)s)
"""


def holders_among(contact_ids: Collection[int], *, offer: Offer, ends: Ends) -> set[int]:
    """Which of `contact_ids` hold the offer, from any source.

    An ended grant counts where `ends` has a date for its contact: it is set, not made anew.
    """
    asked = {
        "contacts": list(contact_ids),
        "dated": [pk in ends for pk in contact_ids],
        "offer": offer.pk,
        "at": now(),
    }
    return {pk for (pk,) in _rows(HOLDING, asked)}


def insert(
    ends: Ends, *, offer: Offer, starts_at: datetime, terms: Terms, school: School
) -> dict[int, Outcome]:
    """Insert a grant for each contact, or open the ended one of the same source again."""
    at, actor = now(), context.actor()
    granted = _rows(
        INSERT,
        {
            "contacts": list(ends),
            **_days(ends, school),
            "offer": offer.pk,
            "source": terms["source"],
            "starts_at": starts_at,
            "actor": actor.pk if actor else None,
            "at": at,
            "note": terms.get("note", ""),
        },
    )
    later: dict[str, Fact] = {"starts_at": starts_at.isoformat()} if starts_at > at else {}
    record_many(
        Name.OFFER_GRANTED,
        [
            (contact, _facts(pk, offer, ends_on, terms) | later)
            for pk, contact, ends_on, _is_new in granted
        ],
    )
    return {
        contact: Outcome.CREATED if is_new else Outcome.UPDATED
        for _pk, contact, _ends_on, is_new in granted
    }


def set_ends_of_holders(
    ends: Ends, *, offer: Offer, later_only: bool, terms: Terms, school: School
) -> list[int]:
    """Move the end of every grant of `offer` these contacts hold; returns whose changed.

    Who holds none has the last of the ended ones moved. A subscription's dates belong to
    Stripe. A grant that had ended and is open now counts as granted again; any other change
    is `offer.extended`, either way it goes. The events tell the day before, for undoing.
    """
    if not ends:
        return []
    moved = sorted(
        _rows(
            SET_ENDS_OF_HOLDERS,
            {
                "contacts": list(ends),
                **_days(ends, school),
                "offer": offer.pk,
                "later_only": later_only,
                "at": now(),
            },
        )
    )
    _record_moves(
        [
            (contact, _facts(pk, offer, ends_on, terms) | {"before": _iso(before)}, opened)
            for pk, contact, ends_on, before, opened in moved
        ]
    )
    return [contact for _pk, contact, *_rest in moved]


def set_ends(ends: Ends, *, school: School) -> int:
    """Move the ends of single grants, by their pk. See `Grant.objects.set_ends`."""
    moved = sorted(_rows(SET_ENDS, {"grants": list(ends), **_days(ends, school), "at": now()}))
    _record_moves(
        [
            (
                contact,
                {
                    "grant": pk,
                    "offer": offer,
                    "source": source,
                    "ends_on": _iso(ends_on),
                    "before": _iso(before),
                    "notify": False,
                },
                opened,
            )
            for pk, contact, offer, source, ends_on, before, opened in moved
        ]
    )
    return len(moved)


def _rows(statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def _days(ends: Ends, school: School) -> dict[str, list[Any]]:
    """The last days of `ends` as the statements ask for them, with the first instant after each."""
    until = {day: school.end_of(day) for day in set(ends.values())}
    return {"days": list(ends.values()), "instants": [until[day] for day in ends.values()]}


def _record_moves(moves: Sequence[tuple[int, dict[str, Fact], bool | None]]) -> None:
    """Record (contact, facts, is open again): as granted what is open again, as extended the rest."""
    for name, reopened in ((Name.OFFER_GRANTED, True), (Name.OFFER_EXTENDED, False)):
        record_many(
            name, [(contact, facts) for contact, facts, opened in moves if bool(opened) is reopened]
        )


def _facts(pk: int, offer: Offer, ends_on: date | None, terms: Terms) -> dict[str, Fact]:
    """What the events of a grant tell."""
    return {
        "grant": pk,
        "offer": offer.pk,
        "source": terms["source"],
        "ends_on": _iso(ends_on),
        "notify": terms.get("notify", True),
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
