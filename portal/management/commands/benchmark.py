"""`manage.py benchmark`: the workloads, each against its floor, on a database of their own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from portal.benchmark.database import Busy, Laboratory, ProcessFailed, laboratory
from portal.benchmark.filling import fill, settle
from portal.benchmark.measuring import Figure
from portal.benchmark.table import Line, clear_misses, table
from portal.benchmark.workloads import WORKLOADS
from portal.commands import PortalCommand, refuse


def whole(text: str) -> int:
    """An argument that counts something."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"“{text}” is no number above 0")
    return int(text)


def wholes(text: str) -> list[int]:
    return sorted({whole(part) for part in text.split(",")})


class Command(PortalCommand):
    help = "Measure how fast the portal is on this machine. Your data is not touched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(WORKLOADS))
        parser.add_argument("--sizes", type=wholes, metavar="N,N", help="instead of the usual ones")
        parser.add_argument("--json", action="store_true", dest="as_json")
        parser.add_argument(
            "--check", action="store_true", help="fail where a goal is missed by more than noise"
        )
        parser.add_argument(
            "--load",
            type=whole,
            metavar="N",
            help="measure nothing, but add N contacts and 3 N grants to the configured database",
        )
        parser.add_argument("--yes", action="store_true", help="--load whatever database it is")

    def handle(
        self,
        *,
        names: Sequence[str],
        sizes: Sequence[int] | None,
        as_json: bool,
        check: bool,
        load: int | None,
        yes: bool,
        **options: Any,
    ) -> None:
        if load:
            self.load(load, sure=yes)
            return
        if unknown := [name for name in names if name not in WORKLOADS]:
            known = ", ".join(WORKLOADS)
            raise CommandError(f"There is no workload {unknown[0]}: {known}.", returncode=2)
        lines, failures = list[Line](), list[str]()
        try:
            with laboratory() as place:
                for name in names or WORKLOADS:
                    try:
                        lines += self.measure(place, name, sizes or WORKLOADS[name].sizes)
                    except ProcessFailed as error:
                        failures.append(f"{name} could not be measured: {error}")
        except Busy as error:
            raise refuse("Another benchmark runs on this server: wait for its end.") from error
        if as_json:
            self.stdout.write(json.dumps([line.data() for line in lines], indent=2))
        elif lines:
            self.stdout.write(table(lines))
        if check:
            failures += clear_misses(lines)
        if failures:
            raise refuse("\n".join(failures))

    def measure(self, place: Laboratory, name: str, sizes: Sequence[int]) -> Iterator[Line]:
        """Each size in a process of its own, from small to large."""
        workload, smaller = WORKLOADS[name], dict[str, Figure]()
        if missing := workload.lacks():
            self.stderr.write(missing)
        for size in sizes:
            self.stderr.write(f"{name}, {size:,} …")
            for facts in json.loads(place.run(name, str(size))):
                figure = Figure(**facts)
                before, smaller[figure.case] = smaller.get(figure.case), figure
                yield Line(name, figure, before, list(workload.goals(figure, before)))

    def load(self, contacts: int, *, sure: bool) -> None:
        """People to look at and to try things on, in the database of the settings."""
        database = settings.DATABASES["default"]
        if database["ENGINE"] != "portal.embedded" and not sure:
            raise refuse(
                f"“{database['NAME']}” is not the embedded database: add --yes to fill it all the same."
            )
        self.check_migrations()
        fill(contacts)
        settle()
        self.stdout.write(f"Added {contacts:,} contacts with {3 * contacts:,} grants.")
