"""Hazards 1 to 7, 10 and 11, what a mailed link is worth: each beside a control that takes the guard away."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import make
import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import auth
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from leaks import leaks, ledger
from looking import chromium
from playwright.sync_api import Page, expect
from racing import RACERS, race

from accounts import cookies, urls
from accounts.adapter import Adapter
from accounts.models import Contact, Link, Role, Session, User
from accounts.models.link import LONGEST, LinkQuerySet, Purpose, digest
from accounts.models.user import UserManager
from accounts.views import public
from notifications.models import Message

LOGIN, CODE, FACTOR = "/account/login/", "/account/login/code/", "/account/2fa/login/"
CHANGE = "/account/password/change/"
NEW = "flour and water"
OVER = "This link is no longer valid"


def path(link: Link) -> str:
    return reverse("accounts:link_consume", args=[link.token])


def enter(email: str, password: str = make.PASSWORD) -> Client:
    browser = Client()
    browser.post(LOGIN, {"login": email, "password": password})
    return browser


def is_in(browser: Client) -> bool:
    return browser.get("/profile/").status_code == 200


def text_of(answer: HttpResponse) -> str:
    """A page as it reads: without its address, which a form repeats, and what is drawn by lot."""
    lot = r"/l/[^/]+/|nonce=\"[^\"]*\"|name=\"csrfmiddlewaretoken\" value=\"\w+\""
    return re.sub(lot, "", answer.content.decode())


# 1: a mail scanner follows every link


def test_h01_a_scanner_that_looks_spends_nothing(link, client):
    scanner = Client()
    for look in [scanner.get, scanner.head] * 10:
        answer = look(path(link))
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "strict-origin", "of a secret address nobody is told"
    assert not is_in(scanner)
    assert client.post(path(link))["Location"] == "/"
    assert is_in(client)


def test_h01_control_a_page_that_spends_when_it_is_looked_at(link, client, monkeypatch):
    [route] = [each for each in urls.app if getattr(each, "name", "") == "link_consume"]
    view = route.callback

    @functools.wraps(view)
    def look_and_spend(request: HttpRequest, token: str) -> HttpResponse:
        request.method = "POST"
        return view(request, token)

    monkeypatch.setattr(route, "callback", look_and_spend)
    Client().get(path(link))
    assert client.post(path(link)).status_code == 410, "its owner comes too late"


# 2: a mail scanner runs scripts


@contextlib.contextmanager
def browsers(url: str) -> Iterator[Callable[..., Page]]:
    """Opens a real browser with the cookies it is given, see `chromium`."""
    with chromium() as browser:

        def open_browser(**kept: str) -> Page:
            context = browser.new_context(base_url=url, locale="en-GB")
            context.add_cookies([{"name": n, "value": v, "url": url} for n, v in kept.items()])
            return context.new_page()

        yield open_browser


@pytest.fixture
def asked_in(transactional_db, school) -> tuple[str, dict[str, str]]:
    """The address of a link that somebody asked for, and the cookie of the browser they did it in."""
    cookie = "drawn-by-lot."
    user = make.student(email="bob@example.com").user
    link = make.link(user, self_service=True, browser=digest(cookie))
    return path(link), {cookies.ASKED: cookie}


def look(page: Page, address: str) -> list[str]:
    """What is sent by somebody who looks at the page, and touches nothing, until all is quiet."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return [method for method in sent if method != "GET"]


def is_let_in(page: Page, address: str) -> None:
    """Without a press."""
    with page.expect_request(lambda request: request.method == "POST"):
        page.goto(address, wait_until="commit")
    expect(page.get_by_role("link", name="Courses")).to_be_visible(timeout=20_000)


def test_h02_the_button_presses_itself_only_where_the_link_was_asked_for(asked_in, live_server):
    address, cookie = asked_in
    with browsers(live_server.url) as open_browser:
        for scanner in (open_browser(), open_browser(asked="another.")):
            assert look(scanner, address) == []
            button = scanner.get_by_role("button", name="Continue as b•••@example.com")
            expect(button).to_be_visible()
        is_let_in(open_browser(**cookie), address)


def test_h02_control_a_button_that_presses_itself_everywhere(asked_in, live_server, monkeypatch):
    monkeypatch.setattr(public, "_asked_here", lambda *_: True)
    address, cookie = asked_in
    with browsers(live_server.url) as open_browser:
        is_let_in(open_browser(), address)
        mine = open_browser(**cookie)
        look(mine, address)
        expect(mine.get_by_role("heading", level=1)).to_have_text(OVER)


