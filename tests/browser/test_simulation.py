"""Support gets a call: looks through the student's eyes at the locked lesson, and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Callable

import make
import pytest
from looking import barriers, beyond, log_in
from playwright.sync_api import Page, expect
from stage import Stage

from offers.models import Lesson, Requirement

LEFT = re.compile(r"^(30:00|29:\d\d)$")
GAP = """() => document.querySelector(".portal__head").getBoundingClientRect().top
    - Math.floor(document.querySelector(".simulation").getBoundingClientRect().bottom)"""
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture
def bob(stage: Stage) -> int:
    """Who calls: the second lesson does not open."""
    make.staff(email="alice@example.com")
    bob = make.student("Bob Baker", email="bob@example.com")
    course = make.course("Sourdough")
    first, second = Lesson.objects.filter(module__course=course).order_by("position")
    Requirement.objects.create(lesson=second, required=first)
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    return bob.pk


def start(page: Page, bob: int) -> None:
    page.goto(f"/dashboard/contacts/{bob}/")
    page.get_by_role("link", name="Simulate session").click()
    page.get_by_label("Reason").fill("He cannot see lesson two.")
    page.get_by_role("button", name="Simulate session").click()


def test_support_looks_and_leaves(bob: int, stage: Stage, open_browser: Callable[..., Page]):
    stage.web()
    page = open_browser(loses_access=True, viewport=DESK)
    log_in(page, "alice@example.com")
    page.goto(f"/dashboard/contacts/{bob}/simulate/")
    found = list(barriers(page))
    start(page, bob)

    banner = page.get_by_role("region", name="Simulated session")
    expect(banner).to_contain_text("You see the portal as Bob Baker")
    left = page.locator("[data-left]")
    expect(left).to_have_text(LEFT)
    expect(left).not_to_have_text(left.inner_text())
    found += barriers(page)
    page.get_by_role("link", name="Sourdough").first.click()
    expect(page.get_by_text("Opens when “Lesson 1” is done.")).to_be_visible()
    seen = page.url

    # It covers nothing: what sticks to the top, too, stands below it.
    page.mouse.wheel(0, 2000)
    assert page.evaluate(GAP) >= 0
    expect(banner).to_be_in_viewport()
    page.set_viewport_size(PHONE)
    found += barriers(page)
    assert beyond(page) <= 0
    page.set_viewport_size(DESK)

    # Another tab is the staff's own, and says so too.
    other = page.context.new_page()
    other.goto("/dashboard/")
    expect(other.get_by_role("navigation", name="Menu")).to_be_visible()
    expect(other.get_by_role("region", name="Simulated session")).to_contain_text(
        "here you are yourself"
    )
    found += barriers(other)
    other.close()

    page.get_by_role("region", name="Simulated session").get_by_role("button", name="End").click()
    expect(page.get_by_role("heading", level=1, name="Bob Baker")).to_be_visible()
    expect(page.get_by_text("The simulated session of Bob Baker is over.")).to_be_visible()
    page.go_back()
    expect(page).not_to_have_url(seen)
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()
    assert "You see the portal as" not in page.content()
    assert found == []


def test_when_the_time_is_up_the_page_asks_where_to_go(
    bob: int, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(viewport=DESK)
    log_in(page, "alice@example.com")
    start(page, bob)
    expect(page.get_by_role("region", name="Simulated session")).to_be_visible()
    page.clock.install()
    page.reload()
    expect(page.locator("[data-left]")).to_have_text(LEFT)
    with page.expect_navigation():
        page.clock.fast_forward("31:00")
    page.goto("/dashboard/")
    page.clock.fast_forward("31:00")  # on a page of the staff's own nothing that was typed is lost
    expect(page.locator("[data-left]")).to_have_text("0:00")


def test_without_javascript_the_minutes_stand_there(
    bob: int, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(viewport=DESK, java_script_enabled=False)
    log_in(page, "alice@example.com")
    start(page, bob)
    banner = page.get_by_role("region", name="Simulated session")
    expect(banner).to_contain_text("Time left: 30 minutes")
    banner.get_by_role("button", name="End").click()
    expect(page.get_by_role("heading", level=1, name="Bob Baker")).to_be_visible()
