"""What the school knows about a student, for themselves: the page, and all of it as a file."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.decorators import fresh_login_required, student_required
from accounts.http import StudentRequest
from accounts.models import Contact, Session, Simulation, User
from enrollments.models import Comment, Enrollment, Grant, LessonProgress, QuizAttempt, Rating
from notifications.models import Message, State
from portal.events import Name, record
from portal.models import Event

type Row = dict[str, Any]


@student_required
def my_data(request: StudentRequest) -> HttpResponseBase:
    """GET says what there is; POST gives the file, to who proved lately that it is them."""
    if request.method == "POST":
        return _file(request)
    return render(request, "portal/student/my_data.html", {"contact": request.contact})


@fresh_login_required
def _file(request: StudentRequest) -> HttpResponse:
    """One JSON document, by a number of statements that does not grow with it.

    What staff noted for themselves (notes, reasons) is not in it, nor which answers of a quiz are right.
    """
    contact, user = request.contact, request.user
    with transaction.atomic():
        record(Name.EXPORT_MADE, contact=contact, what="my_data", format="json")
    told = {
        "school": request.school.name,
        "made_at": now(),
        "you": _person(contact),
        "login": {"has_password": user.has_usable_password(), "created_at": user.created_at},
        "sessions": [_session(session) for session in user.live_sessions().order_by("created_at")],
        "grants": _grants(contact),
        "enrollments": _enrollments(contact),
        "quiz_attempts": _quiz_attempts(contact),
        "comments": _comments(user),
        "ratings": _ratings(contact),
        "mails": _mails(contact),
        "simulated_sessions": [_simulation(row) for row in contact.simulations.seen()],
        "log": _log(contact, user),
    }
    response = JsonResponse(told, json_dumps_params={"indent": 2, "ensure_ascii": False})
    name = f"{slugify(_('My data')) or 'my-data'}-{request.school.today()}.json"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


PERSON = (
    "email",
    "name",
    "phone",
    "external_id",
    "language",
    "time_zone",
    "newsletter_at",
    "promotions_at",
    "wants_reminders",
    "wants_replies",
    "created_at",
    "invited_at",
    "joined_at",
    "last_seen_at",
    "erasure_asked_at",
)


def _rows(rows: QuerySet[Any], *columns: str, **named: Any) -> list[Row]:
    """The columns of each row, in the order of the rows' making."""
    return [dict(row) for row in rows.order_by("pk").values(*columns, **named)]


def _person(contact: Contact) -> Row:
    names = ArrayAgg("tags__name", filter=Q(tags__isnull=False), default=[], order_by="tags__name")
    mine = Contact.objects.filter(pk=contact.pk)
    [person] = _rows(mine, *PERSON, tag_names=names, picture_name=F("picture__name"))
    return person | {"tags": person.pop("tag_names"), "picture": person.pop("picture_name")}


def _session(session: Session) -> Row:
    return {
        "browser": session.browser,
        "address": session.address,
        "logged_in_at": session.created_at,
        "last_used_at": session.used_at,
    }


def _simulation(row: Simulation) -> Row:
    return {"by": str(row.actor), "began_at": row.started_at, "ended_at": row.ended_at}


def _grants(contact: Contact) -> list[Row]:
    mine = Grant.objects.filter(contact=contact)
    columns = ("source", "starts_at", "ends_on", "suspended_at", "revoked_at")
    return _rows(mine, *columns, title=F("offer__title"))


def _enrollments(contact: Contact) -> list[Row]:
    """Each with the lessons that were begun or done in it, of every attempt."""
    progress = LessonProgress.objects.filter(enrollment__contact=contact)
    columns = ("enrollment_id", "attempt", "completed_at", "position")
    lessons: dict[int, list[Row]] = {}
    for row in _rows(progress, *columns, title=F("lesson__title")):
        lessons.setdefault(row.pop("enrollment_id"), []).append(row)
    mine = _rows(
        Enrollment.objects.filter(contact=contact),
        "pk",
        "enrolled_on",
        "learning_status",
        "attempt",
        "started_at",
        "completed_at",
        "last_lesson_at",
        title=F("course__title"),
        cohort_title=F("cohort__title"),
    )
    return [row | {"lessons": lessons.get(row.pop("pk"), [])} for row in mine]


def _quiz_attempts(contact: Contact) -> list[Row]:
    """What was asked and what they ticked."""
    mine = QuizAttempt.objects.filter(enrollment__contact=contact)
    columns = ("attempt", "number", "score", "total", "passed", "submitted_at", "sheet")
    tries = _rows(mine, *columns, title=F("quiz__lesson__title"))
    return [row | {"answers": _answers(row.pop("sheet"))} for row in tries]


def _answers(sheet: list[Row]) -> list[Row]:
    return [
        {
            "question": question["text"],
            "chosen": [each["text"] for each in question["choices"] if each["is_chosen"]],
        }
        for question in sheet
    ]


def _comments(user: User) -> list[Row]:
    mine = Comment.objects.filter(author=user)
    columns = ("text", "created_at", "hidden_at", "deleted_at")
    return _rows(mine, *columns, title=F("lesson__title"))


def _ratings(contact: Contact) -> list[Row]:
    mine = Rating.objects.filter(enrollment__contact=contact)
    columns = ("stars", "text", "created_at", "changed_at")
    return _rows(mine, *columns, title=F("enrollment__course__title"))


def _mails(contact: Contact) -> list[Row]:
    """What was sent: the words themselves are in their mailbox."""
    mine = Message.objects.filter(contact=contact, state=State.SENT)
    return _rows(mine, "subject", "address", "sent_at")


def _log(contact: Contact, user: User) -> list[Row]:
    """What happened, and from where if it was they who did it: the address of others is not theirs.

    That there were notes about them is for staff alone.
    """
    events = Event.objects.filter(contact=contact).exclude(name=Name.NOTE_DELETED)
    told = _rows(events, "name", "occurred_at", "address", "actor_id")
    for row in told:
        row["by_you"] = row.pop("actor_id") == user.pk
        row["address"] = row["address"] if row["by_you"] else None
    return told
