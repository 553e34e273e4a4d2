"""The comments of a lesson as a page of threads, each with its latest answers: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from enrollments.models import Comment
from enrollments.models.comment import CommentQuerySet

PAGE = 10  # threads, or answers of one thread
ANSWERS = 5  # of each thread of a page, the latest

type Sight = Callable[[CommentQuerySet], CommentQuerySet]  # what the reader may see


@dataclass
class Thread:
    """A comment with its answers, the first one first."""

    root: Comment
    replies: list[Comment] = field(default_factory=list)
    has_earlier: bool = False  # answers than those


@dataclass
class Page:
    """Some threads of a lesson, and where the next ones begin: "" if these were the last."""

    threads: list[Thread]
    more: str = ""


def threads(
    lesson: int, *, sight: Sight, is_oldest_first: bool = False, beyond: int | None = None
) -> Page:
    """The threads of a lesson past the one that begins with comment `beyond`. Two statements."""
    roots = sight(Comment.objects.filter(lesson=lesson, parent=None))
    if beyond is not None:
        roots = roots.filter(pk__gt=beyond) if is_oldest_first else roots.filter(pk__lt=beyond)
    replies = sight(Comment.objects.filter(parent=OuterRef("pk"))).order_by("-pk").values("pk")
    keys = roots.order_by("pk" if is_oldest_first else "-pk").values_list(
        "pk", ArraySubquery(replies[: ANSWERS + 1])
    )
    found = list(keys[: PAGE + 1])
    shown = [pk for root, answers in found[:PAGE] for pk in (root, *answers)]
    said = Comment.objects.signed().in_bulk(shown)
    page = Page(
        [
            Thread(
                said[root],
                [said[pk] for pk in answers[:ANSWERS][::-1]],
                has_earlier=len(answers) > ANSWERS,
            )
            for root, answers in found[:PAGE]
        ]
    )
    if len(found) > PAGE:
        page.more = f"{'after' if is_oldest_first else 'before'}={found[PAGE - 1][0]}"
    return page


def thread(lesson: int, pk: int, *, sight: Sight, before: int | None = None) -> Thread | None:
    """The thread that comment `pk` begins, with a page of its answers: the latest before `before`.

    None if there is none such for the reader. Two statements.
    """
    root = sight(Comment.objects.signed().filter(lesson=lesson, parent=None)).filter(pk=pk).first()
    if root is None:
        return None
    replies = sight(Comment.objects.signed().filter(parent=root)).order_by("-pk")
    if before is not None:
        replies = replies.filter(pk__lt=before)
    found = list(replies[: PAGE + 1])
    return Thread(root, found[:PAGE][::-1], has_earlier=len(found) > PAGE)
