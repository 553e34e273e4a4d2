"""Staff pages about grants: give an offer, take it."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from accounts.models import Contact
from enrollments.effects import effects_of_ending
from enrollments.forms.grant import GrantForm, RevokeForm
from enrollments.models import Grant
from offers.models import Offer


@staff_required("manage_access")
def grant_create(request: StaffRequest, contact_pk: int) -> HttpResponse:
    """Give a contact one or several offers."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    form = GrantForm(posted(request), contact=contact)
    if form.is_valid():
        given, held = form.save()
        if given:
            titles = get_text_list([offer.title for offer in given], _("and"))
            messages.success(
                request, _("%(name)s now has %(offers)s.") % {"name": contact, "offers": titles}
            )
        if held:
            titles = get_text_list([offer.title for offer in held], _("and"))
            messages.info(
                request,
                _("%(name)s had %(offers)s already: nothing changed.")
                % {"name": contact, "offers": titles},
            )
        return redirect("portal:contact_detail", contact_pk)
    context = {"contact": contact, "form": form}
    return render(request, "enrollments/dashboard/grant_form.html", context)


@staff_required("manage_access")
def grant_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    """Revoke one grant; GET says what that does."""
    grant = get_object_or_404(Grant.objects.select_related("offer", "contact"), pk=pk)
    return _revoke(request, grant.contact, grant.offer, [grant])


@staff_required("manage_access")
def offer_revoke(request: StaffRequest, contact_pk: int, offer_pk: int) -> HttpResponse:
    """Take an offer from a contact: all its grants, whatever their source; GET says what that does."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    offer = get_object_or_404(Offer, pk=offer_pk)
    grants = contact.grants.filter(offer=offer, revoked_at=None).order_by("pk")
    return _revoke(request, contact, offer, list(grants))


def _revoke(
    request: StaffRequest, contact: Contact, offer: Offer, grants: Collection[Grant]
) -> HttpResponse:
    form = RevokeForm(posted(request))
    if form.is_valid():
        ended = Grant.objects.filter(pk__in=[grant.pk for grant in grants]).revoke(
            reason=form.cleaned_data["reason"]
        )
        if ended:
            messages.success(
                request, _("“%(offer)s” is revoked. It takes effect at once.") % {"offer": offer}
            )
        else:
            messages.info(request, _("“%(offer)s” was revoked already.") % {"offer": offer})
        return redirect("portal:contact_detail", contact.pk)
    context = {
        "contact": contact,
        "offer": offer,
        "grants": grants,
        "form": form,
        "items": effect_sentences(contact, grants),
    }
    return render(request, "enrollments/dashboard/grant_revoke.html", context)


def effect_sentences(contact: Contact, grants: Collection[Grant]) -> list[str]:
    """What revoking would do, in numbers and names."""
    effects = effects_of_ending(contact, grants)
    if effects.closes:
        titles = get_text_list([course.title for course in effects.closes], _("and"))
        number = len(effects.closes)
        text = ngettext(
            "Ends access to %(number)d course at once: %(titles)s.",
            "Ends access to %(number)d courses at once: %(titles)s.",
            number,
        )
        sentences = [text % {"number": number, "titles": titles}]
    else:
        sentences = [_("Closes no course.")]
    for course, offers in effects.keeps:
        titles = get_text_list([f"“{offer}”" for offer in offers], _("and"))
        text = ngettext(
            "%(offers)s keeps “%(course)s” open.", "%(offers)s keep “%(course)s” open.", len(offers)
        )
        sentences.append(text % {"offers": titles, "course": course})
    sentences.append(_("Progress is kept. Nobody is told by mail, and no payment is refunded."))
    return sentences
