"""`contacts`: the list of contacts, its pages and its search; whole requests in this process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from urllib.parse import urlencode

from django.test import Client
from django.urls import reverse

from accounts.models import Contact, Role, Tag, User
from offers.models import Course, Offer
from portal.benchmark.filling import fill, settle
from portal.benchmark.floors import SEEN, SearchFloor
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
from portal.models import School

ROUNDS = 25
WARM_UP = 3
COUNT = "count"  # the exact number, a fragment of its own: measured apart, it may grow


def measure(size: int) -> list[Figure]:
    """Every kind of page and search the list offers, among `size` contacts."""
    fill(size)
    settle()
    staff = browser(User.objects.appoint(email="alice@example.com", role=Role.OWNER))
    someone = Contact.objects.order_by("pk")[size // 2]
    course, offer, tag = (
        noun.objects.values_list("pk", flat=True).earliest("pk") for noun in (Course, Offer, Tag)
    )
    first, last = someone.name.split(" ")
    number = someone.phone.split(" ")[-1]
    queries: dict[str, dict[str, object]] = {
        "list": {},
        "a page in the middle": {"after": someone.pk},
        "back from there": {"before": someone.pk},
        **{
            f"by {sort}": {"sort": sort, "after": someone.pk}
            for sort in ("name", "email", "last_access")
        },
        "part of a name": {"q": last[1:5]},
        "without its accents": {"q": "joao"},
        "an address": {"q": someone.email},
        "two words": {"q": f"{first} {number}"},  # so that one is found, whatever the size
        "two letters": {"q": "jo"},
        "two letters, rare": {"q": "xq"},
        "nobody": {"q": "nobody at all"},
        **{f"where {where}": {"where": where} for where in _filters()},
        "course and status": {"where": [f"course:is:{course}", "status:is:expired"]},
        "offer and status": {"where": [f"offer:is:{offer}", "status:is:inactive"]},
        "one or the other": {"where": [f"tag:is:{tag}", "status:is:expired"], "match": "any"},
    }
    lists, counts = reverse("portal:contact_list"), reverse("portal:contact_count")
    urls = {case: f"{lists}?{urlencode(query, doseq=True)}" for case, query in queries.items()}
    urls[COUNT] = counts
    student = browser(User.objects.exclude(contact=None).earliest("pk"))
    floor = SearchFloor()
    figures = []
    for case, url in urls.items():
        floors, paces, works = by_turns(
            range(WARM_UP + ROUNDS),
            lambda _round: floor.search("chloe rossi"),
            lambda _round: _get(student, reverse("page_floor")),
            lambda _round: _get(staff, url),  # noqa: B023
            warm_up=WARM_UP,
        )
        with counted() as statements:
            _get(staff, url)
        took = median(works)
        figures.append(
            Figure(
                size=size,
                case=case,
                value=1000 * took,
                unit="ms",
                floor=1000 * median(floors),
                took=took,
                statements=len(statements),
                memory=peak_memory(),
                pace=median(paces),
                facts=spread(works),
            )
        )
    return figures


def _filters() -> list[str]:
    """Each filter of the list once, as an address has it."""
    today = School.current().today()
    soon, once = today + timedelta(days=60), today - timedelta(days=60)
    return [
        "status:is:active",
        "status:is:expired",
        "status:is:inactive",
        "status:is:pending",
        "learning:is:completed",
        "portal:is:none",
        "portal:is:active",
        "portal:is:joined",
        "portal:is:blocked",
        "source:is:import",
        f"ends:before:{soon}",
        "ends:never:",
        "mail:is:bounced",
        "list:is:newsletter",
        "last_access:never:",
        f"last_access:before:{once}",
        "inactive:days:80",
    ]


def _get(staff: Client, url: str) -> None:
    if (status := staff.get(url).status_code) != 200:
        raise UnexpectedAnswer(f"{url} answered {status}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    statements = Goal("statements", now.statements, 10, is_counted=True)
    if now.case == COUNT:
        yield statements
        if smaller:
            yield Goal("growth", now.growth_from(smaller), 1.05 * now.size / smaller.size)
        return
    yield Goal("ms", now.value, 25 * now.pace / SEEN["page"])
    yield statements
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.3)


WORKLOAD = Workload((10_000, 100_000), measure, goals)
