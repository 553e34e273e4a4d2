"""Passwords tried in somebody's name: few, counted whatever their case, and never at the cost of the owner."""

from __future__ import annotations

from datetime import timedelta

import make
import pytest
from django.http import HttpResponse
from django.test import Client

from accounts import cookies
from accounts.models import Role
from portal import limits
from portal.models import Event, School, Tally

LOGIN = "/account/login/"


def enter(
    browser: Client, email: str, password: str = make.PASSWORD, **headers: str
) -> HttpResponse:
    return browser.post(LOGIN, {"login": email, "password": password}, headers=headers)


def statuses(number: int, email: str, **headers: str) -> list[int]:
    """Of that many wrong passwords, each from a browser of its own."""
    return [enter(Client(), email, "wrong", **headers).status_code for _ in range(number)]


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def wait(seconds: int) -> None:
    for row in Tally.objects.all():
        Tally.objects.filter(pk=row.pk).update(began_at=row.began_at - timedelta(seconds=seconds))


def test_who_must_wait_is_offered_a_mail_meanwhile(client, bob, committed, mailoutbox):
    statuses(5, "bob@example.com")
    typed = {"login": "bob@example.com", "password": make.PASSWORD, "next": "/courses/"}
    page = client.post(LOGIN, typed)
    assert page.status_code == 429
    assert 'href="/account/login/mail/?next=%2Fcourses%2F"' in page.content.decode()
    with committed():
        client.post("/account/login/mail/", {"login": "bob@example.com"})
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("spelled", ["BOB@example.com", " bob@example.com", "ｂｏｂ@example.com"])
def test_another_spelling_is_the_same_account(bob, spelled):
    assert statuses(5, "bob@example.com") == [200] * 5
    assert enter(Client(), spelled).status_code == 429


def test_right_passwords_are_not_counted_for_the_place(bob):
    assert statuses(4, "nobody@example.com") == [200] * 4
    for _ in range(15):
        assert enter(Client(), "bob@example.com")["Location"] == "/"
    assert statuses(1, "bob@example.com") == [200]


def test_a_right_password_starts_the_account_over(client, bob):
    for _ in range(3):
        assert statuses(3, "bob@example.com") == [200] * 3
        wait(61)
        assert enter(Client(), "bob@example.com")["Location"] == "/"


def test_two_places_behind_our_proxy_are_two(db, settings):
    settings.TRUSTED_PROXIES = 1
    for place in ("192.0.2.1", "192.0.2.2"):
        names = [f"{place}-{n}@example.com" for n in range(10)]
        answers = [
            enter(Client(), name, "wrong", X_Forwarded_For=place).status_code for name in names
        ]
        assert answers == [200] * 10


def test_a_household_is_one_place_however_many_addresses_it_has(db, settings):
    settings.TRUSTED_PROXIES = 1
    places = [f"2001:db8:0:1::{n:x}" for n in range(1, 12)] + ["2001:db8:0:2::1"]
    answers = [
        enter(Client(), f"p{n}@example.com", "wrong", X_Forwarded_For=place).status_code
        for n, place in enumerate(places)
    ]
    assert answers == [200] * 10 + [429, 200]


def test_a_browser_knows_several_accounts(alice, bob):
    shared = Client()
    for email in ("alice@example.com", "bob@example.com"):
        enter(shared, email)
        assert is_in(shared)
        shared.post("/account/logout/")
    for email in ("alice@example.com", "bob@example.com"):
        statuses(5, email)
        wait(61)
    for email in ("alice@example.com", "bob@example.com"):
        assert enter(shared, email).status_code == 302
        shared.post("/account/logout/")


