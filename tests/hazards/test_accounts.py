"""Hazards 15 to 18, passwords that somebody else chose: each beside a control that takes the guard away."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import doors
import make
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from leaks import leaks, ledger

from accounts.middleware import OwnPasswordMiddleware
from accounts.models import Contact, Link, User
from accounts.models.link import Purpose
from enrollments.models import Grant
from notifications import letters
from notifications.letters import Letter
from notifications.models import Kind, Message
from portal import context
from portal.models import School
from portal.sealing import seal

LOGIN, CHANGE, RENEW = "/account/login/", "/account/password/change/", "/profile/security/renew/"
SETTINGS = "/dashboard/settings/access/"
TERMS = {
    "credentials": "default",
    "temporary_hours": "72",
    "max_sessions": "",
    "simulation_notice": "start",
}
EVERYBODYS = "benvenuti a tutti"
NEW = "flour and water"
TEMPORARY = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){4}")
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")


def enter(email: str, password: str) -> Client:
    browser = Client()
    browser.post(LOGIN, {"login": email, "password": password})
    return browser


def is_in(browser: Client) -> bool:
    """Whether they are logged in, be it to choose a password and nothing else."""
    return "_auth_user_id" in browser.session


def give(contact: Contact) -> None:
    """One act of its own, as a request is."""
    with context.acting():
        Grant.objects.grant(contact=contact, offer=make.offer(), source="manual")


def age(contact: Contact, hours: float) -> None:
    """Let that time pass for the password they were given."""
    user = User.objects.get(contact=contact)
    assert user.temporary_until
    user.temporary_until -= timedelta(hours=hours)
    user.save(update_fields=["temporary_until"])


def errors(email: str, password: str) -> str:
    """What the login page says to who is not let in."""
    return str(Client().post(LOGIN, {"login": email, "password": password}).context["form"].errors)


# 15: a password for a while that is kept for ever


@pytest.fixture
def owed(alice, bob, login, committed, mailoutbox) -> str:
    """Bob was given a temporary password by staff; the one in his mail."""
    with committed():
        login(alice).post(reverse("accounts:contact_way", args=[bob.pk, "temporary_password"]))
    [mail] = mailoutbox
    [password] = set(TEMPORARY.findall(mail.body))
    return password


# What only who is logged in may open, of addresses that name nothing.
SHUT = [
    address
    for room in doors.ROOMS
    for address in room
    if room.gets["nobody"] == doors.LOGIN and "*" not in address
]
# Logging in is theirs already; these two are about nothing else.
SHUT = [address for address in SHUT if not re.match(r"/account/2fa/(passkeys/)?login/", address)]
OPEN = {CHANGE, "/account/logout/", RENEW}


def test_h15_a_temporary_password_opens_the_form_and_nothing_else(bob, owed):
    browser = enter(bob.email, owed)
    assert len(SHUT) > 50
    led = {
        address
        for address in SHUT
        if browser.get(address).headers.get("Location", "").partition("?")[0] == CHANGE
    }
    assert set(SHUT) - led == OPEN
    assert browser.post("/profile/notifications/").headers["Location"] == CHANGE
    fragment = browser.get("/courses/", headers={"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"] == CHANGE
    assert "Choose a password of your own" in browser.get(CHANGE).content.decode()
    assert browser.post(CHANGE, {"password": owed}).status_code == 200, "the same is none"
    browser.post(CHANGE, {"password": NEW})
    assert browser.get("/profile/").status_code == 200
    assert not is_in(enter(bob.email, owed))


def test_h15_it_dies_after_three_days_and_is_then_as_wrong_as_any(bob, owed):
    age(bob, 71.9)
    assert is_in(enter(bob.email, owed))
    age(bob, 0.2)
    assert not is_in(enter(bob.email, owed))
    assert errors(bob.email, owed) == errors(bob.email, "any other")


def test_h15_control_a_password_that_opens_everything(bob, owed, monkeypatch):
    monkeypatch.setattr(OwnPasswordMiddleware, "process_view", lambda *_: None)
    assert enter(bob.email, owed).get("/profile/").status_code == 200


def test_h15_control_a_password_that_never_dies(bob, owed, monkeypatch):
    monkeypatch.setattr(User, "is_password_over", False)
    age(bob, 24 * 365)
    assert is_in(enter(bob.email, owed))


# 16: one password for everybody


@pytest.fixture
def newcomer(alice, school, login, committed, mailoutbox) -> Contact:
    """Somebody who came after the owner chose that all newcomers are sent the same password."""
    login(alice).post(SETTINGS, TERMS | {"default_password": EVERYBODYS})
    with committed():
        give(ana := make.contact(email="ana@example.com"))
    return ana


def test_h16_nobody_gets_it_unless_the_school_says_so(school, committed, mailoutbox):
    with committed():
        give(make.contact(email="ana@example.com"))
    assert len(LINK.findall(mailoutbox[0].body)) == 2, "to choose a password, and to log in"
    assert not User.objects.get(email="ana@example.com").has_usable_password()
    assert not School.objects.get().default_password


def test_h16_where_there_is_one_it_is_sealed_and_opens_the_form_alone(
    newcomer, alice, login, mailoutbox
):
    page = login(alice).get(SETTINGS).content.decode()
    assert "One password for everybody is a risk" in page
    assert EVERYBODYS not in page
    assert EVERYBODYS in mailoutbox[0].body
    browser = enter(newcomer.email, EVERYBODYS)
    assert browser.get("/").headers["Location"].startswith(CHANGE)
    assert browser.post(CHANGE, {"password": EVERYBODYS}).status_code == 200
    assert {"what was sealed", "password"} & set(ledger.born.values())
    assert leaks(None, has_database=True) == set()
    age(newcomer, 72)
    assert not is_in(enter(newcomer.email, EVERYBODYS))


@pytest.fixture
def unsealed(monkeypatch) -> None:
    for place, name in (("portal.views.settings", "seal"), ("notifications.credentials", "unseal")):
        monkeypatch.setattr(f"{place}.{name}", lambda text, *, purpose: text)


def test_h16_control_one_that_lies_there_for_all_to_read(unsealed, newcomer):
    assert is_in(enter(newcomer.email, EVERYBODYS))
    found = leaks(None, has_database=True)
    ledger.born.clear()
    assert found == {"password in portal_school"}


def test_h16_control_one_that_need_not_be_changed(newcomer, monkeypatch):
    monkeypatch.setattr(OwnPasswordMiddleware, "process_view", lambda *_: None)
    monkeypatch.setattr(User, "is_password_over", False)
    age(newcomer, 24 * 365)
    thief = enter("ana@example.com", EVERYBODYS)
    assert thief.get("/profile/").status_code == 200, "whoever knows the one knows them all"


# 17: somebody who has a login is given something more


@pytest.fixture
def mode(school) -> Callable[[str], None]:
    """Choose what the welcome mail carries."""

    def choose(credentials: str) -> None:
        sealed = seal(EVERYBODYS, purpose="default_password")
        School.objects.update(credentials=credentials, default_password=sealed)

    return choose


@pytest.mark.parametrize("credentials", ["link", "provisional", "default"])
@pytest.mark.parametrize("has_password", [True, False])
def test_h17_who_was_here_before_is_told_what_they_have_and_keeps_their_password(
    mode, bob, committed, mailoutbox, credentials, has_password
):
    mode(credentials)
    if not has_password:
        bob = make.contact(email="ana@example.com")
        User.objects.for_contact(bob)
        Client().post(reverse("accounts:link_consume", args=[make.link(bob.user).token]))
    mailoutbox.clear()
    for _ in range(2):
        with committed():
            give(bob)
    assert len(mailoutbox) == 2
    for mail in mailoutbox:
        assert mail.subject.startswith("You now have “Sourdough”")
        assert len(LINK.findall(mail.body)) == 1, "to log in"
        assert not TEMPORARY.findall(mail.body)
        assert EVERYBODYS not in mail.body
    assert not Link.objects.filter(purpose=Purpose.SET_PASSWORD).exists()
    assert is_in(enter(bob.email, make.PASSWORD)) == has_password


def test_h17_control_a_mail_that_does_not_ask_who_was_here(
    mode, bob, committed, mailoutbox, monkeypatch
):
    mode("provisional")
    monkeypatch.setattr(Contact, "may_log_in", False)
    with committed():
        give(bob)
    assert TEMPORARY.findall(mailoutbox[0].body)
    assert not is_in(enter(bob.email, make.PASSWORD)), "his own is gone"


# 18: a password where somebody else reads it


def say_too_much(typed: dict[str, str]) -> None:
    """What a line for finding an error prints in a hurry."""
    logging.getLogger("accounts.views").warning("could not log in: %r", typed)


def live_a_little(alice: User, bob: Contact, login, committed, mailoutbox, monkeypatch) -> None:
    """Passwords of every kind: typed, mistyped, given by staff, mailed, chosen, and on a page that breaks."""
    staff = login(alice)
    with committed():
        give(make.contact(email="ana@example.com"))
        staff.post(reverse("accounts:contact_way", args=[bob.pk, "temporary_password"]))
    [mail] = [each for each in mailoutbox if each.to == [bob.email]]
    [temporary] = set(TEMPORARY.findall(mail.body))
    enter(bob.email, "not my password")
    enter("nobody@example.com", "nor is it mine")
    browser = enter(bob.email, temporary)
    say_too_much({"login": bob.email, "password": temporary})
    browser.post(f"{CHANGE}?password={NEW}", {"password": NEW})
    browser.post(CHANGE, {"current": NEW, "password": "salt and water"})
    assert User.objects.get(contact=bob).check_password("salt and water")
    reset = make.link(User.objects.get(contact=bob), Purpose.RESET)
    Client().post(
        reverse("accounts:link_consume", args=[reset.token]), {"password": "oil and water"}
    )
    monkeypatch.setattr("sys.stdin", StringIO("wine and water\n"))
    call_command("create_staff", "ada@example.com", role="support", password_stdin=True)
    with monkeypatch.context() as patch:
        patch.setattr("accounts.attempts.begin", lambda *_: 1 / 0)
        broken = Client(raise_request_exception=False)
        broken.post(LOGIN, {"login": bob.email, "password": "oil and water"})


def test_h18_no_table_no_log_and_no_archive_holds_one(
    mode, alice, bob, login, committed, mailoutbox, monkeypatch
):
    mode("provisional")
    live_a_little(alice, bob, login, committed, mailoutbox, monkeypatch)
    assert {"password", "temporary password"} <= set(ledger.born.values())
    assert len(ledger.born) >= 9
    sent = {password for mail in mailoutbox for password in TEMPORARY.findall(mail.body)}
    assert len(sent) == 2, "one to Ana, one to Bob"
    assert leaks(None, has_database=True) == set()
    assert "ZeroDivisionError" in ledger.log.getvalue()
    for kind in (Kind.ACCESS, Kind.TEMPORARY_PASSWORD):
        message = Message.objects.get(kind=kind)
        page = login(alice).get(reverse("notifications:message_detail", args=[message.pk]))
        assert "[hidden]" in page.content.decode()


def test_h18_control_an_archive_that_keeps_the_mail_as_it_went(
    mode, alice, bob, login, committed, mailoutbox, monkeypatch
):
    mode("provisional")

    def open_letter(template: str, words: Any = None, secrets: Any = None) -> Letter:
        return Letter(template, (words or {}) | (secrets or {}))

    monkeypatch.setattr(letters, "Letter", open_letter)
    live_a_little(alice, bob, login, committed, mailoutbox, monkeypatch)
    found = leaks(None, has_database=True)
    ledger.born.clear()
    assert "password in notifications_message" in found


def test_h18_control_a_log_that_writes_down_what_it_is_told(
    mode, alice, bob, login, committed, mailoutbox, monkeypatch
):
    monkeypatch.setattr("portal.logs.scrub", str)
    live_a_little(alice, bob, login, committed, mailoutbox, monkeypatch)
    found = leaks(None, has_database=True)
    ledger.born.clear()
    assert "password in the log" in found
