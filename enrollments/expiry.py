"""The end of a grant: access closes by itself, and the clock writes down that it did."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now

from enrollments.models import Grant
from portal.events import Name, record_many

BATCH = 1000


@transaction.atomic
def record_expired(*, limit: int = BATCH) -> int:
    """Record `offer.expired` for up to `limit` grants whose last day is over; returns how many.

    Once per end, however many clocks run: the conditional UPDATE and the event are one
    transaction, and whoever comes second passes over what the first holds. A grant that is
    given a later end and ends again is recorded again.
    """
    at = now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH over AS (
                SELECT id FROM enrollments_grant
                WHERE ends_at <= %(at)s AND revoked_at IS NULL AND expired_at IS NULL
                ORDER BY ends_at
                LIMIT %(limit)s
                FOR UPDATE SKIP LOCKED
            )
            UPDATE enrollments_grant AS granted SET expired_at = %(at)s
            FROM over WHERE granted.id = over.id
            RETURNING granted.id, granted.contact_id, granted.offer_id, granted.source, granted.ends_on
            """,
            {"at": at, "limit": limit},
        )
        ended = sorted(cursor.fetchall())
    record_many(
        Name.OFFER_EXPIRED,
        [
            (
                contact,
                {"grant": pk, "offer": offer, "source": source, "ends_on": ends_on.isoformat()},
            )
            for pk, contact, offer, source, ends_on in ended
        ],
    )
    return len(ended)


def ending() -> QuerySet[Grant]:
    """Open grants whose end is the end of the offer for their contact: none of the same offer goes on."""
    going_on = Grant.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=OuterRef("ends_at")),
        contact=OuterRef("contact"),
        offer=OuterRef("offer"),
        starts_at__lte=OuterRef("ends_at"),
        suspended_at=None,
        revoked_at=None,
    )
    return Grant.objects.opening().filter(~Exists(going_on), ends_at__isnull=False)
