"""The lesson's page at work: a recording goes on where one stopped, playing it completes it, keys lead on."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import make
import pytest
from django.urls import reverse
from looking import barriers, beyond, log_in
from playwright.sync_api import Page, expect
from stage import Stage, working_on

from enrollments.models import Grant
from offers.models import Course
from portal.models import FileKind

SECONDS = 40


@pytest.fixture
def address(stage: Stage, settings: Any) -> str:
    """Where Bob finds a recording, with a lesson before and one behind it; playing it completes it."""
    settings.MEDIA_ROOT = stage.folder / "var" / "media"
    course = make.course("Sourdough", lessons=1)
    Course.objects.filter(pk=course.pk).update(completion="watch")
    sound = make.wav(seconds=SECONDS)
    file = make.file("talk.wav", sound, kind=FileKind.AUDIO, content_type="audio/wav")
    lesson = make.lesson(course, "The talk", kind="audio", file=file)
    make.lesson(course, "The loaf", body="Bake it.")
    bob = make.student("Bob Baker", email="bob@example.com")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    return reverse("enrollments:lesson_detail", args=[course.slug, lesson.pk])


def player(page: Page, script: str) -> Any:
    return page.locator("audio").evaluate(f"async (media) => {{ {script} }}")


def play(page: Page, *, start: float, end: float) -> None:
    """Play a part sixteen times as fast as it is, and pause."""
    player(
        page,
        f"""
        media.currentTime = {start}
        media.playbackRate = 16
        await media.play()
        await new Promise((done) => media.addEventListener("timeupdate", () => {{
            if (media.currentTime >= {end} || media.ended) done()
        }}))
        media.pause()
        """,
    )


def is_report(answer: Any) -> bool:
    return answer.url.endswith("/progress/")


def test_a_recording_goes_on_where_one_stopped_and_is_done_when_it_was_played(
    address: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(viewport={"width": 360, "height": 740})
    log_in(page, "bob@example.com")
    page.goto(address)
    expect(page.get_by_text("when you have played 90% of it")).to_be_visible()
    expect(page.get_by_text("This browser cannot play the file.")).to_be_hidden()
    expect(page.get_by_role("button", name="Mark complete")).to_have_count(0)
    with page.expect_response(is_report):
        play(page, start=0, end=12)

    # On another device.
    desk = open_browser(viewport={"width": 1280, "height": 900})
    log_in(desk, "bob@example.com")
    desk.goto(address)
    expect(desk.get_by_text(re.compile(r"Goes on where you stopped, at 0:1\d"))).to_be_visible()
    assert player(desk, "return media.currentTime") >= 12
    found = [*barriers(desk), *barriers(page)]
    assert not found, "\n".join(found)
    assert max(beyond(desk), beyond(page)) <= 0
    desk.get_by_role("button", name="Play from the beginning").click()
    desk.wait_for_function("document.querySelector('audio').currentTime < 12")
    with desk.expect_response(is_report):
        play(desk, start=12, end=20)
    expect(desk.get_by_text("You completed this lesson.")).to_have_count(0)

    # What both played adds up, and the page says so without being loaded anew.
    play(page, start=19, end=SECONDS)
    expect(page.get_by_text("You completed this lesson.")).to_be_visible()
    expect(page.get_by_role("complementary").get_by_text("1 of 3")).to_be_visible()
    desk.reload()
    expect(desk.get_by_text("You completed this lesson.")).to_be_visible()

    # The mark can be taken back.
    desk.get_by_role("button", name="Mark as not complete").click()
    expect(desk.get_by_text("when you have played 90% of it")).to_be_visible()


def test_the_arrow_keys_lead_on_but_not_from_a_field(
    address: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(viewport={"width": 1280, "height": 900})
    log_in(page, "bob@example.com")
    page.goto(address)
    expect(page.get_by_text("Previous and next, with the keys")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", level=1, name="The loaf")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1, name="The talk")).to_be_visible()
    page.locator("audio").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("Your comment").or_(page.locator("textarea")).first.press("ArrowRight")
    page.keyboard.press("Control+ArrowRight")
    expect(page.get_by_role("heading", level=1, name="The talk")).to_be_visible()
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1, name="Lesson 1")).to_be_visible()


def test_who_loses_the_course_while_playing_is_told_by_the_next_report(
    address: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(loses_access=True)
    log_in(page, "bob@example.com")
    page.goto(address)

    def revoke() -> None:
        with working_on(stage.environment["DATABASE_URL"]):
            Grant.objects.all().revoke()

    with ThreadPoolExecutor(1) as pool:  # Django refuses to work beside Playwright's event loop
        pool.submit(revoke).result()
    player(page, "media.play().then(() => setTimeout(() => media.pause(), 500))")
    expect(page.locator("audio")).to_have_count(0)


@pytest.fixture(params=["audio", "video"])
def unplayable(request: pytest.FixtureRequest, stage: Stage, settings: Any) -> str:
    """Where Bob finds a lesson whose file is noise."""
    settings.MEDIA_ROOT = stage.folder / "var" / "media"
    course, kind = make.course("Sourdough", lessons=0), request.param
    noise = make.file(f"talk.{kind}", b"noise" * 200, kind=kind, content_type=f"{kind}/mp4")
    lesson = make.lesson(course, "The talk", kind=kind, file=noise)
    bob = make.student("Bob Baker", email="bob@example.com")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    return reverse("enrollments:lesson_detail", args=[course.slug, lesson.pk])


def test_a_file_the_browser_cannot_play_is_told(
    unplayable: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser()
    log_in(page, "bob@example.com")
    page.goto(unplayable)
    expect(page.get_by_text("This browser cannot play the file.")).to_be_visible()


def test_without_javascript_there_is_a_button(
    address: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(java_script_enabled=False)
    log_in(page, "bob@example.com")
    page.goto(address)
    page.get_by_role("button", name="Mark complete").click()
    expect(page.get_by_role("heading", level=1, name="The loaf")).to_be_visible()
    page.get_by_role("link", name="Previous: The talk").click()
    expect(page.get_by_text("You completed this lesson.")).to_be_visible()
