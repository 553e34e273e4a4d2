"""One rule for every page: which courses are open to a contact, and in words why one is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from accounts.models import Contact
from enrollments.models import Enrollment, Grant
from offers.models import Course, Lesson


def opening_grants(contact: Contact) -> QuerySet[Grant]:
    """The grants that open a course to `contact`, for a subquery whose outer row is the course."""
    return Grant.objects.opening().filter(contact=contact, offer__inclusions__course=OuterRef("pk"))


def coming_grants(contact: Contact) -> QuerySet[Grant]:
    """What `contact` was given for a later day, the soonest first."""
    coming = Grant.objects.held().filter(contact=contact, starts_at__gt=now(), suspended_at=None)
    return coming.select_related("offer").order_by("starts_at", "pk")


def open_courses(contact: Contact) -> QuerySet[Course]:
    """The courses `contact` may open now. Asked of the database each time: nothing is copied, nothing stale."""
    switched_off = Enrollment.objects.filter(
        contact=contact, course=OuterRef("pk"), inactive_at__isnull=False
    )
    return Course.objects.published().filter(Exists(opening_grants(contact)), ~Exists(switched_off))


def open_lessons(contact: Contact) -> QuerySet[Lesson]:
    """The lessons `contact` may open now."""
    return Lesson.objects.filter(module__course__in=open_courses(contact))


def with_portal_status(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    """Adds `portal_status`: blocked, joined (was in), invited (mail queued), active (holds a grant) or none."""
    holds = Exists(Grant.objects.held().filter(contact=OuterRef("pk")))
    return contacts.annotate(
        portal_status=Case(
            When(blocked_at__isnull=False, then=Value("blocked")),
            When(joined_at__isnull=False, then=Value("joined")),
            When(invited_at__isnull=False, then=Value("invited")),
            When(holds, then=Value("active")),
            default=Value("none"),
        )
    )


@dataclass(frozen=True)
class Reason:
    """One thing that bears on whether a course opens: a code for programs, a sentence for people."""

    code: str
    text: str
    mend: str = ""  # what to do about it; "" where there is nothing to mend


@dataclass(frozen=True)
class Verdict:
    """May this person open this course, and why (not)?"""

    allowed: bool
    reasons: list[Reason]


def verdict(contact: Contact, course: Course) -> Verdict:
    """The answer of open_courses() for one course, with every reason in words. Four statements at most."""
    closed = [*_about_the_person(contact), *_about_the_course(contact, course)]
    grants = list(
        Grant.objects.filter(contact=contact, offer__inclusions__course=course)
        .select_related("offer", "revoked_by")
        .order_by("-pk")
    )
    opening = [grant for grant in grants if grant.is_live and grant.offer.status != "draft"]
    told = [_about_grant(grant) for grant in grants] or [
        Reason(
            "no_grant",
            _("No offer with this course was ever granted."),
            _("Grant an offer that holds it."),
        )
    ]
    return Verdict(allowed=bool(opening) and not closed, reasons=[*closed, *told])


def _about_the_person(contact: Contact) -> list[Reason]:
    if not contact.is_blocked:
        return []
    return [
        Reason(
            "blocked",
            _("The contact is blocked: %s") % (contact.block_reason or "–"),
            _("Unblock the contact."),
        )
    ]


def _about_the_course(contact: Contact, course: Course) -> list[Reason]:
    found = []
    if not course.is_published:
        found.append(
            Reason(
                "course_unpublished", _("The course is not published."), _("Publish the course.")
            )
        )
    if Enrollment.objects.filter(
        contact=contact, course=course, inactive_at__isnull=False
    ).exists():
        found.append(
            Reason(
                "enrollment_inactive",
                _("The enrollment is switched off."),
                _("Switch the enrollment on."),
            )
        )
    return found


def _about_grant(grant: Grant) -> Reason:
    """How one grant stands, with the day it turned and who turned it."""
    offer = grant.offer.title

    def day(moment: date | None) -> str:
        if moment is None:
            return ""
        return date_format(localtime(moment) if isinstance(moment, datetime) else moment)

    match grant.state:
        case "revoked":
            who = grant.revoked_by or _("the system")
            text = _("“%(offer)s” was revoked on %(day)s by %(who)s. %(reason)s") % {
                "offer": offer,
                "day": day(grant.revoked_at),
                "who": who,
                "reason": grant.reason,
            }
            return Reason("grant_revoked", text.strip(), _("Grant the offer again."))
        case "ended":
            text = _("“%(offer)s” ended on %(day)s.") % {"offer": offer, "day": day(grant.ends_on)}
            return Reason("grant_expired", text, _("Set a later end date."))
        case "suspended":
            text = _("“%(offer)s” is suspended since %(day)s.") % {
                "offer": offer,
                "day": day(grant.suspended_at),
            }
            return Reason("grant_suspended", text, _("Resume the grant."))
        case "pending":
            text = _("“%(offer)s” starts on %(day)s.") % {
                "offer": offer,
                "day": day(grant.starts_at),
            }
            return Reason(
                "grant_not_started", text, _("Wait, or revoke it and grant the offer from today.")
            )
        case "live" if grant.offer.status == "draft":
            text = _("“%(offer)s” is granted, but the offer is a draft.") % {"offer": offer}
            return Reason("offer_draft", text, _("Publish the offer."))
        case _:
            text = _("“%(offer)s” is live.") % {"offer": offer}
            if grant.ends_on:
                text = _("“%(offer)s” is live until %(day)s.") % {
                    "offer": offer,
                    "day": day(grant.ends_on),
                }
            return Reason("grant_live", text)
