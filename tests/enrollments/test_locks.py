"""Whatever the rules of a course are and whatever happens: what is open is what an oracle in plain Python says.

A machine changes rules, cohorts, marks and the clock in every order. After each step the locks in
SQL, the lessons access opens and the student's own pages are compared with the oracle, which keeps
books of its own and never looks into the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import make
import pytest
import time_machine
from django.db import transaction
from django.test import Client
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Contact
from enrollments import access
from enrollments.cohorts import set_cohorts
from enrollments.locks import opening_days, outlooks, standings
from enrollments.models import Enrollment
from offers.models import Cohort, CohortDate, Course, Lesson, Module, Requirement

START = datetime(2026, 3, 27, 12, tzinfo=UTC)  # two days before Rome changes its clocks
ROME = ZoneInfo("Europe/Rome")
DAY_ONE = START.date()
LESSONS, MODULES, COHORTS = st.integers(0, 3), st.integers(0, 1), st.integers(0, 1)
QUIZZES = (1, 3)
NEEDS = st.sampled_from([(2, 1), (3, 1), (3, 0), (0, 2)])  # the last is against the order
AFTER = st.none() | st.integers(0, 4)
DAYS = st.none() | st.integers(-2, 5).map(lambda days: DAY_ONE + timedelta(days=days))
ANY_DAY = DAYS.filter(lambda day: day is not None)


@dataclass
class Rules:
    """When something opens."""

    after: int | None = None
    on: date | None = None


@dataclass
class Books:
    """What the oracle knows: lessons are 0 to 3, modules 0 and 1, cohorts 0 and 1."""

    order: list[int] = field(default_factory=lambda: [0, 1, 2, 3])
    home: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0, 2: 1, 3: 1})
    modules: dict[int, Rules] = field(default_factory=lambda: {n: Rules() for n in range(2)})
    lessons: dict[int, Rules] = field(default_factory=lambda: {n: Rules() for n in range(4)})
    drafts: set[int] = field(default_factory=set)
    needs: set[tuple[int, int]] = field(default_factory=set)
    is_in_order: bool = False
    only_quizzes: bool = False
    starts: dict[int, date | None] = field(default_factory=lambda: {0: None, 1: None})
    dates: dict[tuple[int, int], date | None] = field(default_factory=dict)
    enrolled_on: date = DAY_ONE
    cohort: int | None = None
    unlocked: set[int] = field(default_factory=set)
    is_unlocked: bool = False
    done: set[int] = field(default_factory=set)
    has_begun: bool = False

    def shown(self) -> list[int]:
        inside = [n for module in (0, 1) for n in self.order if self.home[n] == module]
        return [n for n in inside if n not in self.drafts]

    def opening_day(self, lesson: int) -> date | None:
        """The last of all days there are."""
        rules, module = self.lessons[lesson], self.modules[self.home[lesson]]
        first = self.starts[self.cohort] if self.cohort is not None else None
        own = self.dates.get((self.cohort, lesson)) if self.cohort is not None else None
        count_from = first or self.enrolled_on
        days = [first, module.on, own or rules.on]
        days += [
            count_from + timedelta(days=after)
            for after in (rules.after, module.after)
            if after is not None
        ]
        return max((day for day in days if day), default=None)

    def is_open(self, lesson: int, today: date) -> bool:
        if lesson in self.done or lesson in self.unlocked or self.is_unlocked:
            return True
        day = self.opening_day(lesson)
        if day is not None and today < day:
            return False
        for what, first in self.needs:
            if what == lesson and first not in self.done and first not in self.drafts:
                return False
        if self.is_in_order:
            for before in self.shown()[: self.shown().index(lesson)]:
                is_counted = not self.only_quizzes or before in QUIZZES
                if is_counted and before not in self.done:
                    return False
        return True


class Classroom(RuleBasedStateMachine):
    """One student in one course, and everything that opens and shuts its lessons."""

    bob: Contact
    course: Course
    modules: list[Module]
    lessons: list[Lesson]
    cohorts: list[Cohort]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.traveler = self.clock.start()
        make.grant(contact=self.bob, offer=self.course.offers.get())
        self.books = Books()
        self.client = Client()
        self.step = 0

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    @property
    def mine(self) -> Enrollment:
        return Enrollment.objects.get(contact=self.bob, course=self.course)

    # The rules of the course

    @initialize(is_in_order=st.booleans(), cohort=st.none() | COHORTS, lesson=LESSONS, need=NEEDS)
    def begin(
        self, is_in_order: bool, cohort: int | None, lesson: int, need: tuple[int, int]
    ) -> None:
        """With a little of every rule, so that few steps are needed to break one."""
        self.change_the_course(is_in_order, only_quizzes=False)
        self.move_to_a_cohort(cohort)
        self.drip_a_lesson(lesson, after=1, on=None)
        self.require(need, holds=True)

    @rule(is_in_order=st.booleans(), only_quizzes=st.booleans())
    def change_the_course(self, is_in_order: bool, only_quizzes: bool) -> None:
        completion = "quiz" if only_quizzes else "button"
        Course.objects.filter(pk=self.course.pk).update(
            enforces_order=is_in_order, completion=completion
        )
        self.books.is_in_order, self.books.only_quizzes = is_in_order, only_quizzes

    @rule(module=MODULES, after=AFTER, on=DAYS)
    def drip_a_module(self, module: int, after: int | None, on: date | None) -> None:
        Module.objects.filter(pk=self.modules[module].pk).update(opens_after=after, opens_on=on)
        self.books.modules[module] = Rules(after, on)

    @rule(lesson=LESSONS, after=AFTER, on=DAYS)
    def drip_a_lesson(self, lesson: int, after: int | None, on: date | None) -> None:
        Lesson.objects.filter(pk=self.lessons[lesson].pk).update(opens_after=after, opens_on=on)
        self.books.lessons[lesson] = Rules(after, on)

    @rule(need=NEEDS, holds=st.booleans())
    def require(self, need: tuple[int, int], holds: bool) -> None:
        lesson, first = need
        key = {"lesson": self.lessons[lesson], "required": self.lessons[first]}
        if holds:
            Requirement.objects.get_or_create(**key)
            self.books.needs.add((lesson, first))
        else:
            Requirement.objects.filter(**key).delete()
            self.books.needs.discard((lesson, first))

    @rule(lesson=LESSONS, is_draft=st.booleans())
    def publish_or_not(self, lesson: int, is_draft: bool) -> None:
        at = None if is_draft else datetime.now(UTC)
        Lesson.objects.filter(pk=self.lessons[lesson].pk).update(published_at=at)
        (self.books.drafts.add if is_draft else self.books.drafts.discard)(lesson)

    @rule(order=st.permutations(range(4)), lesson=LESSONS, module=MODULES)
    def rearrange(self, order: list[int], lesson: int, module: int) -> None:
        for place, number in enumerate(order):
            Lesson.objects.filter(pk=self.lessons[number].pk).update(position=place)
        Lesson.objects.filter(pk=self.lessons[lesson].pk).update(module=self.modules[module])
        self.books.order, self.books.home[lesson] = order, module

    # Cohorts

    @rule(cohort=COHORTS, starts=DAYS)
    def start_a_cohort(self, cohort: int, starts: date | None) -> None:
        Cohort.objects.filter(pk=self.cohorts[cohort].pk).update(starts_on=starts)
        self.books.starts[cohort] = starts

    @rule(cohort=COHORTS, lesson=LESSONS, on=DAYS)
    def give_a_cohort_a_date(self, cohort: int, lesson: int, on: date | None) -> None:
        key = {"cohort": self.cohorts[cohort], "lesson": self.lessons[lesson]}
        CohortDate.objects.update_or_create(**key, defaults={"opens_on": on})
        self.books.dates[cohort, lesson] = on

    @rule(cohort=st.none() | COHORTS)
    def move_to_a_cohort(self, cohort: int | None) -> None:
        set_cohorts({self.mine.pk: None if cohort is None else self.cohorts[cohort].pk})
        self.books.cohort = cohort

    # The person

    @rule(on=ANY_DAY)
    def enroll_on_another_day(self, on: date) -> None:
        self.mine.change(enrolled_on=on)
        self.books.enrolled_on = on

    @rule(lesson=st.sampled_from([0, 1, 1, 1, 2, 3]))  # 1 is what most others wait for
    def complete(self, lesson: int) -> None:
        self.mine.complete(self.lessons[lesson])
        self.books.done.add(lesson)
        self.books.has_begun = True

    @rule()
    def take_the_marks_back(self) -> None:
        for lesson in self.books.done:
            self.mine.uncomplete(self.lessons[lesson])
        self.books.done = set()

    @rule()
    def begin_anew(self) -> None:
        """Nothing is done in a new attempt, and what staff unlocked stays so."""
        self.mine.restart()
        if self.books.has_begun:
            self.books.done, self.books.has_begun = set(), False

    @rule(lesson=LESSONS, is_on=st.booleans())
    def unlock_or_lock(self, lesson: int, is_on: bool) -> None:
        if is_on:
            self.mine.unlock(self.lessons[lesson])
            self.books.unlocked.add(lesson)
        else:
            self.mine.lock(self.lessons[lesson])
            self.books.unlocked.discard(lesson)

    @rule(is_on=st.booleans())
    def unlock_all_or_not(self, is_on: bool) -> None:
        self.mine.unlock_all(on=is_on)
        self.books.is_unlocked = is_on

    # The clock

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.traveler.shift(timedelta(hours=hours))

    @rule(before=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    def an_opening_day_comes(self, before: timedelta) -> None:
        """The first instant of the next one on the school's wall, or the last one before it."""
        books, now = self.books, datetime.now(ROME)
        days = [day for n in books.shown() if (day := books.opening_day(n)) and day > now.date()]
        day = min(days, default=now.date() + timedelta(days=1))
        midnight = datetime(day.year, day.month, day.day, tzinfo=ROME).astimezone(UTC) - before
        if midnight > now:
            self.traveler.move_to(midnight)

    # What must hold

    @invariant()
    def everybody_says_the_same(self) -> None:
        self.step += 1
        books, today = self.books, datetime.now(ROME).date()
        shown = books.shown()
        number = {lesson.pk: n for n, lesson in enumerate(self.lessons)}
        found = standings(contact=self.bob.pk, course=self.course.pk)
        assert [number[each.id] for each in found] == shown
        opens = {n for n in shown if books.is_open(n, today)}
        assert {number[each.id] for each in found if each.is_open} == opens
        days = {number[each.id]: each.opening_day for each in found}
        assert days == {n: books.opening_day(n) for n in shown}
        if self.step % 2 == 0:
            among = Lesson.objects.filter(pk__in=number)
            theirs = access.open_lessons(self.bob, among=among).values_list("pk", flat=True)
            assert {number[pk] for pk in theirs} == opens
        if self.step % 4 == 0:
            self.tells_staff_the_same(opens, today)
            self.visits(opens, shown)

    def tells_staff_the_same(self, opens: set[int], today: date) -> None:
        """The overview: how many are open, and what comes next on which day."""
        books, shown = self.books, self.books.shown()
        found = outlooks(contacts=[self.bob.pk], course=self.course.pk).get(self.bob.pk)
        days = {n: books.opening_day(n) for n in shown if n not in opens}
        coming = [day for day in days.values() if day and day > today]
        if found is None:
            assert not shown
            return
        assert (found.open, found.total) == (len(opens), len(shown))
        assert (found.coming, found.waiting) == (len(coming), len(days) - len(coming))
        assert found.next_day == min(coming, default=None)
        if books.cohort is not None and books.starts[books.cohort]:
            cohort = self.cohorts[books.cohort].pk
            planned = opening_days(course=self.course.pk, cohorts=[cohort])
            assert {n: planned[self.lessons[n].pk, cohort] for n in shown} == {
                n: books.opening_day(n) for n in shown
            }

    def visits(self, opens: set[int], shown: list[int]) -> None:
        """One page of the student's: open, shut with a reason, or not there."""
        lesson = self.step // 4 % 4
        url = f"/courses/{self.course.slug}/lessons/{self.lessons[lesson].pk}/"
        self.client.force_login(self.bob.user)  # time ends sessions: each visit has its own
        answer = self.client.get(url).status_code
        wanted = 200 if lesson in opens else 403 if lesson in shown else 404
        assert answer == wanted, f"lesson {lesson} answers {answer}"
        self.books.has_begun |= answer == 200


@pytest.mark.parametrize("part", range(3))
def test_locks_pages_and_oracle_agree_whatever_happens(school, part):
    course = make.course("Bread", lessons=0)
    modules = [course.modules.get(), Module.objects.create(course=course, title="Two", position=2)]
    lessons = [
        Lesson.objects.create(
            module=modules[n > 1],
            title=f"Lesson {n}",
            kind="quiz" if n in QUIZZES else "text",
            position=n,
        )
        for n in range(4)
    ]
    make.offer("Bread", courses=[course])
    world = {
        "bob": make.student("Bob Baker"),
        "course": course,
        "modules": modules,
        "lessons": lessons,
        "cohorts": [Cohort.objects.create(course=course, title=title) for title in ("A", "B")],
    }
    machine = type("Classroom", (Classroom,), world)
    run_state_machine_as_test(
        seed(part)(machine),
        settings=settings(
            max_examples=34,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
