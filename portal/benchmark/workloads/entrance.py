"""`link_request` and `link_use`: a link is asked for, opened, and somebody comes in by it. By turns with the bare page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import Link, User
from accounts.models.link import Purpose
from portal.benchmark.filling import fill, settle
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    by_turns,
    counted,
    peak_memory,
    spread,
)
from portal.benchmark.web import UnexpectedAnswer, browser, stranger

ROUNDS = 60
WARM_UP = 5


def measure_request(size: int) -> list[Figure]:
    """Among `size` people, known addresses and unknown ones ask for a link at the login page."""
    fill(size)
    settle()
    students, ask = _students(), stranger()
    page = reverse("accounts:login_mail")
    ask.get(page)  # brings the CSRF cookie

    def asking(email: str) -> None:
        # Each from an address of its own: one alone may not ask so often.
        client = ".".join(str(part) for part in (10, *numbers.pop().to_bytes(3)))
        _post(ask, page, {"login": email}, REMOTE_ADDR=client)

    numbers = list(range(2 * (WARM_UP + ROUNDS)))
    return _figures(
        size,
        students,
        {
            "known": lambda user: asking(user.email),
            "unknown": lambda user: asking(f"{user.pk}@nobody.example.com"),
        },
    )


def measure_use(size: int) -> list[Figure]:
    """Among `size` people, some open the link they were mailed and log in by it, each in a fresh browser."""
    fill(size)
    students = _students()
    made = Link.objects.request_many(
        students, purpose=Purpose.LOGIN, delivery="mail", key="benchmark"
    )
    settle()
    links = {link.user_id: urlsplit(link.url).path for link in made}
    visitor = stranger()

    def open_link(user: User) -> None:
        visitor.cookies.clear()  # somebody else's browser from here on
        if (status := visitor.get(links[user.pk]).status_code) != 200:
            raise UnexpectedAnswer(f"A mailed link answered {status}")

    def use_link(user: User) -> None:
        _post(visitor, links[user.pk], {})

    return _figures(size, students, {"open": open_link, "use": use_link})


def _students() -> Sequence[User]:
    """Some of those whom the portal lets in."""
    students = User.objects.filter(contact__blocked_at=None).exclude(contact=None)
    return list(students.select_related("contact").order_by("pk")[: WARM_UP + ROUNDS])


def _figures(
    size: int, students: Sequence[User], cases: dict[str, Callable[[User], None]]
) -> list[Figure]:
    """Each case with each student, by turns with a bare page of the first of them."""
    me, page_floor = browser(students[0]), reverse("page_floor")
    numbers = {case: list[int]() for case in cases}

    def noting(case: str) -> Callable[[User], None]:
        def work(user: User) -> None:
            with counted() as statements:
                cases[case](user)
            numbers[case].append(len(statements))

        return work

    floors, *works = by_turns(
        students,
        lambda _user: me.get(page_floor),
        *map(noting, cases),
        warm_up=min(WARM_UP, len(students) // 2),
    )
    figures = [
        Figure(
            size=size,
            case=case,
            value=1 / median(times),
            unit="req/s",
            floor=1 / median(floors),
            took=median(times),
            statements=round(median(numbers[case])),
            memory=peak_memory(),
            pace=median(floors),
            facts=spread(times),
        )
        for case, times in zip(cases, works, strict=True)
    ]
    for figure in figures:
        figure.facts["statements_apart"] = abs(figure.statements - figures[0].statements)
    return figures


def _post(client: Client, page: str, words: dict[str, str], **environ: Any) -> None:
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    answer = client.post(page, {**words, "csrfmiddlewaretoken": token}, **environ)
    if answer.status_code != 302:
        raise UnexpectedAnswer(f"{page} answered {answer.status_code}")


def request_goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.5, is_minimum=True)
    if now.case == "unknown":  # or else the page would tell who is known
        apart = now.facts["statements_apart"]
        yield Goal("statements apart from known", apart, 0, is_counted=True)
    yield from _flat(now, smaller)


def use_goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.35, is_minimum=True)
    yield from _flat(now, smaller)


def _flat(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.3)
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


SIZES = (1_000, 10_000, 100_000)
REQUEST = Workload(SIZES, measure_request, request_goals)
USE = Workload(SIZES, measure_use, use_goals)
