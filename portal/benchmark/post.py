"""A mail server on this machine, and the mail floor: how much mail it takes from who does nothing but send."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

HOST = "127.0.0.1"
PATIENCE = 10  # seconds it may take to come up
MINIMAL = b"Subject: Welcome\r\n\r\nWelcome.\r\n"


class NoMail(Exception):
    """What was waited for did not come."""


def is_here() -> bool:
    """Whether the mail server can be started: it comes with what one develops with."""
    return find_spec("aiosmtpd") is not None


@dataclass
class Post:
    """A mail server that takes everything and keeps nothing but when it came, by address."""

    port: int = 0
    arrived: dict[str, list[float]] = field(default_factory=dict)  # moments of perf_counter()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        at = time.perf_counter()
        for address in envelope.rcpt_tos:
            self.arrived.setdefault(address, []).append(at)
        return "250 OK"

    def first(self, address: str, *, seconds: float = 30) -> float:
        """When the first mail to somebody came, for which it waits. Raises NoMail."""
        self.wait(lambda: address in self.arrived, seconds=seconds)
        return self.arrived[address][0]

    def wait(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """Return once it holds. Raises NoMail when nothing more came for so many `seconds`."""
        known, deadline = 0, time.perf_counter() + seconds
        while not condition():
            if known < (known := len(self.arrived)):
                deadline = time.perf_counter() + seconds
            if time.perf_counter() > deadline:
                raise NoMail(f"The mail did not come within {seconds} seconds")
            time.sleep(0.005)


@contextmanager
def post() -> Iterator[Post]:
    """Run the mail server in a thread. The process should have little else to do meanwhile."""
    from aiosmtpd.smtp import SMTP

    logging.getLogger("mail.log").setLevel(logging.WARNING)  # it tells every word that is said
    place, is_up = Post(), Future[Callable[[], object]]()

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(lambda: SMTP(place, hostname=HOST, loop=loop), HOST, 0)
        place.port = server.sockets[0].getsockname()[1]
        is_up.set_result(partial(loop.call_soon_threadsafe, over.set))
        await over.wait()
        server.close()
        server.close_clients()

    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(asyncio.run, serve())
        end = is_up.result(timeout=PATIENCE)
        try:
            yield place
        finally:
            end()
            serving.result()


def mail_floor(port: int, *, workers: int, messages: int) -> float:
    """Seconds for one of `messages`, sent by as many processes with one connection each."""
    share = max(1, messages // workers)
    with get_context("spawn").Pool(workers) as pool:
        pool.starmap(_send, [(port, 1)] * workers, chunksize=1)  # so that all are up
        start = time.perf_counter()
        pool.starmap(_send, [(port, share)] * workers, chunksize=1)
        return (time.perf_counter() - start) / (share * workers)


def _send(port: int, messages: int) -> None:
    with smtplib.SMTP(HOST, port) as client:
        for _ in range(messages):
            client.sendmail("portal@example.com", ["floor@example.com"], MINIMAL)
