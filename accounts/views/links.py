"""What staff do about one person's way in: a login link, mailed or copied; revoke one; and each of accounts.ways."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.bulk import ACTIONS, UNCHANGED, Result
from accounts.decorators import staff_required
from accounts.forms import LinkForm, OnceForm
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Link
from accounts.models.bulk import Outcome
from accounts.ways import SendLogin, Way, login_links, may_tend


def _login_panel(contact: Contact) -> str:
    return reverse("portal:contact_detail", args=[contact.pk]) + "#login"


def _tell(request: StaffRequest, way: Way | type[Way], contact: Contact, result: Result) -> None:
    """Say that it was done, or why not."""
    who = {"email": contact.email, "name": contact}
    if result.outcome == Outcome.CHANGED:
        messages.success(request, str(way.told) % who)
    elif result.outcome == Outcome.REFUSED:
        messages.error(request, _("Not done: %s") % result.reason)
    else:
        messages.info(request, _("There was nothing to do."))


@staff_required("manage_access")
def link_create(request: StaffRequest, pk: int) -> HttpResponse:
    """A login link for one contact: mailed, or shown once on the page that answers.

    Nobody gets one for staff, or for who is blocked: 403, and the page says why.
    """
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    form, refusal = LinkForm(posted(request)), ""
    if form.is_valid():
        delivery = form.cleaned_data["delivery"]
        if delivery == "copy" and not request.user.may("copy_links"):
            raise PermissionDenied
        links, results = login_links([pk], form.cleaned_data, key=form.key, delivery=delivery)
        if results[pk].outcome == Outcome.REFUSED:
            refusal = results[pk].reason
        elif delivery == "copy":
            return _shown_once(request, contact, links)
        else:
            _tell(request, SendLogin, contact, results[pk])
            return redirect(_login_panel(contact))
    elif contact.login and contact.login.is_staff:
        refusal = _("Staff log in with their password.")
    elif contact.is_blocked:
        refusal = _("The contact is blocked.")
    context = {"contact": contact, "form": form, "refusal": refusal}
    status = 403 if refusal and form.is_bound else 200
    return render(request, "accounts/dashboard/link_create.html", context, status=status)


def _shown_once(request: StaffRequest, contact: Contact, links: list[Link]) -> HttpResponse:
    """The address itself, on this page alone: sent once more, the form makes no link and shows nothing."""
    context = {"contact": contact, "link": links[0] if links else None}
    answer = render(request, "accounts/dashboard/link_copy.html", context)
    answer["Referrer-Policy"] = "strict-origin"
    return answer


@require_POST
@staff_required("manage_access")
def link_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    """Make one link worthless, whoever asked for it."""
    link = get_object_or_404(
        Link.objects.select_related("user__contact"), pk=pk, user__contact__isnull=False
    )
    if not may_tend(request.user, link.user):
        raise PermissionDenied
    if Link.objects.filter(pk=pk).revoke():
        messages.success(request, _("The link is worthless now."))
    else:
        messages.info(request, _("The link was used or over already."))
    return redirect("portal:link_list", link.user.contact_id)


@staff_required("manage_access")
def contact_way(request: StaffRequest, pk: int, key: str) -> HttpResponse:
    """Do one of accounts.ways for one contact; GET says what it would do, or why nothing."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    way = ACTIONS.get(key)
    if not isinstance(way, Way) or not way.is_plain:
        raise Http404
    form = OnceForm(posted(request))
    if form.is_valid():
        with transaction.atomic():
            results = way.act([pk], {}, key=form.key)
        _tell(request, way, contact, results.get(pk, UNCHANGED))
        return redirect(_login_panel(contact))
    context = {
        "contact": contact,
        "way": way,
        "form": form,
        "idle": way.idle_reason(contact),
        "items": way.effects(Contact.objects.filter(pk=pk), {}),
        "back": _login_panel(contact),
    }
    return render(request, "accounts/dashboard/contact_way.html", context)
