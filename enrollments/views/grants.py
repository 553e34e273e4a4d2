"""Staff pages about grants: give an offer, take it, pause it, move its end."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts import undo
from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from accounts.models import Contact
from enrollments.effects import revoking_sentences, suspending_sentences
from enrollments.forms.dates import ExtendForm, UndoForm, end_sentence, undo_words
from enrollments.forms.grant import GrantForm, ReasonForm
from enrollments.models import Grant
from offers.models import Offer


def _grant(pk: int) -> Grant:
    return get_object_or_404(Grant.objects.select_related("offer", "contact"), pk=pk)


def _titles(offers: Collection[Offer]) -> str:
    return str(get_text_list([offer.title for offer in offers], _("and")))


@staff_required("manage_access")
def grant_create(request: StaffRequest, contact_pk: int) -> HttpResponse:
    """Give a contact one or several offers."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    form = GrantForm(posted(request), contact=contact)
    if form.is_valid():
        given, held = form.save()
        tell_granted(request, contact, given, held, moves=bool(form.joined))
        return redirect("portal:contact_detail", contact_pk)
    context = {"contact": contact, "form": form, "choices": form.rows()}
    return render(request, "enrollments/dashboard/grant_form.html", context)


def tell_granted(
    request: StaffRequest,
    contact: Contact,
    given: Collection[Offer],
    held: Collection[Offer],
    *,
    moves: bool,
) -> None:
    """Say what granting did. `moves`: a cohort was chosen, into which what was held already moves nobody."""
    words = {"name": contact}
    if given:
        text = _("%(name)s now has %(offers)s.")
        messages.success(request, text % (words | {"offers": _titles(given)}))
    if held:
        text = _("%(name)s had %(offers)s already: nothing changed.")
        text = text % (words | {"offers": _titles(held)})
        if moves:
            text = f"{text} {_('To move them to another cohort, edit the enrollment.')}"
        messages.info(request, text)


@staff_required("manage_access")
def grant_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    """Revoke one grant; GET says what that does."""
    grant = _grant(pk)
    return _revoke(request, grant.contact, grant.offer, [] if grant.revoked_at else [grant])


@staff_required("manage_access")
def offer_revoke(request: StaffRequest, contact_pk: int, offer_pk: int) -> HttpResponse:
    """Take an offer from a contact: all its grants, whatever their source; GET says what that does."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    offer = get_object_or_404(Offer, pk=offer_pk)
    grants = contact.grants.filter(offer=offer, revoked_at=None).order_by("pk")
    return _revoke(request, contact, offer, list(grants.select_related("offer")))


def _revoke(
    request: StaffRequest, contact: Contact, offer: Offer, grants: Collection[Grant]
) -> HttpResponse:
    form = ReasonForm(posted(request))
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
        "items": revoking_sentences(contact, grants),
    }
    return render(request, "enrollments/dashboard/grant_revoke.html", context)


@staff_required("manage_access")
def grant_suspend(request: StaffRequest, pk: int) -> HttpResponse:
    """Pause one grant; GET says what that does."""
    grant = _grant(pk)
    form = ReasonForm(posted(request))
    if form.is_valid():
        grant.suspend(reason=form.cleaned_data["reason"])
        if grant.suspended_at:
            text = _("“%(offer)s” is suspended. It takes effect at once.")
            messages.success(request, text % {"offer": grant.offer})
        else:
            text = _("“%(offer)s” has ended already: nothing changed.")
            messages.info(request, text % {"offer": grant.offer})
        return redirect("portal:contact_detail", grant.contact_id)
    context = {
        "contact": grant.contact,
        "grant": grant,
        "form": form,
        "items": suspending_sentences(grant.contact, [grant]),
    }
    return render(request, "enrollments/dashboard/grant_suspend.html", context)


@require_POST
@staff_required("manage_access")
def grant_resume(request: StaffRequest, pk: int) -> HttpResponse:
    """End the pause of one grant."""
    grant = _grant(pk)
    grant.resume()
    if grant.state == "live":
        text = _("“%(offer)s” is resumed. It takes effect at once.")
        messages.success(request, text % {"offer": grant.offer})
    else:
        text = _("“%(offer)s” is not suspended any more, but it opens nothing now.")
        messages.info(request, text % {"offer": grant.offer})
    return redirect("portal:contact_detail", grant.contact_id)


@staff_required("manage_access")
def grant_extend(request: StaffRequest, pk: int) -> HttpResponse:
    """Move the end of one grant, either way."""
    grant = _grant(pk)
    may_move = grant.revoked_at is None and not grant.is_fixed
    before = grant.ends_on
    form = ExtendForm(posted(request) if may_move else None, grant=grant)
    if form.is_valid():
        if form.save():
            text = f"“{grant.offer}”: {end_sentence(grant.ends_on)}"
            if grant.state == "ended":
                text = f"{text} {_('That day is over: the access has ended.')}"
            undo.done(
                request,
                text,
                action=reverse("enrollments:end_undo", args=[grant.contact_id]),
                fields={"end": undo_words({grant.pk: (before, grant.ends_on)})},
            )
        else:
            messages.info(request, _("That is its end already: nothing changed."))
        return redirect("portal:contact_detail", grant.contact_id)
    context = {
        "contact": grant.contact,
        "grant": grant,
        "may_move": may_move,
        "form": form,
        "end": end_sentence(grant.ends_on),
        "courses": grant.offer.courses.all(),
    }
    return render(request, "enrollments/dashboard/grant_extend.html", context)


@require_POST
@staff_required("manage_access")
def end_undo(request: StaffRequest, contact_pk: int) -> HttpResponse:
    """Put back ends that were just moved, each only if it still is where it was moved to."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    form = UndoForm(request.POST, contact=contact)
    moved = form.save() if form.is_valid() else 0
    if moved:
        text = ngettext(
            "%(number)d end date is as it was before.",
            "%(number)d end dates are as they were before.",
            moved,
        )
        messages.success(request, text % {"number": moved})
    else:
        messages.info(
            request, _("Nothing to undo: it was changed again in the meantime, or is undone.")
        )
    return redirect("portal:contact_detail", contact_pk)
