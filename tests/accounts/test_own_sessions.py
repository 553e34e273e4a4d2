"""One's own sessions: seen, told apart, ended; never anybody else's."""

from __future__ import annotations

import re
from datetime import timedelta

import make
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import browsers
from accounts.models import Link, Session

PAGE = "/profile/security/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


def enter(agent: str, email: str = "bob@example.com") -> Client:
    """A browser somebody logs in with."""
    browser = Client(headers={"User-Agent": agent})
    browser.post("/account/login/", {"login": email, "password": make.PASSWORD})
    return browser


def handles(page: str) -> list[str]:
    return re.findall(r"/profile/security/([0-9a-f]{32})/end/", page)


def test_the_page_shows_every_browser_and_marks_this_one(bob):
    here, phone = enter(FIREFOX), enter(IPHONE)
    page = here.get(PAGE).content.decode()
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    assert page.index("Firefox on Linux") < page.index("This browser") < page.index("Safari")
    assert "127.0.0.1" in page
    assert len(handles(page)) == 1, "this one is logged out by its own button"
    for key in Session.objects.values_list("pk", flat=True):
        assert key not in page, "the key would let its reader in"
    assert phone.get(PAGE).status_code == 200


def test_ending_one_logs_that_browser_out_and_no_other(bob):
    here, phone, tablet = enter(FIREFOX), enter(IPHONE), enter("Oven/1.0")
    session = Session.objects.get(agent=IPHONE)
    answer = here.post(f"{PAGE}{session.handle}/end/", follow=True)
    assert "Safari on iPhone is logged out" in answer.content.decode()
    assert phone.get("/").headers["Location"].startswith("/account/login/")
    assert tablet.get("/").status_code == 200
    assert here.post(f"{PAGE}{session.handle}/end/").status_code == 404


def test_nobody_ends_another_s_session_nor_their_own_by_this(bob, charlie):
    here, theirs = enter(FIREFOX), enter(IPHONE, "charlie@example.com")
    assert "iPhone" not in here.get(PAGE).content.decode()
    other, mine = Session.objects.get(agent=IPHONE), Session.objects.get(agent=FIREFOX)
    for handle in (other.handle, other.pk, mine.handle, "0" * 32, "x"):
        assert here.post(f"{PAGE}{handle}/end/").status_code == 404
    assert theirs.get("/").status_code == 200
    assert here.get(f"{PAGE}{other.handle}/end/").status_code == 405


def test_logging_out_everywhere_keeps_this_browser_alone(bob):
    here, phone, tablet = enter(FIREFOX), enter(IPHONE), enter("Oven/1.0")
    link, before = make.link(bob.user), Session.objects.get(agent=FIREFOX).created_at
    answer = here.post(f"{PAGE}end/", follow=True)
    assert "nowhere else" in answer.content.decode()
    assert not handles(answer.content.decode())
    for browser in (phone, tablet):
        assert browser.get("/").headers["Location"].startswith("/account/login/")
    assert Link.objects.get(pk=link.pk).state == "superseded"
    [session] = Session.objects.filter(user=bob.user)
    assert (session.agent, session.created_at) == (FIREFOX, before), "the same browser as before"
    assert here.get(PAGE).status_code == 200


def test_a_new_password_leaves_no_dead_sessions_in_the_list(bob):
    here, _phone = enter(FIREFOX), enter(IPHONE)
    new = "flour and water"
    here.post(
        "/account/password/change/",
        {"current": make.PASSWORD, "password": new},
    )
    page = here.get(PAGE).content.decode()
    assert "Firefox on Linux" in page
    assert "iPhone" not in page


def test_sessions_that_ran_out_are_not_shown(bob):
    here, _phone = enter(FIREFOX), enter(IPHONE)
    Session.objects.filter(agent=IPHONE).update(expire_date=now() - timedelta(seconds=1))
    assert "iPhone" not in here.get(PAGE).content.decode()


def test_the_last_use_is_known_to_a_few_minutes(bob):
    here, phone = enter(FIREFOX), enter(IPHONE)
    began = now() - timedelta(days=3)
    Session.objects.update(created_at=began)
    phone.get("/")
    session = Session.objects.get(agent=IPHONE)
    assert now() - session.used_at < timedelta(minutes=1)
    used = session.used_at
    phone.get("/")
    assert Session.objects.get(agent=IPHONE).used_at == used, "not written at every click"
    page = here.get(PAGE).content.decode()
    assert "3 days ago" in page
    assert session.created_at == began, "nor is when it began"


def test_what_is_saved_into_a_session_keeps_its_last_use(bob):
    browser = enter(FIREFOX)
    Session.objects.update(created_at=now() - timedelta(days=3))
    browser.get("/")
    session = browser.session
    session["word"] = "flour"
    session.save()
    assert Session.objects.get().seen_at


def test_many_sessions_take_no_more_statements(bob):
    here = enter(FIREFOX)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            here.get(PAGE)
        counts.append(len(queries))
        for _ in range(5):
            enter(IPHONE)
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
            ),
            "Samsung Internet on Android",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/137.0.0.0 Mobile Safari/537.36"
            ),
            "Chrome on Android",
        ),
        (
            (
                "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                "Gecko) CriOS/137.0.7151.79 Mobile/15E148 Safari/604.1"
            ),
            "Chrome on iPad",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
                "Gecko) Version/18.5 Safari/605.1.15"
            ),
            "Safari on macOS",
        ),
        (
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/137.0.0.0 Safari/537.36"
            ),
            "Chrome on ChromeOS",
        ),
        ("Oven/1.0", "Oven/1.0"),
        ("x" * 300, "x" * 60 + "…"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_are_named_as_people_name_them(agent, words):
    assert browsers.say(agent) == words
