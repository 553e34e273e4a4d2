"""Comments below a lesson: one page and one fragment, for the students and for the staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.decorators import student_required
from accounts.http import StaffRequest, StudentRequest, posted
from accounts.models import Contact
from enrollments.decorators import open_lesson_required
from enrollments.forms.comment import CommentForm
from enrollments.locks import Standing
from enrollments.models import Comment
from enrollments.models.comment import TooMany
from enrollments.outline import Study
from enrollments.threads import PAGE, Sight, Talk, Thread, thread, threads
from portal.addresses import is_pk
from portal.paging import Place


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
        talk = threads(self.lesson, sight=self.sight, place=Place(QueryDict(), size=PAGE))
        return self._render(request, form, talk, is_posted=True)

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
        place = Place(request.GET, size=PAGE, order="pk" if is_oldest_first else "-pk")
        talk = threads(self.lesson, sight=self.sight, place=place)
        return self._render(request, form, talk, is_oldest_first=is_oldest_first)

    def _show_thread(
        self,
        request: StudentRequest | StaffRequest,
        form: CommentForm,
        pk: int,
        *,
        is_posted: bool = False,
    ) -> HttpResponse:
        found = thread(self.lesson, pk, sight=self.sight, place=Place(request.GET, size=PAGE))
        if found is None:
            messages.info(request, _("That comment is not there any more."))
            return redirect(self.url)
        if request.htmx and request.method == "POST":
            context = {"room": self, "form": form, "thread": found, "is_posted": is_posted}
            return render(request, "components/thread.html", context)
        return self._render(request, form, Talk([found]), thread=found)

    def _render(
        self,
        request: StudentRequest | StaffRequest,
        form: CommentForm,
        talk: Talk,
        *,
        thread: Thread | None = None,
        **words: bool,
    ) -> HttpResponse:
        context = {"room": self, "form": form, "talk": talk, "thread": thread, **words}
        if not request.htmx:
            return render(request, self.page, context | self.words)
        response = render(request, "components/talk.html", context)
        if request.method == "POST":  # an answer asks for its thread alone
            response["HX-Retarget"] = "#comments"
        return response


@student_required
@open_lesson_required
def comment_list(request: StudentRequest, study: Study, lesson: Standing) -> HttpResponse:
    """What is said below a lesson that is open to the student, and a form to say something."""
    room = Room(
        lesson=lesson.id,
        slug=study.course.slug,
        url=reverse("enrollments:comment_list", args=[study.course.slug, lesson.id]),
        sight=lambda comments: comments.shown_to(request.user),
        contact=request.contact,
        page="enrollments/student/comment_list.html",
        words={"lesson": lesson, "trail": study.trail(lesson)},
    )
    return room.answer(request)


@student_required
@open_lesson_required
def comment_take_back(
    request: StudentRequest, study: Study, lesson: Standing, comment_pk: int
) -> HttpResponse:
    """Take back a comment of one's own; GET asks."""
    mine = Comment.objects.filter(lesson=lesson.id, author=request.user, deleted_at=None)
    comment = get_object_or_404(mine, pk=comment_pk)
    url = reverse("enrollments:comment_list", args=[study.course.slug, lesson.id])
    if request.method == "POST":
        comment.take_back()
        messages.success(request, _("Your comment is taken back."))
        return redirect(url)
    context = {
        "comment": comment,
        "cancel_url": f"{url}?thread={comment.root_id}",
        "trail": study.trail(lesson),
    }
    return render(request, "enrollments/student/comment_take_back.html", context)
