"""Makes what a test needs, with sensible values for everything it does not say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import count
from typing import Any

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose, Section
from enrollments.models import Grant
from offers.models import Course, Lesson, Module, Offer
from offers.models.course import Status as CourseStatus
from offers.models.offer import Status as OfferStatus

PASSWORD = "correct horse battery"

_numbers = count(1)


def contact(name: str = "", **fields: Any) -> Contact:
    """A contact with an address of their own."""
    number = next(_numbers)
    name = name or f"Person {number}"
    return Contact.objects.add(
        email=fields.pop("email", f"person{number}@example.com"), name=name, **fields
    )


def student(name: str = "", **fields: Any) -> Contact:
    """A contact with a login and a password, who was never in."""
    made = contact(name, **fields)
    User.objects.for_contacts([made.pk])
    user = User.objects.get(contact=made)
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return Contact.objects.select_related("user").get(pk=made.pk)


def staff(role: Role = Role.OWNER, email: str = "") -> User:
    """A member of staff with a password."""
    return User.objects.appoint(
        email=email or f"{role}{next(_numbers)}@example.com", role=role, password=PASSWORD
    )


def course(
    title: str = "Sourdough", *, lessons: int = 2, status: str = CourseStatus.PUBLISHED
) -> Course:
    """A published course of one module."""
    made = Course.objects.create(
        title=title,
        slug=f"course-{next(_numbers)}",
        status=status,
        description="Flour, water, salt.",
    )
    module = Module.objects.create(course=made, title="First module", position=1)
    Lesson.objects.bulk_create(
        [
            Lesson(module=module, title=f"Lesson {n}", body=f"Text *{n}*.", position=n)
            for n in range(1, lessons + 1)
        ]
    )
    return made


def offer(
    title: str = "Sourdough",
    *,
    courses: Iterable[Course] | None = None,
    status: str = OfferStatus.ACTIVE,
    **fields: Any,
) -> Offer:
    """An active offer with one published course, if nothing else is said."""
    made = Offer.objects.create(
        title=title, slug=f"offer-{next(_numbers)}", status=status, **fields
    )
    for held in [course(title)] if courses is None else courses:
        made.include(held)
    return made


def grant(
    *,
    contact: Contact,
    offer: Offer | None = None,
    ends_on: date | None = None,
    source: str = "manual",
    **terms: Any,
) -> Grant:
    """A grant from now on, without a mail."""
    terms.setdefault("notify", False)
    if ends_on is not None:
        terms["ends"] = {contact.pk: ends_on}
    return Grant.objects.grant(
        contact=contact, offer=offer or globals()["offer"](), source=source, **terms
    )


def link(
    user: User, purpose: Purpose = Purpose.LOGIN, section: Section = Section.HOME, **terms: Any
) -> Link:
    """A link nobody mails."""
    return Link.objects.request(
        user=user, purpose=purpose, section=section, delivery="copy", **terms
    )
