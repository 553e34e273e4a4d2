"""Access status: how an enrollment stands with its grants, in one word. Computed, never stored."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models
from django.db.models import F, Func, QuerySet, Value
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from enrollments.models import Enrollment, Grant


class AccessStatus(models.TextChoices):
    """May they open the course? In the order in which it is asked: the first that fits."""

    ACTIVE = "active", _("Active")
    PENDING = "pending", _("Pending")
    EXPIRED = "expired", _("Expired")
    INACTIVE = "inactive", _("Inactive")


def access_status(states: Collection[str], *, is_off: bool) -> AccessStatus:
    """The same for one enrollment whose grants are at hand; a test holds the two together.

    `states` are those of the contact's grants whose offers hold the course and are no drafts;
    `is_off`: staff switched the enrollment off.
    """
    if is_off:
        return AccessStatus.INACTIVE
    if "live" in states:
        return AccessStatus.ACTIVE
    if "pending" in states:
        return AccessStatus.PENDING
    return AccessStatus.EXPIRED if "ended" in states else AccessStatus.INACTIVE


class _BestGrant(Func):
    """What the best of an enrollment's grants says of it, in one look at them."""

    output_field = models.CharField()
    template = """(
        SELECT coalesce((ARRAY['active', 'pending', 'expired'])[min(CASE
            WHEN held.ends_at <= asked.at THEN 3
            WHEN held.suspended_at IS NOT NULL THEN NULL
            WHEN held.starts_at > asked.at THEN 2
            ELSE 1
        END)], 'inactive')
        FROM (SELECT %(expressions)s) AS asked (contact_id, course_id, inactive_at, at)
        JOIN enrollments_grant AS held USING (contact_id)
        JOIN offers_offercourse AS inclusion USING (offer_id, course_id)
        JOIN offers_offer AS offer ON offer.id = held.offer_id
        WHERE asked.inactive_at IS NULL AND held.revoked_at IS NULL AND offer.status <> 'draft'
    )"""


class _GrantStanding(Func):
    """The same word for one grant alone; one that ended while another of its offer goes on was replaced."""

    output_field = models.CharField()
    template = """(
        SELECT CASE
            WHEN asked.revoked_at IS NOT NULL THEN 'inactive'
            WHEN asked.ends_at <= asked.at AND EXISTS (
                SELECT FROM enrollments_grant AS other
                WHERE (other.contact_id, other.offer_id) = (asked.contact_id, asked.offer_id)
                  AND other.revoked_at IS NULL AND (other.ends_at IS NULL OR other.ends_at > asked.at)
            ) THEN 'replaced'
            WHEN asked.ends_at <= asked.at THEN 'expired'
            WHEN asked.suspended_at IS NOT NULL OR offer.status = 'draft' THEN 'inactive'
            WHEN asked.starts_at > asked.at THEN 'pending'
            ELSE 'active'
        END
        FROM (SELECT %(expressions)s)
            AS asked (contact_id, offer_id, revoked_at, suspended_at, starts_at, ends_at, at)
        JOIN offers_offer AS offer ON offer.id = asked.offer_id
    )"""


def grants_with_access_status(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    """Adds `access_status`: the access each gives by itself."""
    columns = ("contact", "offer", "revoked_at", "suspended_at", "starts_at", "ends_at")
    return grants.annotate(access_status=_GrantStanding(*map(F, columns), Value(now())))


def with_access_status(enrollments: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    """Adds `access_status`, to show and to filter by; no statement more.

    Switched off by staff is inactive; then the best of the grants speaks: one that opens the
    course, one that will on its day, one that ended by date. Without any of them it is inactive
    too: revoked, suspended, or of a draft. That a contact is blocked, or a course not
    published, is said beside it.
    """
    best = _BestGrant(F("contact"), F("course"), F("inactive_at"), Value(now()))
    return enrollments.annotate(access_status=best)
