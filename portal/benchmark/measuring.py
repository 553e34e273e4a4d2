"""What every workload measures with: clocks, counts, memory, and the shape of a result."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from django.db import connection

NOISE = 1 / 3  # how far a time may miss its goal before --check says so


@dataclass
class Figure:
    """What one measurement of a workload gave. Times are seconds, memory is bytes."""

    size: int
    case: str  # what of the workload, where it has parts
    value: float
    unit: str
    floor: float  # in the same unit
    took: float  # seconds of one unit of work: what growth compares
    statements: int
    memory: int
    pace: float = 1.0  # seconds of some work that does not grow, taken by turns with this one
    facts: dict[str, float] = field(default_factory=dict)  # whatever else is worth knowing

    @property
    def ratio(self) -> float:
        return self.value / self.floor

    def growth_from(self, smaller: Figure) -> float:
        """How much longer this took, less what the machine was slower at that minute."""
        return (self.took / self.pace) / (smaller.took / smaller.pace)


@dataclass(frozen=True)
class Goal:
    """What should be, and what is. What is counted bears no noise, what is timed does."""

    name: str
    value: float
    limit: float
    is_minimum: bool = False
    is_counted: bool = False

    @property
    def is_met(self) -> bool:
        return self._is_met(self.limit)

    @property
    def is_missed_clearly(self) -> bool:
        """Whether the goal is missed by more than noise explains."""
        if self.is_counted:
            return not self.is_met
        return not self._is_met(self.limit * (1 - NOISE if self.is_minimum else 1 + NOISE))

    def _is_met(self, limit: float) -> bool:
        return self.value >= limit if self.is_minimum else self.value <= limit

    def __str__(self) -> str:
        sign = "≥" if self.is_minimum else "≤"
        return f"{self.name} {sign} {self.limit:,.4g}"


@dataclass(frozen=True)
class Workload:
    """One kind of work. `goals` judges a figure by itself and by the one of the next smaller size."""

    sizes: tuple[int, ...]
    measure: Callable[[int], list[Figure]]
    goals: Callable[[Figure, Figure | None], Iterator[Goal]]
    lacks: Callable[[], str] = lambda: (
        ""
    )  # what of it cannot be measured here and why, in a sentence


def timed(work: Callable[[], object]) -> float:
    """The seconds `work` takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def by_turns[Item](
    items: Iterable[Item], *works: Callable[[Item], object], warm_up: int = 0
) -> list[tuple[float, ...]]:
    """Time each work on each item, by turns: whatever else the machine does slows all alike.

    Returns the times by work.
    """
    rounds = [[timed(lambda: work(item)) for work in works] for item in items]  # noqa: B023
    return list(zip(*rounds[warm_up:], strict=True))


def p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Mean, median and p95 for the facts of a figure."""
    return {
        "mean": sum(seconds) / len(seconds),
        "median": median(seconds),
        "p95": p95(seconds),
    }


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that Django sends meanwhile; what begins and ends transactions is not counted."""
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not sql.startswith(("SAVEPOINT", "RELEASE")):
            statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield statements


def children(pid: int) -> list[int]:
    """The processes that a process started. Only Linux tells; none elsewhere."""
    told = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in told.read_text().split()] if told.exists() else []


def memory(pid: int) -> int:
    """What a process has in memory now, in bytes. Only Linux tells; 0 elsewhere."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024


def peak_memory(pid: int | None = None) -> int:
    """The most a process (this one, if none is named) ever had in memory, in bytes.

    For another process only Linux tells; 0 elsewhere. The kernel's `ru_maxrss` would do for
    ours, but on Linux it begins with the memory of the process that started it.
    """
    status = Path(f"/proc/{pid or os.getpid()}/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    if pid:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
