"""`progress`: a student marks lessons done, and a player reports. Whole requests, by turns with the bare page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import User
from offers.models import Lesson, LessonKind
from portal.benchmark.filling import settle
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    by_turns,
    counted,
    peak_memory,
    spread,
)
from portal.benchmark.web import UnexpectedAnswer, browser
from portal.benchmark.workloads.pages import SIZES, enroll_students

WARM_UP = 25  # lessons: those of the first student

type Turn = tuple[Client, Lesson]


def measure(size: int) -> list[Figure]:
    """Sixteen students with `size` courses each go through the one they have begun, lesson by lesson."""
    course = enroll_students(courses=size).module.course
    Lesson.objects.filter(module__course=course).update(kind=LessonKind.VIDEO)
    inside = Lesson.objects.select_related("module__course").filter(module__course=course)
    lessons = list(inside.in_order())
    settle()
    students = [browser(user) for user in User.objects.exclude(contact=None).order_by("pk")]
    turns = [(student, lesson) for student in students for lesson in lessons]
    for student in students:
        student.get(reverse("portal:home"))  # notes the visit, brings the CSRF cookie
    cases: dict[str, Callable[[Turn], None]] = {
        "play": lambda turn: _post(*turn, "progress", 204, PLAYED),
        "complete": lambda turn: _post(*turn, "complete", 302, {}),
    }
    return [_figure(size, case, turns, work) for case, work in cases.items()]


PLAYED = {"position": "40.2", "duration": "600", "played": "30-40.2"}


def _figure(size: int, case: str, turns: list[Turn], work: Callable[[Turn], None]) -> Figure:
    page_floor, numbers = reverse("page_floor"), list[int]()

    def count(turn: Turn) -> None:
        with counted() as statements:
            work(turn)
        numbers.append(len(statements))

    works, floors = by_turns(turns, count, lambda turn: turn[0].get(page_floor), warm_up=WARM_UP)
    took, bottom = median(works), median(floors)
    return Figure(
        size=size,
        case=case,
        value=1 / took,
        unit="req/s",
        floor=1 / bottom,
        took=took,
        statements=round(median(numbers)),
        memory=peak_memory(),
        pace=bottom,
        facts=spread(works),
    )


def _post(student: Client, lesson: Lesson, what: str, status: int, words: dict[str, str]) -> None:
    slug = lesson.module.course.slug
    url = reverse(f"enrollments:lesson_{what}", args=[slug, lesson.pk])
    token = student.cookies[settings.CSRF_COOKIE_NAME].value
    answer = student.post(url, {**words, "csrfmiddlewaretoken": token})
    if answer.status_code != status:
        raise UnexpectedAnswer(f"{url} answered {answer.status_code}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.35, is_minimum=True)
    yield Goal("statements", now.statements, 10, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.3)
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload(SIZES, measure, goals)
