"""Check and repair: what of a contact does not fit together, shown before it is mended."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact
from enrollments.repair import check, repair


@staff_required("manage_access")
def contact_repair(request: StaffRequest, pk: int) -> HttpResponse:
    """GET shows every difference, POST mends those that can be mended."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    if request.method == "POST":
        if mended := repair(contact):
            text = ngettext("Mended %(number)d thing.", "Mended %(number)d things.", len(mended))
            messages.success(request, text % {"number": len(mended)})
        else:
            messages.info(request, _("There was nothing to mend."))
        return redirect("enrollments:contact_repair", pk)
    found = check(contact)
    context = {
        "contact": contact,
        "mendable": [difference.text for difference in found if difference.is_mendable],
        "left": [difference.text for difference in found if not difference.is_mendable],
    }
    return render(request, "enrollments/dashboard/contact_repair.html", context)
