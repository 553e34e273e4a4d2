"""A real Chromium, in which no page may complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from looking import chromium
from playwright.sync_api import ConsoleMessage, Page, Response
from stage import Stage

CLOSED = "Failed to load resource: the server responded with a status of 404 (Not Found)"
PART_CLOSED = "Response Status Error Code 404 from {},"  # so htmx says it once more, by path


def is_about(closed: set[str], address: str, text: str) -> bool:
    """Whether a complaint says no more than that a page of `closed` (addresses) is not there."""
    told = tuple(PART_CLOSED.format(urlsplit(page).path) for page in closed)
    return (text == CLOSED and address in closed) or text.startswith(told)


@pytest.fixture
def open_browser(stage: Stage) -> Iterator[Callable[..., Page]]:
    """Opens a browser for somebody: cookies of their own, one page. In the end none may have complained,
    but of a page that was asked for and does not exist; and, for somebody who `loses_access`, of parts of it.

    Ask for it after everything that works on the database, see `chromium`.
    """
    complaints: list[tuple[str, str]] = []
    closed: set[str] = set()

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
                closed.add(answer.url)

        page.on("console", listen)
        page.on("response", note_closed_door)
        page.on("pageerror", lambda error: complaints.append((page.url, str(error))))
        return page

    with chromium() as browser:
        yield open_browser
    assert not [said for said in complaints if not is_about(closed, *said)]
