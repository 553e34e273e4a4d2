"""Access status: how an enrollment stands with its grants, in one word. Computed, never stored."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from enrollments.models import Enrollment, Grant


class AccessStatus(models.TextChoices):
    """May they open the course? In the order in which it is asked: the first that fits."""

    ACTIVE = "active", _("Active")
    PENDING = "pending", _("Pending")
    EXPIRED = "expired", _("Expired")
    INACTIVE = "inactive", _("Inactive")


def access_status(enrollment: Enrollment, grants: Iterable[Grant]) -> AccessStatus:
    """The same for one enrollment whose grants are at hand, each with its offer; a test holds the two together.

    `grants` are those of the contact whose offers hold the course, without revoked ones.
    """
    if enrollment.inactive_at:
        return AccessStatus.INACTIVE
    states = {grant.state for grant in grants if grant.offer.status != "draft"}
    if "live" in states:
        return AccessStatus.ACTIVE
    if "pending" in states:
        return AccessStatus.PENDING
    return AccessStatus.EXPIRED if "ended" in states else AccessStatus.INACTIVE


def with_access_status(enrollments: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    """Adds `access_status`, to show and to filter by; no statement more.

    Switched off by staff is inactive; then the best of the grants speaks: one that opens the
    course, one that will on its day, one that ended by date. Without any of them it is inactive
    too: revoked, suspended, or of a draft. That a contact is blocked, or a course not
    published, is said beside it.
    """
    at = now()
    held = Grant.objects.filter(
        contact=OuterRef("contact"), offer__inclusions__course=OuterRef("course"), revoked_at=None
    ).exclude(offer__status="draft")
    opens = held.live()
    will_open = held.held().filter(starts_at__gt=at, suspended_at=None)
    ended = held.filter(ends_at__lte=at)
    return enrollments.annotate(
        access_status=Case(
            When(inactive_at__isnull=False, then=Value(AccessStatus.INACTIVE.value)),
            When(Exists(opens), then=Value(AccessStatus.ACTIVE.value)),
            When(Exists(will_open), then=Value(AccessStatus.PENDING.value)),
            When(Exists(ended), then=Value(AccessStatus.EXPIRED.value)),
            default=Value(AccessStatus.INACTIVE.value),
        )
    )
