"""The embedded PostgreSQL: started once, hard to kill, found again, stopped without a trace."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from portal.embedded.root import as_owner, hand_over
from portal.embedded.server import BIN, PORT, EmbeddedError, Server

CHECKOUT = Path(__file__).parents[2]

STARTED_AT = "SELECT pg_postmaster_start_time()::text"

START = """
import os, sys
from pathlib import Path
from portal.embedded.server import Server
import psycopg

place = Server(Path(sys.argv[1]), fsync=False).ensure("portal")
with psycopg.connect(**place) as connection:
    [started_at] = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
print(f"{os.geteuid()} saw it start at {started_at}", flush=True)
"""

# What is started in the background of a shell ignores Ctrl-C, and so would its children.
START_AND_STAY = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    + START
    + "sys.stdin.read()"
)

ENGINE = """
import sys
from pathlib import Path

import django
from django.conf import settings
from django.db import connection

embedded = {"data": Path(sys.argv[1]), "fsync": False}
database = {"ENGINE": "portal.embedded", "NAME": "school", "EMBEDDED": embedded}
settings.configure(DATABASES={"default": database}, USE_TZ=True)
django.setup()


def ask(question):
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


assert connection.vendor == "postgresql"
assert not embedded["data"].exists()

assert ask("SELECT current_database()") == "school"
assert ask("SHOW fsync") == "off"

connection.server.stop()
connection.close()
assert ask("SELECT current_user") == "portal"

connection.creation.create_test_db(verbosity=0)
assert ask("SELECT current_database()") == "test_school"
connection.creation.destroy_test_db("school", verbosity=0)
assert ask("SELECT count(*) FROM pg_database WHERE datname = 'test_school'") == 0

