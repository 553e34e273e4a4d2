"""Comment: what people say below a lesson, and what others answer there."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Self

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact, User
from offers.models import Lesson
from portal import context
from portal.events import Name, record
from portal.models import School

MOMENT = timedelta(minutes=1)
MOST_IN_A_MOMENT = 10  # comments of one person


class TooMany(Exception):
    """Somebody writes too much at once. `seconds`: when they may go on."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"in {seconds} seconds")
        self.seconds = seconds


class CommentQuerySet(models.QuerySet["Comment"]):
    def visible(self) -> Self:
        """Neither hidden by staff nor taken back by who wrote them."""
        return self.filter(hidden_at=None, deleted_at=None)

    def shown_to(self, user: User) -> Self:
        """visible(); and, to say what became of them, what has visible answers, and their own that are hidden."""
        answered = Comment.objects.visible().filter(parent=OuterRef("pk"))
        their_own = Q(author=user, deleted_at=None)
        return self.filter(Q(hidden_at=None, deleted_at=None) | Exists(answered) | their_own)

    def kept(self) -> Self:
        """What staff read: all but what was taken back; where that has answers, that there was something."""
        answered = Comment.objects.filter(parent=OuterRef("pk"), deleted_at=None)
        return self.filter(Q(deleted_at=None) | Exists(answered))

    def signed(self) -> Self:
        """With their authors, so that naming them asks nothing more."""
        return self.select_related("author__contact")

    @transaction.atomic
    def write(
        self,
        *,
        lesson: Lesson,
        author: User,
        text: str,
        contact: Contact | None = None,
        parent: Comment | None = None,
    ) -> Comment:
        """Put a comment below a lesson, or below another comment there, and record `comment.created`.

        `contact` is the author as a student; staff write without one. The same words at the same
        place within a minute are a double click: they are there once, and nothing more is
        recorded. Raises TooMany past ten comments a minute.
        """
        User.objects.select_for_update(no_key=True).get(
            pk=author.pk
        )  # one at a time, to count them
        at = now()
        latest = self.filter(author=author, created_at__gt=at - MOMENT)
        same = latest.filter(lesson=lesson, parent=parent, text=text)
        if found := same.first():
            return found
        times = list(latest.order_by("-pk").values_list("created_at", flat=True)[:MOST_IN_A_MOMENT])
        if len(times) == MOST_IN_A_MOMENT:
            raise TooMany(ceil((times[-1] + MOMENT - at).total_seconds()))
        comment = self.create(
            lesson=lesson, author=author, contact=contact, parent=parent, text=text, created_at=at
        )
        record(
            Name.COMMENT_CREATED,
            contact=contact,
            lesson=lesson.pk,
            comment=comment.pk,
            parent=comment.parent_id,
        )
        return comment


class Comment(models.Model):
    """What somebody wrote below a lesson, or as an answer to what another wrote there."""

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    # The author as a student; empty for staff.
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, related_name="comments", db_index=False
    )
    # Answers are one level deep: a parent has none itself.
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, related_name="replies", db_index=False
    )
    text = models.TextField(gettext_lazy("comment"), max_length=5_000)
    created_at = models.DateTimeField(default=now)
    hidden_at = models.DateTimeField(null=True)
    hidden_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    deleted_at = models.DateTimeField(null=True)  # by who wrote it

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # With what decides who sees it: the newest of a lesson or a person are found by these alone.
            models.Index(
                fields=["lesson", "-id"],
                include=["hidden_at", "deleted_at"],
                name="comment_by_lesson",
            ),
            models.Index(
                fields=["contact", "-id"],
                include=["hidden_at", "deleted_at"],
                name="comment_by_contact",
            ),
            models.Index(fields=["author", "-id"], name="comment_by_author"),
            # A page of threads, however many answers lie between; and the latest answers of each.
            models.Index(
                fields=["lesson", "-id"], condition=Q(parent=None), name="comment_threads"
            ),
            models.Index(fields=["parent", "-id"], name="comment_answers"),
            # The few that staff look through.
            models.Index(
                fields=["lesson", "-id"],
                condition=Q(hidden_at__isnull=False, deleted_at=None),
                name="comment_hidden",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def root_id(self) -> int:
        """The comment its thread begins with."""
        return self.parent_id or self.pk

    @property
    def is_visible(self) -> bool:
        return self.hidden_at is None and self.deleted_at is None

    @property
    def is_of_school(self) -> bool:
        """Whether it is staff who speaks."""
        return self.contact_id is None or self.author.is_staff

    @property
    def picture_url(self) -> str:
        """The author's picture, if they gave one. Who may see it is the affair of `access`."""
        person = self.author.contact
        if person is None or person.picture_id is None:
            return ""
        return reverse("enrollments:file_detail", args=[person.picture_id])

    @property
    def signature(self) -> str:
        """The name it is signed with, for everybody to read: never an address."""
        person = self.author.contact
        name = (person.name if person else "") or self.author.name
        return name or (_("A student") if self.contact_id else School.current().name)

    @transaction.atomic
    def hide(self) -> None:
        """Show it to staff alone from now on, and record `comment.hidden`. Hiding twice is harmless."""
        shown = Comment.objects.filter(pk=self.pk, hidden_at=None)
        if shown.update(hidden_at=now(), hidden_by=context.actor()):
            self._tell(Name.COMMENT_HIDDEN)

    @transaction.atomic
    def show(self) -> None:
        """Show it to everybody again, and record `comment.shown`. Showing twice is harmless."""
        hidden = Comment.objects.filter(pk=self.pk, hidden_at__isnull=False)
        if hidden.update(hidden_at=None, hidden_by=None):
            self._tell(Name.COMMENT_SHOWN)

    @transaction.atomic
    def take_back(self) -> None:
        """Who wrote it no longer says so: its words are gone, the answers stay. Twice is harmless."""
        mine = Comment.objects.filter(pk=self.pk, deleted_at=None)
        if mine.update(deleted_at=now(), text=""):
            self._tell(Name.COMMENT_TAKEN_BACK)

    def _tell(self, name: Name) -> None:
        self.refresh_from_db(fields=["text", "hidden_at", "hidden_by", "deleted_at"])
        record(
            name,
            contact=self.contact_id,
            lesson=self.lesson_id,
            comment=self.pk,
            parent=self.parent_id,
        )
