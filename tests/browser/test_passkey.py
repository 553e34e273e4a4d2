"""A passkey in a real Chromium, with an authenticator that only the browser believes in."""

from __future__ import annotations

from collections.abc import Callable

import make
import pytest
from looking import barriers
from playwright.sync_api import Page, expect
from stage import Stage

from portal.models import School


@pytest.fixture
def address(stage: Stage) -> str:
    """The portal by a name: a passkey belongs to one, and an IP address has none."""
    School.current()
    School.objects.update(needs_second_factor=True)
    make.staff(email="alice@example.com")
    stage.web()
    return stage.address.replace("127.0.0.1", "localhost")


def give_authenticator(page: Page) -> None:
    """A device that knows its owner and always says yes."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    wire.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def give_password(page: Page) -> None:
    page.locator("[name=login]").fill("alice@example.com")
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_passkey_opens_the_dashboard_and_then_lets_in_alone(
    address: str, open_browser: Callable[..., Page]
) -> None:
    page = open_browser()
    give_authenticator(page)
    page.goto(f"{address}/account/login/")
    give_password(page)
    expect(page.get_by_text("asks its staff for a second factor")).to_be_visible()
    page.mouse.move(0, 0)
    assert [*barriers(page)] == []

    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_label("Name")).to_have_value("Chrome on Linux")
    page.mouse.move(0, 0)
    assert [*barriers(page)] == []
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.mouse.move(0, 0)
    assert [*barriers(page)] == []
    page.goto(f"{address}/dashboard/")
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()

    page.context.clear_cookies()
    page.goto(f"{address}/account/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()

    page.context.clear_cookies()
    page.goto(f"{address}/account/login/")
    give_password(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.mouse.move(0, 0)
    assert [*barriers(page)] == []
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()

    page.goto(f"{address}/account/2fa/")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("asks its staff for a second factor")).to_be_visible()


def test_without_an_authenticator_the_page_says_so(
    address: str, open_browser: Callable[..., Page]
) -> None:
    page = open_browser()
    give_authenticator(page)
    page.goto(f"{address}/account/login/")
    page.evaluate(
        "() => { navigator.credentials.get = () => Promise.reject(new Error('canceled')) }"
    )
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")


def test_without_javascript_there_is_another_way(
    address: str, open_browser: Callable[..., Page]
) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto(f"{address}/account/login/")
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
    give_password(page)
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_text("This browser cannot use passkeys")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for the app")).to_be_visible()
