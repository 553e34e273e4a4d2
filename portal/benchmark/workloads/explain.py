"""`explain`: why somebody may, or may not, open a course; the verdict with every reason, mails included."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from accounts.models import Contact, User
from enrollments import access
from enrollments.models import Enrollment, Grant
from offers.models import Course
from portal.benchmark.filling import fill, settle
from portal.benchmark.floors import SEEN, driver
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    by_turns,
    counted,
    peak_memory,
    spread,
)
from portal.benchmark.web import UnexpectedAnswer, browser

ROUNDS = 60
WARM_UP = 5
MS = 20

MAILS = """
    INSERT INTO notifications_message
        (state, priority, created_at, next_attempt_at, attempts, handovers, last_error, key, kind,
         contact_id, cause, data, reason, header_id, address, subject, body)
    SELECT (ARRAY['suppressed', 'failed', 'sent'])[n], 5, now(), now(), 1, 0, '',
           'benchmark:' || contact.id || ':' || n, 'access', contact.id, 'benchmark', '{}', '',
           gen_random_uuid(), contact.email, 'Welcome', ''
    FROM accounts_contact AS contact CROSS JOIN generate_series(1, 3) AS n
    ORDER BY contact.id, n
"""
# Whether anything opens the course: the least one could ask.
FLOOR = """
    SELECT granted.id FROM enrollments_grant AS granted
    JOIN offers_offercourse AS part ON part.offer_id = granted.offer_id
    WHERE granted.contact_id = %s AND part.course_id = %s AND granted.revoked_at IS NULL
"""


def measure(size: int) -> list[Figure]:
    """Of some of `size` people, by turns with the floor and a bare page: one who may, and one who may not."""
    fill(size)
    with connection.cursor() as cursor:
        cursor.execute(MAILS)
    settle()
    course, floor = Course.objects.earliest("pk"), driver(autocommit=True)
    people = list(_who_may_open(course)[: 2 * (WARM_UP + ROUNDS)])
    closed = people[len(people) // 2 :]
    Grant.objects.filter(contact__in=closed, offer__courses=course).revoke(reason="benchmark")
    student = browser(User.objects.exclude(contact=None).earliest("pk"))
    figures = []
    for case, asked in (("open", people[: len(people) // 2]), ("closed", closed)):
        floors, paces, works = by_turns(
            asked,
            lambda person: floor.execute(FLOOR, [person.pk, course.pk]).fetchall(),
            lambda _person: student.get(reverse("page_floor")),
            lambda person: _explain(person, course, allowed=case == "open"),  # noqa: B023
            warm_up=min(WARM_UP, len(asked) // 2),
        )
        fresh = Contact.objects.get(pk=asked[0].pk)
        with counted() as statements:
            _explain(fresh, course, allowed=case == "open")
        took = median(works)
        figures.append(
            Figure(
                size=size,
                case=case,
                value=1000 * took,
                unit="ms",
                floor=1000 * median(floors),
                took=took,
                statements=len(statements),
                memory=peak_memory(),
                pace=median(paces),
                facts=spread(works),
            )
        )
    return figures


def _who_may_open(course: Course) -> QuerySet[Contact]:
    mine = {"contact": OuterRef("pk")}
    opening = Grant.objects.opening().filter(offer__courses=course, **mine)
    switched_off = Enrollment.objects.filter(course=course, inactive_at__isnull=False, **mine)
    return Contact.objects.filter(Exists(opening), ~Exists(switched_off)).order_by("pk")


def _explain(person: Contact, course: Course, *, allowed: bool) -> None:
    if (found := access.verdict(person, course)).allowed is not allowed:
        raise UnexpectedAnswer(f"{person} and {course}: {found.reasons}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ms", now.value, MS * now.pace / SEEN["page"])
    yield Goal("statements", now.statements, 4, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.3)
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload((1_000, 10_000, 100_000), measure, goals)
