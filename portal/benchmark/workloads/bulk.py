"""`bulk_grant` and `bulk_revoke`: one offer, given to and taken from all who match, from the click to the last row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from accounts.models import BulkRun, Contact
from accounts.selection import Selection
from portal import jobs
from portal.benchmark.filling import fill, offer, settle
from portal.benchmark.floors import import_floor
from portal.benchmark.measuring import Figure, Goal, Workload, counted, peak_memory, timed
from portal.benchmark.workloads.importing import empty, members_file
from portal.models import Job

OFFER = 9  # nobody holds it when the people are filled in
ROUNDS = 3


def measure_grant(size: int) -> list[Figure]:
    """Give everybody an offer; each round another one."""
    return _measure(size, "grant", lambda pk: {"offer": pk, "mode": "default", "day": None})


def measure_revoke(size: int) -> list[Figure]:
    """Take from everybody an offer that was given before."""
    return _measure(size, "revoke", lambda pk: {"offer": pk, "reason": "The end of the year"})


def _measure(size: int, action: str, terms: Any) -> list[Figure]:
    path = members_file(size)
    floors = [_floor(path) for _ in range(ROUNDS)]
    empty()
    fill(size)
    given = {"if_held": "leave", "notify": True, "note": ""}
    works = list[float]()
    for round_ in range(ROUNDS):
        pk = offer(OFFER + round_).pk
        if action == "revoke":
            _run("grant", {"offer": pk, "mode": "default", "day": None} | given)
        settle()
        words = terms(pk) | (given if action == "grant" else {})
        with counted() as statements:
            works.append(timed(lambda: _run(action, words)))  # noqa: B023
        changed = BulkRun.objects.latest("pk").rows.filter(outcome="changed").count()
        if changed != Contact.objects.count():
            raise RuntimeError(f"Not everybody was changed: {changed}")
    floor, took = median(floors), median(works)
    return [
        Figure(
            size=size,
            case="",
            value=size / took,
            unit="people/s",
            floor=size / floor,
            took=took,
            statements=len(statements),
            memory=peak_memory(),
            facts={"seconds": took},
        )
    ]


def _floor(path: Path) -> float:
    empty()
    pk = offer(1).pk
    return timed(lambda: import_floor(path, offer=pk))


def _run(action: str, terms: dict[str, Any]) -> None:
    """Start it as the page does, and do it as the clock does."""
    run = BulkRun.objects.start(action=action, terms=terms, contacts=Selection().contacts())
    mine = Job.objects.filter(key=f"bulk_run:{run.pk}")
    while pks := list(mine.due().values_list("pk", flat=True)):
        for pk in pks:
            jobs.run(pk)


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 0.4, is_minimum=True)
    yield Goal("statements", now.statements, 20 + 12 * now.size / 1000, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.05 * now.size / smaller.size)


GRANT = Workload((1_000, 10_000, 100_000), measure_grant, goals)
REVOKE = Workload((1_000, 10_000, 100_000), measure_revoke, goals)
