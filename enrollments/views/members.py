"""A member registered by hand, with contents, dates and status, in one form."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from enrollments.forms.member import MemberForm
from enrollments.views.grants import tell_granted


@staff_required("manage_access")
def member_register(request: StaffRequest) -> HttpResponse:
    """Make a contact, or take the one with this address, and give contents, all at once."""
    form = MemberForm(posted(request))
    if form.is_valid() and not form.is_asking:
        done = form.save()
        if done.is_new:
            messages.success(request, _("%(name)s is a contact now.") % {"name": done.contact})
        tell_granted(request, done.contact, done.given, done.held, moves=bool(form.joined))
        return redirect("portal:contact_detail", done.contact.pk)
    context = {"form": form, "choices": list(form.choices())}
    return render(request, "enrollments/dashboard/member_form.html", context)