def test_a_known_browser_is_counted_too(bob):
    known = Client()
    enter(known, "bob@example.com")
    known.post("/account/logout/")
    answers = [enter(known, "bob@example.com", "wrong").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert enter(Client(), "bob@example.com").status_code == 302, "and nobody else is"


def test_the_cookie_of_one_account_is_no_free_way_to_another(bob, charlie):
    charlies = Client()
    enter(charlies, "charlie@example.com")
    charlies.post("/account/logout/")
    statuses(5, "bob@example.com")
    assert enter(charlies, "bob@example.com").status_code == 429


def test_a_cookie_that_is_not_ours_is_nobody_s(bob):
    known = Client()
    enter(known, "bob@example.com")
    cookie = known.cookies[cookies.DEVICE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (
        True,
        "Lax",
        cookies.YEAR,
    )
    assert "bob" not in cookie.value
    forged = Client()
    forged.cookies[cookies.DEVICE] = cookie.value[:-1] + ("a" if cookie.value[-1] != "a" else "b")
    statuses(5, "bob@example.com")
    assert enter(forged, "bob@example.com").status_code == 429


def test_a_failed_login_is_known_without_what_was_typed(client, bob):
    enter(client, "bob@example.com", "my other password")
    enter(client, "my-password@in-the-wrong.field", "x")
    of_bob, of_nobody = Event.objects.filter(name="login.failed").order_by("pk")
    assert (of_bob.contact, of_bob.data["user"], of_bob.address) == (bob, bob.user.pk, "127.0.0.1")
    assert (of_nobody.contact, of_nobody.data) == (None, {"way": "password"})
    assert "wrong" not in str(of_nobody.data)


def test_who_is_refused_fills_no_log(bob):
    statuses(30, "bob@example.com")
    assert Event.objects.filter(name="login.failed").count() == 5


def test_passwords_asked_for_once_more_are_counted_as_well(login, bob):
    browser = login(bob)
    asking = "/account/reauthenticate/?next=/profile/"
    answers = [browser.post(asking, {"password": "wrong"}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_the_table_tells_nobody_s_address(bob):
    statuses(2, "bob@example.com")
    kept = " ".join(Tally.objects.values_list("key", flat=True))
    assert "bob" not in kept
    assert "127" not in kept


def test_what_is_given_back_can_be_spent_again(db):
    limit = limits.Limit("test", times=3, seconds=60)
    for _ in range(3):
        limit.spend("a")
    for _ in range(4):
        with pytest.raises(limits.TooMany):
            limit.spend("a")
    limit.give_back("a")
    limit.spend("a")
    with pytest.raises(limits.TooMany):
        limit.spend("a")


@pytest.fixture
def at_most(school):
    """`at_most(2)`: a student may be logged in with so many browsers."""
    return lambda number: School.objects.update(max_sessions=number)


def test_any_number_of_browsers_unless_the_school_says_otherwise(bob):
    browsers = [Client() for _ in range(4)]
    for browser in browsers:
        enter(browser, "bob@example.com")
    assert all(browser.get("/").status_code == 200 for browser in browsers)


def test_one_more_browser_logs_the_oldest_out(at_most, bob):
    at_most(2)
    first, second, third = browsers = [
        Client(headers={"User-Agent": f"Oven/{n}"}) for n in range(3)
    ]
    for browser in browsers:
        enter(browser, "bob@example.com")
    assert first.get("/").headers["Location"].startswith(LOGIN)
    assert second.get("/").status_code == third.get("/").status_code == 200
    [ended] = Event.objects.filter(name="session.ended")
    assert (ended.contact, ended.data["agent"]) == (bob, "Oven/0")


def test_logging_in_again_in_the_same_browser_is_no_second_one(at_most, bob):
    at_most(1)
    here = Client()
    enter(here, "bob@example.com")
    link = make.link(bob.user)
    assert here.post(f"/l/{link.token}/")["Location"] == "/"
    assert here.get("/").status_code == 200
    assert not Event.objects.filter(name="session.ended").exists()


def test_the_limit_is_lowered_and_whoever_logs_in_next_is_in(at_most, bob):
    first, second = Client(), Client()
    for browser in (first, second):
        enter(browser, "bob@example.com")
    at_most(1)
    assert first.post(f"/l/{make.link(bob.user).token}/")["Location"] == "/"
    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 302


def test_staff_may_have_as_many_as_they_like(at_most, alice):
    at_most(1)
    browsers = [Client(), Client()]
    for browser in browsers:
        enter(browser, "alice@example.com")
    assert all(browser.get("/dashboard/").status_code == 200 for browser in browsers)
    assert alice.role == Role.OWNER
