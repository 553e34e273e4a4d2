"""Whatever is done to a person, an offer or a course: the explanation says what the portal does.

A machine does it in every order. After each step three answers are compared: the explanation, the
pages themselves, and an oracle in SQL that is written from the rules and shares no code with either.

What was compared is not compared again: every run begins in the same world at the same instant, so
the same deeds lead to the same state, and a deed that neither wrote nor moved the clock to none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import make
import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Contact
from enrollments import access
from enrollments.models import Enrollment, Grant
from enrollments.reasons import Bearing
from enrollments.shelf import shelf
from offers.models import Course, Lesson, Offer
from portal.models import School

# Days are compared as days on the school's wall: that `ends_at` was computed rightly is part of it.
ORACLE = """
    SELECT course.slug
    FROM offers_course AS course, accounts_contact AS person
    WHERE person.id = %(person)s
      AND person.blocked_at IS NULL
      AND course.status = 'published'
      AND course.id NOT IN (
          SELECT course_id FROM enrollments_enrollment
          WHERE contact_id = person.id AND inactive_at IS NOT NULL)
      AND course.id IN (
          SELECT part.course_id
          FROM offers_offercourse AS part
          JOIN offers_offer AS offer ON offer.id = part.offer_id
          JOIN enrollments_grant AS given ON given.offer_id = part.offer_id
          WHERE given.contact_id = person.id
            AND offer.status IN ('active', 'archived')
            AND given.revoked_at IS NULL
            AND given.suspended_at IS NULL
            AND given.starts_at <= %(at)s
            AND coalesce((%(at)s AT TIME ZONE 'Europe/Rome')::date <= given.ends_on, true))
