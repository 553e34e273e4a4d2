"""`grant`: staff grant an offer in the dashboard. The whole request, middleware and CSRF and all, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import Contact, Role, User
from offers.models import Offer
from portal.benchmark.filling import fill, offer, settle
from portal.benchmark.floors import GrantFloor
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

ROUNDS = 60
WARM_UP = 5


def measure(size: int) -> list[Figure]:
    """Among `size` people with three grants each, some are granted a fourth offer, then the same again."""
    fill(size)
    given, floor = offer(4), GrantFloor(offer=offer(5).pk)
    settle()
    staff = browser(User.objects.appoint(email="alice@example.com", role=Role.OWNER))
    people = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[: WARM_UP + ROUNDS])
    staff.get(_url(people[0]))  # brings the CSRF cookie
    figures = []
    for case in ("new", "repeat"):
        with counted() as statements:
            floors, works = by_turns(
                people,
                lambda pk: floor.grant(pk, source=case),  # noqa: B023
                lambda pk: _grant(staff, pk, given),
                warm_up=min(WARM_UP, len(people) // 2),
            )
        took, bottom = median(works), median(floors)
        figures.append(
            Figure(
                size=size,
                case=case,
                value=1000 * took,
                unit="ms",
                floor=1000 * bottom,
                took=took,
                statements=round(len(statements) / len(people)),
                memory=peak_memory(),
                pace=bottom,
                facts=spread(works),
            )
        )
    return figures


def _url(contact: int) -> str:
    return reverse("enrollments:grant_create", args=[contact])


def _grant(staff: Client, contact: int, given: Offer) -> None:
    answer = staff.post(
        _url(contact),
        {
            f"offer_{given.pk}": "on",
            "notify": "on",
            "csrfmiddlewaretoken": staff.cookies[settings.CSRF_COOKIE_NAME].value,
        },
    )
    if answer.status_code != 302:
        raise UnexpectedAnswer(f"{_url(contact)} answered {answer.status_code}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 12)
    yield Goal("statements", now.statements, 12, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.3)
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload((1_000, 10_000, 100_000), measure, goals)
