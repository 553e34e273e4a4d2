"""Staff pages about offers: create, edit, publish, archive."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from offers.forms.offer import OfferForm
from offers.models import Course, Offer
from offers.models.offer import COUNTED
from portal.addresses import is_pk


@staff_required("manage_content")
def offer_list(request: StaffRequest) -> HttpResponse:
    """Every offer with the numbers of its courses and holders."""
    offers = Offer.objects.with_counts()
    context = {"offers": offers, "counted": COUNTED}
    return render(request, "offers/dashboard/offer_list.html", context)


@staff_required("manage_content")
@transaction.atomic
def offer_create(request: StaffRequest) -> HttpResponse:
    """A new offer, a draft at first. `?course=` makes it for a course that has none."""
    wanted = request.GET.get("course", "")
    course = Course.objects.filter(pk=int(wanted)).first() if is_pk(wanted) else None
    initial = {"title": course.title, "courses": [course.pk]} if course else {}
    form = OfferForm(posted(request), initial=initial)
    if form.is_valid():
        offer = form.save()
        messages.success(
            request,
            _("“%(offer)s” is a draft. Publish it to let it open its courses.") % {"offer": offer},
        )
        return redirect("offers:offer_update", offer.pk)
    return render(request, "offers/dashboard/offer_form.html", {"form": form})


@staff_required("manage_content")
@transaction.atomic
def offer_update(request: StaffRequest, pk: int) -> HttpResponse:
    """One offer: its terms, its courses, its state. A new default length asks what of its present holders."""
    offer = get_object_or_404(Offer, pk=pk)
    form = OfferForm(posted(request), instance=offer)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        if "default_days" in form.changed_data and request.user.may("manage_access"):
            was = form.initial["default_days"] or 0
            page = reverse("enrollments:holder_follow", args=[pk])
            return redirect(f"{page}?{urlencode({'was': was})}")
        return redirect("offers:offer_update", pk)
    saved = Offer.objects.with_counts().get(pk=pk)
    context = {"form": form, "offer": saved, "counted": COUNTED}
    return render(request, "offers/dashboard/offer_form.html", context)


@require_POST
@staff_required("manage_content")
def offer_publish(request: StaffRequest, pk: int) -> HttpResponse:
    """Make it active."""
    offer = get_object_or_404(Offer, pk=pk)
    offer.publish()
    messages.success(request, _("“%(offer)s” is active.") % {"offer": offer})
    return redirect("offers:offer_update", pk)


@require_POST
@staff_required("manage_content")
def offer_archive(request: StaffRequest, pk: int) -> HttpResponse:
    """Offer it to nobody new."""
    offer = get_object_or_404(Offer, pk=pk)
    offer.archive()
    messages.success(
        request, _("“%(offer)s” is archived. Who holds it keeps it.") % {"offer": offer}
    )
    return redirect("offers:offer_update", pk)
