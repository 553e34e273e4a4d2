"""`upload`: the answer to a members file in the dashboard. It keeps the file and reads no more than its head."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from offers.models import Offer
from portal.benchmark.filling import fill, offer
from portal.benchmark.floors import SEEN
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    by_turns,
    counted,
    p95,
    peak_memory,
    spread,
)
from portal.benchmark.web import UnexpectedAnswer, browser
from portal.benchmark.workloads.importing import members_file

ROUNDS = 20
WARM_UP = 2


def measure(size: int) -> list[Figure]:
    """Whole requests, with a file of `size` members each; the floor is a bare page."""
    content, given = members_file(size).read_bytes(), offer(1)
    fill(1)
    staff = browser(User.objects.appoint(email="alice@example.com", role=Role.OWNER))
    staff.get(reverse("enrollments:import_create"))  # brings the CSRF cookie
    student = browser(User.objects.exclude(contact=None).earliest("pk"))
    floors, works = by_turns(
        range(WARM_UP + ROUNDS),
        lambda _round: student.get(reverse("page_floor")),
        lambda _round: _upload(staff, content, given),
        warm_up=WARM_UP,
    )
    with counted() as statements:
        _upload(staff, content, given)
    return [
        Figure(
            size=size,
            case="",
            value=1000 * p95(works),
            unit="ms p95",
            floor=1000 * median(floors),
            took=median(works),
            statements=len(statements),
            memory=peak_memory(),
            facts=spread(works),
        )
    ]


def _upload(staff: Client, content: bytes, given: Offer) -> None:
    answer = staff.post(
        reverse("enrollments:import_create"),
        {
            "file": SimpleUploadedFile("members.csv", content),
            "contents": f"offer:{given.pk}",
            "if_held": "set",
            "csrfmiddlewaretoken": staff.cookies[settings.CSRF_COOKIE_NAME].value,
        },
    )
    if answer.status_code != 302:
        raise UnexpectedAnswer(f"The upload answered {answer.status_code}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    slowness = max(1.0, now.floor / 1000 / SEEN["page"])
    yield Goal("p95 in ms", now.value, 300 * slowness)
    if smaller:
        yield Goal("more statements", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload((1_000, 10_000, 50_000), measure, goals)
