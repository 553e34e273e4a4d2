"""The browsers a contact is logged in with, as staff see them."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact, Session
from accounts.ways import may_tend

SHOWN = 100  # sessions; who has more ends them all


def _tended(request: StaffRequest, pk: int) -> Contact:
    """The contact whose sessions they may see and end: not those of staff above them."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    if contact.login and not may_tend(request.user, contact.login):
        raise PermissionDenied
    return contact


@staff_required("manage_access")
def contact_session_list(request: StaffRequest, pk: int) -> HttpResponse:
    """Where they are logged in, since when, and how they came in; the latest first."""
    contact = _tended(request, pk)
    live = Session.objects.filter(user__contact=pk, expire_date__gt=now())
    sessions = list(live.order_by("-created_at", "-pk")[: SHOWN + 1])
    context = {"contact": contact, "sessions": sessions, "shown": SHOWN}
    return render(request, "accounts/dashboard/contact_session_list.html", context)


@require_POST
@staff_required("manage_access")
def contact_session_end(request: StaffRequest, pk: int, handle: str) -> HttpResponse:
    """Log one of their browsers out, from its next click on."""
    _tended(request, pk)
    live = Session.objects.filter(user__contact=pk, expire_date__gt=now()).select_related("user")
    session = next((each for each in live if each.handle == handle), None)
    if session is None:
        raise Http404
    session.end()
    messages.success(request, _("%(browser)s is logged out.") % {"browser": session.browser})
    return redirect("accounts:contact_session_list", pk)
