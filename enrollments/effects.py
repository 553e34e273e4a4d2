"""What ending grants would do, in courses: said before it is done."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Contact
from enrollments import access
from enrollments.models import Grant
from offers.models import Course


@dataclass(frozen=True)
class Effects:
    """Which courses close, and which stay open and through which other grants."""

    closes: list[Course]
    keeps: list[tuple[Course, list[Grant]]]


def effects_of_ending(contact: Contact, grants: Collection[Grant]) -> Effects:
    """What `contact` loses if exactly `grants` end now."""
    ending = [grant.pk for grant in grants]
    touched = list(
        access.open_courses(contact).filter(inclusions__offer__grants__in=ending).distinct()
    )
    others: dict[int, list[Grant]] = {}
    left = Grant.objects.opening().filter(contact=contact).exclude(pk__in=ending)
    holding = left.select_related("offer").prefetch_related("offer__inclusions")
    for grant in holding.order_by("offer__title", "pk"):
        for inclusion in grant.offer.inclusions.all():
            others.setdefault(inclusion.course_id, []).append(grant)
    return Effects(
        closes=[course for course in touched if course.pk not in others],
        keeps=[(course, others[course.pk]) for course in touched if course.pk in others],
    )


def revoking_sentences(contact: Contact, grants: Collection[Grant]) -> list[str]:
    """What revoking would do, in numbers and names."""
    return [
        *_closing_sentences(
            contact,
            grants,
            lambda number: ngettext(
                "Ends access to %(number)d course at once: %(titles)s.",
                "Ends access to %(number)d courses at once: %(titles)s.",
                number,
            ),
        ),
        *_money_sentences(grants),
        _("Progress is kept. Nobody is told by mail, and no payment is refunded."),
    ]


def suspending_sentences(contact: Contact, grants: Collection[Grant]) -> list[str]:
    """What a pause would do, in numbers and names."""
    return [
        *_closing_sentences(
            contact,
            grants,
            lambda number: ngettext(
                "Closes %(number)d course until it is resumed: %(titles)s.",
                "Closes %(number)d courses until it is resumed: %(titles)s.",
                number,
            ),
        ),
        *_money_sentences(grants),
        _("The end date stays where it is: the pause is not added to it."),
        _("Progress is kept, and nobody is told by mail, now or when it is resumed."),
    ]


def _closing_sentences(
    contact: Contact, grants: Collection[Grant], phrase: Callable[[int], str]
) -> list[str]:
    effects = effects_of_ending(contact, grants)
    sentences = []
    if number := len(effects.closes):
        titles = get_text_list([course.title for course in effects.closes], _("and"))
        sentences.append(phrase(number) % {"number": number, "titles": titles})
    else:
        sentences.append(_("Closes no course."))
    ending = {grant.offer_id for grant in grants}
    for course, others in effects.keeps:
        text = ngettext(
            "%(offers)s keeps “%(course)s” open.", "%(offers)s keep “%(course)s” open.", len(others)
        )
        names = [_name(other, with_source=other.offer_id in ending) for other in others]
        sentences.append(text % {"offers": get_text_list(names, _("and")), "course": course})
    return sentences


def _name(grant: Grant, *, with_source: bool) -> str:
    """“Bread”, or “Bread” (import 5, until Dec. 31, 2026)."""
    about = [grant.source_label] if with_source else []
    if grant.ends_on:
        about.append(_("until %s") % date_format(grant.ends_on))
    return f"“{grant.offer}” ({', '.join(about)})" if about else f"“{grant.offer}”"


def _money_sentences(grants: Collection[Grant]) -> list[str]:
    if any(grant.is_fixed for grant in grants):
        return [_("The subscription behind it goes on and is charged until it is canceled.")]
    return []
