"""The list of contacts: found, counted, and paged by key."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render

from accounts.decorators import staff_required
from accounts.http import StaffRequest, asked, is_pk
from accounts.models import Contact
from accounts.models.contact import ContactQuerySet
from enrollments.access import with_portal_status

PAGE = 50
COUNTED = 1000  # beyond, the list says "1,000+"; the exact number comes as its own fragment


def _found(request: StaffRequest) -> ContactQuerySet:
    return Contact.objects.matching(asked(request))


def _page(rows: ContactQuerySet) -> list[Contact]:
    """The first rows, one more than fit, in their order.

    Their states are looked up when they are chosen: before, PostgreSQL would walk through the
    grants of everybody up to a page in the middle.
    """
    chosen = Contact.objects.filter(pk__in=rows.values("pk")[: PAGE + 1])
    return list(with_portal_status(chosen).order_by(*rows.query.order_by))


@staff_required("view_contacts")
def contact_list(request: StaffRequest) -> HttpResponse:
    """Contacts, newest first, found by name or address. Keyset paging: every page costs the same."""
    query = asked(request)
    before, after = (request.GET.get(name, "") for name in ("before", "after"))
    rows = _found(request).order_by("-pk")
    if is_pk(after):
        page = _page(rows.filter(pk__gt=int(after)).order_by("pk"))[::-1]
        has_newer, has_older = len(page) > PAGE, True
        page = page[-PAGE:]
    else:
        page = _page(rows.filter(pk__lt=int(before)) if is_pk(before) else rows)
        has_newer, has_older = is_pk(before), len(page) > PAGE
        page = page[:PAGE]
    is_all = not (before or after or has_older)

    def url(**where: int) -> str:
        return f"?{urlencode({'q': query} | where)}" if query else f"?{urlencode(where)}"

    context = {
        "query": query,
        "contacts": page,
        "prev_url": url(after=page[0].pk) if page and has_newer else "",
        "next_url": url(before=page[-1].pk) if page and has_older else "",
        "count": len(page) if is_all else _found(request).order_by()[: COUNTED + 1].count(),
        "counted": COUNTED,
    }
    return render(request, "portal/dashboard/contact_list.html", context)


@staff_required("view_contacts")
def contact_count(request: StaffRequest) -> HttpResponse:
    """The exact number of contacts found, for the head of the list."""
    context = {"count": _found(request).count()}
    return render(request, "portal/dashboard/contact_list.html#count", context)
