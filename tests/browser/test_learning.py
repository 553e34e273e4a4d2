"""A student's whole way, as they go it: from the welcome mail to a finished course, on a phone and at a desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import make
import pytest
from django.urls import reverse
from django.utils.formats import date_format
from looking import barriers, beyond, log_in
from playwright.sync_api import Page, expect
from stage import Stage, wait_until

from accounts.models import Contact
from enrollments.models import Enrollment
from offers.models import Course, Lesson, Module, Requirement
from portal.models import School

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@dataclass
class Student:
    """One person with two devices."""

    phone: Page
    desk: Page
    is_inspected: bool
    barriers: list[str] = field(default_factory=list)
    seen: set[tuple[int, str]] = field(default_factory=set)

    def look(self, page: Page, heading: str) -> None:
        """Here we are, on a page that fits the device and shuts nobody out: looked at once on each device."""
        expect(page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()
        known = (page.viewport_size["width"], page.url)
        if self.is_inspected and known not in self.seen:
            self.seen.add(known)
            self.barriers.extend(barriers(page))
            if (wider := beyond(page)) > 0:
                self.barriers.append(f"{page.url} is {wider} pixels too wide")

    def come_in(self, link: str) -> None:
        """By the welcome mail, on the phone."""
        self.phone.goto(link)
        self.look(self.phone, "Choose your password")
        self.phone.get_by_label("New password").fill("flour water salt")
        self.phone.get_by_role("button", name="Save and go on").click()
        self.look(self.phone, "Courses")

    def open_course(self, page: Page) -> None:
        page.get_by_role("link", name="Sourdough").first.click()
        self.look(page, "Sourdough")

    def complete(self, page: Page, lesson: str) -> None:
        """Open a lesson from the outline, and mark it done."""
        page.get_by_role("link", name=lesson).last.click()
        self.look(page, lesson)
        page.get_by_role("button", name="Mark complete").click()

    def go_on_at_the_desk(self) -> None:
        """Where she stopped on the phone; then the same button on the phone, whose page is older now."""
        self.desk.goto("/account/login/")
        self.desk.get_by_label("E-mail").fill("dana@example.com")
        self.desk.get_by_label("Password").fill("flour water salt")
        self.desk.get_by_role("button", name="Log in").click()
        resume = self.desk.get_by_role("link", name="Continue where you stopped")
        expect(resume).to_be_visible()
        if self.is_inspected:
            self.barriers.extend(barriers(self.desk))
        resume.click()
        self.look(self.desk, "Water")
        self.desk.get_by_role("button", name="Mark complete").click()
        self.look(self.desk, "Check")
        self.phone.get_by_role("button", name="Mark complete").click()
        self.look(self.phone, "Check")

    def take_the_quiz(self) -> None:
        """Once in vain, once well; then on to the lesson that it locked."""
        self.phone.get_by_role("link", name="Start the quiz").click()
        self.look(self.phone, "Check")
        self.hand_in("Yes", "No")
        self.look(self.phone, "Check, attempt 1")
        expect(self.phone.get_by_text("Not passed")).to_be_visible()
        self.phone.get_by_role("link", name="Try again").click()
        self.hand_in("Yes", "Yes")
        self.look(self.phone, "Check, attempt 2")
        expect(self.phone.get_by_text("Passed. 2 of 2 right: 100%.")).to_be_visible()
        self.phone.get_by_role("link", name="Next: The loaf").click()
        self.look(self.phone, "The loaf")

    def hand_in(self, *words: str) -> None:
        """Answer each question with one of `words`, in order."""
        for place, word in enumerate(words):
            question = self.phone.get_by_role("group").nth(place)
            question.get_by_label(word, exact=True).check()
        self.phone.get_by_role("button", name="Hand in").click()


@pytest.fixture
def course(stage: Stage, settings: Any) -> Course:
    """Two lessons, a quiz, one that waits for the quiz, and one that opens a week after enrollment."""
    settings.MEDIA_ROOT = stage.folder / "var" / "media"
    course = make.course("Sourdough", lessons=0)
    course.cover = make.cover(width=300, height=900)  # of a shape that no card has
    course.save()
    first = course.modules.get()
    second = Module.objects.create(course=course, title="Baking", position=2)
    for place, title in enumerate(("Flour", "Water"), start=1):
        Lesson.objects.create(module=first, title=title, body=f"About *{title}*.", position=place)
    quiz = make.quiz(course, "Is flour white?", "Is water wet?", title="Check", pass_mark=100)
    loaf = Lesson.objects.create(module=second, title="The loaf", body="Bake.", position=1)
    Requirement.objects.create(lesson=loaf, required=quiz.lesson)
    Lesson.objects.create(
        module=second, title="A week later", body="Feed it.", position=2, opens_after=7
    )
    return course


@dataclass(frozen=True)
class Plan:
    """What the test must know of the school before a browser is open."""

    edit_page: str  # where staff edit Dana's enrollment
    week_earlier: str
    week_later: str


@pytest.fixture
def plan(stage: Stage, course: Course) -> Plan:
    """Dana gets the course today."""
    make.staff(email="alice@example.com")
    dana = Contact.objects.add(email="dana@example.com", name="Dana Dough")
    make.grant(contact=dana, offer=make.offer("Bread basics", courses=[course]), notify=True)
    today, week = School.current().today(), timedelta(days=7)
    return Plan(
        reverse("enrollments:enrollment_update", args=[Enrollment.objects.get().pk]),
        (today - week).isoformat(),
        date_format(today + week),
    )


def begin_earlier(staff: Page, plan: Plan) -> None:
    """A week passes: staff say that she enrolled a week ago."""
    log_in(staff, "alice@example.com")
    staff.goto(plan.edit_page)
    staff.get_by_label("Enrolled on").fill(plan.week_earlier)
    staff.get_by_role("button", name="Save").click()
    expect(staff.get_by_role("status")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without JavaScript"])
def test_from_the_welcome_mail_to_a_finished_course(
    has_scripts: bool, plan: Plan, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    stage.clock()
    staff, phone, desk = (
        open_browser(java_script_enabled=has_scripts, viewport=size) for size in (DESK, PHONE, DESK)
    )
    dana = Student(phone, desk, is_inspected=has_scripts)
    [letter] = wait_until(lambda: stage.post.to("dana@example.com"))
    dana.come_in(letter.link_to("choose a password"))

    dana.open_course(phone)
    expect(phone.get_by_text("Opens when “Check” is done.")).to_be_visible()
    expect(phone.get_by_text(f"Opens on {plan.week_later}.")).to_be_visible()
    expect(phone.get_by_role("link", name="The loaf")).to_have_count(0)
    dana.complete(phone, "Flour")
    dana.look(phone, "Water")
    dana.go_on_at_the_desk()
    dana.take_the_quiz()
    phone.get_by_role("button", name="Mark complete").click()
    expect(phone.get_by_text(f"Opens on {plan.week_later}.").first).to_be_visible()

    begin_earlier(staff, plan)
    desk.goto("/courses/")
    dana.look(desk, "Courses")
    dana.open_course(desk)
    dana.complete(desk, "A week later")
    expect(desk.get_by_text("You completed this course")).to_be_visible()
    dana.look(desk, "Sourdough")
    phone.goto("/courses/")
    expect(phone.get_by_role("heading", name="Completed courses")).to_be_visible()
    dana.look(phone, "Courses")

    assert not dana.barriers, "\n".join(dana.barriers)
