"""`import`: new people with a grant each, from a file on disk, with report, events and outbox rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from django.conf import settings
from django.db import connection

from enrollments.importing import import_members
from enrollments.members_file import open_sheet
from offers.models import Offer
from portal.benchmark.filling import FIRST_NAMES, LAST_NAMES, offer
from portal.benchmark.floors import SEEN, import_floor
from portal.benchmark.measuring import Figure, Goal, Workload, counted, peak_memory, timed

ROWS = 20_000  # small files are imported several times, until about so many rows are
MEMORY = 300 * 1024**2


def measure(size: int) -> list[Figure]:
    """Floor and import by turns, each into empty tables."""
    path, given = members_file(size), offer(1)
    floors, works, progress = [], [], []
    for _ in range(min(3, max(1, ROWS // size))):
        empty()
        floors.append(timed(lambda: import_floor(path, offer=given.pk)))
        empty()
        start, heard = perf_counter(), list[float]()
        with counted() as statements:
            _import(path, given, heard)
        works.append(perf_counter() - start)
        progress.append(heard[0] - start)
    floor, took = median(floors), median(works)
    return [
        Figure(
            size=size,
            case="",
            value=size / took,
            unit="rows/s",
            floor=size / floor,
            took=took,
            statements=len(statements),
            memory=peak_memory(),
            facts={"seconds": took, "first_progress": median(progress)},
        )
    ]


def members_file(size: int) -> Path:
    """A file as a school would upload it."""
    path = settings.VAR / f"members-{size}.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["Name", "Email", "Phone", "Expiration date"])
        for n in range(size):
            first = FIRST_NAMES[n % len(FIRST_NAMES)]
            last = LAST_NAMES[n // len(FIRST_NAMES) % len(LAST_NAMES)]
            out.writerow([f"{first} {last}", f"member.{n}@example.com", f"+39 06 {n:07}", ""])
    return path


def empty() -> None:
    """Forget all people, and with them everything that refers to one."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_contact, portal_event CASCADE")


def _import(path: Path, given: Offer, heard: list[float]) -> None:
    sheet = open_sheet(path, max_rows=10**7, max_bytes=10**9)
    report = import_members(
        sheet,
        offers=[given],
        file_name=path.name,
        progress=lambda _done: heard.append(perf_counter()),
    )
    if report.counts["created"] != sheet.total:
        raise RuntimeError(f"Not everybody was imported: {report.counts}")


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    slowness = 1 / now.floor / SEEN["import"]
    yield Goal("ratio", now.ratio, 0.4, is_minimum=True)
    yield Goal("first progress in s", now.facts["first_progress"], 1.0 * slowness)
    yield Goal("statements", now.statements, 20 + 12 * now.size / 1000, is_counted=True)
    yield Goal("bytes of memory", now.memory, MEMORY, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.05 * now.size / smaller.size)
        if smaller.size >= 10_000:  # below, it is Python's own memory that is compared
            yield Goal("growth of memory", now.memory / smaller.memory, 1.5, is_counted=True)


WORKLOAD = Workload((1_000, 10_000, 100_000), measure, goals)
