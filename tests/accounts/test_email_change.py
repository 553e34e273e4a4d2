"""Another address: asked for by who proves that it is them, confirmed where it leads, told where it was."""

from __future__ import annotations

import re
from datetime import timedelta

import make
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose
from notifications.models import Message, State
from portal.models import Event

CHANGE = "/profile/security/email/"
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")
NEW = "bob@new.example"


@pytest.fixture
def ask(committed):
    """`ask(browser)`: that browser asks for the address, and the mail goes out."""

    def asked(browser: Client, email: str = NEW):
        with committed():
            return browser.post(CHANGE, {"email": email}, follow=True)

    return asked


@pytest.fixture
def confirm(committed, mailoutbox):
    """`confirm(browser)`: press the button behind the link of the last mail."""

    def pressed(browser: Client):
        [path] = LINK.findall(mailoutbox[-1].body)
        with committed():
            return browser.post(path)

    return pressed


def stale(browser: Client) -> Client:
    """The same browser an hour later."""
    session = browser.session
    session["proved_at"] -= 3600
    session.save()
    return browser


def test_a_browser_that_is_not_logged_in_may_confirm_and_stays_outside(
    bob, login, ask, confirm, client
):
    ask(login(bob))
    page = confirm(client).content.decode()
    assert NEW in page
    assert "/account/login/" in page
    bob.refresh_from_db()
    assert bob.email == NEW
    assert client.get("/profile/").status_code == 302


def test_somebody_else_s_browser_stays_somebody_else_s(bob, charlie, login, ask, confirm):
    ask(login(bob))
    browser = login(charlie)
    assert confirm(browser).status_code == 200
    assert browser.get("/profile/").wsgi_request.user == charlie.user


def test_the_mail_s_button_works_once(bob, login, ask, confirm, client, committed, mailoutbox):
    ask(login(bob))
    assert confirm(client).status_code == 200
    address = f"/l/{Link.objects.latest('pk').token}/"
    again = client.post(address)
    assert again.status_code == 410
    assert "in your profile" in again.content.decode()
    before = len(mailoutbox)
    with committed():
        client.post(f"{address}renew/")
    assert len(mailoutbox) == before, "only its owner may ask for another"
    assert Event.objects.filter(name="contact.email_changed").count() == 1


@pytest.mark.parametrize("end", ["cancel", "password", "everywhere", "newer", "hour", "blocked"])
def test_what_ends_the_link_before_it_is_used(bob, login, ask, client, end, mailoutbox):
    here = login(bob)
    ask(here)
    link = Link.objects.get(purpose=Purpose.CONFIRM_EMAIL)
    assert NEW in here.get("/profile/security/").content.decode()
    match end:
        case "cancel":
            here.post("/profile/security/email/cancel/")
        case "password":
            bob.user.change_password("flour and water")
        case "everywhere":
            here.post("/profile/security/end/")
        case "newer":
            ask(here, "other@new.example")
        case "hour":
            Link.objects.update(
                created_at=now() - timedelta(hours=2), expires_at=now() - timedelta(minutes=1)
            )
        case "blocked":
            bob.block()
    for answer in (client.get(f"/l/{link.token}/"), client.post(f"/l/{link.token}/")):
        assert answer.status_code == 410
    bob.refresh_from_db()
    assert bob.email == "bob@example.com"


def test_the_link_lives_for_an_hour(bob, login, ask):
    ask(login(bob))
    left = Link.objects.get().expires_at - now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_a_spent_link_cannot_be_used_to_get_the_address_back(
    bob, login, ask, confirm, client, committed, mailoutbox
):
    here = login(bob)
    ask(here)
    confirm(here)
    old = Link.objects.latest("pk").token
    ask(here, "third@new.example")
    confirm(here)
    before = len(mailoutbox)
    with committed():
        client.post(f"/l/{old}/renew/")
    assert len(mailoutbox) == before


def test_a_taken_address_looks_like_a_free_one_and_its_owner_is_told(
    bob, charlie, login, ask, mailoutbox
):
    here = login(bob)
    free, taken = ask(here, "nobody@example.com"), ask(here, "charlie@example.com")
    plain = [
        re.sub(
            r"nobody@|charlie@|value=\"[\w]+\"|nonce=\"[^\"]+\"|\d\d:\d\d|\d\d? minutes?",
            "",
            answer.content.decode(),
        )
        for answer in (free, taken)
    ]
    assert (free.status_code, free.redirect_chain) == (taken.status_code, taken.redirect_chain)
    assert plain[0] == plain[1]
    told = mailoutbox[-1]
    assert told.to == ["charlie@example.com"]
    assert not LINK.search(told.body)
    assert "Bob" not in told.body
    assert "bob@" not in told.body


