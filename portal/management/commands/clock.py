"""`manage.py clock`: the process that must always run."""

import signal

from django.core.management.base import BaseCommand, CommandParser

from portal.clock import Clock


class Command(BaseCommand):
    help = "Work off everything that is due, every second. Any number may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due, and return")

    def handle(self, *, once: bool, **options: object) -> None:
        clock = Clock()
        if once:
            clock.run_once()
            return
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: clock.stopped.set())
        clock.run()
