"""Staff pages about everybody who holds an offer: who, until when, and moving the end of all."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from enrollments.forms.holders import MoveEndsForm
from enrollments.holders import (
    Headcount,
    effects_of_moving,
    held_grants,
    holders,
    move_ends,
)
from enrollments.models import Grant
from offers.models import Offer
from offers.models.offer import COUNTED, LONGEST
from portal.addresses import is_pk
from portal.paging import Place

PAGE = 50


@staff_required("manage_access")
def holder_list(request: StaffRequest, pk: int) -> HttpResponse:
    """Who holds an offer, the latest grant first."""
    offer = get_object_or_404(Offer, pk=pk)
    place = Place(request.GET, size=PAGE)
    keys = place.cut(held_grants(offer)).values("pk")  # by an index alone
    context = {
        "offer": offer,
        "page": place.page(Grant.objects.filter(pk__in=keys).select_related("contact")),
        "count": holders(offer).order_by()[: COUNTED + 1].count(),
        "counted": COUNTED,
    }
    return render(request, "enrollments/dashboard/holder_list.html", context)


@staff_required("manage_access")
def holder_move(request: StaffRequest, pk: int) -> HttpResponse:
    """Move the end of all holders: GET asks where to, then says what that does to how many."""
    offer = get_object_or_404(Offer, pk=pk)
    form = MoveEndsForm(posted(request) or request.GET or None, offer=offer)
    context: dict[str, Any] = {"offer": offer, "form": form}
    if not form.is_valid():
        return render(request, "enrollments/dashboard/holder_move.html", context)
    terms = form.terms()
    if request.method == "POST":
        run = move_ends(offer, terms, once=form.cleaned_data["once"])
        return redirect("portal:bulk_detail", run.pk)
    effects = effects_of_moving(offer, terms)
    context |= {
        "question": _question(offer, terms),
        "effects": effects,
        "items": effect_sentences(effects, terms),
        "settled": MoveEndsForm.settled(form.cleaned_data, offer=offer),
    }
    return render(request, "enrollments/dashboard/holder_move.html", context)


@staff_required("manage_content")
@staff_required("manage_access")
def holder_follow(request: StaffRequest, pk: int) -> HttpResponse:
    """After a new default length: do the present holders follow?

    `?was=` is the length before, 0 for no end: who has another end than that was given one of
    their own, and is asked about apart.
    """
    offer = get_object_or_404(Offer, pk=pk)
    was = request.GET.get("was", "")
    followers = int(was) if is_pk(was) and int(was) <= LONGEST else None
    found: dict[int | None, Headcount] = {}
    for length in (followers, None):
        terms = {"offer": offer.pk, "mode": "default", "days": offer.default_days, "length": length}
        effects = effects_of_moving(offer, terms)
        if effects.moving and effects not in found.values():
            found[length] = effects
    if not found:
        messages.info(request, _("Everybody who holds the offer keeps the end they have."))
        return redirect("offers:offer_update", pk)
    choices = [
        {
            "label": _choice_label(effects, former=length is not None),
            "is_harsh": effects.over > 0,
            "items": effect_sentences(effects, {"mode": "default"}),
            "settled": MoveEndsForm.settled({"mode": "default", "length": length}, offer=offer),
        }
        for length, effects in found.items()
    ]
    context = {"offer": offer, "choices": choices, "total": holders(offer).count()}
    return render(request, "enrollments/dashboard/holder_follow.html", context)


def _choice_label(effects: Headcount, *, former: bool) -> str:
    if former:
        text = _("Let those with the former length follow (%s)")
    elif effects.moving == effects.total:
        text = _("Let all follow (%s)")
    else:
        text = _("Let those whose end differs follow (%s)")
    return text % number_format(effects.moving, force_grouping=True)


def _question(offer: Offer, terms: dict[str, Any]) -> str:
    days = terms["days"]
    match terms["mode"]:
        case "set":
            day = date_format(date.fromisoformat(terms["day"]))
            return _("Move the end of “%(offer)s” to %(day)s?") % {"offer": offer, "day": day}
        case "extend":
            text = ngettext(
                "Move the end of “%(offer)s” by %(days)d day?",
                "Move the end of “%(offer)s” by %(days)d days?",
                days,
            )
            return text % {"offer": offer, "days": days}
        case "default" if days:
            text = ngettext(
                "Let “%(offer)s” last %(days)d day from each one's start?",
                "Let “%(offer)s” last %(days)d days from each one's start?",
                days,
            )
            return text % {"offer": offer, "days": days}
    return _("Let “%s” have no end?") % offer


def effect_sentences(effects: Headcount, terms: dict[str, Any]) -> list[str]:
    """What moving the ends would do, in numbers."""
    keep = (
        ngettext("%s has no end, and keeps it so.", "%s have no end, and keep it so.", effects.same)
        if terms["mode"] == "extend"
        else ngettext("%s has that end already.", "%s have that end already.", effects.same)
    )
    counted = [
        (
            effects.over,
            ngettext(
                "For %s of them that day is over: access ends at once.",
                "For %s of them that day is over: access ends at once.",
                effects.over,
            ),
        ),
        (effects.same, keep),
        (
            effects.subscribed,
            ngettext(
                "%s holds it by a subscription, whose dates stay.",
                "%s hold it by a subscription, whose dates stay.",
                effects.subscribed,
            ),
        ),
    ]
    moves = ngettext(
        "The end moves for %(number)s of %(total)s person.",
        "The end moves for %(number)s of %(total)s people.",
        effects.total,
    )
    shown = [number_format(n, force_grouping=True) for n in (effects.moving, effects.total)]
    return [
        moves % {"number": shown[0], "total": shown[1]},
        *(text % number_format(number, force_grouping=True) for number, text in counted if number),
        _("Nobody is told by mail now. You can undo it afterwards."),
    ]