# 3: two press at once


def press(*links: Link) -> list[int]:
    """What as many browsers as there are racers are answered who press at once, and how many are in."""

    def pressing(address: str) -> Callable[[], int]:
        return lambda: Client().post(address).status_code

    [link] = links
    return race(*[pressing(path(link))] * RACERS)


@pytest.mark.django_db(transaction=True)
def test_h03_of_all_who_press_at_once_one_gets_in(school, bob):
    for number in range(1, 3):
        answers = press(make.link(bob.user))
        assert sorted(answers) == [302] + [410] * (RACERS - 1)
        assert Session.objects.filter(user=bob.user).count() == number


@pytest.mark.django_db(transaction=True)
def test_h03_control_looking_before_spending_lets_several_in(school, bob, monkeypatch):
    gate = threading.Barrier(RACERS)

    def look_then_spend(self: LinkQuerySet) -> Link | None:
        found = self.usable().select_related("user__contact").first()
        gate.wait(timeout=60)
        self.update(used_at=now())
        return found

    monkeypatch.setattr(LinkQuerySet, "_spend", look_then_spend)
    assert press(make.link(bob.user)).count(302) > 1
    assert Session.objects.filter(user=bob.user).count() > 1


# 4: used again, or too late


def age(link: Link, seconds: float) -> None:
    ago = timedelta(seconds=seconds)
    Link.objects.filter(pk=link.pk).update(
        created_at=F("created_at") - ago, expires_at=F("expires_at") - ago
    )


def test_h04_a_link_is_good_once(link, client):
    assert client.post(path(link)).status_code == 302
    for again in (Client().post(path(link)), Client().get(path(link))):
        assert again.status_code == 410
        assert OVER in text_of(again)
        assert "Mail me a fresh one" in text_of(again)


@pytest.mark.parametrize(
    ("terms", "life"),
    [
        ({"self_service": True}, 10 * 60),
        ({}, 24 * 3600),
        ({"purpose": Purpose.INVITATION}, 7 * 24 * 3600),
        ({"seconds": 30 * 24 * 3600}, 7 * 24 * 3600),
    ],
)
def test_h04_a_link_dies_in_time(bob, terms, life):
    if "seconds" in terms:
        terms |= {"purpose": Purpose.LOGIN, "delivery": "copy", "key": "x"}
        [link] = Link.objects.request_many([bob.user], **terms)
    else:
        link = make.link(bob.user, **terms)
    assert life <= LONGEST
    age(link, life - 30)
    assert Client().get(path(link)).status_code == 200
    age(link, 31)
    for late in (Client().get(path(link)), Client().post(path(link), {"password": NEW})):
        assert late.status_code == 410
        assert OVER in text_of(late)


def test_h04_control_links_that_nobody_judges(link, monkeypatch):
    monkeypatch.setattr(LinkQuerySet, "usable", lambda self: self)
    age(link, 30 * 24 * 3600)
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.post(path(link))
    assert all(is_in(browser) for browser in browsers)


# 5: somebody reads the database, or the logs


def live_a_little(alice: User, bob: Contact, login, ask, committed) -> None:
    """Links and codes of every kind: mailed, copied, opened, used, spent again, renewed, and a code mistyped."""
    staff, browser = login(alice), Client()
    new_link = reverse("accounts:link_create", args=[bob.pk])
    with committed():
        staff.post(new_link, {"section": "home", "delivery": "copy"})
        staff.post(new_link, {"section": "home"})
        staff.post(reverse("accounts:contact_way", args=[bob.pk, "invite"]))
        staff.post(reverse("accounts:contact_way", args=[bob.pk, "reset"]))
    staff.get(reverse("portal:link_list", args=[bob.pk]))
    address, code = ask(browser, next="/courses/")
    ledger.note("cookie", browser.cookies[cookies.ASKED].value)
    browser.post(CODE, {"code": "AAAA-AAAA"})
    browser.get(f"{address}?next={address}")
    browser.post(CODE, {"code": code})
    browser.post(address)
    with committed():
        browser.post(f"{address}renew/")


