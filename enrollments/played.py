"""Which parts of a recording were played: [from, to] in whole seconds, in order and apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

type Parts = Iterable[Sequence[int]]

ENOUGH = 0.9  # of a recording: then it counts as watched
KEPT = 500  # parts; somebody who skips about more often loses the shortest


def united(parts: Parts) -> list[list[int]]:
    """What was played in any of `parts`, each second once."""
    found: list[list[int]] = []
    for start, end in sorted((start, end) for start, end in parts):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    longest = sorted(found, key=lambda part: part[0] - part[1])[:KEPT]
    return sorted(longest)


def seconds(parts: Parts) -> int:
    """How long `parts` are together, if they are apart."""
    return sum(end - start for start, end in parts)


def at_most(limit: int, parts: Parts) -> list[list[int]]:
    """The first `limit` seconds of `parts`."""
    taken: list[list[int]] = []
    for start, end in parts:
        if limit > 0:
            taken.append([start, min(end, start + limit)])
            limit -= end - start
    return taken


def is_enough(parts: list[list[int]], *, of: float) -> bool:
    """Whether `parts` are nearly all of a recording of `of` seconds.

    A recording is no shorter than what was played of it, whatever a browser says.
    """
    if not parts:
        return False
    return seconds(parts) >= ENOUGH * max(of, parts[-1][1])
