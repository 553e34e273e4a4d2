"""The main job, as two people do it: staff give and take access, a student comes in and learns."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import make
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from stage import Stage, wait_until

from portal.models import School


@pytest.fixture
def last_day(stage: Stage) -> str:
    """A school with one course, in two offers, and nobody in it but Alice; when the first offer would end."""
    course = make.course("Sourdough", lessons=2)
    make.offer("Bread basics", courses=[course], default_days=30)
    make.offer("All our courses", courses=[course])
    make.staff(email="alice@example.com")
    return (School.current().today() + timedelta(days=29)).isoformat()


def log_in(page: Page, email: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Log in").click()


def status(page: Page, act: Callable[[], object]) -> int:
    """How the portal answers when something on the page is clicked."""
    with page.expect_event("response", lambda answer: answer.request.is_navigation_request()) as found:
        act()
    page.wait_for_load_state()
    return int(found.value.status)


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
    staff = open_browser(java_script_enabled=has_scripts)
    student = open_browser(java_script_enabled=has_scripts)
    found: list[str] = []

    def look(page: Page, heading: str | re.Pattern[str]) -> None:
        """Here we are; and whoever sees, hears or types less well gets along, too."""
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        if way == "by the clock":
            found.extend(barriers(page))

    # Staff make a contact and give her an offer.
    staff.goto("/account/login/")
    look(staff, "Log in")
    log_in(staff, "alice@example.com")
    look(staff, re.compile("."))
    staff.get_by_role("navigation", name="Menu").get_by_role("link", name="Contacts").click()
    look(staff, "Contacts")
    staff.get_by_role("link", name="New contact").first.click()
    look(staff, "New contact")
    staff.get_by_label("Name").fill("Dana Dough")
    staff.get_by_label("E-mail").fill("dana@example.com")
    staff.get_by_role("button", name="Create contact").click()
    staff.get_by_role("link", name="Add course/offer").click()
    look(staff, "Grant access to Dana Dough")
    staff.get_by_label("Bread basics", exact=True).check()
    expect(staff.get_by_label("Last day of Bread basics")).to_have_value(last_day)
    staff.get_by_role("button", name="Grant access").click()
    expect(staff.get_by_role("status")).to_contain_text("Dana Dough now has Bread basics.")
    look(staff, "Dana Dough")

    # The mail lets her in.
    [letter] = wait_until(lambda: stage.post.to("dana@example.com"))
    student.goto(letter.link_to("choose a password"))
    look(student, "Choose your password")
    student.get_by_label("New password").fill("flour water salt")
    student.get_by_role("button", name="Save and go on").click()
    look(student, "Courses")
    student.get_by_role("link", name="Sourdough").click()
    look(student, "Sourdough")
    student.get_by_role("link", name="Lesson 1").last.click()
    look(student, "Lesson 1")
    student.get_by_role("button", name="Mark complete and go on").click()
    expect(student.get_by_role("heading", level=1, name="Lesson 2")).to_be_visible()
    expect(student.get_by_text("1 of 2 · 50%")).to_be_visible()

    # Staff revoke it, and her next click leads nowhere.
    staff.reload()
    expect(staff.get_by_text("1 of 2 · 50%")).to_be_visible()
    question = ask_to_revoke(staff, "Bread basics")
    expect(question).to_contain_text("Ends access to 1 course at once: Sourdough.")
    look(staff, "Dana Dough" if has_scripts else "Revoke access")
    confirm(question)
    lesson = student.url
    assert status(student, student.reload) == 404
    look(student, "There is nothing here")
    assert status(student, student.go_back) == 404
    assert status(student, lambda: student.goto(lesson.split("lessons")[0])) == 404

    # Two offers hold the course: revoking one of them closes nothing.
    staff.get_by_role("link", name="Add course/offer").click()
    staff.get_by_label("Bread basics", exact=True).check()
    staff.get_by_label("All our courses", exact=True).check()
    staff.get_by_role("button", name="Grant access").click()
    question = ask_to_revoke(staff, "Bread basics")
    expect(question).to_contain_text("“All our courses” keeps “Sourdough” open.")
    confirm(question)
    assert status(student, lambda: student.goto(lesson)) == 200
    student.get_by_role("button", name="Mark complete").click()
    expect(student.get_by_text("You completed this course")).to_be_visible()

    assert not found, "\n".join(found)


def ask_to_revoke(staff: Page, offer: str) -> Locator:
    """On the contact page, ask to revoke a grant; returns what says what that would do."""
    staff.get_by_role("link", name=f"Revoke… {offer}").click()
    question = staff.locator(".confirm")
    expect(question.get_by_role("heading")).to_have_text(f"Revoke “{offer}” from Dana Dough?")
    return question


def confirm(question: Locator) -> None:
    question.get_by_role("button", name="Revoke", exact=True).click()
    expect(question.page.get_by_role("status")).to_contain_text("is revoked.")


# Two frames, so that every change of color has begun; then the end of all of them.
SETTLED = """
    new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
        .then(() => Promise.all(document.getAnimations().map(change => change.finished)))
        .then(() => null)
"""


def barriers(page: Page) -> list[str]:
    """What axe finds on a page, in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        for violation in Axe().run(page).response["violations"]:
            places = [place["html"] for place in violation["nodes"]]
            found.append(f"{page.url} ({scheme}): {violation['help']}: {places}")
    page.emulate_media(color_scheme="light")
    return found
