"""The comments of a lesson as a page of threads, each with its latest answers: two statements, however many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from enrollments.models import Comment
from enrollments.models.comment import CommentQuerySet

PAGE = 20  # threads, or answers of one thread
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
    roots = sight(Comment.objects.signed().filter(lesson=lesson, parent=None))
    if beyond is not None:
        roots = roots.filter(pk__gt=beyond) if is_oldest_first else roots.filter(pk__lt=beyond)
    found = list(roots.order_by("pk" if is_oldest_first else "-pk")[: PAGE + 1])
    page = Page([Thread(root) for root in found[:PAGE]])
    if len(found) > PAGE:
        page.more = f"{'after' if is_oldest_first else 'before'}={found[PAGE - 1].pk}"
    _answer(page.threads, sight)
    return page


def _answer(found: list[Thread], sight: Sight) -> None:
    """Put the latest answers to each thread. One statement."""
    place = Window(RowNumber(), partition_by=F("parent_id"), order_by=F("pk").desc())
    latest = sight(Comment.objects.signed().filter(parent__in=[thread.root.pk for thread in found]))
    replies: dict[int, list[Comment]] = defaultdict(list)
    for reply in latest.annotate(place=place).filter(place__lte=ANSWERS + 1).order_by("pk"):
        replies[reply.root_id].append(reply)
    for thread in found:
        mine = replies[thread.root.pk]
        thread.replies, thread.has_earlier = mine[-ANSWERS:], len(mine) > ANSWERS


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
