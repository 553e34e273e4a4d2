"""Hazards 8, 9 and 12 to 14, what strangers try at the doors: each beside a control that takes the guard away."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import make
import pytest
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from accounts import asking, cookies
from accounts.models import Contact, Link, Role, Session, User
from accounts.models.link import LinkQuerySet, digest
from accounts.sessions import SessionStore
from portal import limits
from portal.models import Event, Tally

LOGIN, MAIL, CODE = "/account/login/", "/account/login/mail/", "/account/login/code/"
RESET, CHANGE = "/account/password/reset/", "/account/password/change/"
NEW = "flour and water"


def path(link: Link) -> str:
    return reverse("accounts:link_consume", args=[link.token])


def is_in(browser: Client) -> bool:
    return browser.get("/profile/").status_code == 200


def text_of(answer: HttpResponse) -> str:
    """A page as it reads: without its address, which a form repeats, and what is drawn by lot."""
    lot = r"/l/[^/]+/|nonce=\"[^\"]*\"|name=\"csrfmiddlewaretoken\" value=\"\w+\""
    return re.sub(lot, "", answer.content.decode())


def wait(seconds: int) -> None:
    """Let that time pass for whoever counts tries."""
    Tally.objects.update(began_at=F("began_at") - timedelta(seconds=seconds))


# 8: led off the site

# What browsers would read as another site, as it is, encoded once and encoded again.
EVIL = [
    "//evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "///evil.com",
    "https://evil.com/",
    "http:evil.com",
    "https://portal@evil.com/",
    "//portal@evil.com",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.com",
    "/\t/evil.com",
    "/\n/evil.com",
    " //evil.com",
    "/%2Fevil.com",
    "/%5Cevil.com",
    "/%09/evil.com",
    "%2F%2Fevil.com",
    "/%252Fevil.com",
    "%252F%252Fevil.com",
    "/%0d%0aLocation:%20//evil.com",
    "http://localhost:8000/profile/",
]


def by_link(bob: Contact, page: str) -> HttpResponse:
    return Client().post(f"{path(make.link(bob.user))}?{urlencode({'next': page})}")


def by_cookie(bob: Contact, page: str) -> HttpResponse:
    """By a code, in a browser whose cookie somebody else wrote."""
    browser = Client()
    browser.cookies[cookies.ASKED] = cookie = f"x.{page.replace('%', '%25')}"
    link = make.link(bob.user, self_service=True, browser=digest(cookie))
    return browser.post(CODE, {"code": link.code})


def by_password(bob: Contact, page: str) -> HttpResponse:
    typed = {"login": bob.email, "password": make.PASSWORD}
    return Client().post(LOGIN, typed | {"next": page})


def by_address(bob: Contact, page: str) -> HttpResponse:
    typed = {"login": bob.email, "password": make.PASSWORD}
    return Client().post(f"{LOGIN}?{urlencode({'next': page})}", typed)


def by_new_password(bob: Contact, page: str) -> HttpResponse:
    User.objects.filter(contact=bob).update(temporary_until=now() + timedelta(hours=1))
    bob.user.refresh_from_db()
    browser = Client()
    browser.force_login(bob.user)
    return browser.post(f"{CHANGE}?{urlencode({'next': page})}", {"password": NEW + page})


DOORS = [by_link, by_cookie, by_password, by_address, by_new_password]


@pytest.mark.parametrize("door", DOORS)
def test_h08_nobody_is_led_off_the_site(bob, door):
    assert door(bob, "/profile/")["Location"] == "/profile/"
    pages = EVIL if door is by_link else EVIL[::4]
    assert {page: door(bob, page)["Location"] for page in pages} == dict.fromkeys(pages, "/")


@pytest.mark.parametrize("door", DOORS)
def test_h08_control_an_address_that_is_believed(bob, door, monkeypatch):
    for place in ("accounts.views.public", "accounts.views.passwords", "accounts.adapter"):
        monkeypatch.setattr(f"{place}.own_page", str)
    assert door(bob, "//evil.com")["Location"] == "//evil.com"


# 9: a session that somebody prepared, or of somebody else


def plant(browser: Client) -> Client:
    """An attacker's browser, with the session that they put into the browser of their victim."""
    planted = browser.session
    planted["basket"] = "theirs"
    planted.save()
    attacker = Client()
    attacker.cookies["session"] = planted.session_key
    return attacker


@pytest.mark.parametrize("way", ["link", "code", "password"])
def test_h09_a_session_that_was_there_before_is_not_the_one_they_come_in_with(
    bob, client, ask, way
):
    address, code = ask(client)
    attacker = plant(client)
    before = client.session.session_key
    match way:
        case "link":
            client.post(address)
        case "code":
            client.post(CODE, {"code": code})
        case "password":
            client.post(LOGIN, {"login": bob.email, "password": make.PASSWORD})
    assert is_in(client)
    assert not is_in(attacker)
    assert client.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    assert way == "password" or "basket" not in client.session


