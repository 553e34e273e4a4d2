"""The contact page: everything staff know and do about one person, gathered from all apps."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Count, F, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.dateparse import parse_datetime

from accounts.decorators import staff_required
from accounts.forms import LinkForm
from accounts.http import StaffRequest
from accounts.models import Contact
from enrollments import access
from offers.models import Course
from portal.timeline import Entry, timeline

TIMELINE = 50


@staff_required("view_contacts")
def contact_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Who it is, what they may see and why, how they get in, and all that happened."""
    contact = get_object_or_404(
        access.with_portal_status(Contact.objects.all())
        .select_related("user")
        .prefetch_related("tags"),
        pk=pk,
    )
    # PostgreSQL puts those that are not revoked first: by offer, for the template to group.
    grants = contact.grants.select_related("offer", "granted_by", "revoked_by").order_by(
        "-revoked_at", "offer__title", "offer_id", "-pk"
    )
    entries = timeline(contact, limit=TIMELINE)
    context = {
        "contact": contact,
        "language": dict(settings.LANGUAGES).get(contact.language, contact.language),
        "grants": [grant for grant in grants if not grant.revoked_at],
        "past_grants": [grant for grant in grants if grant.revoked_at],
        "courses": _courses(contact),
        "links": contact.user.links.select_related("created_by").order_by("-pk")[:5]
        if contact.login
        else [],
        "link_form": LinkForm(),
        "entries": entries,
        "older": _older(entries),
    }
    return render(request, "portal/dashboard/contact_detail.html", context)


def _courses(contact: Contact) -> list[Course]:
    """Every course the contact ever had, with `is_open`, how far they are, and how the learning goes."""
    done = Q(enrollments__progress__attempt=F("enrollments__attempt"))
    rows = (
        Course.objects.filter(enrollments__contact=contact)
        .annotate(
            learning_status=F("enrollments__learning_status"),
            enrolled_on=F("enrollments__enrolled_on"),
            done=Count("enrollments__progress", filter=done, distinct=True),
            total=Count("modules__lessons", distinct=True),
        )
        .order_by("title")
    )
    open_now = set(access.open_courses(contact).values_list("pk", flat=True))
    courses = list(rows)
    for course in courses:
        course.is_open = course.pk in open_now  # type: ignore[attr-defined]
    return courses


@staff_required("view_contacts")
def contact_timeline(request: StaffRequest, pk: int) -> HttpResponse:
    """What happened earlier than `?before=`, a page of it; for htmx the entries alone."""
    contact = get_object_or_404(Contact, pk=pk)
    before = _moment(request.GET.get("before", ""))
    entries = timeline(contact, before=before, limit=TIMELINE)
    context = {
        "contact": contact,
        "entries": entries,
        "older": _older(entries),
    }
    fragment = "#entries" if request.htmx else ""
    return render(request, f"portal/dashboard/contact_timeline.html{fragment}", context)


def _older(entries: list[Entry]) -> datetime | None:
    """Before when the next page of the timeline begins; None where this is the last."""
    return entries[-1].at if len(entries) == TIMELINE else None


def _moment(text: str) -> datetime | None:
    """The moment an address names; None for what is none."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
        return found.astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None