connection.server.stop()
connection.client.runshell(["--tuples-only", "--command=SELECT 'a shell in', current_database()"])
"""


@pytest.fixture
def server_at(tmp_path):
    """Servers in folders below `tmp_path`. None of them is left running, whatever happens."""
    with ExitStack() as stack:

        def server_at(folder: str = "postgres", *, fsync: bool = False):
            server = Server(tmp_path / folder, fsync=fsync)
            stack.callback(end, server)
            return server

        yield server_at


def end(server: Server) -> None:
    try:
        server.stop()
    except EmbeddedError:
        os.kill(postmaster(server), signal.SIGKILL)
        raise


def postmaster(server: Server) -> int:
    """The first process of a server that was started by this test."""
    return int(pid_file(server).read_text().split()[0])


def pid_file(server: Server) -> Path:
    return server.cluster / "postmaster.pid"


def lives(server: Server) -> bool:
    """Whether a process of `server` is left. They all hold the lock of its folder."""
    folder = os.open(server.data, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(folder)


def kill_postmaster(server: Server) -> None:
    """Kill the first process of `server`, and wait for the others to notice."""
    os.kill(postmaster(server), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lives(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(server: Server, question: str) -> object:
    """One value from the database portal of a server that must be running already."""
    with psycopg.connect(server.url("portal")) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row
    return row[0]


def python(
    script: str, server: Server, *, prefix: list[str] | None = None
) -> subprocess.Popen[str]:
    """Another process that runs `script` on the folder of `server`."""
    return subprocess.Popen(
        [*(prefix or []), sys.executable, "-c", script, str(server.data)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> str:
    """What `process` prints until its end, which must be a good one."""
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return output.strip()


def test_it_starts_in_a_fresh_folder_and_once_only(server_at):
    server = server_at("var/postgres")
    assert not server.is_running()

    place = server.ensure("portal")

    assert server.is_running()
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    with psycopg.connect(**place) as connection:
        for extension in ["btree_gist", "citext", "pg_trgm", "unaccent"]:
            connection.execute(f"CREATE EXTENSION {extension}".encode())
    assert ask(server, "SELECT current_user || '@' || current_database()") == "portal@portal"
    assert ask(server, "SHOW max_connections") == "300"
    assert ask(server, "SHOW is_superuser") == "off"
    assert ask(server, "SHOW listen_addresses") == ""

    started_at = ask(server, STARTED_AT)
    assert server.ensure("portal") == place
    assert ask(server, STARTED_AT) == started_at


def test_processes_that_start_at_once_start_one_server(server_at):
    server = server_at()
    answers = [answer(process) for process in [python(START, server) for _ in range(3)]]
    assert answers == [answers[0]] * 3


def test_the_server_outlives_whoever_started_it(server_at):
    server = server_at()
    for sent in [signal.SIGINT, signal.SIGKILL]:
        with python(START_AND_STAY, server) as process:
            assert process.stdout
            seen = process.stdout.readline()
            os.killpg(process.pid, sent)

        assert process.returncode != 0
        assert server.is_running()
        assert str(ask(server, STARTED_AT)) in seen


def test_after_the_kill_of_the_server_committed_data_are_there(server_at):
    server = server_at(fsync=True)
    place = server.ensure("portal")
    assert ask(server, "SHOW fsync") == "on"
    with psycopg.connect(**place) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")
    undecided = psycopg.connect(**place)
    undecided.execute("UPDATE kept SET answer = 'no'")
    kill_postmaster(server)
    with pytest.raises(psycopg.OperationalError):
        undecided.commit()
    undecided.close()
    assert not server.is_running()

    server.ensure("portal")

    assert ask(server, "SELECT answer FROM kept") == "yes"


def test_a_pid_that_is_in_use_again_is_not_believed(server_at):
    server = server_at()
    server.ensure("portal")
    kill_postmaster(server)
    stranger = subprocess.Popen([*as_owner(server.data, BIN), "sleep", "60"])
    try:
        for file in [pid_file(server), server.data / f".s.PGSQL.{PORT}.lock"]:
            _, *rest = file.read_text().splitlines(keepends=True)
            file.write_text("".join([f"{stranger.pid}\n", *rest]))

        assert not server.is_running()
        server.stop()
        server.ensure("portal")
        server.stop()

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_stops_and_keeps_the_data(server_at):
    server = server_at()
    server.stop()
    with psycopg.connect(**server.ensure("portal")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")
        connection.commit()
        server.stop()
    assert not server.is_running()
    assert not lives(server)
    server.stop()

    server.ensure("portal")

    assert ask(server, "SELECT answer FROM kept") == "yes"


def test_an_interrupted_beginning_is_begun_again(server_at):
    server = server_at()
    half = server.data / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.ensure("portal")
    assert not half.exists()


def test_a_deep_folder_with_an_odd_name(server_at):
    server = server_at("/".join(['it\'s a "deep" $HOME & more'] * 5))
    assert len(str(server.data)) > 107

    link = Path(server.ensure("portal")["host"])

    assert ask(server, "SELECT current_user") == "portal"
    assert link.is_symlink()
    server.stop()
    assert not link.is_symlink()


def test_a_link_that_leads_elsewhere_is_not_followed(server_at):
    server = server_at("d" * 107)
    link = Path(server.parameters("portal")["host"])
    link.unlink()
    link.symlink_to("a trap")
    with pytest.raises(EmbeddedError, match="is not ours"):
        server.ensure()
    link.unlink()


def test_two_folders_are_two_servers(server_at):
    one, other = server_at("one"), server_at("other")
    one.ensure("portal")
    assert not other.is_running()
    other.ensure("portal")
    assert ask(one, STARTED_AT) != ask(other, STARTED_AT)

    one.stop()

    assert not one.is_running()
    assert other.is_running()
    (one.data / f".s.PGSQL.{PORT}").symlink_to(other.data / f".s.PGSQL.{PORT}")
    assert not one.is_running()


def test_the_server_never_runs_as_root_and_opens_no_folder(server_at, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = server_at("closed/var/postgres")

    server.ensure()

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == os.geteuid()
    socket = server.data / f".s.PGSQL.{PORT}"
    assert socket.stat().st_uid == server.cluster.stat().st_uid != 0


def test_an_ordinary_user_starts_it_too(server_at):
    """With nobody as the ordinary user, if the tests run as root."""
    server = server_at("home/postgres")
    home = server.data.parent
    home.mkdir()
    hand_over(home)

    seen = answer(python(START, server, prefix=as_owner(home, BIN)))

    user = home.stat().st_uid
    assert user != 0
    assert seen.startswith(f"{user} saw")
    assert server.cluster.stat().st_uid == user


def test_what_does_not_work_is_said_with_its_reason(server_at):
    server = server_at()
    server.cluster.mkdir(parents=True)
    with pytest.raises(EmbeddedError, match=r"(?s)not a database cluster.*set DATABASE_URL"):
        server.ensure()


def test_as_an_engine_of_django_it_starts_with_the_first_query(server_at):
    server = server_at()
    assert answer(python(ENGINE, server)).split() == ["a", "shell", "in", "|", "school"]