"""
START = datetime(2026, 3, 27, 12, tzinfo=UTC)  # two days before Rome changes its clocks
LOGIN = "/account/login/"
SOURCES = ["manual", "import:1"]
OFFERS, COURSES, GRANTS = (st.integers(0, 2), st.integers(0, 1), st.integers(0, 5))
DAYS = st.integers(-1, 5)


READS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT")


def deed(**words: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """A rule that joins the trail of its run if it changed anything."""

    def wrap(act: Callable[..., None]) -> Any:
        @wraps(act)
        def do(self: Portal, **given: object) -> None:
            with self.on_the_trail(act.__name__, *given.values()):
                act(self, **given)

        return rule(**words)(do)

    return wrap


class Portal(RuleBasedStateMachine):
    """One person, three offers, two courses; and everything that may happen to them."""

    bob: Contact
    courses: list[Course]
    offers: list[Offer]
    urls: list[list[str]]  # of each course its page, and its lesson's
    browser: Client  # in which Bob logged in once
    compared: set[Hashable]  # in all runs

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.traveler = self.clock.start()
        self.client = Client()
        self.client.cookies.update(self.browser.cookies)
        self.trail: tuple[Hashable, ...] = ()
        self.has_written = False
        self.step = 0

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    @contextmanager
    def on_the_trail(self, *what: Hashable) -> Iterator[None]:
        """Remember that this was done, unless it left everything as it was."""
        before, self.has_written = datetime.now(UTC), False
        with connection.execute_wrapper(self.noticing):
            yield
        if self.has_written or datetime.now(UTC) != before:
            self.trail = (*self.trail, what)

    def noticing(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        self.has_written |= not sql.lstrip().startswith(READS)
        return execute(sql, params, many, context)

    def is_new(self, *what: Hashable) -> bool:
        """Whether this is yet to be compared after these deeds."""
        known = len(self.compared)
        self.compared.add((self.trail, what))
        return len(self.compared) > known

    # What happens to grants

    @deed(offer=OFFERS, source=st.sampled_from(SOURCES), starts=DAYS, lasts=st.none() | DAYS)
    def grant(self, offer: int, source: str, starts: int, lasts: int | None) -> None:
        """For the past, for now, for later; with an end or without."""
        at = datetime.now(UTC) + timedelta(days=starts)
        make.grant(
            contact=self.bob,
            offer=self.offers[offer],
            source=source,
            starts_at=at,
            ends_on=None if lasts is None else at.date() + timedelta(days=lasts),
        )

    def one_of(self, number: int) -> Grant | None:
        grants = list(Grant.objects.filter(contact=self.bob).order_by("pk"))
        return grants[number % len(grants)] if grants else None

    @deed(number=GRANTS)
    def revoke(self, number: int) -> None:
        if grant := self.one_of(number):
            grant.revoke(reason="refunded")

    @deed(number=GRANTS)
    def suspend(self, number: int) -> None:
        if grant := self.one_of(number):
            grant.suspend()

    @deed(number=GRANTS)
    def resume(self, number: int) -> None:
        if grant := self.one_of(number):
            grant.resume()

    @deed(number=GRANTS, days=st.none() | DAYS)
    def extend(self, number: int, days: int | None) -> None:
        """To a later day, to none, or to one that is over: it has expired then."""
        if grant := self.one_of(number):
            today = School.current().today()
            grant.extend(until=None if days is None else today + timedelta(days=days))

    # What happens to the person

    @deed()
    def block(self) -> None:
        Contact.objects.get(pk=self.bob.pk).block(reason="shared the password")

    @deed()
    def unblock(self) -> None:
        Contact.objects.get(pk=self.bob.pk).unblock()

    @deed()
    def archive(self) -> None:
        Contact.objects.filter(pk=self.bob.pk).archive()

    @deed(course=COURSES, is_on=st.booleans())
    def switch(self, course: int, is_on: bool) -> None:
        for enrollment in Enrollment.objects.filter(course=self.courses[course]):
            enrollment.switch(on=is_on)

    # What happens to offers and courses

    @deed(offer=OFFERS, is_archived=st.booleans())
    def publish_or_archive_the_offer(self, offer: int, is_archived: bool) -> None:
        if is_archived:
            self.offers[offer].archive()
        else:
            self.offers[offer].publish()

    @deed(offer=OFFERS)
    def take_the_offer_back_to_draft(self, offer: int) -> None:
        Offer.objects.filter(pk=self.offers[offer].pk).update(status="draft")

    @deed(course=COURSES, is_archived=st.booleans())
    def publish_or_archive_the_course(self, course: int, is_archived: bool) -> None:
        if is_archived:
            self.courses[course].archive()
        else:
            self.courses[course].publish()

    @deed(offer=OFFERS, course=COURSES, is_in=st.booleans())
    def include_or_exclude(self, offer: int, course: int, is_in: bool) -> None:
        if is_in:
            self.offers[offer].include(self.courses[course])
        else:
            self.offers[offer].exclude(self.courses[course])

    # What happens by itself

    @deed(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.traveler.shift(timedelta(hours=hours))

    @deed(before=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    def the_next_turn_comes(self, before: timedelta) -> None:
        """The very instant at which something ends or starts, or the last one before it."""
        at, moments = datetime.now(UTC), set[datetime]()
        for grant in Grant.objects.filter(contact=self.bob):
            moments |= {grant.starts_at, grant.ends_at or at}
        if later := [moment for moment in moments if moment - before > at]:
            self.traveler.move_to(min(later) - before)

    # What must hold

    @invariant()
    def everybody_says_the_same(self) -> None:
        """The explanation after each step; gate, shelf and pages after every fifth. The courses take turns."""
        self.step += 1
        turn = self.step % 2
        url = self.urls[turn][self.step % 4 < 2]
        explains, visits = self.is_new(turn), self.step % 5 == 0 and self.is_new(url)
        if not (explains or visits):
            return
        with connection.cursor() as cursor:
            cursor.execute(ORACLE, {"person": self.bob.pk, "at": datetime.now(UTC)})
            opens = {slug for (slug,) in cursor.fetchall()}
        bob = Contact.objects.select_related("user").get(pk=self.bob.pk)
        course = Course.objects.get(pk=self.courses[turn].pk)
        if explains:
            self.explains(bob, course, course.slug in opens)
        if visits:
            with self.on_the_trail("visit", url):
                self.visits(bob, url, opens, is_open=course.slug in opens)

    def explains(self, bob: Contact, course: Course, opens: bool) -> None:
        verdict = access.verdict(bob, course)
        assert verdict.allowed is opens, [reason.text for reason in verdict.reasons]
        assert verdict.deciding, "there is always a reason"
        for reason in verdict.deciding:
            assert (reason.bearing is Bearing.OPENS) is opens
            assert opens or (reason.mend and reason.button), f"nothing mends: {reason.text}"

    def visits(self, bob: Contact, url: str, opens: set[str], *, is_open: bool) -> None:
        assert {course.slug for course in access.open_courses(bob)} == opens
        assert {book.slug for book in shelf(bob)} == opens
        answer = self.client.get(url)
        if answer.headers.get("Location", "").startswith(LOGIN):  # blocking and time end sessions
            self.client.force_login(bob.user)
            answer = self.client.get(url)
        assert (answer.status_code == 200) is is_open, f"{url} answers {answer.status_code}"


@pytest.mark.parametrize("part", range(4))
def test_explanation_pages_and_oracle_agree_whatever_happens(school, part):
    bread, cheese = make.course("Bread", lessons=1), make.course("Cheese", lessons=1)
    world: dict[str, Any] = {
        "bob": make.student("Bob Baker"),
        "courses": [bread, cheese],
        "offers": [
            make.offer("Bread", courses=[bread]),
            make.offer("Cheese", courses=[cheese]),
            make.offer("Both", courses=[bread, cheese]),
        ],
        "urls": [
            [page, f"{page}lessons/{Lesson.objects.get(module__course=course).pk}/"]
            for course in (bread, cheese)
            for page in [f"/courses/{course.slug}/"]
        ],
        "browser": Client(),
        "compared": set(),
    }
    with time_machine.travel(START, tick=False):
        make.grant(contact=world["bob"], offer=world["offers"][2])
        world["browser"].force_login(world["bob"].user)
    machine = type("Portal", (Portal,), world)
    run_state_machine_as_test(
        seed(part)(machine),
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
