"""How the browser tests look at a page: whoever sees, hears, types or holds less gets along, too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import make
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stage import program

# The first is the same Chromium without anything that draws a window: it takes half the time.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

SCHEMES = ("light", "dark")
QUICKLY = {"resultTypes": ["violations"]}  # axe need not write down all that is well
# The same page in other colors: all but colors is known already.
COLORS = ["color-contrast", "link-in-text-block"]
AGAIN = QUICKLY | {"runOnly": {"type": "rule", "values": COLORS}}
VIOLATIONS = "async options => (await axe.run(options)).violations"

# Two frames, so that every change of color has begun; then the end of all of them.
# A change of colors that another one overtakes ends as aborted: then the other is waited for.
# What is folded away keeps its changes in the list when they are over.
SETTLED = """async () => {
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
    const moving = () => document.getAnimations().filter(change => change.playState != "finished")
    while (moving().length)
        await Promise.allSettled(moving().map(change => change.finished))
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A real Chromium. While it runs, Django refuses to ask the database in this thread.

    That is because Playwright keeps an event loop here.
    """
    path = program(*CHROMIUM, hint="apt-get install chromium-headless-shell")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        yield browser
        browser.close()


def settle(page: Page, scheme: str) -> None:
    """Show the page in light or dark, and wait until every color is there."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate(SETTLED)


def barriers(page: Page, *, schemes: Sequence[str] = SCHEMES) -> Iterator[str]:
    """What axe finds on a page, in light and in dark."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for scheme in schemes:
        settle(page, scheme)
        options = QUICKLY if scheme == schemes[0] else AGAIN
        for violation in page.evaluate(VIOLATIONS, options):
            places = [place["html"] for place in violation["nodes"]]
            yield f"{page.url} ({scheme}): {violation['help']}: {places}"
    page.emulate_media(color_scheme="light")


def beyond(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    root = "document.documentElement"
    return int(page.evaluate(f"() => {root}.scrollWidth - {root}.clientWidth"))


def log_in(page: Page, email: str) -> None:
    """Come in as somebody on the staff, by the login page."""
    page.goto("/account/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()
