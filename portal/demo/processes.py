"""The demo's children: started, watched and ended together, whatever ends the demo."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from django.conf import settings

PATIENCE = 20  # seconds a child has to finish what it does

PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it, even if that is killed."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Ended(Exception):
    """A child ended by itself. The message says which."""


class Children:
    """Processes that live no longer than the `with` block, in no reach of the terminal's Ctrl-C."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self.running.values():
            child.terminate()
        for child in self.running.values():
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def start(self, name: str, *command: str) -> None:
        """Run `python <command>` under the environment."""
        self.running[name] = subprocess.Popen(
            [sys.executable, *command],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 -- this process has one thread
        )

    def wait_until_answering(self, port: int) -> None:
        """Return when something answers at the port. Raises Ended if a child ends before."""
        while not _answers(port):
            self._check()
            time.sleep(0.05)
        self._check()

    def wait(self) -> None:
        """Wait until a child ends by itself, and raise Ended."""
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            self._check()
            if ended is not None:  # an orphan, which only the first process of a container inherits
                os.waitpid(ended.si_pid, 0)

    def _check(self) -> None:
        for name, child in self.running.items():
            if (code := child.poll()) is not None:
                raise Ended(f"The {name} process ended by itself (exit code {code}).")


def is_free(port: int) -> bool:
    """Whether a server could listen at the port of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()
