"""A real Chromium, in which no page may complain."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, Response, sync_playwright
from stage import Stage, program, stage, static

__all__ = ["stage", "static"]

QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
CLOSED = "Failed to load resource: the server responded with a status of 404 (Not Found)"


@pytest.fixture
def open_browser(stage: Stage) -> Iterator[Callable[..., Page]]:
    """Opens a browser for somebody: cookies of their own, one page. In the end none may have complained,
    but of a page that was asked for and does not exist; and, for somebody who `loses_access`, of parts of it.

    Ask for it after everything that works on the database: Playwright keeps an event loop in
    this thread, in which Django refuses to.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = program(*names, hint="apt-get install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    complaints: list[tuple[str, str]] = []
    closed: set[tuple[str, str]] = set()

    def open_browser(*, loses_access: bool = False, **options: object) -> Page:
        context = browser.new_context(
            base_url=stage.address, locale="en-GB", reduced_motion="reduce", **options
        )
        page = context.new_page()
        page.set_default_timeout(15_000)

        def listen(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append((message.location["url"], message.text))

        def note_closed_door(answer: Response) -> None:
            is_asked_for = loses_access or answer.request.is_navigation_request()
            if answer.status == 404 and is_asked_for:
                closed.add((answer.url, CLOSED))

        page.on("console", listen)
        page.on("response", note_closed_door)
        page.on("pageerror", lambda error: complaints.append((page.url, str(error))))
        return page

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        yield open_browser
        browser.close()
    assert set(complaints) <= closed