def test_h09_whoever_is_logged_in_as_somebody_else_reads_both_names(login, link, charlie):
    browser = login(charlie)
    before = browser.session.session_key
    page = text_of(browser.get(path(link)))
    assert "c•••@example.com" in page
    assert "b•••@example.com" in page
    assert browser.get("/profile/").wsgi_request.user == charlie.user, "looking changes nothing"
    browser.post(path(link))
    assert browser.get("/profile/").wsgi_request.user == link.user
    assert not Session.objects.filter(pk=before).exists()
    assert not Session.objects.filter(user=charlie.user).exists()


def test_h09_control_a_session_that_stays(client, link, monkeypatch):
    monkeypatch.setattr(SessionStore, "flush", lambda self: None)
    monkeypatch.setattr(SessionStore, "cycle_key", lambda self: None)
    attacker = plant(client)
    client.post(path(link))
    assert is_in(attacker), "as Bob"


# 12: a form on a page of somebody else

FORMS = [
    (LOGIN, {"login": "bob@example.com", "password": make.PASSWORD}),
    (CODE, {"code": "AAAA-AAAA"}),
    (MAIL, {"login": "bob@example.com"}),
    (RESET, {"email": "bob@example.com"}),
]


def test_h12_a_form_from_elsewhere_logs_nobody_in(link, mailoutbox, committed):
    victim = Client(enforce_csrf_checks=True)
    for address in (path(link), f"{path(link)}renew/"):
        assert victim.post(address).status_code == 403
    for address, typed in FORMS:
        victim.get(address)  # the cookie alone is not enough: every browser sends it along
        with committed():
            assert victim.post(address, typed).status_code == 403
    assert not is_in(victim)
    assert not mailoutbox
    assert Client().get(path(link)).status_code == 200


def test_h12_control_a_form_that_nobody_asks_where_it_comes_from(link, monkeypatch):
    monkeypatch.setattr(CsrfViewMiddleware, "process_view", lambda *_: None)
    victim = Client(enforce_csrf_checks=True)
    victim.post(path(link))
    assert is_in(victim), "in an account that is not theirs"


# 13: guessing codes, and flooding a mailbox


def test_h13_three_tries_and_the_code_is_dead_and_its_link_too(client, bob, ask):
    address, code = ask(client)
    for _ in range(3):
        assert client.post(CODE, {"code": "AAAA-AAAA"}).status_code == 200
    assert client.post(CODE, {"code": code}).status_code == 200
    assert not is_in(client)
    assert Client().get(address).status_code == 410
    failed = Event.objects.filter(name="login.failed", contact=bob)
    assert [event.data["way"] for event in failed] == ["code"] * 4


def test_h13_a_code_works_in_no_other_browser(client, bob, ask):
    _address, code = ask(client)
    stranger, other = Client(), Client()
    other.post(MAIL, {"login": "nobody@example.com"})
    pages = {text_of(browser.post(CODE, {"code": code})) for browser in (stranger, other)}
    pages.add(text_of(client.post(CODE, {"code": "AAAA-AAAA"})).replace("AAAA-AAAA", code))
    assert len(pages) == 1, "whose code it is, nobody learns"
    assert not is_in(stranger)
    assert not is_in(other)
    client.post(CODE, {"code": code})
    assert is_in(client)


def test_h13_control_a_code_that_may_be_tried_for_ever(client, bob, ask, monkeypatch):
    monkeypatch.setattr("accounts.models.link.MAX_TRIES", 1000)
    _address, code = ask(client)
    for _ in range(9):
        client.post(CODE, {"code": "AAAA-AAAA"})
    client.post(CODE, {"code": code})
    assert is_in(client)


@pytest.fixture
def flood(committed) -> Callable[..., list[int]]:
    """`flood(5)`: what is answered to who asks so often, each time from somewhere else, or so they claim."""

    def statuses(number: int, email: str = "bob@example.com", *, page: str = MAIL) -> list[int]:
        answers = []
        for n in range(number):
            where = {"X-Forwarded-For": f"10.0.0.{n}", "Forwarded": f"for=10.0.0.{n}"}
            with committed():
                typed = {"login": email.format(n), "email": email.format(n)}
                answers.append(Client().post(page, typed, headers=where).status_code)
        return answers

    return statuses


@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_h13_three_mails_a_minute_and_ten_an_hour_to_one_address(bob, flood, mailoutbox, email):
    assert flood(4, email) == [302] * 3 + [429]
    assert flood(1, email.upper(), page=RESET) == [429], "counted together, in any spelling"
    for _ in range(2):
        wait(61)
        assert flood(3, email) == [302] * 3
    wait(61)
    assert flood(2, email) == [302, 429], "the eleventh within the hour"
    assert len(mailoutbox) == (10 if email == bob.email else 0)
    wait(3600)
    assert flood(1, email) == [302]


