"""The enrollments of one person, to be edited: all of them, or one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from accounts import undo
from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from accounts.models import Contact
from enrollments.forms.dates import undo_words
from enrollments.forms.enrollment import EnrollmentsForm, Saved
from enrollments.models import Enrollment


@staff_required("manage_access")
def enrollment_list(request: StaffRequest, contact_pk: int) -> HttpResponse:
    """Expiration dates, status, learning status and start of all courses of a contact, in one form."""
    return _edit(request, get_object_or_404(Contact, pk=contact_pk))


@staff_required("manage_access")
def enrollment_update(request: StaffRequest, pk: int) -> HttpResponse:
    """The same for one course."""
    mine = Enrollment.objects.select_related("contact", "course")
    enrollment = get_object_or_404(mine, pk=pk)
    return _edit(request, enrollment.contact, enrollment)


def _edit(request: StaffRequest, contact: Contact, only: Enrollment | None = None) -> HttpResponse:
    form = EnrollmentsForm(posted(request), contact=contact, only=only.pk if only else None)
    if form.is_valid():
        _tell(request, contact, form.save())
        return redirect("portal:contact_detail", contact.pk)
    context = {"contact": contact, "form": form, "only": only, "rows": list(form.rows())}
    return render(request, "enrollments/dashboard/enrollment_form.html", context)


def _tell(request: StaffRequest, contact: Contact, saved: Saved) -> None:
    """Say what was saved; what ends a learning but not the access is said, too."""
    if saved.moved:
        action = reverse("enrollments:end_undo", args=[contact.pk])
        fields = {"end": undo_words(saved.moved)}
        undo.done(request, _("Saved. The end dates can be put back."), action=action, fields=fields)
    elif saved.changed:
        messages.success(request, _("Saved."))
    else:
        messages.info(request, _("Nothing was changed."))
    if saved.left:
        links = format_html_join(
            " · ",
            '<a href="{}">{}</a>',
            (
                (
                    reverse("enrollments:grant_revoke", args=[grant.pk]),
                    _("Revoke “%(offer)s”…") % {"offer": grant.offer},
                )
                for grant in saved.left
            ),
        )
        text = _("A learning status closes nothing: the course stays open until it is revoked.")
        messages.warning(request, format_html("<span>{}</span> <span>{}</span>", text, links))
