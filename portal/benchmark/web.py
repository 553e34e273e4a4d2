"""A web server as `demo` starts it, and the browsers that visit it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from time import perf_counter
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client

from accounts.models import User
from portal.benchmark.measuring import children, memory, peak_memory

CLIENTS = 8
SESSIONS = 16


class UnexpectedAnswer(Exception):
    """A page did not answer as it should: what was measured would mean nothing."""


def stranger() -> Client:
    """A browser in this process; forms need their CSRF token as anywhere."""
    return Client(enforce_csrf_checks=True, SERVER_NAME="localhost", raise_request_exception=True)


def browser(user: User) -> Client:
    """The same, past the login."""
    made = stranger()
    made.force_login(user)
    return made


def cookie(user: User) -> str:
    """The header of a browser in which this person is logged in."""
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={browser(user).cookies[name].value}"


@dataclass(frozen=True)
class Site:
    """A server that runs, and clients with sessions of their own."""

    process: subprocess.Popen[bytes]
    port: int
    cookies: Sequence[str]

    def rounds(
        self, *paths: str, seconds: float, rounds: int
    ) -> Iterator[list[tuple[float, list[float]]]]:
        """Visit the paths by turns; yields for each round (requests a second, all their times) by path.

        The connections stay open within a round and are new in the next: which worker a connection
        falls to is chance, but it is the same chance for all paths.
        """
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in range(rounds):
                clients = [
                    HTTPConnection("127.0.0.1", self.port, timeout=60) for _ in range(CLIENTS)
                ]
                try:
                    yield [self._visit(pool, clients, path, seconds) for path in paths]
                finally:
                    for client in clients:
                        client.close()

    def _visit(
        self, pool: ThreadPoolExecutor, clients: list[HTTPConnection], path: str, seconds: float
    ) -> tuple[float, list[float]]:
        start = perf_counter()

        def browse(number: int) -> list[float]:
            headers = [{"Cookie": value} for value in self.cookies[number::CLIENTS]]
            times, began = [], perf_counter()
            for header in cycle(headers):
                _get(clients[number], path, header)
                ended = perf_counter()
                times.append(ended - began)
                if ended - start >= seconds:
                    break
                began = ended
            return times

        times = [time for mine in pool.map(browse, range(len(clients))) for time in mine]
        return len(times) / (perf_counter() - start), times

    def get(self, path: str) -> None:
        """Visit a page with the first of the cookies, and read all of it."""
        self._ask("GET", path, body="")

    def post(self, path: str, words: dict[str, str], *, status: int = 200) -> None:
        """Send a form as that browser would, and read the whole answer, which has to have that `status`."""
        self._ask("POST", path, body=urlencode(words), status=status)

    def _ask(self, method: str, path: str, *, body: str, status: int = 200) -> None:
        token = "a" * 32  # Django asks that cookie and header agree
        cookies = [*self.cookies[:1], f"{settings.CSRF_COOKIE_NAME}={token}"]
        headers = {
            "Cookie": "; ".join(cookies),
            "X-CSRFToken": token,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=300)) as client:
            client.request(method, path, body=body, headers=headers)
            response = client.getresponse()
            while response.read(1 << 16):
                pass
        if response.status != status:
            raise UnexpectedAnswer(f"{path} answered {response.status}")

    def memory(self) -> int:
        """What the larger worker has in memory now, in bytes; 0 where the system does not tell."""
        return max(map(memory, children(self.process.pid)), default=0)

    def peak_memory(self) -> int:
        """The most the larger worker ever had, in bytes; 0 where the system does not tell."""
        return max(map(peak_memory, children(self.process.pid)), default=0)


def _get(client: HTTPConnection, path: str, headers: dict[str, str]) -> None:
    client.request("GET", path, headers=headers)
    response = client.getresponse()
    response.read()
    if response.status != 200:
        raise UnexpectedAnswer(f"{path} answered {response.status}")


@contextmanager
def site(cookies: Sequence[str], **environment: str) -> Iterator[Site]:
    """Start the server on a free port. Its socket is open before it is up: who comes early waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * CLIENTS) as door:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--config=python:portal.server"),
                *("--log-level=warning", f"--bind=fd://{door.fileno()}", "portal.wsgi"),
            ],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            pass_fds=[door.fileno()],
        )
        port = door.getsockname()[1]
    try:
        yield Site(process, port, cookies)
    finally:
        process.terminate()
        process.wait()
