"""The demo: a real process from the first start to the last, and the school it makes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, build_opener

import psycopg
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count
from django.http import QueryDict
from django.utils.timezone import now

from accounts.models import BulkRun, Contact, Note, Role, Segment, User
from accounts.selection import Selection
from enrollments import access
from enrollments.access import with_portal_status
from enrollments.models import Enrollment, Grant, ImportBatch, QuizAttempt, RowOutcome
from enrollments.models.enrollment import LearningStatus
from notifications.models import Kind as MessageKind
from notifications.models import Message, State
from offers.models import Cohort, Course, Lesson, Module, Offer
from offers.models.offer import Kind
from offers.video import validate_video
from portal.demo import people, school
from portal.demo.processes import is_free
from portal.embedded.server import Server
from portal.events import Name
from portal.models import Event, Job, Outbox, School

CHECKOUT = Path(__file__).parents[2]
OTHER_PLACES = ("DATABASE_URL", "CELERY_BROKER_URL", "EMAIL_URL", "PORTAL_URL", "PYTEST_VERSION")
PATIENCE = 60  # seconds

COUNTS = """
SELECT (SELECT count(*) FROM accounts_contact), (SELECT count(*) FROM offers_course),
       (SELECT count(*) FROM offers_offer), (SELECT count(*) FROM enrollments_grant)
