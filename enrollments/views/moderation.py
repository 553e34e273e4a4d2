"""Staff pages of comments: all of them to look through, those of one lesson to answer, and what to hide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import F, QuerySet, Value
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, asked, is_pk
from accounts.models import Contact
from accounts.models.contact import SearchKey
from enrollments.models import Comment
from enrollments.models.comment import CommentQuerySet
from enrollments.views.comments import Room
from offers.models import Course, Lesson

PAGE = 50

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


def _chosen(query: dict[str, str]) -> CommentQuerySet:
    """The comments that an address asks for, newest first."""
    found = Comment.objects.filter(deleted_at=None).order_by("-pk")
    if "contact" in query:
        found = found.filter(contact=int(query["contact"]))
    if "course" in query:
        found = found.filter(lesson__module__course=int(query["course"]))
    if "q" in query:
        # Looked up first: as a subquery, PostgreSQL asks it of one comment after the other.
        people = list(named(query["q"]).values_list("pk", flat=True))
        found = found.filter(contact__pk__any_of=people)
    match query.get("state"):
        case "visible":
            return found.visible()
        case "hidden":
            return found.filter(hidden_at__isnull=False)
    return found


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


@staff_required("moderate")
def moderation_list(request: StaffRequest) -> HttpResponse:
    """Comments on all lessons, newest first: all, of one person, of a course, hidden. Keyset paging."""
    query = _query(request)
    rows = _chosen(query).signed().select_related("lesson__module__course", "hidden_by__contact")
    before = request.GET.get("before", "")
    if is_pk(before):
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE + 1])
    contact = Contact.objects.filter(pk=query["contact"]).first() if "contact" in query else None
    kept = {name: value for name, value in query.items() if name != "state"}
    context: dict[str, Any] = {
        "comments": page[:PAGE],
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
        "next_url": "?" + urlencode(query | {"before": page[PAGE - 1].pk})
        if len(page) > PAGE
        else "",
        "prev_url": "?" + urlencode(query) if is_pk(before) else "",
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
