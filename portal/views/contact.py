"""The contact page: everything staff know and do about one person, gathered from all apps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, JSONObject, NullIf
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import staff_required
from accounts.forms import BlockForm, LinkForm, NoteForm
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Tag
from enrollments import access
from enrollments.forms.dates import is_fixed
from enrollments.models import Enrollment, Grant, LessonProgress
from enrollments.status import AccessStatus, access_status
from notifications.models import Message
from offers.models import Lesson
from offers.models.offer import OfferCourse
from portal.timeline import KINDS, timeline
from portal.views.navigation import Item

TIMELINE = 50  # entries of a page of it
RECENT = 15  # entries beside the contact
LINKS = 5
NOTES = 20


def _contacts() -> QuerySet[Contact]:
    """With all that stands in the left column, by one statement."""
    tags = Tag.objects.filter(contacts=OuterRef("pk")).order_by("name")
    mails = Message.objects.filter(contact=OuterRef("pk")).order_by("-pk")
    about = JSONObject(pk="pk", state="state", subject="subject", reason="reason")
    return (
        access.with_portal_status(Contact.objects.all())
        .select_related("user")
        .annotate(
            tag_names=ArraySubquery(tags.values("name")),
            last_mail=Subquery(mails.values(about=about)[:1]),
        )
    )


@dataclass(frozen=True)
class GrantRow:
    """One grant on the page."""

    grant: Grant
    courses: list[str]
    may_extend: bool
    is_last_of_several: bool  # of the same offer


@dataclass(frozen=True)
class CourseRow:
    """One course on the page: how far they are, and which grants open it."""

    enrollment: Enrollment
    status: AccessStatus
    grants: list[Grant]
    is_open: bool


@staff_required("view_contacts")
def contact_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Who it is, what they may see and why, how they get in, and all that happened."""
    contact = get_object_or_404(_contacts(), pk=pk)
    # PostgreSQL puts those that are not revoked first.
    every = list(
        contact.grants.select_related("offer")
        .annotate(granter=_name("granted_by"), revoker=_name("revoked_by"))
        .order_by("-revoked_at", "offer__title", "offer_id", "-pk")
    )
    grants = [grant for grant in every if not grant.revoked_at]
    courses = _courses(grants)
    notes = contact.notes.select_related("author__contact").order_by("-pk")
    context = {
        "contact": contact,
        "language": dict(settings.LANGUAGES).get(contact.language, contact.language),
        "grants": list(_grant_rows(grants, courses)),
        "past_grants": [grant for grant in every if grant.revoked_at],
        "courses": list(_course_rows(contact, grants, courses)),
        "notes": notes if "notes" in request.GET else notes[: NOTES + 1],
        "note_form": NoteForm(),
        "links": contact.user.links.select_related("created_by__contact").order_by("-pk")[:LINKS]
        if contact.login
        else [],
        "link_form": LinkForm(),
        **_timeline(contact, limit=RECENT),
    }
    return render(request, "portal/dashboard/contact_detail.html", context)


type Courses = dict[int, dict[int, str]]  # offer's pk -> its courses: pk -> title


def _courses(grants: list[Grant]) -> Courses:
    """Which courses the offers of these grants hold."""
    found: Courses = {}
    held = OfferCourse.objects.filter(offer__in={grant.offer_id for grant in grants})
    for offer, course, title in held.order_by("course__title").values_list(
        "offer", "course", "course__title"
    ):
        found.setdefault(offer, {})[course] = title
    return found


def _grant_rows(grants: list[Grant], courses: Courses) -> Iterator[GrantRow]:
    for offer, held in groupby(grants, key=lambda grant: grant.offer_id):
        same = list(held)
        titles = list(courses.get(offer, {}).values())
        for grant in same:
            is_last = len(same) > 1 and grant is same[-1]
            yield GrantRow(grant, titles, not is_fixed(grant), is_last)


def _course_rows(contact: Contact, grants: list[Grant], courses: Courses) -> Iterator[CourseRow]:
    done = LessonProgress.objects.filter(enrollment=OuterRef("pk"), attempt=OuterRef("attempt"))
    lessons = Lesson.objects.filter(module__course=OuterRef("course"))
    mine = Enrollment.objects.filter(contact=contact).annotate(
        done=_count(done, "enrollment"), total=_count(lessons, "module__course")
    )
    for each in mine.select_related("course").order_by("course__title", "pk"):
        opening = [grant for grant in grants if each.course_id in courses.get(grant.offer_id, {})]
        status = access_status(each, opening)
        is_open = (
            status == AccessStatus.ACTIVE and each.course.is_published and not contact.is_blocked
        )
        yield CourseRow(each, status, opening, is_open)


