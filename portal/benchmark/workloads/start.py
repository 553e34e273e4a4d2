"""`start`: `manage.py demo` where nothing is yet, until it tells the way in; then once more, where all is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from django.conf import settings

from portal.benchmark.floors import SEEN
from portal.benchmark.measuring import Figure, Goal, Workload, peak_memory, spread, timed
from portal.benchmark.processes import free_port
from portal.embedded.server import Server

LIMITS = {"first": 30, "second": 6}  # seconds


class NotStarted(Exception):
    """The demo ended before it was up. The message is the last it said."""


def measure(size: int) -> list[Figure]:
    """`size` times, each in a folder of its own; the floor is a Python and a PostgreSQL, with nothing in them."""
    works, floors = (dict[str, list[float]]((case, []) for case in LIMITS) for _ in range(2))
    memory = 0
    for _ in range(size):
        with TemporaryDirectory() as folder:
            for case in LIMITS:
                floors[case].append(timed(lambda: _floor(Path(folder) / "floor")))
                seconds, peak = _start(Path(folder) / "demo")
                works[case].append(seconds)
                memory = max(memory, peak)
    return [
        Figure(
            size=size,
            case=case,
            value=median(works[case]),
            unit="s",
            floor=median(floors[case]),
            took=median(works[case]),
            statements=0,
            memory=memory,
            facts=spread(works[case]),
        )
        for case in LIMITS
    ]


def _floor(data: Path) -> None:
    """Start a database, which is made if there is none, and a process that knows the portal's models."""
    server = Server(data)
    server.ensure()
    command = [sys.executable, "-c", "import django; django.setup()"]
    subprocess.run(command, check=True, cwd=settings.BASE_DIR)
    server.stop()


def _start(folder: Path) -> tuple[float, int]:
    """The seconds until the demo is up, and the most it had in memory; then it is ended."""
    port = free_port()
    own = {
        "DATABASE_URL": "",  # empty, not left out: what is left out is read from .env
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_URL": f"http://localhost:{port}",
        "STATIC_ROOT": str(folder / "static"),
        "VAR_DIR": str(folder),
    }
    begun = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--port", str(port)],
        cwd=settings.BASE_DIR,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = ""
    with process:
        for said in process.stdout or ():
            if said.startswith("Ctrl-C"):
                break
        else:
            raise NotStarted(said)
        seconds, peak = perf_counter() - begun, peak_memory(process.pid)
        process.terminate()
        process.communicate()
    return seconds, peak


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    slowness = max(1.0, now.floor / SEEN[f"{now.case} start"])
    yield Goal("s", now.value, LIMITS[now.case] * slowness)


WORKLOAD = Workload((1,), measure, goals)
