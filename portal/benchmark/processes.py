"""The portal's processes as production has them, for as long as they are needed, with a mail server of ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import redis
from django.conf import settings

from portal.benchmark.post import HOST, Post
from portal.benchmark.web import Site, site

WORKERS = 2
PATIENCE = 20  # seconds a process has to come up, or to end


def has_broker() -> bool:
    """Whether redis-server is installed, without which there are no workers."""
    return shutil.which("redis-server") is not None


@contextmanager
def portal(cookie: str, post: Post, *, broker: str = "") -> Iterator[Site]:
    """Web and clock; with a `broker`, workers too. Who comes early waits. The site's browser has that `cookie`."""
    environment = {
        "CELERY_BROKER_URL": broker,
        "EMAIL_URL": f"smtp://{HOST}:{post.port}",
        "SECRET_KEY": settings.SECRET_KEY,  # a clock wants one that was given to it
    }
    with ExitStack() as stack:
        place = stack.enter_context(site([cookie], **environment))
        stack.enter_context(running(sys.executable, "manage.py", "clock", **environment))
        if broker:
            command = ["-m", "celery", "--app", "portal", "worker", "--loglevel", "warning"]
            queues = ["--queues", "login,jobs,bulk", "--concurrency", str(WORKERS)]
            stack.enter_context(running(sys.executable, *command, *queues, **environment))
        yield place


@contextmanager
def a_broker() -> Iterator[str]:
    """A Redis of our own, as docker-compose.yml has it; yields its address."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        place = ["--bind", HOST, "--port", str(port), "--dir", folder]
        rules = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        with running("redis-server", *place, *rules):
            client, deadline = redis.Redis(host=HOST, port=port), time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                with suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.05)
            else:
                raise TimeoutError("redis-server does not answer")
            client.close()
            yield f"redis://{HOST}:{port}/0"


@contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, which ends with the block. What it says is left out: our own output is for others."""
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
