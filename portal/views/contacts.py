"""The lists of contacts: everybody, those of the portal, and the segments staff have named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.forms import SegmentForm
from accounts.http import StaffRequest
from accounts.models import Contact, Segment, User
from accounts.selection import Selection, Unclear
from portal.events import Name, delete_and_record
from portal.views.listing import Listing
from portal.views.navigation import Item

CONTACT_COLUMNS = ("portal", "offers", "last_access", "created")
PORTAL_COLUMNS = ("portal", "offers", "invited", "joined", "last_access")
QUIET_DAYS = 30  # not seen for so long: inactive


@staff_required("view_contacts")
def contact_list(request: StaffRequest) -> HttpResponse:
    """Contacts, found by words and filters. Keyset paging: every page costs the same."""
    listing = Listing(request, columns=CONTACT_COLUMNS)
    context = {"segment_form": SegmentForm()}
    return _list(request, listing, "portal/dashboard/contact_list.html", context)


@staff_required("view_contacts")
def portal_user_list(request: StaffRequest) -> HttpResponse:
    """Those who have something to do with the portal: who was invited, who came, who stays away."""
    listing = Listing(request, columns=PORTAL_COLUMNS, of_portal=True)
    address = {"url": settings.PORTAL_URL, "sender": settings.DEFAULT_FROM_EMAIL}
    context = {"tabs": _portal_tabs(listing), "address": address}
    return _list(request, listing, "portal/dashboard/portal_user_list.html", context)


@staff_required("view_contacts")
def portal_user_numbers(request: StaffRequest) -> HttpResponse:
    """How many were invited, came, and come: counted anew, hence apart from the list."""
    numbers = Contact.objects.present().aggregate(
        invited=Count("pk", filter=Q(invited_at__isnull=False)),
        joined=Count("pk", filter=Q(joined_at__isnull=False)),
        seen=Count("pk", filter=Q(last_seen_at__gt=now() - timedelta(days=7))),
    )
    fragment = "#numbers" if request.htmx else ""
    template = f"portal/dashboard/portal_user_numbers.html{fragment}"
    return render(request, template, {"numbers": numbers})


def _portal_tabs(listing: Listing) -> list[Item]:
    tabs = [
        (_("All"), []),
        (_("Invited, not joined"), ["portal:is:invited"]),
        (_("Joined"), ["portal:is:joined"]),
        (_("Never logged in"), ["last_access:never:"]),
        (_("Inactive for %d days") % QUIET_DAYS, [f"inactive:days:{QUIET_DAYS}"]),
    ]
    asked = [str(condition) for condition in listing.selection.conditions]
    return [
        Item(label, listing.address(where=where, match=None), "", is_current=asked == where)
        for label, where in tabs
    ]


def _list(
    request: StaffRequest, listing: Listing, template: str, context: dict[str, Any]
) -> HttpResponse:
    try:
        if address := listing.added():
            return redirect(request.path + address)
    except Unclear as problem:
        messages.error(request, str(problem))
        return redirect(request.path + listing.address())
    return render(request, template, context | {"listing": listing})


@staff_required("view_contacts")
def contact_filter(request: StaffRequest) -> HttpResponse:
    """The filters there are, to add one to those in the address; for htmx the menu alone."""
    of_portal = request.GET.get("among") == "portal"
    listing = Listing(request, columns=CONTACT_COLUMNS, of_portal=of_portal)
    name = "portal:portal_user_list" if of_portal else "portal:contact_list"
    context = {"listing": listing, "action": reverse(name)}
    fragment = "#menu" if request.htmx else ""
    return render(request, f"portal/dashboard/contact_filter.html{fragment}", context)


@staff_required("view_contacts")
def contact_count(request: StaffRequest) -> HttpResponse:
    """The exact number of contacts found, for the head of the list."""
    context = {"count": Selection.from_query(request.GET).contacts().order_by().count()}
    return render(request, "components/contact_count.html", context)


@require_POST
@staff_required("manage_contacts")
def segment_create(request: StaffRequest) -> HttpResponse:
    """Give what the list shows a name, for everybody on the staff."""
    asked = Selection.from_query(QueryDict(request.POST.get("query", "")))
    selection = replace(asked, of_portal=False)
    address = f"{reverse('portal:contact_list')}?{selection.as_query()}"
    form = SegmentForm(request.POST)
    if selection.problems or not (selection.words or selection.conditions):
        messages.error(request, _("Search or filter first: a segment is what the list then shows."))
    elif form.is_valid() and (segment := _save(form, query=selection.as_query(), by=request.user)):
        messages.success(request, _("The segment “%s” is saved.") % segment)
    else:
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
    return redirect(address)


def _save(form: SegmentForm, *, query: str, by: User) -> Segment | None:
    """Keep the segment; None if somebody took the name meanwhile, and then the form says so."""
    try:
        with transaction.atomic():
            return form.save(query=query, user=by)
    except IntegrityError:
        form.full_clean()  # which sees by now who has it
        if form.is_valid():
            raise
        return None


@require_POST
@staff_required("manage_contacts")
@transaction.atomic
def segment_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Forget a segment; its contacts stay."""
    segment = get_object_or_404(Segment, pk=pk)
    delete_and_record(segment, Name.SEGMENT_DELETED, title=segment.name)
    messages.success(request, _("The segment “%s” is gone. Its contacts are not.") % segment.name)
    return redirect("portal:contact_list")