def test_h13_twenty_a_minute_from_one_place_whatever_it_claims_to_be(db, flood):
    assert flood(22, "person{}@example.com") == [302] * 20 + [429] * 2


def test_h13_nor_is_anybody_flooded_by_links_of_before(bob, committed, mailoutbox):
    links = [make.link(bob.user) for _ in range(3)]
    for link in links * 2:
        with committed():
            Client().post(f"{path(link)}renew/")
    assert len(mailoutbox) == 3


def test_h13_control_mails_that_nobody_counts(bob, flood, mailoutbox, monkeypatch):
    monkeypatch.setattr(limits.Limit, "spend", lambda self, who: None)
    assert flood(6) == [302] * 6
    assert len(mailoutbox) == 6


# 14: who is a student here?


def told(answer: HttpResponse) -> tuple[object, ...]:
    """Everything a stranger could compare, but what is drawn by lot."""
    lots = {"X-Request-ID", "Expires"}
    headers = {
        name: re.sub(r"(?<=nonce-)[\w-]+", "", value)
        for name, value in answer.items()
        if name not in lots
    }
    cookies_set = {
        name: (len(cookie.value), {**cookie, "expires": ""})
        for name, cookie in answer.cookies.items()
    }
    return answer.status_code, headers, cookies_set, text_of(answer)


@pytest.fixture
def people(bob) -> list[str]:
    """An address of each kind: known, unknown, blocked, staff's, without a login."""
    make.student("Blocked", email="blocked@example.com").block()
    make.staff(Role.SUPPORT, email="staff@example.com")
    make.contact("Known", email="known@example.com")
    return [f"{who}@example.com" for who in ("bob", "nobody", "blocked", "staff", "known")]


def ask_by_mail(browser: Client, email: str) -> HttpResponse:
    return browser.post(MAIL, {"login": email})


def ask_for_reset(browser: Client, email: str) -> HttpResponse:
    return browser.post(RESET, {"email": email})


def mistype_a_code(browser: Client, email: str) -> HttpResponse:
    """Which the mailed code may be, or none was mailed."""
    return browser.post(CODE, {"code": "AAAA-AAAA"})


ASKING = [ask_by_mail, ask_for_reset, mistype_a_code]


def answers(people: list[str], act: Callable[..., HttpResponse], committed) -> list[Any]:
    """What each is told, and by which statements."""
    answers = []
    for email in people:
        browser = Client()
        if act is mistype_a_code:
            with committed():
                ask_by_mail(browser, email)
        with CaptureQueriesContext(connection) as captured:
            seen = told(act(browser, email))
        said = [query["sql"] for query in captured.captured_queries]
        bare = [re.sub(r"'[^']*'|\b\d+\b|\bs\d+_x\d+|\bNULL\b", "?", sql) for sql in said]
        answers.append((seen, bare))
    return answers


@pytest.mark.parametrize("act", ASKING)
def test_h14_every_address_gets_the_same_answer_by_the_same_statements(
    school, people, committed, mailoutbox, monkeypatch, act
):
    def nothing_in_the_request(*_args: Any, **_words: Any) -> None:
        raise AssertionError("hashed or sent, while somebody measures the time")

    if act is not mistype_a_code:
        monkeypatch.setattr("django.contrib.auth.hashers.make_password", nothing_in_the_request)
        monkeypatch.setattr("notifications.mail.deliver", nothing_in_the_request)
    first, *others = answers(people, act, committed)
    assert others == [first] * len(others)
    if act is not mistype_a_code:
        assert not any("accounts_contact" in sql or "accounts_user" in sql for sql in first[1])
        assert not mailoutbox


@pytest.mark.parametrize("act", ASKING[:2])
def test_h14_control_looking_somebody_up_while_they_wait(people, committed, monkeypatch, act):
    queue = asking._queue

    def look_up(**data: Any) -> None:
        if User.objects.filter(email=data["email"]).exists():
            queue(**data)

    monkeypatch.setattr(asking, "_queue", look_up)
    first, *others = answers(people, act, committed)
    assert others != [first] * len(others), "who is known, is told by the statements"


def test_h14_control_a_code_that_is_looked_for_in_fewer_steps(people, committed, monkeypatch):
    consume = LinkQuerySet.consume_code

    def look_first(self: LinkQuerySet, code: str, *, browser: str) -> Link | None:
        found = self.usable().filter(browser=browser).exists()
        return consume(self, code, browser=browser) if found else None

    monkeypatch.setattr(LinkQuerySet, "consume_code", look_first)
    first, *others = answers(people, mistype_a_code, committed)
    assert others != [first] * len(others)
