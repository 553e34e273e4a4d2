"""The course builder in a browser: dragging, the keyboard, the live preview, and all of it without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import make
import pytest
from django.urls import reverse
from looking import barriers, beyond, log_in
from playwright.sync_api import Page, expect
from stage import Stage

from offers.models import Course, Lesson, LessonKind, Module, Requirement
from portal.models import School

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture
def course(stage: Stage) -> Course:
    """Start: A, B. Then: C, D."""
    School.current()
    make.staff(email="alice@example.com")
    made = make.course("Bread", lessons=0)
    made.modules.update(title="Start")
    for module, titles in (
        (made.modules.get(), "AB"),
        (Module.objects.create(course=made, title="Then", position=2, opens_after=7), "CD"),
    ):
        for position, title in enumerate(titles, start=1):
            Lesson.objects.create(module=module, title=title, position=position, body="*Hi*")
    Lesson.objects.filter(title="B").update(published_at=None, kind=LessonKind.LIVE)
    stage.web()
    return made


@pytest.fixture
def lessons(course: Course) -> dict[str, int]:
    """Keys by title: the database is asked before there is a browser. D waits for A."""
    found = dict(Lesson.objects.values_list("title", "pk"))
    Requirement.objects.create(lesson_id=found["D"], required_id=found["A"])
    return found


@pytest.fixture
def first_module(course: Course) -> int:
    return course.modules.get(position=1).pk


def outline(page: Page) -> str:
    """What the page shows, as "Start AB Then CD"."""
    return page.evaluate(
        """() => [...document.querySelectorAll("sort-list [data-key]")].map(
            item => item.dataset.key.startsWith("module") ? ` ${item.dataset.name} ` : item.dataset.name
        ).join("").trim()"""
    )


def saved(page: Page) -> str:
    """The same after the next visit."""
    page.reload()
    return outline(page)


def handle(page: Page, name: str):
    return page.get_by_role("button", name=f"Move {name} with the arrow keys")


def drag(page: Page, name: str, onto, *, below: bool) -> None:
    """Pull `name` by its handle to the upper or lower edge of `onto`."""
    grip, there = handle(page, name).bounding_box(), onto.bounding_box()
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    edge = there["height"] - 4 if below else 4
    page.mouse.move(there["x"] + 60, there["y"] + edge, steps=8)
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    page.mouse.up()


def test_lessons_and_modules_are_dragged_and_moved_by_keys(
    course: Course, open_browser: Callable[..., Page]
) -> None:
    address = reverse("offers:course_detail", args=[course.pk])
    page = open_browser(viewport=DESK)
    log_in(page, "alice@example.com")
    page.goto(address)
    said = page.locator("[data-said]")

    drag(page, "A", page.locator("[data-name=B]"), below=True)
    expect(said).to_have_text("A is now 2 of 2 in Start.")
    drag(page, "A", page.locator("[data-name=D]"), below=True)
    expect(said).to_have_text("A is now 3 of 3 in Then.")
    assert saved(page) == "Start B Then CDA"

    handle(page, "C").press("ArrowUp")
    expect(said).to_have_text("C is now 2 of 2 in Start.")
    expect(handle(page, "C")).to_be_focused()
    page.get_by_role("button", name="Move Then up").click()
    expect(said).to_have_text("Then is now 1 of 2 in Bread.")
    expect(page.get_by_role("button", name="Move Then up")).to_be_disabled()
    expect(page.get_by_role("button", name="Move Then down")).to_be_focused()
    assert saved(page) == "Then DA Start BC"

    handle(page, "D").focus()
    drag_started = handle(page, "D").bounding_box()
    page.mouse.move(drag_started["x"] + 5, drag_started["y"] + 5)
    page.mouse.down()
    below = page.locator("[data-name=A]").bounding_box()
    page.mouse.move(below["x"] + 60, below["y"] + below["height"] - 3, steps=8)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert outline(page) == "Then DA Start BC", "Escape puts it back"


def test_the_latest_of_quick_moves_is_told_and_the_warnings_follow(
    course: Course, lessons: dict[str, int], open_browser: Callable[..., Page]
) -> None:
    page = open_browser(viewport=DESK)
    log_in(page, "alice@example.com")
    page.goto(reverse("offers:course_update", args=[course.pk]))
    page.get_by_label("in order").check()
    page.get_by_role("button", name="Save").click()
    for _ in range(3):
        handle(page, "D").press("ArrowUp")
    expect(page.locator("[data-said]")).to_have_text("D is now 2 of 3 in Start.")
    warning = page.get_by_text("wait for each other")
    expect(warning).to_have_count(0)
    handle(page, "D").press("ArrowUp")
    expect(warning).to_be_visible()
    handle(page, "D").press("ArrowDown")
    expect(warning).to_have_count(0)


def test_an_order_that_is_refused_is_as_it_was_and_says_why(
    course: Course, stage: Stage, open_browser: Callable[..., Page]
) -> None:
    context = open_browser(viewport=DESK).context.browser.new_context(base_url=stage.address)
    page, other = context.new_page(), context.new_page()  # the browser itself complains of a 409
    log_in(page, "alice@example.com")
    page.goto(reverse("offers:course_detail", args=[course.pk]))
    other.goto(reverse("offers:course_detail", args=[course.pk]))
    other.get_by_label("Title").fill("Meanwhile")
    other.get_by_role("button", name="Add module").click()
    page.get_by_role("button", name="Move A down").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed this course")
    assert outline(page) == "Start AB Then CD"
    page.get_by_role("link", name="Load again").click()
    expect(page.get_by_role("heading", name="Meanwhile")).to_be_visible()
    context.close()


def test_the_preview_follows_and_files_are_added_while_the_text_waits(
    lessons: dict[str, int], open_browser: Callable[..., Page]
) -> None:
    address = reverse("offers:lesson_update", args=[lessons["A"]])
    page = open_browser(viewport=DESK)
    log_in(page, "alice@example.com")
    page.goto(address)
    page.get_by_label("Text").fill("Now **bold**")
    expect(page.locator("#preview strong")).to_have_text("bold")
    page.get_by_label("Add files").set_input_files(
        {"name": "sheet.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
    )
    page.get_by_role("button", name="Upload now").click()
    expect(page.get_by_role("link", name="sheet.pdf")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("Now **bold**")
    page.get_by_role("button", name="Remove sheet.pdf").click()
    expect(page.get_by_role("link", name="sheet.pdf")).to_have_count(0)
    page.get_by_label("Title").press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("Now **bold**")


def test_without_javascript_buttons_do_it_all(
    course: Course, open_browser: Callable[..., Page]
) -> None:
    address = reverse("offers:course_detail", args=[course.pk])
    page = open_browser(viewport=DESK, java_script_enabled=False)
    log_in(page, "alice@example.com")
    page.set_viewport_size(PHONE)
    page.goto(address)
    expect(page.get_by_role("button", name="with the arrow keys")).to_have_count(0)
    page.get_by_role("button", name="Move B down").click()
    names = page.locator("sort-list [data-key^=lesson] .list__main a")
    expect(names).to_have_text(["A", "B", "C", "D"])
    page.get_by_role("button", name="Move B down").click()
    expect(names).to_have_text(["A", "C", "B", "D"])
    page.get_by_role("link", name="A", exact=True).click()
    page.get_by_label("Text").fill("Now **bold**")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview strong")).to_have_text("bold")
    expect(page.get_by_label("Text")).to_have_value("Now **bold**")


def test_the_builder_is_for_everybody(
    course: Course,
    lessons: dict[str, int],
    first_module: int,
    open_browser: Callable[..., Page],
) -> None:
    addresses = [
        reverse("offers:course_list"),
        reverse("offers:course_detail", args=[course.pk]),
        reverse("offers:course_update", args=[course.pk]),
        reverse("offers:module_update", args=[first_module]),
        reverse("offers:lesson_create", args=[first_module]),
        *(
            f"{reverse('offers:lesson_create', args=[first_module])}?kind={kind}"
            for kind in ("embed", "file", "quiz")
        ),
        reverse("offers:lesson_update", args=[lessons["B"]]),
        reverse("offers:lesson_update", args=[lessons["D"]]),
    ]
    found: list[str] = []
    for viewport, scheme in ((DESK, "light"), (PHONE, "dark")):
        page = open_browser(viewport=DESK)
        log_in(page, "alice@example.com")
        page.set_viewport_size(viewport)
        for address in addresses:
            page.goto(address)
            assert beyond(page) <= 0, f"{address} at {viewport['width']} px"
            found += barriers(page, schemes=[scheme])
    assert found == []
