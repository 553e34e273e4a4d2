"""Fills an empty database: the school, its past, and what happened a moment ago."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils.timezone import now

from accounts.models import Contact, User
from offers.models import Course, Offer
from portal.demo import people, post
from portal.demo.desk import Desk
from portal.demo.moments import clock_at, play, savepoints
from portal.demo.stories import Chronicle
from portal.models import School

RECENT = timedelta(minutes=30)  # what is younger is left for the clock to work off


def is_empty() -> bool:
    """Whether nobody and nothing is here yet."""
    return not any(model.objects.exists() for model in (User, Contact, Course, Offer))


@transaction.atomic
def fill() -> None:
    """Make the school of the demo, all or nothing. The database must be empty.

    Nothing of the past sends a mail: its messages are written down as sent, refused or held
    back. A handful of grants of the last half hour wait for the clock, as they would anywhere.
    """
    School.objects.update_or_create(
        pk=1,
        defaults={
            "name": people.NAME,
            "support_email": people.SUPPORT_EMAIL,
            "accent": people.ACCENT,
            "time_zone": people.ZONE,
            "language": "en",
        },
    )
    present = now()
    chronicle = Chronicle(present=present)
    with savepoints(used=False):
        stories = [*chronicle.stories(), *Desk(chronicle).stories()]
        play(stories, until=present - RECENT, after_each=post.settle)
        for moment, person, offer in chronicle.arrivals():
            with clock_at(moment):
                chronicle.welcome(person, offer)
