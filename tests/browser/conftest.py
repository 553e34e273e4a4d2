"""A real Chromium, in which no page may complain."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, sync_playwright
from stage import Stage, program, stage, static

__all__ = ["stage", "static"]

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-quic", "--disable-sync", "--no-first-run"]

@pytest.fixture
def open_browser(stage: Stage) -> Iterator[Callable[..., Page]]:
    """Opens a browser for somebody: cookies of their own, one page. In the end none may have complained.

    Ask for it after everything that works on the database: Playwright keeps an event loop in
    this thread, in which Django refuses to.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = program(*names, hint="apt-get install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    complaints: list[str] = []

    def open_browser(**options: object) -> Page:
        context = browser.new_context(
            base_url=stage.address, locale="en-GB", reduced_motion="reduce", **options
        )
        page = context.new_page()
        page.set_default_timeout(15_000)

        def listen(message: ConsoleMessage) -> None:
            is_answer = message.location["url"] == page.url and "status of 404" in message.text
            if message.type in ("error", "warning") and not is_answer:
                complaints.append(f"{page.url}: {message.text}")

        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        return page

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        yield open_browser
        browser.close()
    assert not complaints
