"""Who holds an offer, and what moving the end of all of them would do: said before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateField,
    Exists,
    Expression,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import TruncDate

from accounts.models import BulkRun, Contact
from accounts.models.bulk import page_key
from accounts.models.contact import ContactQuerySet
from enrollments.models import Grant
from offers.models import Offer
from portal.models import School

ACTION = "set_end"  # of accounts.bulk
NO_END = 0  # a default length of no days


def held_grants(offer: Offer, *, length: int | None = None) -> QuerySet[Grant]:
    """The grants of those who hold `offer`, archived contacts aside.

    With `length`, those whose end is just so many days after their start.
    """
    grants = Grant.objects.held().filter(offer=offer, contact__archived_at=None)
    if length is None:
        return grants
    return grants.filter(ends_on=None if length == NO_END else _from_start(length))


def holders(offer: Offer, *, length: int | None = None) -> ContactQuerySet:
    """The people who have such grants."""
    theirs = held_grants(offer, length=length).filter(contact=OuterRef("pk"))
    return Contact.objects.present().filter(Exists(theirs))


def _from_start(days: int) -> Expression:
    """The last of `days` days that begin with a grant's first."""
    first_day = TruncDate("starts_at", tzinfo=School.current().zone)
    return ExpressionWrapper(first_day + Value(days - 1), output_field=DateField())


def _new_end(offer: Offer, terms: dict[str, Any]) -> Expression:
    """The last day a held grant would get on these terms; NULL is no end."""
    if terms["mode"] == "extend":  # what has no end stays so
        return ExpressionWrapper(F("ends_on") + Value(terms["days"]), output_field=DateField())
    if terms["mode"] == "default" and offer.default_days:
        return _from_start(offer.default_days)
    day = date.fromisoformat(terms["day"]) if terms["mode"] == "set" else None
    return Value(day, output_field=DateField())


@dataclass(frozen=True)
class Headcount:
    """What moving the ends would do, in people."""

    total: int
    moving: int
    same: int  # have that end already; if it is to be extended, have none
    subscribed: int  # their dates belong to a subscription
    over: int  # of the moving: that day is over, so access ends at once


def effects_of_moving(offer: Offer, terms: dict[str, Any]) -> Headcount:
    """Count what these terms of the bulk action would do to those of `terms["length"]`. One statement."""
    subscribed = Q(source__startswith="subscription:")
    unchanged = Q(ends_on=F("new_end")) | Q(ends_on=None, new_end=None)
    moving = Q(moves=True)
    over = Q(new_end__lt=School.current().today())
    rows = held_grants(offer, length=terms["length"]).annotate(
        new_end=_new_end(offer, terms),
        moves=Case(
            When(subscribed | unchanged, then=False), default=True, output_field=BooleanField()
        ),
    )

    def people(where: Q) -> Count:
        return Count("contact", distinct=True, filter=where)

    return Headcount(
        **rows.aggregate(
            total=Count("contact", distinct=True),
            moving=people(moving),
            same=people(~subscribed & unchanged),
            subscribed=people(subscribed),
            over=people(moving & over),
        )
    )


def move_ends(offer: Offer, terms: dict[str, Any], *, once: str = "") -> BulkRun:
    """Start moving the ends of all holders, or of those of `terms["length"]`, in slices and with Undo.

    Returns the run that does it: a second click on the same page, the one given `once`, finds the first's.
    """
    return BulkRun.objects.start(
        action=ACTION,
        terms=terms,
        contacts=holders(offer, length=terms["length"]),
        key=page_key(once, ACTION, terms),
    )
