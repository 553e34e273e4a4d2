"""The comments of a lesson as a page of threads, each with its latest answers: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from enrollments.models import Comment
from enrollments.models.comment import CommentQuerySet
from portal.paging import Page, Place

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
class Talk:
    """Some threads of a lesson, and what the address of the next ones asks for: "" if these were the last."""

    threads: list[Thread]
    more: str = ""


def threads(lesson: int, *, sight: Sight, place: Place) -> Talk:
    """The threads of a lesson at this place. Two statements."""
    roots = sight(Comment.objects.filter(lesson=lesson, parent=None))
    replies = sight(Comment.objects.filter(parent=OuterRef("pk"))).order_by("-pk").values("pk")
    answers = ArraySubquery(replies[: ANSWERS + 1])
    page: Page[Any] = place.page(roots.only("pk").annotate(answers=answers))
    shown = [pk for root in page.rows for pk in (root.pk, *root.answers)]
    said = Comment.objects.signed().in_bulk(shown)
    return Talk(
        [
            Thread(
                said[root.pk],
                [said[pk] for pk in root.answers[:ANSWERS][::-1]],
                has_earlier=len(root.answers) > ANSWERS,
            )
            for root in page.rows
        ],
        more=page.next_url,
    )


def thread(lesson: int, pk: int, *, sight: Sight, place: Place) -> Thread | None:
    """The thread that comment `pk` begins, with the page of its answers at this place.

    None if there is none such for the reader. Two statements.
    """
    root = sight(Comment.objects.signed().filter(lesson=lesson, parent=None)).filter(pk=pk).first()
    if root is None:
        return None
    page = place.page(sight(Comment.objects.signed().filter(parent=root)))
    return Thread(root, page.rows[::-1], has_earlier=bool(page.next_url))
