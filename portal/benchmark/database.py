"""A database of the benchmark's own, on the server of the configured one, and processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import connection

from portal.embedded.server import Server

LOCK = 7_226_031  # an advisory lock, anything nobody else uses
PACKAGE = "portal.benchmark"
BUCKET = ("S3_BUCKET", "S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY", "S3_SECRET_KEY")


class ProcessFailed(Exception):
    """A process of the benchmark did not come to its end. The message is the last it said."""


class Busy(Exception):
    """Another benchmark works on this server."""


@dataclass(frozen=True)
class Laboratory:
    """An empty portal that nobody else uses, for as long as the benchmark runs."""

    url: str
    folder: Path

    def run(self, *words: str) -> str:
        """Run `python -m portal.benchmark` on it and return what it prints. Raises ProcessFailed."""
        own = {
            "DJANGO_SETTINGS_MODULE": f"{PACKAGE}.settings",
            "DATABASE_URL": self.url,
            "VAR_DIR": str(self.folder),
            "STATIC_ROOT": str(self.folder / "static"),
            "DEBUG": "",
            "DEMO": "",
            "PORTAL_URL": "http://localhost",
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "TRUSTED_PROXIES": "0",
            # Nothing that happens here is to reach a worker, a person or a bucket.
            "CELERY_BROKER_URL": "",
            "EMAIL_URL": "",
            "ANYMAIL_PROVIDER": "",
            **dict.fromkeys(BUCKET, ""),
        }
        done = subprocess.run(
            [sys.executable, "-m", PACKAGE, *words],
            check=False,
            cwd=settings.BASE_DIR,
            env=os.environ | own,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ProcessFailed((done.stderr.strip().splitlines() or ["It said nothing."])[-1])
        return done.stdout


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """Make the database, with all its tables, and drop it in the end. Raises Busy."""
    name = f"{connection.settings_dict['NAME']}_benchmark"
    quoted = connection.ops.quote_name(name)
    with connection._nodb_cursor() as cursor, tempfile.TemporaryDirectory() as folder:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise Busy
        cursor.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")  # of one that was killed
        cursor.execute(f"CREATE DATABASE {quoted}")
        try:
            made = Laboratory(_url(name), Path(folder))
            made.run()
            yield made
        finally:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def _url(name: str) -> str:
    """The address of database `name` on the configured server."""
    configured = settings.DATABASES["default"]
    if configured["ENGINE"] == "portal.embedded":
        return Server(**configured["EMBEDDED"]).url(name)
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{quote(name)}").geturl()
