"""“I paid, and lesson two does not open”: a call to support, from the first ring to the student who is in."""

from __future__ import annotations

from collections.abc import Callable

import make
import pytest
from looking import log_in
from playwright.sync_api import Page, expect
from stage import Stage

from accounts.models import Role
from offers.models import Lesson, Requirement


@pytest.fixture
def call(stage: Stage) -> None:
    """Bob calls: the second lesson of his course waits for the first. Sam of the support answers."""
    make.staff(Role.SUPPORT, "sam@example.com")
    bob = make.student("Bob Baker", email="bob@example.com")
    make.contact("Bobbie Butcher")
    course = make.course("Sourdough")
    first, second = Lesson.objects.filter(module__course=course).order_by("position")
    Requirement.objects.create(lesson=second, required=first)
    make.grant(contact=bob, offer=make.offer(courses=[course]))


def test_support_sees_what_he_sees_mends_it_and_lets_him_in(
    call: None, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    sam = open_browser()
    log_in(sam, "sam@example.com")

    sam.keyboard.press("Control+k")
    sam.keyboard.type("bob baker")
    sam.keyboard.press("Enter")
    sam.get_by_role("link", name="Bob Baker").click()
    contact = sam.url

    sam.get_by_role("link", name="Simulate session").click()
    sam.get_by_label("Reason").fill("On the phone: lesson two does not open.")
    sam.get_by_role("button", name="Simulate session").click()
    sam.get_by_role("link", name="Sourdough").first.click()
    expect(sam.get_by_text("Opens when “Lesson 1” is done.")).to_be_visible()
    banner = sam.get_by_role("region", name="Simulated session")
    banner.get_by_role("button", name="End").click()
    expect(sam).to_have_url(contact)

    sam.get_by_role("link", name="Why is it open?").click()
    expect(sam.get_by_text("“Lesson 2” waits for “Lesson 1”.")).to_be_visible()
    sam.get_by_role("link", name="Lessons and locks").click()
    row = sam.get_by_role("row").filter(has=sam.get_by_text("Lesson 2"))
    row.get_by_role("button", name="Unlock").click()
    expect(row.get_by_text("Unlocked")).to_be_visible()

    sam.goto(contact)
    sam.get_by_role("link", name="Generate magic link").click()
    sam.get_by_label("Leads to").select_option(label="Courses")
    sam.get_by_role("button", name="Show it to copy").click()
    link = sam.get_by_label("Login link").input_value()

    bob = open_browser()
    bob.goto(link)
    bob.get_by_role("button", name="Continue as").click()
    expect(bob).to_have_url(f"{stage.address}/courses/")
    bob.get_by_role("link", name="Sourdough").first.click()
    bob.get_by_role("link", name="Lesson 2").first.click()
    expect(bob.get_by_role("heading", level=1, name="Lesson 2")).to_be_visible()
