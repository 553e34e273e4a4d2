"""`walk`: every page of the dashboard and whole exports, in one web process; how much it grows."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from django.urls import reverse

from accounts.models import Role, User
from portal.benchmark.dashboard import pages
from portal.benchmark.filling import fill, settle
from portal.benchmark.floors import SEEN
from portal.benchmark.learning import learn
from portal.benchmark.measuring import Figure, Goal, Workload, by_turns, counted
from portal.benchmark.web import UnexpectedAnswer, browser, cookie, site
from portal.benchmark.working import work

ROUNDS = 7
GROWTH = 200 * 1024**2
EXPORTS = ("enrollments:enrollment_export", "enrollments:contact_export")


def measure(size: int) -> list[Figure]:
    """Each page against the page floor, by turns; then all of them and the exports in a server that is watched."""
    owner = User.objects.appoint(email="alice@example.com", role=Role.OWNER)
    fill(size)
    learn(size)
    work(owner)
    settle()
    staff, urls = browser(owner), pages()
    students = User.objects.exclude(contact=None).filter(contact__blocked_at=None)
    student = browser(students.earliest("pk"))
    figures = []
    for name, url in urls.items():

        def visit(_round: int, url: str = url) -> None:
            if (status := staff.get(url).status_code) != 200:
                raise UnexpectedAnswer(f"{url} answered {status}")

        paces, works = by_turns(
            range(ROUNDS + 1),
            lambda _round: student.get(reverse("page_floor")),
            visit,
            warm_up=1,
        )
        with counted() as statements:
            visit(0)
        took, pace = median(works), median(paces)
        figures.append(
            Figure(
                size=size,
                case=name,
                value=1000 * took,
                unit="ms",
                floor=1000 * pace,
                took=took,
                pace=pace,
                statements=len(statements),
                memory=0,
            )
        )
    return [*figures, _memory(size, owner, urls)]


def _memory(size: int, owner: User, urls: dict[str, str]) -> Figure:
    """How much a web process grows by a visit to every page and by whole exports."""
    with site([cookie(owner)]) as place:
        home = urls["portal:dashboard"]
        for _ in range(8):  # so that every worker has answered once: that is idle
            place.get(home)
        idle, start = place.memory(), perf_counter()
        for url in urls.values():
            place.get(url)
        for name in EXPORTS:
            for form in ("csv", "xlsx"):
                place.post(reverse(name), {"format": form})
        grown = max(0, place.memory() - idle)
        took = perf_counter() - start
    return Figure(
        size=size,
        case="memory",
        value=grown / 1024**2,
        unit="MB",
        floor=idle / 1024**2,
        took=took,
        statements=0,
        memory=idle + grown,
    )


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    if now.case == "memory":
        yield Goal("bytes grown", now.value * 1024**2, GROWTH, is_counted=True)
        return
    yield Goal("ms", now.value, 25 * now.pace / SEEN["page"])
    if smaller:
        yield Goal("statements grown", now.statements - smaller.statements, 0, is_counted=True)


WORKLOAD = Workload((100, 100_000), measure, goals)
