"""PostgreSQL goes away under the running processes, and comes back: nobody restarts anything."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import make
import pytest
from stage import Stage, connections, ground_in, stage_on, url_of, wait_until

from notifications.models import Message, State
from portal.embedded.server import BIN, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL of this test's own, as careful with its data as one in production."""
    server = Server(tmp_path / "postgres")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def database(transactional_db: None, server: Server) -> str:
    """A database on that server, like the migrated one of the tests."""
    server.ensure("school")
    ours = url_of(connections["default"].settings_dict["NAME"])
    dump = subprocess.run([BIN / "pg_dump", "--no-owner", ours], check=True, capture_output=True)
    restore = [BIN / "psql", "--quiet", "--set=ON_ERROR_STOP=1", server.url("school")]
    subprocess.run(restore, input=dump.stdout, check=True, capture_output=True)
    return server.url("school")


@pytest.fixture
def stage(database: str, tmp_path: Path, static: Path) -> Iterator[Stage]:
    with ground_in(tmp_path / "stage", static) as ground, stage_on(database, ground) as stage:
        yield stage


def start(server: Server) -> None:
    """Start it again; this process, too, has to connect anew."""
    server.ensure()
    connections["default"].close()


def test_a_restart_of_the_database_ends_by_itself(stage: Stage, server: Server):
    web, clock = stage.web(), stage.clock()
    student = make.student(email="bob@example.com")
    make.grant(contact=student, offer=make.offer())
    bob = stage.visitor()
    bob.log_in(student.email, make.PASSWORD)

    # So quick that nobody asked meanwhile: nobody ever notices.
    server.stop()
    start(server)
    assert bob.get("/courses/").status == 200

    # Long enough to be noticed by everybody, with a mail between sending and marking.
    stage.post.hold_from = 0
    [address] = stage.admit(1, make.offer())
    wait_until(lambda: stage.post.held)
    server.stop()
    stage.post.release()
    ready = bob.get("/readyz")
    assert (ready.status, ready.headers["Retry-After"]) == (503, "5")
    assert bob.get("/healthz").status == 200
    page = bob.get("/courses/")
    assert (page.status, page.headers["Retry-After"]) == (503, "5")
    assert "Back in a moment" in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert "psycopg" not in page.text
    wait_until(lambda: "does not answer; trying again" in clock.log.read_text())
    start(server)

    wait_until(lambda: bob.get("/readyz").status == 200)
    assert "Sourdough" in bob.get("/courses/").text
    wait_until(lambda: Message.objects.filter(state=State.SENT).exists())
    first, again = stage.post.letters
    assert first == again, "it could not be marked, so it was sent again: the same mail"
    assert first.to == address
    assert web.lives
    assert clock.lives
