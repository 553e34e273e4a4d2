"""The release rules of a course in words, and what follows from them that nobody meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offers.models import Completion, Course, Lesson, LessonKind
from offers.models.course import Released

type Needs = dict[int, set[int]]  # lesson -> the lessons that must be done before it


def in_words(released: Released, required: Iterable[Lesson] = ()) -> list[str]:
    """When something opens: "7 days after enrollment", "from 3 Dec 2026", "after “Quiz 1”". Empty: at once."""
    words = []
    if released.opens_after is not None:
        text = ngettext(
            "%(number)d day after enrollment",
            "%(number)d days after enrollment",
            released.opens_after,
        )
        words.append(text % {"number": released.opens_after})
    if released.opens_on:
        words.append(_("from %(day)s") % {"day": date_format(released.opens_on)})
    if titles := _quoted(required):
        words.append(_("after %(lessons)s") % {"lessons": titles})
    return words


def circle(needs: Mapping[int, set[int]]) -> list[int]:
    """Lessons of which each is needed by the next and the last by the first; [] if there is no such circle."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        ring: list[int] = error.args[1]
        return ring[:-1]  # the first is named again at the end
    return []


def circle_sentence(lessons: Sequence[Lesson]) -> str:
    """Lessons that wait for each other, told in a sentence."""
    return _("%(lessons)s wait for each other: none of them would ever open.") % {
        "lessons": _quoted(lessons)
    }


def order_sentence(lessons: Sequence[Lesson]) -> str:
    """Lessons that wait for each other because the course goes in order, told in a sentence."""
    return _(
        "%(lessons)s wait for each other, for this course goes in order: none of them would ever open."
    ) % {"lessons": _quoted(lessons)}


def needs_in_order(course: Course, lessons: Sequence[Lesson], needs: Needs) -> Needs:
    """`needs` of published lessons, and what the course's own order adds. `lessons` are in order.

    Each needs the counted lesson before it, and with that all the others.
    """
    shown = [lesson for lesson in lessons if lesson.is_published]
    known = {lesson.pk for lesson in shown}
    found = {lesson.pk: needs.get(lesson.pk, set()) & known for lesson in shown}
    if course.enforces_order:
        before: set[int] = set()
        for lesson in shown:
            found[lesson.pk] |= before
            if _counts(course, lesson):
                before = {lesson.pk}
    return found


def consequences(course: Course, lessons: Sequence[Lesson], needs: Needs) -> Iterator[str]:
    """What the rules of a course lead to, where that is hardly meant. `lessons` are all of it, in order."""
    by_pk = {lesson.pk: lesson for lesson in lessons}
    shown = [lesson for lesson in lessons if lesson.is_published]
    if lessons and not shown:
        yield _("Every lesson is a draft: students see an empty course.")
    elif shown and not any(_counts(course, lesson) for lesson in shown):
        yield _("Only the quizzes count and no quiz is published: nobody can complete this course.")
    for lesson in shown:
        if lesson.kind == LessonKind.QUIZ and not getattr(lesson, "question_count", 1):
            yield _("“%(lesson)s” has no questions: nobody can pass it.") % {"lesson": lesson}
        drafts = [by_pk[pk] for pk in sorted(needs.get(lesson.pk, ())) if pk in by_pk]
        if drafts := [required for required in drafts if not required.is_published]:
            yield _("“%(lesson)s” does not wait for %(drafts)s as long as that is a draft.") % {
                "lesson": lesson,
                "drafts": _quoted(drafts),
            }
    if found := circle(needs_in_order(course, lessons, needs)):
        ring = [by_pk[pk] for pk in found]
        if circle({pk: needs.get(pk, set()) & set(found) for pk in found}):
            yield circle_sentence(ring)
        else:
            yield order_sentence(ring)


def _counts(course: Course, lesson: Lesson) -> bool:
    return course.completion != Completion.QUIZ or lesson.kind == LessonKind.QUIZ


def _quoted(lessons: Iterable[Lesson]) -> str:
    return str(get_text_list([f"“{lesson}”" for lesson in lessons], _("and")))
