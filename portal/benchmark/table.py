"""What came out, judged: as a table for people, as data for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from portal.benchmark.measuring import Figure, Goal

HEAD = (
    *("workload", "size", "figure", "floor", "ratio", "goal", "statements", "growth"),
    *("memory", "result"),
)
LEFT = {0, 5, 9}  # columns of words


@dataclass(frozen=True)
class Line:
    """One figure of one workload, beside the one of the next smaller size, with its goals."""

    workload: str
    figure: Figure
    smaller: Figure | None
    goals: Sequence[Goal]

    @property
    def name(self) -> str:
        return f"{self.workload}: {self.figure.case}" if self.figure.case else self.workload

    @property
    def growth(self) -> float | None:
        """How much longer one unit of work took than at the next smaller size."""
        return self.figure.growth_from(self.smaller) if self.smaller else None

    @property
    def missed(self) -> list[Goal]:
        return [goal for goal in self.goals if not goal.is_met]

    def cells(self) -> tuple[str, ...]:
        figure, growth = self.figure, self.growth
        misses = ", ".join(f"{goal} ({goal.value:,.4g})" for goal in self.missed)
        return (
            self.name,
            f"{figure.size:,}",
            f"{figure.value:,.4g} {figure.unit}",
            f"{figure.floor:,.4g}",
            f"{figure.ratio:.2f}",
            str(self.goals[0]),
            str(figure.statements),
            f"× {growth:.2f}" if growth else "",
            f"{figure.memory / 1024**2:.0f} MB",
            f"missed: {misses}" if misses else "met",
        )

    def data(self) -> dict[str, Any]:
        figure = self.figure
        return {
            "workload": self.workload,
            "case": figure.case,
            "size": figure.size,
            "value": figure.value,
            "unit": figure.unit,
            "floor": figure.floor,
            "ratio": figure.ratio,
            "statements": figure.statements,
            "growth": self.growth,
            "peak_memory": figure.memory,
            "facts": figure.facts,
            "goals": [
                {
                    "name": goal.name,
                    "value": goal.value,
                    "limit": goal.limit,
                    "is_minimum": goal.is_minimum,
                    "is_met": goal.is_met,
                }
                for goal in self.goals
            ],
            "is_met": not self.missed,
        }


def table(lines: Iterable[Line]) -> str:
    """The lines below each other, in columns."""
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def clear_misses(lines: Iterable[Line]) -> list[str]:
    """A sentence for each goal that is missed by more than noise explains."""
    return [
        f"{line.name} at {line.figure.size:,}: {goal}, but it is {goal.value:,.4g}."
        for line in lines
        for goal in line.goals
        if goal.is_missed_clearly
    ]
