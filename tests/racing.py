"""Many at once: what the tests of races share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections

from portal import context

RACERS = 20


def race[Answer](*runs: Callable[[], Answer]) -> list[Answer]:
    """Run all at once, each on a connection of its own; returns their answers in order."""
    line = threading.Barrier(len(runs))

    def run(function: Callable[[], Answer]) -> Answer:
        try:
            connection.ensure_connection()
            line.wait(timeout=30)
            with context.acting():
                return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(run, runs))
