"""The one search at the top: contacts, offers, courses."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest, asked
from accounts.models import Contact
from accounts.models.contact import normalize_email
from enrollments.access import with_portal_status
from offers.models import Course, Offer
from portal.addresses import is_pk

SHOWN = 20


@staff_required("view_contacts")
def search(request: StaffRequest) -> HttpResponse:
    """A contact by name, address, phone or id; an offer or a course by title. One exact address opens at once."""
    query = asked(request)
    contacts = offers = courses = None
    if query:
        exact = Q(email=normalize_email(query)) | Q(external_id=query)
        if is_pk(query):
            exact |= Q(pk=int(query))
        if (only := list(Contact.objects.present().filter(exact)[:2])) and len(only) == 1:
            return redirect("portal:contact_detail", only[0].pk)
        found = Contact.objects.present().matching(query).order_by("-pk").values("pk")[:SHOWN]
        # Their states are looked up when they are chosen, not for all who match.
        chosen = Contact.objects.filter(pk__in=[row["pk"] for row in found])
        contacts = with_portal_status(chosen).order_by("-pk")
        if request.user.may("manage_content"):
            offers = Offer.objects.filter(title__icontains=query)[:SHOWN]
            courses = Course.objects.filter(title__icontains=query)[:SHOWN]
    context = {
        "search_query": query,  # the field at the top of every page shows it too
        "contacts": contacts,
        "offers": offers,
        "courses": courses,
    }
    return render(request, "portal/dashboard/search.html", context)