"""


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def browser() -> OpenerDirector:
    return build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))


class Demo:
    """`manage.py demo` in a folder of its own."""

    def __init__(self, var: Path) -> None:
        self.var, self.port = var, free_port()
        self.server = Server(var / "postgres")

    def start(self) -> str:
        """Start it and wait until it says that it is up; returns what it said."""
        others = {key: value for key, value in os.environ.items() if key not in OTHER_PLACES}
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(self.port)],
            cwd=CHECKOUT,
            env=others | {"VAR_DIR": str(self.var)},
            stdout=subprocess.PIPE,
            text=True,
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        assert self.process.poll() is None
        return "".join(said)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        with self.process:
            return self.process.wait(PATIENCE)

    def get(self, path: str) -> str:
        with browser().open(f"http://localhost:{self.port}{path}", timeout=PATIENCE) as answer:
            assert answer.status == 200
            return answer.read().decode()

    def counts(self) -> tuple[int, ...]:
        with psycopg.connect(self.server.url("portal")) as database:
            return database.execute(COUNTS).fetchone()

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    place = Demo(tmp_path)
    yield place
    if place.process.poll() is None:
        place.end(signal.SIGTERM)
    place.server.stop()


def log_in(port: int, email: str, password: str) -> OpenerDirector:
    """A browser in which somebody has logged in with the form."""
    mine, page = browser(), f"http://localhost:{port}/account/login/"
    with mine.open(page, timeout=PATIENCE) as answer:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())[1]
    fields = {"login": email, "password": password, "csrfmiddlewaretoken": token}
    with mine.open(page, urlencode(fields).encode(), timeout=PATIENCE):
        return mine


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.serial
def test_the_demo_starts_stops_and_finds_its_school_again(demo: Demo) -> None:
    said = demo.start()

    assert f"http://localhost:{demo.port}/" in said
    assert demo.get("/account/login/")
    until(lambda: demo.get("/demo/mail/").count("@") >= len(people.ARRIVALS))
    owner = re.search(r"Owner +(\S+) +(\S+)", said)
    student = re.search(r"Student +(\S+) +(\S+)", said)
    for login, home in ((owner, "/dashboard/"), (student, "/courses/")):
        inside = log_in(demo.port, login[1], login[2])
        with inside.open(f"http://localhost:{demo.port}{home}", timeout=PATIENCE) as answer:
            assert answer.url.endswith(home)
    counts = demo.counts()

    assert demo.end(signal.SIGINT) == 0
    assert is_free(demo.port)
    assert not demo.server.is_running()

    began = time.monotonic()
    assert "Filling" not in demo.start()
    assert time.monotonic() - began < PATIENCE / 2
    assert demo.counts() == counts

    if sys.platform == "linux":
        children = demo.children()
        assert len(children) == 2
        demo.end(signal.SIGKILL)
        until(lambda: is_free(demo.port) and not any(map(is_alive, children)))


def test_a_taken_port_is_refused(db: None) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is taken"):
            call_command("demo", port=port)


def test_reset_is_refused_on_a_database_that_is_not_embedded(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.postgresql")
    with pytest.raises(CommandError, match="DATABASE_URL") as refused:
        call_command("demo", "--reset")
    assert refused.value.returncode == 1


def test_an_empty_database_becomes_a_school_of_every_kind_of_everything(
    db: None, mailoutbox: list[object]
) -> None:
    assert school.is_empty()
    school.fill()
    assert not school.is_empty()
    assert School.current().name == people.NAME
    assert set(User.objects.exclude(role="").values_list("role", flat=True)) == set(Role.values)

    assert Course.objects.count() == 6
    assert set(Course.objects.values_list("status", flat=True)) == {"draft", "published"}
    for course in Course.objects.annotate(
        chapters=Count("modules", distinct=True), lessons=Count("modules__lessons")
    ):
        assert 2 <= course.chapters <= 5
        assert course.lessons >= 2 * course.chapters
    for address in Lesson.objects.exclude(video_url="").values_list("video_url", flat=True):
        try:
            validate_video(address)
        except ValidationError:
            pytest.fail(address)

    assert set(Offer.objects.values_list("status", flat=True)) == {"draft", "active", "archived"}
    assert Offer.objects.filter(is_internal=True).exists()
    assert Offer.objects.filter(default_days=365).exists()
    assert Offer.objects.annotate(n=Count("courses")).filter(n__gte=3).exists()

    assert len(Contact.objects.present()) == 71
    statuses = with_portal_status(Contact.objects.all()).values_list("portal_status", flat=True)
    assert set(statuses) == {"none", "active", "invited", "joined", "blocked"}
    states = {grant.state for grant in Grant.objects.all()}
    assert states == {"live", "ended", "pending", "revoked", "suspended"}
    assert set(Message.objects.values_list("state", flat=True)) >= {
        State.SENT,
        State.WAITING,
        State.SUPPRESSED,
        State.FAILED,
        State.DEAD,
    }
    assert Enrollment.objects.filter(completed_at__isnull=False).exists()
    assert Enrollment.objects.filter(started_at__isnull=False, completed_at=None).exists()

    twice = Contact.objects.get(email=people.DOUBLES[0].email)
    pizza = Course.objects.get(slug="pizza")
    opening = Grant.objects.live().filter(contact=twice, offer__courses=pizza)
    assert len(set(opening.values_list("source", flat=True))) == 2
    assert access.verdict(twice, pizza).allowed

    # The past is told in order and is over; the last half hour is left to the clock.
    moments = list(Event.objects.order_by("pk").values_list("occurred_at", flat=True))
    assert moments == sorted(moments)
    assert moments[-1] < now()
    assert Outbox.objects.count() == len(people.ARRIVALS) + 1
    assert not Message.objects.due().exists()
    assert not mailoutbox

    courses_are_more_than_texts()
    access_comes_and_goes()
    files_were_imported()
    many_were_changed_at_once()
    staff_keep_an_eye_on_people()
    assert not Job.objects.exclude(state="done").exists()


def courses_are_more_than_texts() -> None:
    """Covers, a quiz with results, a class to come, rules, a draft, files, cohorts."""
    assert not Course.objects.filter(cover=None).exists()
    assert Course.objects.filter(enforces_order=True).exists()
    assert Module.objects.filter(opens_after__gt=0).exists()
    assert {"text", "quiz", "live"} <= set(Lesson.objects.values_list("kind", flat=True))
    assert Lesson.objects.filter(live_at__gt=now()).exists()
    assert Lesson.objects.filter(published_at=None).exists()
    assert Lesson.objects.exclude(requires=None).exists()
    assert Lesson.objects.exclude(attachments=None).exists()
    assert {cohort.state for cohort in Cohort.objects.all()} == {"running", "upcoming"}
    assert set(QuizAttempt.objects.values_list("passed", flat=True)) == {True, False}


def access_comes_and_goes() -> None:
    """A subscription of all courses, months that ended, reminders of those that will."""
    membership = Offer.objects.get(kind=Kind.SUBSCRIPTION)
    assert membership.courses.count() == Course.objects.count()
    assert membership.grants.live().count() >= 5
    ended = Grant.objects.filter(revoked_at=None, ends_at__lte=now())
    assert ended.filter(offer=membership).count() == 2
    assert not ended.filter(expired_at=None).exists()
    assert Event.objects.filter(name=Name.OFFER_EXPIRED).count() >= len(ended)
    assert Message.objects.filter(kind=MessageKind.REMINDER, state=State.SENT).count() >= 5
    opens = Grant.objects.filter(starts_at__gt=now(), starts_at__lt=now() + timedelta(days=7))
    assert opens.exists()


def files_were_imported() -> None:
    """One with rows to mend, one taken back, one that is checked and waits."""
    imports = list(ImportBatch.objects.order_by("pk"))
    assert [batch.state for batch in imports] == ["done", "undone", "checked"]
    market, hotel, renewals = imports
    assert market.counts["failed"] == market.rows.filter(outcome=RowOutcome.FAILED).count() == 2
    assert hotel.undo_counts["archived"] == len(people.HOTEL) - 1
    assert hotel.undo_counts["contacts_left"] == 1  # a note speaks of him or her
    assert hotel.undo_counts["reset"] == 1
    assert Contact.objects.exclude(archived_at=None).count() == len(people.HOTEL) - 1
    assert {value: renewals.counts[value] for value in ("created", "updated", "failed")} == {
        "created": 2,
        "updated": 4,
        "failed": 2,
    }
    assert not Contact.objects.filter(email__startswith="lea.sommer").exists()


def many_were_changed_at_once() -> None:
    """Bulk actions, and the segments that are asked again and again."""
    runs = list(BulkRun.objects.order_by("pk"))
    assert [(run.action, run.state) for run in runs] == [
        ("set_end", "done"),
        ("tag", "done"),
        ("tag", "undone"),
    ]
    assert all(run.counts()["changed"] for run in runs)
    for segment in Segment.objects.all():
        selection = Selection.from_query(QueryDict(segment.query))
        assert not selection.problems
        assert selection.as_query() == segment.query
        assert selection.contacts().exists(), segment
    assert Segment.objects.count() == 4


def staff_keep_an_eye_on_people() -> None:
    """What was corrected, noted and agreed to, each by somebody."""
    learning = set(Enrollment.objects.values_list("learning_status", flat=True))
    assert learning == set(LearningStatus.values)
    assert Enrollment.objects.filter(attempt=2, started_at__isnull=False).exists()
    closed = Enrollment.objects.exclude(inactive_at=None).get()
    assert not access.verdict(closed.contact, closed.course).allowed
    authors = set(Note.objects.values_list("author__role", flat=True))
    assert authors == {Role.OWNER, Role.SUPPORT}
    acting = {
        role
        for role in Role.values
        if Event.objects.exclude(name=Name.PORTAL_LOGIN).filter(actor__role=role).exists()
    }
    assert acting >= {Role.OWNER, Role.ADMIN, Role.SUPPORT}
    assert Contact.objects.exclude(newsletter_at=None).exclude(promotions_at=None).exists()
    assert Contact.objects.exclude(external_id=None).exists()
