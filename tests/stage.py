"""The portal as real processes: on a database of its own, before a mail server that can misbehave.

Nothing here is a stand-in but the mail server's mailbox: the processes are those of production.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import environ
import pytest
import redis
from aiosmtpd.controller import Controller
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.utils import load_backend
from django.test import override_settings

from enrollments.importing import import_members
from enrollments.members_file import open_sheet
from offers.models import Offer
from portal import settings as ours

HOST = "127.0.0.1"

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells every word that is said

# Seconds where production has minutes.
QUICK = {"LEASE_SECONDS": "4", "HANDOVER_SECONDS": "1", "RETRY_SECONDS": "1"}


def wait_until[Answer](condition: Callable[[], Answer], *, timeout: float = 30) -> Answer:
    """Ask again and again until the answer is yes, and return it. Fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"still {answer!r} after {timeout} seconds"
        time.sleep(0.05)
    return answer


def program(*names: str, hint: str) -> str:
    """The path of a program. Without it the test is skipped; where CI is true, it fails."""
    for name in names:
        if path := shutil.which(name):
            return path
    sentence = f"{names[0]} is not installed: {hint}."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


class Process:
    """A running process with all its children. Its output is in `log`.

    is_whole: whether no test ever sent it a signal.
    """

    def __init__(
        self, *command: str, environment: dict[str, str], log: Path, pass_fds: tuple[int, ...] = ()
    ) -> None:
        self.log, self.environment, self.is_whole = log, environment, True
        # Should this very process be killed, the kernel ends the child too.
        leash = ["setpriv", "--pdeathsig=KILL", "--"] if shutil.which("setpriv") else []
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [*leash, *command],
                cwd=settings.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def lives(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to it and to its children."""
        self.is_whole = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def kill(self) -> None:
        """Kill it and its children as a power cut would, and wait for its end."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; who speaks to it gets no answer."""
        self.signal(signal.SIGSTOP)


@dataclass(frozen=True)
class Letter:
    """What a reader would see of a mail. Two that are equal are the same mail."""

    to: str
    subject: str
    message_id: str
    text: str
    html: str

    @classmethod
    def read(cls, content: bytes) -> Letter:
        mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)

        def part(kind: str) -> str:
            body = mail.get_body((kind,))
            return str(body.get_content()) if body else ""

        return cls(mail["To"], mail["Subject"], mail["Message-ID"], part("plain"), part("html"))

    def link_to(self, what: str) -> str:
        """The address of the link that stands right behind `what`."""
        found = re.search(rf"{re.escape(what)}:\s+(http\S+/l/\S+)", self.text)
        assert found, self.text
        return found[1]


class Post(Controller):
    """A mail server that keeps what it is given, and misbehaves when told to.

    answer: asked about each letter before it is kept; anything but "250 …" refuses it.
    hold_from: how many letters are acknowledged at once; senders of later ones, kept all the
        same, wait for the answer until `release()`.
    """

    def __init__(self) -> None:
        super().__init__(self, hostname=HOST, port=0)
        self.answer: Callable[[Letter], str] = lambda _letter: "250 OK"
        self.hold_from = sys.maxsize
        self.letters: list[Letter] = []
        self.held: list[Letter] = []
        self._released = threading.Event()
        self._clerks = ThreadPoolExecutor(64)

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        letter = Letter.read(envelope.content)
        return await asyncio.get_running_loop().run_in_executor(self._clerks, self._take, letter)

    def _take(self, letter: Letter) -> str:
        answer = self.answer(letter)
        if answer.startswith("250"):
            self.letters.append(letter)
            if len(self.letters) > self.hold_from:
                self.held.append(letter)
                self._released.wait()
        return answer

    def release(self) -> None:
        """Answer everybody who waits, and whoever comes, at once."""
        self.hold_from = sys.maxsize
        self._released.set()

    def close(self) -> None:
        """Be away: nobody listens any more."""
        if self._thread is not None:
            self.stop()

    def open(self) -> None:
        """Listen, at the same address as before."""
        self.loop = asyncio.new_event_loop()
        self.start()

    def to(self, address: str) -> list[Letter]:
        """Everything somebody was sent."""
        return [letter for letter in self.letters if letter.to == address]


@dataclass
class Page:
    """An answer of the portal."""

    status: int
    headers: dict[str, str]
    text: str