def test_asking_for_a_taken_address_takes_the_same_statements(school, bob, charlie, login):
    here = login(bob)
    counts = []
    for email in ("nobody@example.com", "charlie@example.com"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            here.post(CHANGE, {"email": email})
        counts.append([query["sql"].split()[0] for query in queries])
    assert counts[0] == counts[1]


def test_nothing_is_sent_to_somebody_who_is_blocked(bob, charlie, login, ask, mailoutbox):
    charlie.block()
    ask(login(bob), "charlie@example.com")
    assert not mailoutbox
    assert Message.objects.get().state == State.CANCELED


def test_the_address_of_staff_is_taken_too(alice, bob, login, ask, mailoutbox):
    ask(login(bob), "alice@example.com")
    assert not LINK.search(mailoutbox[-1].body)


@pytest.mark.parametrize("whose", ["contact", "staff"])
def test_an_address_that_is_taken_meanwhile_changes_nothing(
    bob, login, ask, confirm, mailoutbox, whose
):
    here = login(bob)
    ask(here)
    if whose == "contact":
        make.contact(email=NEW)
    else:
        make.staff(email=NEW)
    answer = confirm(here)
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.content.decode()
    contact, user = Contact.objects.get(pk=bob.pk), User.objects.get(contact=bob)
    assert (contact.email, user.email) == ("bob@example.com", "bob@example.com")
    assert here.get("/profile/").status_code == 200
    assert not Event.objects.filter(name="contact.email_changed").exists()
    assert len(mailoutbox) == 1
    assert Link.objects.get().is_usable


def test_logging_out_everywhere_proves_nothing(bob, login):
    browser = stale(login(bob))
    browser.post("/profile/security/end/")
    assert browser.get("/profile/").status_code == 200
    assert browser.get(CHANGE).status_code == 302


def test_who_has_no_password_logs_in_once_more_by_mail(committed, login, mailoutbox, client):
    ana = make.contact("Ana", email="ana@example.com")
    user = User.objects.for_contact(ana)
    browser = stale(login(user))
    for address in (CHANGE, "/account/password/set/"):
        assert browser.get(address).headers["Location"] == "/profile/security/renew/"
    with committed():
        browser.post("/profile/security/renew/")
    assert mailoutbox[-1].to == ["ana@example.com"]
    [path] = LINK.findall(mailoutbox[-1].body)
    assert browser.post(path).headers["Location"] == "/profile/"
    assert browser.get(CHANGE).status_code == 200
    assert browser.get("/account/password/set/").status_code == 200


def test_nobody_can_flood_strangers(bob, login, ask, mailoutbox):
    here = login(bob)
    statuses = [ask(here, f"stranger{n}@example.com").status_code for n in range(8)]
    assert statuses == [200] * 3 + [429] * 5
    assert len(mailoutbox) == 3


@pytest.mark.parametrize("email", ["", "nothing", "BOB@example.com", "a@b", f"{'x' * 250}@x.com"])
def test_what_is_no_new_address_is_said_so(bob, login, email):
    answer = login(bob).post(CHANGE, {"email": email})
    assert answer.status_code == 200
    assert answer.context["form"].errors["email"]
    assert not Link.objects.exists()


def test_staff_ask_an_owner(bob, login):
    make.staff(Role.SUPPORT, email="bob@example.com")
    browser = login(User.objects.get(contact=bob))
    assert browser.get(CHANGE).status_code == 403
    assert browser.post(CHANGE, {"email": NEW}).status_code == 403
    page = browser.get("/profile/security/").content.decode()
    assert CHANGE not in page
    assert "Ask an owner" in page


def test_a_link_of_somebody_who_became_staff_changes_nothing(bob, login, ask, client):
    ask(login(bob))
    make.staff(Role.SUPPORT, email="bob@example.com")
    assert client.post(f"/l/{Link.objects.get().token}/").status_code == 410
    assert User.objects.get(contact=bob).email == "bob@example.com"


def test_a_link_of_another_purpose_gives_no_address(bob):
    assert Link.objects.confirm_email(make.link(bob.user).token) is None
    assert Link.objects.get().is_usable


def test_the_old_address_hears_of_a_change_by_staff(alice, bob, login, committed, mailoutbox):
    url = reverse("accounts:contact_update", args=[bob.pk])
    with committed():
        login(alice).post(url, {"name": "Bob Baker", "email": NEW})
    [notice] = mailoutbox
    assert notice.to == ["bob@example.com"]
    page = login(alice).get("/dashboard/messages/").content.decode()
    assert "bob@example.com" in page


def test_who_has_no_login_is_not_told_of_one(alice, login, committed, mailoutbox):
    ana = make.contact("Ana", email="ana@example.com")
    url = reverse("accounts:contact_update", args=[ana.pk])
    with committed():
        login(alice).post(url, {"name": "Ana", "email": "ana@new.example"})
    assert Contact.objects.get(pk=ana.pk).email == "ana@new.example"
    assert not mailoutbox


def test_staff_see_in_the_timeline_what_was_asked_and_done(alice, bob, login, ask, confirm):
    here = login(bob)
    ask(here)
    confirm(here)
    url = reverse("portal:contact_timeline", args=[bob.pk])
    page = login(alice).get(url).content.decode()
    assert "Confirm a new e-mail address" in page
    assert NEW in page
    assert "before: bob@example.com" in page
