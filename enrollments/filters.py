"""Filters of contacts by what they may see: courses, offers, statuses, dates, sources."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.selection import (
    DayFilter,
    Filter,
    Scope,
    Selection,
    exists,
    named,
    register,
    register_scope,
    walked,
)
from enrollments.models import Enrollment, Grant
from enrollments.models.enrollment import LearningStatus
from enrollments.models.grant_terms import SOURCES, source_label
from enrollments.status import AccessStatus, grants_with_access_status, with_access_status
from offers.models import Cohort, Course, Offer
from portal.events import Name
from portal.models import Event

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def _enrollments() -> QuerySet[Any]:
    return with_access_status(Enrollment.objects.all())


def _grants() -> QuerySet[Any]:
    return grants_with_access_status(Grant.objects.all())


register_scope(Scope("enrollment", _enrollments))
register_scope(Scope("grant", _grants))


def selected_enrollments(selection: Selection) -> QuerySet[Enrollment]:
    """The enrollments of those who are meant, with `access_status`: in the course that is asked for, if one is."""
    return selection.rows("enrollment")


def selected_grants(selection: Selection) -> QuerySet[Grant]:
    """The grants of those who are meant: of the offer that is asked for, if one is."""
    return selection.rows("grant")


@register
class CourseFilter(Filter):
    """Is enrolled in one of these courses, whether it is open to them or not."""

    key = "course"
    label = gettext_lazy("Course")
    scopes = ("enrollment",)

    def choices(self) -> Iterable[tuple[str, str]]:
        return named(Course.objects.all(), label="title")

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return Q(course__in=value)


@register
class CohortFilter(Filter):
    """Is in one of these cohorts; or in none, of the course that is asked for or of any."""

    key = "cohort"
    label = gettext_lazy("Cohort")
    scopes = ("enrollment",)

    def choices(self) -> Iterable[tuple[str, str]]:
        rows = Cohort.objects.order_by("course__title", "course", "starts_on", "title", "pk")
        for pk, course, title in rows.values_list("pk", "course__title", "title"):
            yield str(pk), f"{course}: {title}"
        yield "none", _("No cohort")

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        found = Q(cohort__in=[each for each in value if each != "none"])
        return found | Q(cohort=None) if "none" in value else found

    def lead(self, value: Any) -> Q:
        if "none" in value:
            return Q()
        return Q(pk__in=Enrollment.objects.filter(cohort__in=value).values("contact"))


@register
class OfferFilter(Filter):
    """Was given one of these offers, and it was not taken back; or it was."""

    key = "offer"
    label = gettext_lazy("Offer")
    scopes = ("grant",)
    operators: ClassVar[dict[str, StrOrPromise]] = Filter.operators | {
        "revoked": gettext_lazy("was revoked:")
    }

    def choices(self) -> Iterable[tuple[str, str]]:
        return named(Offer.objects.all(), label="title")

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return Q(offer__in=value, revoked_at__isnull=operator != "revoked")


def _leads(word: str) -> list[QuerySet[Any]]:
    """Rows whose contacts are all who can have a course or a grant of this access status, and some more."""
    at, held = now(), Grant.objects.filter(revoked_at=None)
    if word == "active":
        return [Grant.objects.held()]
    if word == "pending":
        return [held.filter(starts_at__gt=at)]
    if word == "expired":
        return [held.filter(ends_at__lte=at)]
    # Every enrollment was made by a grant, which is there still. So what is inactive was switched
    # off, or such a grant is shut, or its offer is a draft or gave the course up.
    was_given_up = Event.objects.filter(name=Name.OFFER_COURSE_REMOVED).values(
        offer=Cast(KT("data__offer"), BigIntegerField())
    )
    offers = Offer.objects.filter(Q(status="draft") | Q(pk__in=was_given_up))
    return [
        Enrollment.objects.filter(inactive_at__isnull=False),
        Grant.objects.filter(Q(revoked_at__isnull=False) | Q(suspended_at__isnull=False)),
        Grant.objects.filter(offer__in=list(offers.values_list("pk", flat=True))),
    ]


@register
class AccessStatusFilter(Filter):
    """How access stands: of the course or the offer that is asked for, else of any course."""

    key = "status"
    label = gettext_lazy("Access status")
    scopes = ("enrollment", "grant")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [(value, str(label)) for value, label in AccessStatus.choices]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return walked(Q(access_status__in=value))

    def lead(self, value: Any) -> Q:
        first, *others = (rows.values("contact") for each in value for rows in _leads(each))
        return Q(pk__in=first.union(*others, all=True))


@register
class LearningStatusFilter(Filter):
    """How the learning goes: in the course that is asked for, else in any."""

    key = "learning"
    label = gettext_lazy("Learning status")
    scopes = ("enrollment",)

    def choices(self) -> Iterable[tuple[str, str]]:
        return [(value, str(label)) for value, label in LearningStatus.choices]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return Q(learning_status__in=value)


@register
class EndFilter(DayFilter):
    """When a grant that was not taken back ends."""

    key = "ends"
    label = gettext_lazy("Access ends")
    scopes = ("grant",)
    operators: ClassVar[dict[str, StrOrPromise]] = DayFilter.operators | {
        "never": gettext_lazy("never")
    }
    valueless = frozenset({"never"})

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        held = Q(revoked_at=None)
        if operator == "never":
            return held & Q(ends_on=None)
        return held & (Q(ends_on__lt=value) if operator == "before" else Q(ends_on__gt=value))


@register
class SourceFilter(Filter):
    """Where a grant that was not taken back comes from: by hand, an import, a certain import."""

    key = "source"
    label = gettext_lazy("Source")
    scopes = ("grant",)

    def choices(self) -> Iterable[tuple[str, str]]:
        return [(key, str(label)) for key, label in SOURCES.items()]

    def clean(self, value: str) -> list[str]:
        kind, _colon, number = value.partition(".")
        if kind in SOURCES and number.isascii() and number.isdecimal():
            return [f"{kind}:{number}"]
        return list(super().clean(value))

    def say(self, value: str) -> str:
        kind, _dot, number = value.partition(".")
        return source_label(f"{kind}:{number}") if number else super().say(value)

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        asked = (Q(source=each) | Q(source__startswith=f"{each}:") for each in value)
        return Q(revoked_at=None) & reduce(or_, asked)


@register
class PortalStatusFilter(Filter):
    """How far they are with the portal itself. Says what access.with_portal_status() says."""

    key = "portal"
    label = gettext_lazy("Portal status")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [
            ("none", _("None")),
            ("active", _("Active")),
            ("invited", _("Invited")),
            ("joined", _("Joined")),
            ("blocked", _("Blocked")),
        ]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        # Written out, for the Case of with_portal_status() could use no index.
        holds = walked(exists(Grant.objects.held().filter(contact=OuterRef("pk"))))
        unknown = Q(blocked_at=None, joined_at=None, invited_at=None)
        known = {
            "blocked": Q(blocked_at__isnull=False),
            "joined": Q(blocked_at=None, joined_at__isnull=False),
            "invited": Q(blocked_at=None, joined_at=None, invited_at__isnull=False),
            "active": unknown & holds,
            "none": unknown & ~holds,
        }
        return reduce(or_, (known[each] for each in value))
