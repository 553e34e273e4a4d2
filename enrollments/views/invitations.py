"""Somebody new in the portal, from the page of its users."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from enrollments.forms.invitation import InvitationForm


@staff_required("manage_access")
def portal_user_create(request: StaffRequest) -> HttpResponse:
    """Invite somebody by their e-mail, or add them without an invitation, as the button says that was pressed."""
    is_quiet = "quiet" in (request.POST if request.method == "POST" else request.GET)
    form = InvitationForm(posted(request), invites=not is_quiet)
    if form.is_valid():
        contact = form.save()
        if is_quiet:
            text = _("%(name)s is a portal user now. Nobody was written to.")
        else:
            text = _("An invitation is on its way to %(email)s.")
        messages.success(request, text % {"name": contact, "email": contact.email})
        return redirect("portal:contact_detail", contact.pk)
    context = {"form": form, "is_quiet": is_quiet}
    return render(request, "enrollments/dashboard/portal_user_create.html", context)
