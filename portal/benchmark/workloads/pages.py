"""Pages of students, over HTTP: eight clients with sixteen sessions, by turns with the bare page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from accounts.people import Person, add_many
from enrollments.models import Enrollment, Grant
from offers.models import Lesson, Offer
from portal.benchmark.filling import course, settle
from portal.benchmark.measuring import Figure, Goal, Workload, counted, p95, spread
from portal.benchmark.web import SESSIONS, Site, browser, cookie, site

OFFERS = 5  # that every student holds, whatever is in them
ROUNDS = 6
SECONDS = 1.0  # of each path in each round
HTML = 40_000  # bytes


def home(size: int) -> list[Figure]:
    """The home of students with `size` courses, one of them begun."""
    enroll_students(courses=size)
    settle()
    return [visit(reverse("portal:home"), size=size)]


def course_page(size: int) -> list[Figure]:
    """The course such students have begun."""
    lesson = enroll_students(courses=size)
    settle()
    page = reverse("enrollments:course_detail", args=[lesson.module.course.slug])
    return [visit(page, size=size)]


def lesson_page(size: int) -> list[Figure]:
    """The lesson they are at."""
    lesson = enroll_students(courses=size)
    settle()
    page = reverse("enrollments:lesson_detail", args=[lesson.module.course.slug, lesson.pk])
    return [visit(page, size=size)]


@transaction.atomic
def enroll_students(*, courses: int) -> Lesson:
    """One student for each session, all with the same courses of 25 lessons, dealt out over five offers.

    Returns the one lesson that all of them have opened.
    """
    offers = [
        Offer.objects.create(title=f"Offer {n}", slug=f"offer-{n}", status="active")
        for n in range(OFFERS)
    ]
    for number in range(courses):
        offers[number % OFFERS].include(course(number, modules=5, lessons=5))
    people = [Person(f"student.{n}@example.com", f"Student {n}") for n in range(SESSIONS)]
    pks = [known.pk for known in add_many(people).values()]
    for offer in offers:
        Grant.objects.grant_many(contact_ids=pks, offer=offer, source="manual", notify=False)
    begun = Lesson.objects.earliest("pk")
    for enrollment in Enrollment.objects.filter(course=begun.module.course):
        enrollment.open_lesson(begun)
    return begun


def visit(path: str, *, size: int, users: Sequence[User] = ()) -> Figure:
    """Let `users`, or else all students, visit `path` and the page floor by turns."""
    users = users or list(User.objects.exclude(contact=None).order_by("pk"))
    me = browser(users[0])
    me.get(path)  # notes the visit and compiles the templates
    with counted() as statements:
        html = me.get(path).content
    floor, page = reverse("page_floor"), path
    with site([cookie(user) for user in users]) as web:
        _warm_up(web, floor, page)
        rounds = list(web.rounds(floor, page, seconds=SECONDS, rounds=ROUNDS))
        memory = web.peak_memory()
    floor_times = [time for (_rate, times), _page in rounds for time in times]
    page_times = [time for _floor, (_rate, times) in rounds for time in times]
    # The middle one of the rounds' ratios: a round that something else disturbed does not count.
    _ratio, value, bottom = sorted(
        (page_rate / floor_rate, page_rate, floor_rate)
        for (floor_rate, _), (page_rate, _) in rounds
    )[len(rounds) // 2]
    return Figure(
        size=size,
        case="",
        value=value,
        unit="req/s",
        floor=bottom,
        took=median(page_times),
        statements=len(statements),
        memory=memory,
        facts={
            **spread(page_times),
            "floor_p95": p95(floor_times),
            "html": len(html),
        },
    )


def _warm_up(web: Site, *paths: str) -> None:
    for _round in web.rounds(*paths, seconds=SECONDS, rounds=1):
        pass


def page_goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.6, is_minimum=True)
    yield Goal("p95 to the floor's", now.facts["p95"] / now.facts["floor_p95"], 2.5)
    yield Goal("statements", now.statements, 6, is_counted=True)
    yield Goal("bytes of HTML", now.facts["html"], HTML, is_counted=True)
    if smaller:
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


SIZES = (1, 50, 500)  # courses
HOME = Workload(SIZES, home, page_goals)
COURSE = Workload(SIZES, course_page, page_goals)
LESSON = Workload(SIZES, lesson_page, page_goals)
