"""The cast: Alice (staff), Bob (student), Charlie (somebody else); and what every test may lean on."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import make
import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone, translation
from leaks import pytest_runtest_protocol, pytest_runtest_teardown
from stage import ground, stage, static

from accounts.models import Contact, User
from notifications import mail
from notifications.models import Message
from portal import events, jobs
from portal.models import Job, School

__all__ = ["ground", "stage", "static"]
__all__ += ["pytest_runtest_protocol", "pytest_runtest_teardown"]  # the search for leaks

type Committed = Callable[[], contextlib.AbstractContextManager[None]]

# Browsers, processes and machines: seconds each, where all others take a fraction of one.
LONG = (
    "tests/browser/",
    "tests/enrollments/test_explanation.py",
    "tests/portal/test_demo.py",
    "tests/portal/test_benchmark.py",
    "tests/faults/",
    "tests/enrollments/test_locks.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests come first, shared out evenly, so that no process is left alone with one in the end.

    Each process begins with a part of the list, all parts being equally long.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long, short = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (long if item.nodeid.startswith(LONG) else short).append(item)
    long.sort(key=lambda item: next(n for n, place in enumerate(LONG) if place in item.nodeid))
    shares = [long[n::workers] for n in range(workers)]
    items.clear()
    for n, share in enumerate(shares):
        upto = len(short) * (n + 1) // workers
        items += share + short[len(short) * n // workers : upto]


def pytest_collection_finish() -> None:
    """What is imported by now stays: nobody need look at it again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow by design; only the story about it needs it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A page leaves its reader's language and zone behind; no test begins with those of the one before."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def uploads_of_its_own(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test uploads is gone with it."""
    settings.MEDIA_ROOT = tmp_path_factory.getbasetemp() / "media"


@pytest.fixture
def alice(db: None) -> User:
    """Owner of the school."""
    return make.staff(email="alice@example.com")


@pytest.fixture
def bob(db: None) -> Contact:
    """A student with a password who holds nothing yet."""
    return make.student("Bob Baker", email="bob@example.com")


@pytest.fixture
def charlie(db: None) -> Contact:
    """Another student, who has no business with what is Bob's."""
    return make.student("Charlie Cook", email="charlie@example.com")


@pytest.fixture
def school(db: None) -> School:
    """The school, in Rome."""
    School.current()
    School.objects.update(
        name="Mill Street", time_zone="Europe/Rome", support_email="help@example.com"
    )
    return School.current()


def work_off() -> None:
    """Do everything that is due in this very transaction, as clock and workers would."""
    more = True
    while more:
        more = events.dispatch() > 0
        for waiting, work in ((Message, mail.deliver), (Job, jobs.run)):
            for pk in list(waiting.objects.due().values_list("pk", flat=True)):
                work(pk)
                more = True


@pytest.fixture
def committed(
    db: None,
    django_capture_on_commit_callbacks: Callable[..., contextlib.AbstractContextManager[object]],
) -> Committed:
    """`with committed(): …` does it, commits it, and lets everything follow that follows."""

    @contextlib.contextmanager
    def block() -> Iterator[None]:
        with django_capture_on_commit_callbacks(execute=True):
            yield
        work_off()

    return block


@pytest.fixture
def login(client: Client) -> Callable[[User | Contact], Client]:
    """A browser of somebody's own, logged in."""

    def enter(person: User | Contact) -> Client:
        browser = Client()
        browser.force_login(person.user if isinstance(person, Contact) else person)
        return browser

    return enter


@pytest.fixture
def last_mail(mailoutbox: list[EmailMessage]) -> Callable[[], EmailMessage]:
    """The one mail that was sent."""

    def only() -> EmailMessage:
        [message] = mailoutbox
        return message

    return only
