"""The main job, as two people do it: staff give and take access, a student comes in and learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import make
import pytest
from looking import barriers
from playwright.sync_api import Page, expect
from stage import Stage, wait_until

from portal.models import School


@dataclass
class Story:
    """What staff (Alice) and a student (Dana) do, each in a browser of their own."""

    staff: Page
    student: Page
    has_scripts: bool
    is_inspected: bool
    barriers: list[str] = field(default_factory=list)

    def look(self, page: Page, heading: str) -> None:
        """Here we are; and whoever sees, hears or types less well gets along, too."""
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        if self.is_inspected:
            self.barriers.extend(barriers(page))

    def staff_log_in(self) -> None:
        self.staff.goto("/account/login/")
        self.look(self.staff, "Log in")
        self.staff.get_by_label("E-mail").fill("alice@example.com")
        self.staff.get_by_label("Password").fill(make.PASSWORD)
        self.staff.get_by_role("button", name="Log in").click()
        expect(self.staff.get_by_role("navigation", name="Menu")).to_be_visible()
        self.look(self.staff, "")

    def staff_add_a_contact(self) -> None:
        menu = self.staff.get_by_role("navigation", name="Menu")
        menu.get_by_role("link", name="Contacts").click()
        self.look(self.staff, "Contacts")
        self.staff.get_by_role("link", name="New contact").first.click()
        self.look(self.staff, "New contact")
        self.staff.get_by_label("Name").fill("Dana Dough")
        self.staff.get_by_label("E-mail").fill("dana@example.com")
        self.staff.get_by_role("button", name="Create contact").click()
        self.look(self.staff, "Dana Dough")

    def staff_grant(self, *offers: str, last_day: str = "") -> None:
        """On the contact page, grant some offers; the last day of the first is filled in already."""
        self.staff.get_by_role("link", name="Add course/offer").click()
        for offer in offers:
            self.staff.get_by_label(offer, exact=True).check()
        filled_in = self.staff.get_by_label(f"Last day of {offers[0]}")
        if last_day:
            self.look(self.staff, "Grant access to Dana Dough")
            expect(filled_in).to_have_value(last_day)
        self.staff.get_by_role("button", name="Grant access").click()
        expect(self.staff.get_by_role("status")).to_contain_text("Dana Dough now has")

    def staff_revoke(self, offer: str, effect: str) -> None:
        """On the contact page, revoke a grant; a dialog, or else a page, says what that does."""
        self.staff.get_by_role("link", name=f"Revoke… {offer}").click()
        question = self.staff.locator(".confirm")
        expect(question).to_contain_text(f"Revoke “{offer}” from Dana Dough?")
        expect(question).to_contain_text(effect)
        expect(self.staff.get_by_role("dialog")).to_have_count(int(self.has_scripts))
        self.look(self.staff, "Dana Dough" if self.has_scripts else "Revoke access")
        question.get_by_role("button", name="Revoke", exact=True).click()
        expect(self.staff.get_by_role("status")).to_contain_text(f"“{offer}” is revoked.")

    def student_sets_a_password(self, link: str) -> None:
        self.student.goto(link)
        self.look(self.student, "Choose your password")
        self.student.get_by_label("New password").fill("flour water salt")
        self.student.get_by_role("button", name="Save and go on").click()
        self.look(self.student, "Courses")

    def student_completes_a_lesson(self) -> None:
        """The first of two; the second is open now."""
        self.student.get_by_role("link", name="Sourdough").click()
        self.look(self.student, "Sourdough")
        self.student.get_by_role("link", name="Lesson 1").last.click()
        self.look(self.student, "Lesson 1")
        self.student.get_by_role("button", name="Mark complete and go on").click()
        expect(self.student.get_by_role("heading", level=1, name="Lesson 2")).to_be_visible()
        expect(self.student.get_by_text("1 of 2 · 50%")).to_be_visible()

    def answer_to(self, act: Callable[[], object]) -> int:
        """The status of the page the student gets to."""
        with self.student.expect_event("response", _is_page) as found:
            act()
        self.student.wait_for_load_state()
        return int(found.value.status)


def _is_page(answer: object) -> bool:
    return bool(answer.request.is_navigation_request())


@pytest.fixture
def last_day(stage: Stage) -> str:
    """A school with one course, in two offers, and nobody in it but Alice; when the first offer would end."""
    course = make.course("Sourdough", lessons=2)
    make.offer("Bread basics", courses=[course], default_days=30)
    make.offer("All our courses", courses=[course])
    make.staff(email="alice@example.com")
    return (School.current().today() + timedelta(days=29)).isoformat()


@pytest.mark.parametrize("way", ["by the clock", "by a worker", "without JavaScript"])
def test_a_student_gets_in_learns_and_is_shut_out(
    way: str, last_day: str, stage: Stage, open_browser: Callable[..., Page]
):
    broker = {}
    if way == "by a worker":
        stage.redis()
        stage.worker()
        broker = {"CELERY_BROKER_URL": stage.broker}
    stage.web(**broker)
    stage.clock(**broker)
    has_scripts = way != "without JavaScript"
    staff, student = (open_browser(java_script_enabled=has_scripts) for _ in range(2))
    story = Story(staff, student, has_scripts, is_inspected=way == "by the clock")

    story.staff_log_in()
    story.staff_add_a_contact()
    story.staff_grant("Bread basics", last_day=last_day)
    [letter] = wait_until(lambda: stage.post.to("dana@example.com"))
    story.student_sets_a_password(letter.link_to("choose a password"))
    story.student_completes_a_lesson()

    staff.reload()
    expect(staff.get_by_text("1 of 2 · 50%")).to_be_visible()
    lesson, course = student.url, student.url.split("lessons/")[0]
    story.staff_revoke("Bread basics", "Ends access to 1 course at once: Sourdough.")
    complete = student.get_by_role("button", name="Mark complete")
    assert story.answer_to(complete.click) == 404
    story.look(student, "There is nothing here")
    assert story.answer_to(lambda: student.goto(lesson)) == 404
    assert story.answer_to(lambda: student.goto(course)) == 404

    story.staff_grant("Bread basics", "All our courses")
    story.staff_revoke("Bread basics", "“All our courses” keeps “Sourdough” open.")
    assert story.answer_to(lambda: student.goto(course)) == 200
    assert story.answer_to(lambda: student.goto(lesson)) == 200
    complete.click()
    expect(student.get_by_text("You completed this course")).to_be_visible()

    assert not story.barriers, "\n".join(story.barriers)
