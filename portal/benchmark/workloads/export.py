"""`export`: every enrollment as CSV and as XLSX, read, written and thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from statistics import median

from accounts.selection import Selection
from enrollments.exporting import ENROLLMENTS
from portal.benchmark.filling import OFFERS, fill, settle
from portal.benchmark.floors import SEEN, export_floor
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    by_turns,
    counted,
    peak_memory,
)

ROWS = 20_000  # small exports are made several times, until about so many rows are
MEMORY = 300 * 1024**2


def measure(size: int) -> list[Figure]:
    """Both formats, each by turns with its floor. `size` counts enrollments."""
    fill(size // OFFERS)
    settle()
    rows = size // OFFERS * OFFERS
    rounds = range(1 + min(5, max(1, ROWS // size)))
    figures = []
    works: dict[str, Callable[[], None]] = {"csv": _csv, "xlsx": _xlsx}
    for case, work in works.items():
        floors, times = by_turns(
            rounds,
            lambda _round: export_floor(),
            lambda _round: work(),  # noqa: B023
            warm_up=1,
        )
        with counted() as statements:
            work()
        took = median(times)
        figures.append(
            Figure(
                size=size,
                case=case,
                value=rows / took,
                unit="rows/s",
                floor=rows / median(floors),
                took=took,
                statements=len(statements),
                memory=peak_memory(),
                facts={"seconds": took},
            )
        )
    return figures


def _csv() -> None:
    """As a browser gets it: piece by piece, and none is kept."""
    for _piece in ENROLLMENTS.csv(Selection()):
        pass


def _xlsx() -> None:
    with tempfile.TemporaryFile() as file:
        ENROLLMENTS.write_xlsx(file, Selection())


RATES = {"csv": 50_000, "xlsx": 10_000}  # rows a second


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    quickness = now.floor * SEEN["export"]
    if now.size >= 10_000:  # below, it is the statement's start that is measured
        yield Goal("rows/s", now.value, RATES[now.case] * quickness, is_minimum=True)
    yield Goal("statements", now.statements, 2, is_counted=True)
    yield Goal("bytes of memory", now.memory, MEMORY, is_counted=True)
    if smaller and smaller.size >= 10_000:  # below, it is Python's own memory that is compared
        floors = (now.size / now.floor) / (smaller.size / smaller.floor)
        yield Goal("growth", now.growth_from(smaller), 1.3 * floors)
        yield Goal("growth of memory", now.memory / smaller.memory, 1.5, is_counted=True)


WORKLOAD = Workload((1_000, 10_000, 100_000), measure, goals)
