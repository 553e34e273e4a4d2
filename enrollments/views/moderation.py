"""Staff pages of comments: all of them to look through, those of one lesson to answer, and what to hide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Exists, F, QuerySet, Value
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, asked
from accounts.models import Contact
from accounts.models.contact import SearchKey
from enrollments.models import Comment
from enrollments.models.comment import CommentQuerySet
from enrollments.views.comments import Room
from offers.models import Course, Lesson
from portal.addresses import is_pk
from portal.paging import Page, Place

PAGE = 25

STATES = {
    "": gettext_lazy("All"),
    "visible": gettext_lazy("Visible"),
    "hidden": gettext_lazy("Hidden"),
}


def named(words: str) -> QuerySet[Contact]:
    """Contacts whose name has every word. By nothing else: a moderator is not to find out addresses."""
    found = Contact.objects.matching(words).annotate(name_key=SearchKey(F("name")))
    for word in words.split():
        found = found.filter(name_key__contains=SearchKey(Value(word)))
    return found


def _page(query: dict[str, str], place: Place) -> Page[Comment]:
    """The comments at this place among those that an address asks for. Two statements."""
    found = Comment.objects.filter(deleted_at=None)
    match query.get("state"):
        case "visible":
            found = found.visible()
        case "hidden":
            found = found.filter(hidden_at__isnull=False)
    if "contact" in query:
        found = found.filter(contact=int(query["contact"]))
    shown = Comment.objects.signed().select_related("lesson__module__course", "hidden_by__contact")
    return place.page(shown.filter(pk__in=_keys(found, query, place)))


def _keys(found: CommentQuerySet, query: dict[str, str], place: Place) -> list[int]:
    """Which of `found`, of a course and of people whose name has the words of `q`. One statement."""
    lessons = Lesson.objects.order_by()
    if "course" in query:
        lessons = lessons.filter(module__course=int(query["course"]))
        if "q" in query or "contact" in query:
            found = found.filter(lesson__module__course=int(query["course"]))
    if "q" in query:
        return place.keys(found, by="contact", of=named(query["q"]).order_by())
    if "course" in query and "contact" not in query:
        return place.keys(found, by="lesson", of=lessons)
    return list(place.cut(found).values_list("pk", flat=True))


def _query(request: StaffRequest) -> dict[str, str]:
    """What is asked for, as far as it can be understood."""
    given = {"q": asked(request), "state": request.GET.get("state", "")}
    query = {name: value for name, value in given.items() if value}
    if query.get("state") not in STATES:
        query.pop("state", None)
    for name in ("contact", "course"):
        if is_pk(value := request.GET.get(name, "")):
            query[name] = value
    return query


def _person(request: StaffRequest, pk: int) -> Contact | None:
    """Whose comments are asked for. Who may not see contacts learns no name but of those who said something."""
    people = Contact.objects.filter(pk=pk)
    if not request.user.may("view_contacts"):
        people = people.filter(Exists(Comment.objects.filter(contact=pk)))
    return people.first()


@staff_required("moderate")
def moderation_list(request: StaffRequest) -> HttpResponse:
    """Comments on all lessons, newest first: all, of one person, of a course, hidden."""
    query = _query(request)
    contact = _person(request, int(query["contact"])) if "contact" in query else None
    kept = {name: value for name, value in query.items() if name != "state"}
    context: dict[str, Any] = {
        "page": _page(query, Place(request.GET, size=PAGE)),
        "query": query,
        "contact": contact,
        "courses": Course.objects.order_by("title", "pk"),
        "tabs": [
            {
                "label": label,
                "url": "?" + urlencode(kept | ({"state": state} if state else {})),
                "is_current": state == query.get("state", ""),
            }
            for state, label in STATES.items()
        ],
    }
    return render(request, "enrollments/dashboard/moderation_list.html", context)


@staff_required("moderate")
def moderation_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """The comments of one lesson, hidden ones too, and a form to write as the school."""
    lesson = get_object_or_404(Lesson.objects.select_related("module__course"), pk=pk)
    room = Room(
        lesson=pk,
        url=reverse("enrollments:moderation_detail", args=[pk]),
        sight=CommentQuerySet.kept,
        contact=None,
        page="enrollments/dashboard/moderation_detail.html",
        words={"lesson": lesson},
    )
    return room.answer(request)


def _set(request: StaffRequest, pk: int, *, hidden: bool) -> HttpResponse:
    comment = get_object_or_404(Comment.objects.signed(), pk=pk, deleted_at=None)
    if hidden:
        comment.hide()
    else:
        comment.show()
    if request.htmx:
        return render(request, "components/comment.html", {"comment": comment, "room": None})
    text = _("The comment is hidden.") if hidden else _("The comment is shown again.")
    messages.success(request, text)
    url = reverse("enrollments:moderation_detail", args=[comment.lesson_id])
    return redirect(f"{url}?thread={comment.root_id}#comment-{comment.pk}")


@require_POST
@staff_required("moderate")
def comment_hide(request: StaffRequest, pk: int) -> HttpResponse:
    """Let only staff see a comment. Twice is harmless."""
    return _set(request, pk, hidden=True)


@require_POST
@staff_required("moderate")
def comment_show(request: StaffRequest, pk: int) -> HttpResponse:
    """Let everybody see a hidden comment again. Twice is harmless."""
    return _set(request, pk, hidden=False)