def test_h05_neither_the_database_nor_a_log_holds_a_key(alice, bob, login, ask, committed):
    live_a_little(alice, bob, login, ask, committed)
    assert {"link token", "code"} <= set(ledger.born.values())
    assert Link.objects.count() >= 6
    assert leaks(None, has_database=True) == set()
    assert "Gone: /l/***/" in ledger.log.getvalue()
    assert Message.objects.filter(body__contains="[hidden]").count() == 1, "the code"


@pytest.mark.parametrize(
    ("guard", "where"),
    [
        ("accounts.models.link.digest", "accounts_link"),
        ("notifications.mail.scrub", "notifications_message"),
        ("portal.logs.scrub", "the log"),
    ],
)
def test_h05_control_a_key_that_is_kept_as_it_is(
    alice, bob, login, ask, committed, monkeypatch, guard, where
):
    monkeypatch.setattr(guard, str)
    live_a_little(alice, bob, login, ask, committed)
    found = leaks(None, has_database=True)
    ledger.born.clear()
    assert f"link token in {where}" in found


# 6: what must end all that was there before


def change_password(bob: Contact, _staff: Client) -> None:
    enter(bob.email).post(CHANGE, {"current": make.PASSWORD, "password": NEW})


def reset_password(bob: Contact, _staff: Client) -> None:
    Client().post(path(make.link(bob.user, Purpose.RESET)), {"password": NEW})


def change_address(bob: Contact, _staff: Client) -> None:
    link = make.link(bob.user, Purpose.CONFIRM_EMAIL, self_service=True, email="bob@new.example")
    Client().post(path(link))


def block(bob: Contact, staff: Client) -> None:
    staff.post(reverse("portal:contact_block", args=[bob.pk]), {"reason": "Shared the login"})


def log_out_everywhere(bob: Contact, _staff: Client) -> None:
    enter(bob.email).post("/profile/security/end/")


def be_logged_out_by_staff(bob: Contact, staff: Client) -> None:
    staff.post(reverse("accounts:contact_way", args=[bob.pk, "end_sessions"]))


ENDS = [
    change_password,
    reset_password,
    change_address,
    block,
    log_out_everywhere,
    be_logged_out_by_staff,
]


@pytest.mark.parametrize("end", ENDS)
def test_h06_links_and_sessions_of_before_are_worth_nothing(alice, bob, login, end):
    before = login(bob)
    row = Session.objects.get(user=bob.user)
    links = [make.link(bob.user, purpose) for purpose in Purpose if purpose != "confirm_email"]
    assert is_in(before)
    end(bob, login(alice))
    assert [Client().get(path(link)).status_code for link in links] == [410] * len(links)
    assert not is_in(before)
    row.save(force_insert=True)  # written by a request that was under way, or from a backup
    assert not is_in(before)


def set_up_a_second_factor(bob: Contact) -> str:
    """An app for Bob; one of the codes he keeps for when it is lost, which are good at any hour."""
    TOTP.activate(bob.user, generate_totp_secret())
    kept = RecoveryCodes.activate(bob.user)
    return kept.generate_codes()[0]


@pytest.mark.parametrize("end", ["password", "blocked"])
def test_h06_whoever_stands_before_the_second_factor_begins_anew(bob, end):
    code, browser = set_up_a_second_factor(bob), enter(bob.email)
    if end == "password":
        bob.user.change_password(NEW)
    else:
        bob.block()
        bob.unblock()
    assert browser.post(FACTOR, {"code": code})["Location"] == LOGIN
    assert not is_in(browser)


def test_h06_control_keys_that_nothing_ends(bob, login, link, monkeypatch):
    monkeypatch.setattr(UserManager, "end_access", lambda self, pks: None)
    before = login(bob)
    log_out_everywhere(bob, before)
    assert is_in(before)
    assert Client().post(path(link)).status_code == 302


def test_h06_control_a_session_that_is_bound_to_the_password_alone(bob, login, monkeypatch):
    monkeypatch.setattr(User, "get_session_auth_hash", AbstractBaseUser.get_session_auth_hash)
    before = login(bob)
    row = Session.objects.get(user=bob.user)
    log_out_everywhere(bob, before)
    row.save(force_insert=True)
    assert is_in(before)


def test_h06_control_a_login_that_is_not_judged_again(bob, monkeypatch):
    monkeypatch.setattr(Adapter, "login", DefaultAccountAdapter.login)
    code, browser = set_up_a_second_factor(bob), enter(bob.email)
    bob.user.change_password(NEW)
    browser.post(FACTOR, {"code": code})
    assert is_in(browser), "with a password that is none any more"


