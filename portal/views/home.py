"""The two front pages: the student's, and the staff's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required, student_required
from accounts.http import StaffRequest, StudentRequest
from accounts.models import Contact
from enrollments.absences import absences
from enrollments.agenda import agenda
from enrollments.shelf import desk
from notifications.models import Message, State
from offers.models import Course
from portal.events import Name
from portal.models import Event, Job, Outbox, School

BOOKS = 12  # on the home; the rest is one click away
CHART_DAYS = 28


@student_required
def home(request: StudentRequest) -> HttpResponse:
    """Continue where you stopped, and everything that is yours."""
    books = desk(request.contact, limit=BOOKS + 1)
    current = next((book for book in books if book.is_unfinished), None)
    plan = agenda(request.contact, books=books, current=current)
    if current and plan.resume:
        title = plan.resume.title
        current = replace(current, last_lesson_id=plan.resume.id, last_lesson_title=title)
    context = {
        "current": current,
        "books": books[:BOOKS],
        "has_more": len(books) > BOOKS,
        "agenda": plan,
        "absences": [] if books else absences(request.contact),
    }
    return render(request, "portal/student/home.html", context)


@staff_required()
def dashboard(request: StaffRequest) -> HttpResponse:
    """How the school does, and what needs a person."""
    context = {
        "mails": _mails() if request.user.may("view_messages") else {},
        "dead_events": Outbox.objects.exclude(dead_at=None).select_related("event")[:20],
        "dead_jobs": Job.objects.needing_a_person()[:20],
        "lonely_courses": Course.objects.published().without_offer()[:20],
        "erasures": Contact.objects.present().exclude(erasure_asked_at=None).count(),
        "address": settings.PORTAL_URL,
    }
    return render(request, "portal/dashboard/home.html", context)


@staff_required("view_contacts")
def contact_numbers(request: StaffRequest) -> HttpResponse:
    """How many contacts there are, and how far they came: counted anew, hence apart from the page."""
    numbers = Contact.objects.present().aggregate(
        contacts=Count("pk"),
        joined=Count("pk", filter=Q(joined_at__isnull=False)),
        invited=Count("pk", filter=Q(invited_at__isnull=False, joined_at=None)),
    )
    fragment = "#numbers" if request.htmx else ""
    template = f"portal/dashboard/contact_numbers.html{fragment}"
    return render(request, template, {"numbers": numbers})


@staff_required("view_contacts")
def activity(request: StaffRequest) -> HttpResponse:
    """Grants and logins of the last four weeks: it costs more the more there were, hence apart."""
    context = {
        "grants": _per_day(Name.OFFER_GRANTED, request.school),
        "logins": _per_day(Name.PORTAL_LOGIN, request.school),
    }
    fragment = "#charts" if request.htmx else ""
    return render(request, f"portal/dashboard/activity.html{fragment}", context)


def _mails() -> dict[str, int]:
    """How many messages are in each state that waits for a person's decision, where there are any."""
    states = (State.FAILED, State.DEAD, State.SUPPRESSED)
    rows = Message.objects.filter(state__in=states).values_list("state")
    return dict(rows.annotate(number=Count("pk")))


def _per_day(name: Name, school: School) -> list[tuple[date, int]]:
    """How often `name` happened on each of the last CHART_DAYS, days without it included."""
    first = school.today() - timedelta(days=CHART_DAYS - 1)
    since = school.end_of(first - timedelta(days=1))
    rows = (
        Event.objects.filter(name=name, occurred_at__gte=since)  # as the index has it
        .annotate(day=TruncDate("occurred_at"))
        .values_list("day")
        .annotate(number=Count("*"))
    )
    found = dict(rows)
    days = [first + timedelta(days=n) for n in range(CHART_DAYS)]
    return [(day, found.get(day, 0)) for day in days]


@require_POST
@staff_required("manage_settings")
def event_replay(request: StaffRequest, pk: int) -> HttpResponse:
    """Dispatch again what was given up."""
    get_object_or_404(Outbox, pk=pk).replay()
    messages.success(request, _("It will be tried again within a second."))
    return redirect("portal:dashboard")


@require_POST
@staff_required("manage_settings")
def job_replay(request: StaffRequest, pk: int) -> HttpResponse:
    """Carry on a job that was given up."""
    get_object_or_404(Job, pk=pk).replay()
    messages.success(request, _("It will be tried again within a second."))
    return redirect("portal:dashboard")
