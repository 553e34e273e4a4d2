"""Comments below a lesson: one page and one fragment, for the students and for the staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import student_required
from accounts.http import StaffRequest, StudentRequest, is_pk, posted
from accounts.models import Contact
from enrollments.forms.comment import CommentForm
from enrollments.models import Comment
from enrollments.models.comment import TooMany
from enrollments.outline import Study
from enrollments.threads import Page, Sight, Thread, thread, threads
from enrollments.views.student import lesson_locked, lesson_or_404, study_or_404


@dataclass(frozen=True)
class Room:
    """The comments of one lesson, as somebody reads and writes them."""

    lesson: int
    url: str
    sight: Sight
    contact: Contact | None  # as whom they write; staff write as themselves
    page: str  # template
    words: dict[str, Any]  # of the page
    slug: str = ""  # of the course, in the portal

    def answer(self, request: StudentRequest | StaffRequest) -> HttpResponse:
        """Show a page of them; a POST writes one. htmx is given the part that changes."""
        form = CommentForm(posted(request), lesson=self.lesson)
        if form.is_valid():
            try:
                comment = form.save(author=request.user, contact=self.contact)
            except TooMany as refusal:
                return self._refuse(request, form, refusal)
            return self._written(request, comment)
        return self._show(request, form)

    def _written(self, request: StudentRequest | StaffRequest, comment: Comment) -> HttpResponse:
        if not request.htmx:
            messages.success(request, _("Your comment is posted."))
            query = f"?thread={comment.parent_id}" if comment.parent_id else ""
            return redirect(f"{self.url}{query}#comment-{comment.pk}")
        form = CommentForm(lesson=self.lesson)
        if comment.parent_id:
            return self._show_thread(request, form, comment.parent_id, is_posted=True)
        page = threads(self.lesson, sight=self.sight)
        return self._render(request, form, page, is_posted=True)

    def _refuse(
        self, request: StudentRequest | StaffRequest, form: CommentForm, refusal: TooMany
    ) -> HttpResponse:
        text = ngettext(
            "That is a lot at once. Wait %(seconds)d second, then post it again: your text is still here.",
            "That is a lot at once. Wait %(seconds)d seconds, then post it again: your text is still here.",
            refusal.seconds,
        )
        form.add_error(None, text % {"seconds": refusal.seconds})
        response = self._show(request, form)
        response.status_code = 429
        response["Retry-After"] = str(refusal.seconds)
        return response

    def _show(self, request: StudentRequest | StaffRequest, form: CommentForm) -> HttpResponse:
        asked = request.GET.get("thread", "")
        if form.answered is not None:
            return self._show_thread(request, form, form.answered)
        if is_pk(asked):
            return self._show_thread(request, form, int(asked))
        is_oldest_first = request.GET.get("order") == "oldest"
        beyond = request.GET.get("after" if is_oldest_first else "before", "")
        page = threads(
            self.lesson,
            sight=self.sight,
            is_oldest_first=is_oldest_first,
            beyond=int(beyond) if is_pk(beyond) else None,
        )
        return self._render(request, form, page, is_oldest_first=is_oldest_first)

    def _show_thread(
        self,
        request: StudentRequest | StaffRequest,
        form: CommentForm,
        pk: int,
        *,
        is_posted: bool = False,
    ) -> HttpResponse:
        before = request.GET.get("before", "")
        found = thread(
            self.lesson, pk, sight=self.sight, before=int(before) if is_pk(before) else None
        )
        if found is None:
            messages.info(request, _("That comment is not there any more."))
            return redirect(self.url)
        if request.htmx and request.method == "POST":
            context = {"room": self, "form": form, "thread": found, "is_posted": is_posted}
            return render(request, "components/thread.html", context)
        return self._render(request, form, Page([found]), thread=found)

    def _render(
        self,
        request: StudentRequest | StaffRequest,
        form: CommentForm,
        page: Page,
        *,
        thread: Thread | None = None,
        **words: bool,
    ) -> HttpResponse:
        context = {"room": self, "form": form, "page": page, "thread": thread, **words}
        if not request.htmx:
            return render(request, self.page, context | self.words)
        response = render(request, "components/talk.html", context)
        if request.method == "POST":  # an answer asks for its thread alone
            response["HX-Retarget"] = "#comments"
        return response


def _trail(study: Study, pk: int, title: str) -> list[tuple[str, str]]:
    slug = study.course.slug
    return [
        (study.course.title, reverse("enrollments:course_detail", args=[slug])),
        (title, reverse("enrollments:lesson_detail", args=[slug, pk])),
    ]


@student_required
def comment_list(request: StudentRequest, slug: str, pk: int) -> HttpResponse:
    """What is said below a lesson that is open to the student, and a form to say something."""
    study = study_or_404(request, slug)
    lesson = lesson_or_404(study, pk)
    if not lesson.is_open:
        return lesson_locked(request, study, lesson)
    room = Room(
        lesson=pk,
        slug=slug,
        url=reverse("enrollments:comment_list", args=[slug, pk]),
        sight=lambda comments: comments.shown_to(request.user),
        contact=request.contact,
        page="enrollments/student/comment_list.html",
        words={"lesson": lesson, "trail": _trail(study, pk, lesson.title)},
    )
    return room.answer(request)


@student_required
def comment_take_back(request: StudentRequest, slug: str, lesson_pk: int, pk: int) -> HttpResponse:
    """Take back a comment of one's own; GET asks."""
    study = study_or_404(request, slug)
    lesson = lesson_or_404(study, lesson_pk)
    if not lesson.is_open:
        return lesson_locked(request, study, lesson)
    mine = Comment.objects.filter(lesson=lesson_pk, author=request.user, deleted_at=None)
    comment = get_object_or_404(mine, pk=pk)
    url = reverse("enrollments:comment_list", args=[slug, lesson_pk])
    if request.method == "POST":
        comment.take_back()
        messages.success(request, _("Your comment is taken back."))
        return redirect(url)
    context = {
        "comment": comment,
        "cancel_url": f"{url}?thread={comment.root_id}",
        "trail": _trail(study, lesson_pk, lesson.title),
    }
    return render(request, "enrollments/student/comment_take_back.html", context)
