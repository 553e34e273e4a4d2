"""Races at the door: codes, limits, sessions. Each beside a control that takes the guard away and sees the harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import make
import pytest
from django.db import OperationalError, connection, models
from django.test import Client
from django.utils.timezone import now
from racing import RACERS, race
from stage import wait_until

from accounts import asking
from accounts.models import Contact, Link, Session, User
from accounts.models import link as links
from accounts.models.link import MAX_TRIES, LinkQuerySet
from portal import context, limits
from portal.models import Job, School, Tally

BROWSER = "f" * 64

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob() -> Contact:
    School.current()
    return make.student("Bob", email="bob@example.com")


@pytest.fixture
def link(bob) -> Link:
    return make.link(bob.user, self_service=True, browser=BROWSER)


@pytest.fixture
def compared(monkeypatch) -> list[str]:
    """Every code that was looked at."""
    seen: list[str] = []
    compare = links.constant_time_compare

    def note(one: str, other: str) -> bool:
        seen.append(other)
        return compare(one, other)

    monkeypatch.setattr(links, "constant_time_compare", note)
    return seen


def typing(*codes: str) -> list[Callable[[], Link | None]]:
    return [lambda code=code: Link.objects.consume_code(code, browser=BROWSER) for code in codes]


def test_of_codes_typed_at_once_three_are_looked_at(link, compared):
    assert race(*typing(*["AAAAAAAA"] * RACERS)) == [None] * RACERS
    assert len(compared) == MAX_TRIES
    link.refresh_from_db()
    assert (link.tries, link.state) == (MAX_TRIES, "superseded")


def test_a_link_and_its_code_let_in_once_together(bob):
    for _ in range(5):
        link = make.link(bob.user, self_service=True, browser=BROWSER)
        presses = [lambda token=link.token: Link.objects.consume(token)] * 10
        spent = race(*presses, *typing(link.code, link.code))
        assert sum(each is not None for each in spent) == 1


@pytest.fixture
def without_locks(monkeypatch) -> None:
    """Rows are read, and nobody holds them."""
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)


@pytest.fixture
def meet(monkeypatch) -> Callable[..., None]:
    """From then on two who spent their links wait for each other, so many seconds."""

    def begin(*, seconds: float) -> None:
        gate, spend = threading.Barrier(2), LinkQuerySet._spend

        def spend_together(self: LinkQuerySet) -> Link | None:
            link = spend(self)
            with suppress(threading.BrokenBarrierError):
                gate.wait(timeout=seconds)
            return link

        monkeypatch.setattr(LinkQuerySet, "_spend", spend_together)

    return begin


def choosing(bob: Contact) -> Callable[[], bool]:
    """Pressing the button of a mail, with a new password."""
    token = make.link(bob.user, links.Purpose.RESET).token
    return lambda: Link.objects.consume(token, password=f"oil and {token}") is not None


def confirming(bob: Contact) -> Callable[[], bool]:
    """Pressing the button of the mail that went to a new address."""
    purpose, email = links.Purpose.CONFIRM_EMAIL, "bob@new.example"
    token = make.link(bob.user, purpose, email=email).token
    return lambda: Link.objects.confirm_email(token) is not None


# Whoever comes second stands before the lock of the first: waiting for them is vain.
VAIN = 0.5


@pytest.mark.parametrize("other", [choosing, confirming])
def test_of_two_who_end_all_links_at_once_one_does(bob, meet, other):
    meet(seconds=VAIN)
    assert sorted(race(choosing(bob), other(bob))) == [False, True]
    assert not Link.objects.usable().exists()


@pytest.mark.parametrize("other", [choosing, confirming])
@pytest.mark.usefixtures("without_locks")
def test_control_without_the_lock_both_meet_in_a_deadlock(bob, meet, other):
    meet(seconds=10)
    with pytest.raises(OperationalError, match="deadlock"):
        race(choosing(bob), other(bob))


@pytest.fixture
def in_between(monkeypatch) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """What begins when somebody looked at a code or spent their link, who goes on once it waits for them."""
    is_time = threading.Event()

    def is_waited_for() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return bool(cursor.fetchall())

    def pausing(step: Callable[..., Any]) -> Callable[..., Any]:
        def step_and_wait(*terms: Any) -> Any:
            answer = step(*terms)
            is_time.set()
            wait_until(is_waited_for)
            return answer

        return step_and_wait

    def begin_late(run: Callable[[], Any]) -> Callable[[], Any]:
        def late() -> Any:
            assert is_time.wait(timeout=30)
            return run()

        return late

    monkeypatch.setattr(LinkQuerySet, "_spend", pausing(LinkQuerySet._spend))
    monkeypatch.setattr(links, "constant_time_compare", pausing(links.constant_time_compare))
    return begin_late


def test_links_revoked_while_their_owner_chooses_a_password_are_over_already(bob, in_between):
    make.link(bob.user)
    revoke = in_between(Link.objects.all().revoke)
    assert race(choosing(bob), revoke) == [True, []]


@pytest.mark.usefixtures("without_locks")
def test_control_without_the_lock_revoking_meets_them_in_a_deadlock(bob, in_between):
    make.link(bob.user)
    revoke = in_between(Link.objects.all().revoke)
    with pytest.raises(OperationalError, match="deadlock"):
        race(choosing(bob), revoke)


def coming_in(bob: Contact) -> Callable[[], bool]:
    """Pressing the button of a login link."""
    token = make.link(bob.user).token
    return lambda: Link.objects.consume(token) is not None


def typing_it(bob: Contact) -> Callable[[], bool]:
    """Typing the code of a login link."""
    code = make.link(bob.user, self_service=True, browser=BROWSER).code
    return lambda: Link.objects.consume_code(code, browser=BROWSER) is not None


@pytest.mark.parametrize("come", [coming_in, typing_it, choosing])
def test_an_address_staff_change_while_its_owner_comes_in_is_the_new_one(bob, in_between, come):
    change = in_between(lambda: bob.change_email("bob@new.example"))
    assert race(come(bob), change) == [True, None]
    bob.user.refresh_from_db()
    assert bob.user.email == "bob@new.example"


@pytest.mark.parametrize("come", [coming_in, typing_it, choosing])
@pytest.mark.usefixtures("without_locks")
def test_control_without_the_lock_staff_and_owner_meet_in_a_deadlock(bob, in_between, come):
    change = in_between(lambda: bob.change_email("bob@new.example"))
    with pytest.raises(OperationalError, match="deadlock"):
        race(come(bob), change)


def test_control_counting_without_a_condition_looks_at_every_code(link, compared, monkeypatch):
    narrow = models.QuerySet.filter

    def filter_without_tries(self: Any, *args: Any, **terms: Any) -> Any:
        terms.pop("tries__lt", None)
        return narrow(self, *args, **terms)

    # The last wrong one must not end the link either, or else that guard would do.
    monkeypatch.setattr(models.QuerySet, "filter", filter_without_tries)
    monkeypatch.setattr(links, "MAX_TRIES", 1_000)
    race(*typing(*["AAAAAAAA"] * RACERS))
    assert len(compared) == RACERS


def passed(limit: limits.Limit) -> int:
    """How many of many that try at once get through."""

    def attempt() -> bool:
        try:
            limit.spend("bob@example.com")
        except limits.TooMany:
            return False
        return True

    return sum(race(*[attempt for _ in range(RACERS)]))


def test_a_limit_lets_so_many_pass_and_no_more():
    for times in (1, 3, 10):
        limit = limits.Limit(f"test{times}", times=times, seconds=60)
        assert passed(limit) == times
        Tally.objects.update(began_at=now() - timedelta(seconds=61))
        assert passed(limit) == times, "and so many again when its time is over"


def test_control_counting_before_writing_lets_all_pass(monkeypatch):
    gate = threading.Barrier(RACERS)

    def look_then_count(self: limits.Limit, who: str) -> None:
        row, _is_new = Tally.objects.get_or_create(
            key=self._key(who), defaults={"began_at": now(), "count": 0}
        )
        gate.wait(timeout=30)
        if row.count >= self.times:
            raise limits.TooMany(self.seconds)
        Tally.objects.filter(pk=row.pk).update(count=row.count + 1)

    monkeypatch.setattr(limits.Limit, "spend", look_then_count)
    assert passed(limits.Limit("test", times=3, seconds=60)) == RACERS


def test_what_was_asked_for_once_is_made_once_by_however_many_workers(bob):
    with context.acting():
        asking.ask(links.Purpose.LOGIN, email="bob@example.com", browser=BROWSER)
    job = Job.objects.get()
    race(*[lambda: asking.mail_link(job) for _ in range(RACERS)])
    assert Link.objects.count() == 1


def test_control_without_the_lock_several_workers_make_one_each(bob, monkeypatch):
    with context.acting():
        asking.ask(links.Purpose.LOGIN, email="bob@example.com", browser=BROWSER)
    job, gate, mail_to = Job.objects.get(), threading.Barrier(2), LinkQuerySet.mail_to

    def mail_together(self: LinkQuerySet, user: User, **terms: Any) -> bool:
        gate.wait(timeout=30)
        return mail_to(self, user, **terms)

    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    monkeypatch.setattr(models.QuerySet, "update", _update_but("data"))
    monkeypatch.setattr(LinkQuerySet, "mail_to", mail_together)
    race(*[lambda: asking.mail_link(job) for _ in range(2)])
    assert Link.objects.count() == 2


def _update_but(column: str) -> Callable[..., int]:
    """QuerySet.update(), but for statements that write `column`: those would wait for each other."""
    update = models.QuerySet.update

    def some(self: Any, **values: Any) -> int:
        return 0 if column in values else update(self, **values)

    return some


def logging_in(number: int) -> list[Callable[[], tuple[Client, int]]]:
    """So many browsers of Bob's."""

    def enter() -> tuple[Client, int]:
        browser = Client()
        typed = {"login": "bob@example.com", "password": make.PASSWORD}
        return browser, browser.post("/account/login/", typed).status_code

    return [enter] * number


def test_browsers_that_log_in_at_once_are_as_many_as_the_school_allows(bob):
    School.objects.update(max_sessions=2)
    race(*logging_in(5))
    assert Session.objects.filter(user=bob.user).count() == 2


def test_passwords_tried_at_once_are_as_few_as_one_after_the_other(bob):
    def attempt() -> int:
        typed = {"login": "bob@example.com", "password": "wrong"}
        return Client().post("/account/login/", typed).status_code

    statuses = race(*[attempt for _ in range(RACERS)])
    assert statuses.count(200) == limits.FAILED_LOGINS.times
    assert statuses.count(429) == RACERS - limits.FAILED_LOGINS.times
