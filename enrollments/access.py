"""One rule for every page: which courses are open to a contact, and in words why one is not."""

from __future__ import annotations

from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.utils.timezone import now

from accounts.models import Contact
from enrollments import locks
from enrollments.models import Enrollment, Grant
from enrollments.reasons import Question, Verdict, answer
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


def open_lessons(contact: Contact, *, among: QuerySet[Lesson]) -> QuerySet[Lesson]:
    """Those of `among` that `contact` may open now: of an open course, published, and shut by no rule of it.

    `among` is a lesson or the few that somebody asks for: their courses are looked up at once.
    """
    courses = open_courses(contact).filter(modules__lessons__in=among).distinct()
    rules = {**locks.params(contact.pk), "courses": list(courses.values_list("pk", flat=True))}
    found = locks.OPEN_LESSONS.replace("{courses}", "SELECT unnest(%(courses)s::bigint[])")
    return among.filter(pk__in=RawSQL(found, rules))  # type: ignore[arg-type]  # noqa: S611 -- no text of a person


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


def verdict(contact: Contact, course: Course) -> Verdict:
    """The answer of open_courses() for one course, with every reason in words. Four statements at most."""
    return answer(Question(contact, course))