def _name(field: str) -> Coalesce:
    """What str() says of the user in `field`, without the rows of user and contact."""
    names = (NullIf(f"{field}__{name}", Value("")) for name in ("contact__name", "name"))
    return Coalesce(*names, f"{field}__email", output_field=TextField())


def _count(rows: QuerySet[Any], of: str) -> Coalesce:
    """How many `rows` there are, as a subquery whose outer row they name by `of`."""
    counted = rows.order_by().values(of).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


@staff_required("view_contacts")
def contact_timeline(request: StaffRequest, pk: int) -> HttpResponse:
    """What happened earlier than `?before=`, a page of it; for htmx the entries alone."""
    contact = get_object_or_404(Contact, pk=pk)
    kind = request.GET.get("kind", "")
    context = {
        "contact": contact,
        **_timeline(
            contact,
            kind=kind if kind in KINDS else "",
            before=_moment(request.GET.get("before", "")),
            limit=TIMELINE,
        ),
    }
    fragment = "#entries" if request.htmx else ""
    return render(request, f"portal/dashboard/contact_timeline.html{fragment}", context)


def _timeline(
    contact: Contact, *, kind: str = "", before: datetime | None = None, limit: int
) -> dict[str, Any]:
    """The entries, the kinds to choose from, and where earlier ones are."""
    entries = timeline(contact, kind=kind, before=before, limit=limit)
    url = reverse("portal:contact_timeline", args=[contact.pk])
    kinds = [("", _("All")), *((word, label) for word, (label, _nouns) in KINDS.items())]
    narrowed = {"kind": kind} if kind else {}
    older = narrowed | {"before": entries[-1].at.isoformat()} if len(entries) == limit else None
    return {
        "entries": entries,
        "kinds": [
            Item(str(label), f"{url}?kind={word}" if word else url, "", word == kind)
            for word, label in kinds
        ],
        "older_url": f"{url}?{urlencode(older)}" if older else "",
    }


def _moment(text: str) -> datetime | None:
    """The moment an address names; None for what is none."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
        return found.astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


@staff_required("manage_access")
def contact_block(request: StaffRequest, pk: int) -> HttpResponse:
    """Shut somebody out; the page says what that means."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    form = BlockForm(posted(request))
    if form.is_valid():
        contact.block(reason=form.cleaned_data["reason"])
        messages.success(request, _("%(name)s is blocked.") % {"name": contact})
        return redirect("portal:contact_detail", pk)
    context = {"contact": contact, "form": form, "items": list(_effects_of_blocking(contact))}
    return render(request, "accounts/dashboard/contact_block.html", context)


def _effects_of_blocking(contact: Contact) -> Iterator[str]:
    """What blocking would do, in numbers."""
    login = contact.login
    if login and (sessions := login.sessions.filter(expire_date__gt=now()).count()):
        text = ngettext(
            "Logs them out of %(number)d browser at once.",
            "Logs them out of %(number)d browsers at once.",
            sessions,
        )
        yield text % {"number": sessions}
    if login and (links := login.links.usable().count()):
        text = ngettext(
            "Ends %(number)d link that was mailed to them and not used yet.",
            "Ends %(number)d links that were mailed to them and not used yet.",
            links,
        )
        yield text % {"number": links}
    if courses := access.open_courses(contact).count():
        text = ngettext(
            "Closes %(number)d course at once.", "Closes all %(number)d courses at once.", courses
        )
        yield text % {"number": courses}
    else:
        yield _("Closes no course: none is open now.")
    if grants := contact.grants.held().count():
        text = ngettext(
            "Keeps their %(number)d grant, which opens nothing until they are unblocked. Its end date goes on.",
            "Keeps their %(number)d grants, which open nothing until they are unblocked. Their end dates go on.",
            grants,
        )
        yield text % {"number": grants}
    yield _("No mail goes to them any more, and nobody tells them why. Progress is kept.")
