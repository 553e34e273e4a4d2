"""The order of a course: its modules and their lessons, moved as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from django.db import connection, transaction

from offers.models import Course, Lesson, Module
from portal.events import Name, record

type Order = list[tuple[int, list[int]]]  # modules, each with its lessons, first to last


class OutOfDate(Exception):
    """The order names other modules or lessons than the course has by now."""


def present_order(course: Course) -> Order:
    """Every module and lesson of the course as they stand. Two statements."""
    modules: dict[int, list[int]] = {pk: [] for pk in course.modules.values_list("pk", flat=True)}
    for module, lesson in (
        Lesson.objects.filter(module__course=course).in_order().values_list("module_id", "pk")
    ):
        modules[module].append(lesson)
    return list(modules.items())


@transaction.atomic
def reorder(course: Course, order: Order) -> None:
    """Put all modules and lessons into `order`, lessons across modules too; places count from 1.

    Raises OutOfDate, with nothing changed, unless it names each of them once. A constant number of statements.
    """
    lock(course)
    before = present_order(course)
    if _sorted(order) != _sorted(before):
        raise OutOfDate
    _change(course, before, order)


@transaction.atomic
def move(course: Course, moved: Module | Lesson, *, by: int) -> None:
    """One place up (-1) or down (1). A lesson at the edge of its module goes into the next one; else nothing.

    Raises OutOfDate if the course does not have it any more.
    """
    lock(course)
    before = present_order(course)
    present_modules, present_lessons = _sorted(before)
    if moved.pk not in (present_modules if isinstance(moved, Module) else present_lessons):
        raise OutOfDate
    order = deepcopy(before)
    modules = [pk for pk, _lessons in order]
    if isinstance(moved, Module):
        here = modules.index(moved.pk)
        there = here + by
        if 0 <= there < len(order):
            order[here], order[there] = order[there], order[here]
    else:
        here = next(n for n, (_pk, lessons) in enumerate(order) if moved.pk in lessons)
        lessons = order[here][1]
        place = lessons.index(moved.pk)
        if 0 <= place + by < len(lessons):
            lessons[place], lessons[place + by] = lessons[place + by], lessons[place]
        elif 0 <= here + by < len(order):
            lessons.remove(moved.pk)
            beside = order[here + by][1]
            beside.insert(0 if by > 0 else len(beside), moved.pk)
    _change(course, before, order)


def _change(course: Course, before: Order, after: Order) -> None:
    """Write an order, and record it if it is another one."""
    _write(after)
    if after != before:
        record(Name.COURSE_UPDATED, **course.facts(), fields=["order"])


def settle(course: Course) -> None:
    """Close the gaps that something left behind. The caller holds the lock."""
    _write(present_order(course))


def lock(course: Course) -> None:
    """Let nobody else add to the course or order it until this transaction ends."""
    Course.objects.select_for_update(no_key=True).get(pk=course.pk)


def _sorted(order: Order) -> tuple[list[int], list[int]]:
    lessons = [pk for _module, inside in order for pk in inside]
    return sorted(pk for pk, _inside in order), sorted(lessons)


def _write(order: Order) -> None:
    modules = [pk for pk, _lessons in order]
    rows = [
        (lesson, module, place)
        for module, lessons in order
        for place, lesson in enumerate(lessons, start=1)
    ]
    columns: Sequence[Sequence[int]] = list(zip(*rows, strict=True)) if rows else [[], [], []]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE offers_module AS module SET position = wanted.place
            FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (id, place)
            WHERE module.id = wanted.id AND module.position <> wanted.place
            """,
            [modules],
        )
        cursor.execute(
            """
            UPDATE offers_lesson AS lesson
            SET module_id = wanted.module, position = wanted.place,
                -- Whoever edits it meanwhile would put it back.
                version = lesson.version + (lesson.module_id <> wanted.module)::integer
            FROM unnest(%s::bigint[], %s::bigint[], %s::integer[]) AS wanted (id, module, place)
            WHERE lesson.id = wanted.id AND (lesson.module_id, lesson.position) <> (wanted.module, wanted.place)
            """,
            [list(column) for column in columns],
        )
