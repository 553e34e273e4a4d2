"""A past to live through: the clock set back, and stories that happen in it side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from heapq import heapify, heappop, heappush
from typing import Self

from django.db import connection
from django.utils import timezone

# Does what happens at one moment, yields the next moment, and so on. Nothing happens before the first.
type Story = Generator[datetime]


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Let every `now()` of this process be `moment`.

    So the verbs themselves write the past, and no row has to be dated back afterwards. All modules
    hold Django's `now` by name; what they share is the `datetime` which that function asks.
    For a process with one thread that fills a database, and for nothing else.
    """

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return moment.astimezone(tz)  # type: ignore[return-value]

    timezone.datetime = Stopped  # type: ignore[attr-defined]
    try:
        yield
    finally:
        timezone.datetime = datetime  # type: ignore[attr-defined]


def play(stories: Iterable[Story], *, until: datetime, after_each: Callable[[], None]) -> None:
    """Tell the stories in the order of their moments; what lies at `until` or later stays untold."""
    told = [(next(story), place, story) for place, story in enumerate(stories)]
    heapify(told)
    while told:
        moment, place, story = heappop(told)
        if moment >= until:
            return
        with clock_at(moment):
            following = next(story, None)
            after_each()
        if following is not None:
            heappush(told, (following, place, story))


@contextmanager
def savepoints(*, used: bool) -> Iterator[None]:
    """Let the verbs inside have savepoints, or share one transaction with nothing to return to in it.

    Without them, a third fewer statements; where one fails, everything is undone.
    """
    before = connection.features.uses_savepoints
    connection.features.uses_savepoints = used
    try:
        yield
    finally:
        connection.features.uses_savepoints = before
