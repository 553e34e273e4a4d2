"""Reminders: who is told, how many days before the end, that an offer ends for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import TypedDict, cast

from django.db import transaction
from django.db.models import Case, F, Q, SmallIntegerField, When
from django_stubs_ext import WithAnnotations

from enrollments.expiry import ending
from enrollments.models import Grant
from notifications.mail import queue_mail
from notifications.models import Kind, Message
from offers.models import Offer
from offers.models.offer import Status
from portal import context
from portal.models import School

BATCH = 1000

type Window = tuple[int, date, date]  # a reminder's days, and the last days it speaks of


class Nearest(TypedDict):
    """What a due grant has besides."""

    days: int  # of the reminder it is due for


@transaction.atomic
def queue_reminders(*, limit: int = BATCH) -> int:
    """Queue the mails for up to `limit` grants whose reminder is due; returns for how many.

    Each grant once per last day and reminder, however many clocks run: its row remembers what
    was said, in the transaction that queues the mail. What ends on one day for one person is
    told in one mail; the contact is locked with the grant, so that no two clocks share a person.
    """
    school = School.current()
    offers: dict[Window, list[int]] = defaultdict(list)
    reminding = Offer.objects.exclude(status=Status.DRAFT).exclude(reminder_days=[])
    for pk, days in reminding.values_list("pk", "reminder_days"):
        for window in windows(days, today=school.today()):
            offers[window].append(pk)
    told: dict[tuple[int, date], list[WithAnnotations[Grant, Nearest]]] = defaultdict(list)
    for grant in _due(offers, limit=limit) if offers else []:
        if grant.ends_on:
            told[grant.contact_id, grant.ends_on].append(grant)
    for number in {window[0] for window in offers}:
        pks = [grant.pk for grants in told.values() for grant in grants if grant.days == number]
        Grant.objects.filter(pk__in=pks).update(reminded_for=F("ends_on"), reminded_days=number)
    queue_mail(
        Message(
            key=f"reminder:{grants[0].pk}:{ends_on.isoformat()}:{grants[0].days}",
            kind=Kind.REMINDER,
            contact_id=contact_id,
            cause=context.act().cause,
            data={"grants": [grant.pk for grant in grants], "ends_on": ends_on.isoformat()},
        )
        for (contact_id, ends_on), grants in told.items()
    )
    return sum(len(grants) for grants in told.values())


def windows(reminders: Collection[int], *, today: date) -> Iterator[Window]:
    """For each reminder of an offer, the last days for which it is the nearest one today.

    With 30 and 7, what ends within a week is the business of 7, what ends later within a month
    that of 30: so a date that is set inside a window still gets the reminder it lies in.
    """
    nearer = -1
    for days in sorted(reminders):
        yield days, today + timedelta(days=nearer + 1), today + timedelta(days=days)
        nearer = days


def _due(offers: dict[Window, list[int]], *, limit: int) -> list[WithAnnotations[Grant, Nearest]]:
    """Lock and return the next grants whose nearest reminder was not sent. `offers` is never empty."""
    nearest = Case(
        *[
            When(offer__in=pks, ends_on__range=(first, last), then=days)
            for (days, first, last), pks in offers.items()
        ],
        output_field=SmallIntegerField(),
    )
    horizon = School.current().end_of(max(last for _days, _first, last in offers))
    untold = ~Q(reminded_for=F("ends_on")) | Q(reminded_days__gt=F("days"))
    rows = (
        ending()
        # The conditions of the index, word for word: it is all that is read when nothing is due.
        .filter(ends_at__lte=horizon, expired_at=None, revoked_at=None)
        .filter(contact__archived_at=None)
        .annotate(days=nearest)
        .filter(untold | Q(reminded_for=None), days__isnull=False)
        .select_related("contact")
        .only("contact__email", "ends_on")
        .order_by("contact_id", "pk")
        .select_for_update(of=("self", "contact"), no_key=True, skip_locked=True)
    )
    return cast("list[WithAnnotations[Grant, Nearest]]", list(rows[:limit]))
