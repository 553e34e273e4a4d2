"""Races at the door: codes, limits, sessions. Each beside a control that takes the guard away and sees the harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import make
import pytest
from django.db import OperationalError, models
from django.test import Client
from django.utils.timezone import now
from racing import RACERS, race

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
def met(monkeypatch) -> None:
    """Two who spend a link at once wait for each other, if both can come so far."""
    gate, spend = threading.Barrier(2), LinkQuerySet._spend

    def spend_together(self: LinkQuerySet) -> Link | None:
        link = spend(self)
        with suppress(threading.BrokenBarrierError):
            gate.wait(timeout=0.5)
        return link

    monkeypatch.setattr(LinkQuerySet, "_spend", spend_together)


def choosing(bob: Contact) -> list[Callable[[], bool]]:
    """Pressing the buttons of two mails, each with another new password."""

    def press(token: str) -> bool:
        return Link.objects.consume(token, password=f"oil and {token}") is not None

    mailed = [make.link(bob.user, links.Purpose.RESET) for _ in range(2)]
    return [lambda token=link.token: press(token) for link in mailed]


def test_of_two_new_passwords_chosen_at_once_one_is_it(bob, met):
    assert sorted(race(*choosing(bob))) == [False, True]
    assert not Link.objects.usable().exists()


def test_control_without_the_lock_two_new_passwords_meet_in_a_deadlock(bob, met, monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    with pytest.raises(OperationalError, match="deadlock"):
        race(*choosing(bob))


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