# 7: a newer link


def test_h07_what_was_asked_for_before_is_over_and_what_staff_sent_is_not(client, ask, link):
    first, _code = ask(client)
    newer, _code = ask(client)
    assert Client().post(first).status_code == 410
    assert Client().post(newer).status_code == 302
    assert Client().post(path(link)).status_code == 302


def test_h07_control_links_that_do_not_supersede_each_other(bob, client, ask, monkeypatch):
    update = models.QuerySet.update

    def all_but_superseded(self: Any, **values: Any) -> int:
        return 0 if "superseded_at" in values else update(self, **values)

    monkeypatch.setattr(models.QuerySet, "update", all_but_superseded)
    first, _code = ask(client)
    ask(client)
    assert Client().post(first).status_code == 302


# 10: staff, and who has a second factor


def test_h10_nobody_gets_a_login_link_for_staff(alice, bob, login, client, link, ask, mailoutbox):
    User.objects.appoint(email="bob@example.com", role=Role.SUPPORT)
    new_link = reverse("accounts:link_create", args=[bob.pk])
    for delivery in ("mail", "copy"):
        answer = login(alice).post(new_link, {"section": "home", "delivery": delivery})
        assert answer.status_code == 403
    assert client.post(path(link)).status_code == 410, "of the time before"
    with pytest.raises(IndexError):
        ask(client)
    assert not mailoutbox
    assert client.get("/dashboard/")["Location"].startswith(LOGIN)
    reset = make.link(bob.user, Purpose.RESET)
    assert client.get(path(reset)).status_code == 200, "to their password they do"


def test_h10_control_a_link_that_opens_the_dashboard(bob, client, link, monkeypatch):
    monkeypatch.setattr(User, "may_use", lambda self, purpose: True)
    make.staff(Role.OWNER, email="bob@example.com")
    Link.objects.update(superseded_at=None)
    client.post(path(link))
    assert client.get("/dashboard/").status_code == 200


@pytest.mark.parametrize("purpose", [Purpose.LOGIN, Purpose.RESET])
def test_h10_after_the_link_the_second_factor_is_asked_for(bob, client, purpose):
    code = set_up_a_second_factor(bob)
    answer = client.post(path(make.link(bob.user, purpose)), {"password": NEW})
    assert answer["Location"] == FACTOR
    assert not is_in(client)
    assert "_auth_user_id" not in client.session
    assert client.post(FACTOR, {"code": code})["Location"] == "/"
    assert client.get("/profile/").wsgi_request.user == bob.user
    assert Session.objects.get(user=bob.user).entered_by == "copied"


def test_h10_control_a_login_past_the_stages(bob, client, link, monkeypatch):
    def log_in(request: HttpRequest, user: User, **_terms: Any) -> HttpResponse:
        auth.login(request, user, backend="accounts.backends.PortalBackend")
        return HttpResponse()

    monkeypatch.setattr(public, "perform_login", log_in)
    set_up_a_second_factor(bob)
    client.post(path(link))
    assert is_in(client)


# 11: blocked, or switched off


def switch_off(bob: Contact, _staff: Client) -> None:
    User.objects.filter(contact=bob).update(is_active=False)


@pytest.mark.parametrize("shut_out", [block, switch_off])
def test_h11_whoever_is_shut_out_reads_what_a_stranger_reads(
    alice, bob, login, link, committed, mailoutbox, shut_out
):
    shut_out(bob, login(alice))
    for door in ("", "renew/"):
        for method in ("get", "post"):
            with committed():
                mine, forged = (
                    getattr(Client(), method)(f"{address}{door}")
                    for address in (path(link), f"/l/{'0' * 64}/")
                )
            assert mine.status_code == forged.status_code
            assert text_of(mine) == text_of(forged)
            assert "block" not in text_of(mine).lower()
    assert Client().post(path(link)).status_code == 410
    assert not mailoutbox


def test_h11_control_a_link_that_asks_nobody_who_is_shut_out(bob, client, link, monkeypatch):
    monkeypatch.setattr(User, "is_blocked", False)
    monkeypatch.setattr(UserManager, "end_access", lambda self, pks: None)
    bob.block()
    client.post(path(link))
    assert client.get(CHANGE).status_code == 200, "the way to a password of theirs"
