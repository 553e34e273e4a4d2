"""What ending grants would do, in courses: said before it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from accounts.models import Contact
from enrollments import access
from enrollments.models import Grant
from offers.models import Course


@dataclass(frozen=True)
class Effects:
    """Which courses close, and which stay open and through which other offers."""

    closes: list[Course]
    keeps: list[tuple[Course, list[str]]]


def effects_of_ending(contact: Contact, grants: Collection[Grant]) -> Effects:
    """What `contact` loses if exactly `grants` end now."""
    ending = [grant.pk for grant in grants]
    touched = access.open_courses(contact).filter(inclusions__offer__grants__in=ending).distinct()
    others: dict[int, list[str]] = {}
    left = Grant.objects.opening().filter(contact=contact).exclude(pk__in=ending)
    for pk, offer in left.values_list("offer__inclusions__course", "offer__title").distinct():
        others.setdefault(pk, []).append(offer)
    closes, keeps = [], []
    for course in touched:
        if course.pk in others:
            keeps.append((course, sorted(others[course.pk])))
        else:
            closes.append(course)
    return Effects(closes, keeps)
