"""`manage.py demo`: the whole portal on this machine, with a school in it, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
from argparse import ArgumentTypeError
from typing import NoReturn

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from psycopg import sql

from accounts.models import User
from portal.commands import refuse
from portal.demo import people, school, static
from portal.demo.processes import Children, Ended, is_free
from portal.embedded.server import Server
from portal.models import School

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    help = "Start everything with a believable school: database, web and clock. Ctrl-C stops it."
    requires_system_checks = []  # a second start should be quick

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=_port, default=8000)
        parser.add_argument("--no-data", action="store_true", help="leave an empty database empty")
        parser.add_argument(
            "--reset", action="store_true", help="forget everything, and begin anew"
        )
        parser.add_argument(
            "--reload", action="store_true", help="for developers: DEBUG, and a web that reloads"
        )

    def handle(
        self, *, port: int, no_data: bool, reset: bool, reload: bool, **options: object
    ) -> None:
        server = _embedded()
        if reset and server is None:
            raise refuse(
                "--reset is for the embedded database alone, and DATABASE_URL names another."
            )
        if settings.SECURE:
            raise refuse(
                f"{settings.PORTAL_URL} is a real address: the demo is for this machine alone."
            )
        if not is_free(port):
            raise refuse(f"Port {port} is taken. Choose another one with --port.")
        for number in STOP:
            signal.signal(number, _interrupt)
        try:
            if reset and server is not None:
                _forget(server)
            self.prepare(fill=not no_data, collect=not (reload or settings.DEBUG))
            self.serve(port, reload=reload)
        except KeyboardInterrupt:
            pass
        except (Ended, OperationalError, psycopg.OperationalError) as error:
            raise refuse(" ".join(str(error).split())) from error
        finally:
            connection.close()
            if server is not None:
                server.stop()
        self.stdout.write("Everything is stopped. The data waits for the next start.")

    def prepare(self, *, fill: bool, collect: bool) -> None:
        """Bring database and static files to where the web needs them."""
        self.say("Preparing the database …")
        is_new = not connection.introspection.table_names()
        call_command("migrate", interactive=False, verbosity=0)
        if is_new:  # whoever looks around should not need a phone for it
            School.objects.update(needs_second_factor=False)
        if fill and school.is_empty():
            self.say("Filling it with a school …")
            school.fill()
        if collect:
            static.collect()

    def serve(self, port: int, *, reload: bool) -> None:
        """Run web and clock, and tell the way in, until one ends or we are stopped."""
        environment = {"PORTAL_URL": f"http://localhost:{port}", **os.environ, "DEMO": "1"}
        if reload:
            environment["DEBUG"] = "1"
            web = ["manage.py", "runserver", str(port)]
        else:
            config = ["--config", "python:portal.server", "--log-level", "warning"]
            web = ["-m", "gunicorn", *config, "--bind", f"127.0.0.1:{port}", "portal.wsgi"]
        with Children(environment) as children:
            children.start("web", *web)
            children.start("clock", "manage.py", "clock")
            children.wait_until_answering(port)
            self.greet(environment["PORTAL_URL"].rstrip("/"), port)
            connection.close()
            children.wait()

    def greet(self, address: str, port: int) -> None:
        """Where everything is, and who may come in."""
        lines = [
            f"{School.current().name} is open.",
            "",
            f"  Portal     {address}/",
            f"  Dashboard  {address}/dashboard/",
        ]
        if settings.MAILERS["default"]["BACKEND"] == "notifications.mailbox.Mailbox":
            lines.append(f"  Mail       http://localhost:{port}/demo/mail/")
        else:
            lines.append("  Mail       leaves by the server that the environment names")
        lines += ["", *_logins(), ""]
        if settings.CELERY_BROKER_URL:
            lines += ["Start a worker: uv run celery -A portal worker -Q login,jobs,bulk", ""]
        lines.append("Ctrl-C stops everything.")
        self.say("\n".join(lines))

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return port


def _interrupt(*_args: object) -> NoReturn:
    """Stop once: whoever presses Ctrl-C twice does not interrupt the cleaning up."""
    for number in STOP:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _embedded() -> Server | None:
    """The PostgreSQL that comes along, if it is the one in use."""
    if connection.settings_dict["ENGINE"] != "portal.embedded":
        return None
    return Server(**connection.settings_dict["EMBEDDED"])


def _forget(server: Server) -> None:
    """Drop the database, whoever is connected to it, and the mail that was caught."""
    name = sql.Identifier(connection.settings_dict["NAME"])
    with psycopg.connect(**server.ensure(), autocommit=True) as maintenance:
        maintenance.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    shutil.rmtree(settings.VAR / "mail", ignore_errors=True)


def _logins() -> list[str]:
    """The logins of the demo that are here, as lines; how to make one where there is none."""
    known = {*User.objects.filter(email__in=people.LOGINS).values_list("email", flat=True)}
    lines = [
        f"  {title:13}  {email:32}  {people.PASSWORD}"
        for email, title in people.LOGINS.items()
        if email in known
    ]
    if not User.objects.exclude(role="").exists():
        lines.append(
            "Nobody can log in yet: uv run manage.py create_staff you@example.com --role owner"
        )
    return lines
