"""`contact`: the page of one contact who holds much and to whom much happened, as staff open it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.urls import reverse

from accounts.models import Contact, Role, User
from enrollments.models import Enrollment, Grant
from offers.models import Lesson, Offer
from portal.benchmark.filling import course, settle
from portal.benchmark.measuring import Figure, Goal, Workload
from portal.benchmark.web import SESSIONS
from portal.benchmark.workloads.pages import visit
from portal.events import Name, record_many

EVENTS = 25  # for each grant


def measure(size: int) -> list[Figure]:
    """The page of somebody with `size` grants."""
    contact = _member(grants=size)
    settle()
    page = reverse("portal:contact_detail", args=[contact.pk])
    return [visit(page, size=size, users=[_staff(number) for number in range(SESSIONS)])]


def _staff(number: int) -> User:
    """A member of staff who is a contact, too: the floor is a page of contacts."""
    email = f"staff.{number}@example.com"
    User.objects.for_contact(Contact.objects.add(email=email))
    return User.objects.appoint(email=email, role=Role.OWNER)


@transaction.atomic
def _member(*, grants: int) -> Contact:
    """Somebody with as many offers of a course each, all begun, and a long story."""
    contact = Contact.objects.add(email="member@example.com", name="Ana Azevedo")
    contact.tag(["spring", "vip"])
    for number in range(grants):
        offer = Offer.objects.create(
            title=f"Offer {number}", slug=f"offer-{number}", status="active"
        )
        offer.include(course(number))
        Grant.objects.grant(contact=contact, offer=offer, source="manual", notify=False)
    for enrollment in Enrollment.objects.filter(contact=contact):
        lesson = Lesson.objects.filter(module__course=enrollment.course_id).earliest("pk")
        enrollment.open_lesson(lesson)
        enrollment.complete(lesson)
    record_many(Name.PORTAL_LOGIN, [(contact.pk, {})] * EVENTS * grants)
    return contact


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.4, is_minimum=True)
    yield Goal("statements", now.statements, 15, is_counted=True)
    if smaller:
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload((2, 20), measure, goals)