class Visitor:
    """Somebody with a browser that keeps cookies, follows redirects and sends forms, and nothing else."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies))

    def get(self, path: str) -> Page:
        return self._open(path, None)

    def post(self, path: str, **fields: object) -> Page:
        """Send a form of the page one is on."""
        token = next((cookie.value for cookie in self._cookies if cookie.name == "csrf"), "")
        return self._open(path, urlencode(fields | {"csrfmiddlewaretoken": token}).encode())

    def log_in(self, email: str, password: str) -> None:
        self.get("/account/login/")
        page = self.post("/account/login/", login=email, password=password)
        assert page.status == 200
        assert "/account/logout/" in page.text

    def _open(self, path: str, body: bytes | None) -> Page:
        try:
            answer = self._opener.open(self.address + path, body, timeout=30)
        except HTTPError as error:
            answer = error
        with answer:
            return Page(answer.status, dict(answer.headers), answer.read().decode())


class Ground:
    """What one stage leaves to the next: the folder, the portal's address, and the web process.

    That one knows nothing but its environment and its database. It takes longer to start than to
    answer all that most tests ask, so it goes on unless a test did something to it.
    """

    def __init__(self, folder: Path, *, static: Path) -> None:
        self.folder, self.static = folder, static
        self.door = socket.create_server((HOST, 0), backlog=64)
        self.address = f"http://{HOST}:{self.door.getsockname()[1]}"
        self.web: Process | None = None

    def clear(self) -> None:
        """Let nothing be found here of what was; a process that goes on writes on into its empty log."""
        self.folder.mkdir(exist_ok=True)
        for thing in self.folder.iterdir():
            if thing.is_dir():
                shutil.rmtree(thing)
            elif self.web and thing == self.web.log:
                os.truncate(thing, 0)
            else:
                thing.unlink()

    def keeps(self, process: Process) -> bool:
        return process is self.web and process.is_whole and process.lives

    def end(self) -> None:
        if self.web:
            self.web.kill()
        self.door.close()


class Stage:
    """A school on a database of its own. Its processes are started one by one, and end with it: see `Ground`."""

    def __init__(self, ground: Ground, *, database: str) -> None:
        ground.clear()
        self.ground, self.folder, self.address = ground, ground.folder, ground.address
        self.post = Post()
        self.broker_port = free_port()
        self.post.start()
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **dict.fromkeys(("DEBUG", "DEMO", "CELERY_BROKER_URL", "ANYMAIL_PROVIDER"), ""),
            **QUICK,
            "DATABASE_URL": database,
            "EMAIL_URL": f"smtp://{HOST}:{self.post.port}",
            "PORTAL_URL": self.address,
            "SECRET_KEY": settings.SECRET_KEY,
            "STAFF_SECOND_FACTOR": "false",
            "STATIC_ROOT": str(ground.static),
            "VAR_DIR": str(self.folder / "var"),
        }
        self.processes: list[Process] = []

    @property
    def broker(self) -> str:
        """The CELERY_BROKER_URL of this stage, whether anything listens there or not."""
        return f"redis://{HOST}:{self.broker_port}/0"

    def web(self, **environment: str) -> Process:
        """Serve pages. What is asked before it is up waits for it. Mail is sent by others: it could not."""
        environment = {"EMAIL_URL": f"smtp://{HOST}:1"} | environment
        standing = self.ground.web
        if standing and self.ground.keeps(standing):
            if standing.environment == self.environment | environment:
                return standing
            standing.kill()
        config = ["--config", "python:portal.server", "--workers", "1"]
        door = self.ground.door.fileno()
        command = ["-m", "gunicorn", *config, "--bind", f"fd://{door}", "portal.wsgi"]
        self.ground.web = self.python("web", *command, pass_fds=(door,), **environment)
        return self.ground.web

    def clock(self, **environment: str) -> Process:
        return self.python("clock", "manage.py", "clock", **environment)

    def worker(self, **environment: str) -> Process:
        command = [
            "-m",
            "celery",
            "--app",
            "portal",
            "worker",
            "--queues",
            "login,jobs,bulk",
            "--concurrency",
            "2",
        ]
        return self.python("worker", *command, CELERY_BROKER_URL=self.broker, **environment)

    def redis(self) -> Process:
        """The broker, as docker-compose.yml has it."""
        server = program("redis-server", hint="apt-get install redis-server")
        data = self.folder / "redis"
        data.mkdir(exist_ok=True)
        place = ["--bind", HOST, "--port", str(self.broker_port), "--dir", str(data)]
        rules = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        started = self._start("redis", server, *place, *rules)
        wait_until(lambda: self._ping(started))
        return started

    def queue(self) -> redis.Redis:
        """A look into the broker."""
        return redis.Redis(host=HOST, port=self.broker_port)

    def _ping(self, server: Process) -> bool:
        assert server.lives, server.log.read_text()
        with self.queue() as client, contextlib.suppress(redis.ConnectionError):
            return bool(client.ping())
        return False

    def python(
        self, name: str, *command: str, pass_fds: tuple[int, ...] = (), **environment: str
    ) -> Process:
        return self._start(name, sys.executable, *command, pass_fds=pass_fds, **environment)

    def _start(
        self, name: str, *command: str, pass_fds: tuple[int, ...] = (), **environment: str
    ) -> Process:
        process = Process(
            *command,
            environment=self.environment | environment,
            log=self.folder / f"{name}.log",
            pass_fds=pass_fds,
        )
        self.processes.append(process)
        return process

    def visitor(self) -> Visitor:
        return Visitor(self.address)

    def admit(self, number: int, offer: Offer) -> list[str]:
        """Import that many new people with a grant of `offer`, in one go; returns their addresses."""
        name = uuid.uuid4().hex[:8]
        emails = [f"{name}-{n}@example.com" for n in range(number)]
        file = self.folder / f"{name}.csv"
        with file.open("w", newline="") as out:
            csv.writer(out).writerows([["Email"], *([email] for email in emails)])
        report = import_members(open_sheet(file), offers=[offer], file_name=file.name)
        assert report.counts["created"] == number
        return emails

    def end(self) -> None:
        """Kill every process that does not go on; what they said is shown if a test failed."""
        for process in reversed(self.processes):
            if not self.ground.keeps(process):
                process.kill()
        self.post.release()
        self.post.close()
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}", log.read_text(errors="replace")[-6000:], sep="\n")  # noqa: T201


def url_of(name: str) -> str:
    """The address of another database on the server of the tests, as DATABASE_URL takes it."""
    place = connections["default"].get_connection_params()
    who = ":".join(quote(place[key], safe="") for key in ("user", "password") if place.get(key))
    where = urlencode({key: place[key] for key in ("host", "port") if place.get(key)})
    return f"postgresql://{who}@/{name}?{where}"


@contextlib.contextmanager
def working_on(database: str) -> Iterator[None]:
    """Let this process, too, work on `database`, a URL, and commit what it does."""
    [config] = connections.configure_settings(
        {"default": environ.Env.db_url_config(database)}
    ).values()
    usual = connections["default"]
    connections["default"] = load_backend(config["ENGINE"]).DatabaseWrapper(config, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = usual


@contextlib.contextmanager
def copied_database() -> Iterator[str]:
    """A database like the migrated one of the tests, always of the same name; yields its URL.

    Copying takes a moment, migrating seconds. Who is still connected to the one before is thrown out.
    """
    usual = connections["default"]
    template = usual.settings_dict["NAME"]
    name = f"{template}_stage"
    usual.close()
    with usual._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield url_of(name)
    finally:
        with usual._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collected static files, as production serves them."""
    folder = tmp_path_factory.mktemp("static")
    manifest = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": manifest}}
    with override_settings(STATIC_ROOT=folder, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


@contextlib.contextmanager
def ground_in(folder: Path, static: Path) -> Iterator[Ground]:
    """A ground, of which nothing is left in the end."""
    ground = Ground(folder, static=static)
    try:
        yield ground
    finally:
        ground.end()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory, static: Path) -> Iterator[Ground]:
    """Where the stages of this process stand, one after the other."""
    with ground_in(tmp_path_factory.mktemp("stage"), static) as ground:
        yield ground


@contextlib.contextmanager
def stage_on(database: str, ground: Ground) -> Iterator[Stage]:
    """A stage, which is cleared in the end, whatever happens."""
    # Passwords made here must be such as the processes of the stage can read.
    hashers = override_settings(PASSWORD_HASHERS=ours.PASSWORD_HASHERS)
    with hashers, working_on(database):
        stage = Stage(ground, database=database)
        try:
            yield stage
        finally:
            stage.end()


@pytest.fixture
def stage(transactional_db: None, ground: Ground) -> Iterator[Stage]:
    """A stage on which nothing runs for this test yet. It works on the same database, too."""
    with copied_database() as database, stage_on(database, ground) as stage:
        yield stage
