"""The sessions of a contact as staff see them, how each came in, and how they end."""

from __future__ import annotations

import re

import make
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role, Session
from portal.events import Name
from portal.models import Event

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def sessions_of(contact):
    return reverse("accounts:contact_session_list", args=[contact.pk])


def end_of(contact, session):
    return reverse("accounts:contact_session_end", args=[contact.pk, session.handle])


def enters(contact, agent=FIREFOX):
    """A browser of theirs, in which they logged in with their password."""
    browser = Client(headers={"User-Agent": agent})
    words = {"login": contact.email, "password": make.PASSWORD}
    assert browser.post("/account/login/", words).status_code == 302
    return browser


def session_in(browser):
    return Session.objects.get(pk=browser.session.session_key)


@pytest.fixture
def staff(login, alice):
    return login(alice)


def test_staff_see_where_somebody_is_logged_in_and_how_they_came_in(staff, bob):
    enters(bob)
    link = make.link(bob.user)
    Client(headers={"User-Agent": PHONE}).post(f"/l/{link.token}/")
    text = staff.get(sessions_of(bob)).content.decode()
    assert "Firefox on Linux" in text
    assert "Safari on iPhone" in text
    assert "127.0.0.1" in text
    assert "Password" in text
    assert "Link copied by staff" in text, "make.link() copies"
    assert Session.objects.first().pk not in text, "the key would let its reader in"


def test_the_student_sees_how_a_browser_came_in(bob):
    browser, link = enters(bob), make.link(bob.user)
    Client(headers={"User-Agent": PHONE}).post(f"/l/{link.token}/")
    text = browser.get(reverse("accounts:session_list")).content.decode()
    assert "Link copied by staff" in text


def test_staff_log_out_one_browser_and_the_other_stays(staff, alice, bob):
    one, other = enters(bob), enters(bob, PHONE)
    answer = staff.post(end_of(bob, session_in(one)), follow=True)
    assert "Firefox on Linux is logged out." in answer.content.decode()
    assert one.get("/profile/").status_code == 302
    assert other.get("/profile/").status_code == 200
    event = Event.objects.get(name=Name.SESSION_ENDED)
    assert (event.contact_id, event.actor) == (bob.pk, alice)
    timeline = staff.get(reverse("portal:contact_timeline", args=[bob.pk])).content.decode()
    assert "Firefox on Linux" in timeline


def test_staff_log_out_every_browser_and_end_open_links(staff, bob):
    browsers, link = [enters(bob), enters(bob, PHONE)], make.link(bob.user)
    page = staff.get(sessions_of(bob)).content.decode()
    everywhere = reverse("accounts:contact_way", args=[bob.pk, "end_sessions"])
    assert everywhere in page
    question = staff.get(everywhere).content.decode()
    assert "Logs 1 person out of every browser" in question
    staff.post(everywhere)
    assert [browser.get("/profile/").status_code for browser in browsers] == [302, 302]
    assert Client().post(f"/l/{link.token}/").status_code == 410
    assert "Not logged in anywhere" in staff.get(sessions_of(bob)).content.decode()
    assert Event.objects.filter(name=Name.SESSION_ENDED, contact=bob).count() == 1


def test_what_students_end_themselves_is_recorded_too(bob):
    here, there = enters(bob), enters(bob, PHONE)
    handle = session_in(there).handle
    here.post(reverse("accounts:session_end", args=[handle]))
    here.post(reverse("accounts:session_end_all"))
    assert here.get("/profile/").status_code == 200
    ended = Event.objects.filter(name=Name.SESSION_ENDED, contact=bob).order_by("pk")
    assert [bool(event.data.get("everywhere")) for event in ended] == [False, True]
    assert {event.actor for event in ended} == {bob.user}


def test_a_session_is_ended_on_its_owners_page_alone(staff, bob, charlie):
    browser = enters(charlie)
    session = session_in(browser)
    assert staff.post(end_of(bob, session)).status_code == 404
    assert staff.get(end_of(charlie, session)).status_code == 405
    assert browser.get("/profile/").status_code == 200
    staff.post(end_of(charlie, session))
    assert staff.post(end_of(charlie, session)).status_code == 404


def test_sessions_of_staff_are_seen_by_nobody_below_them(bob, login, alice):
    owner = make.staff(Role.OWNER, email=bob.email)
    browser = login(owner)
    session = session_in(browser)
    for role in (Role.SUPPORT, Role.ADMIN):
        below = login(make.staff(role))
        assert below.get(sessions_of(bob)).status_code == 403
        assert below.post(end_of(bob, session)).status_code == 403
    assert browser.get("/dashboard/").status_code == 200
    assert login(alice).get(sessions_of(bob)).status_code == 200


def test_statements_do_not_grow_with_sessions(staff, bob):
    counts = []
    for many in (1, 5):
        for _ in range(many):
            enters(bob)
        with CaptureQueriesContext(connection) as statements:
            page = staff.get(sessions_of(bob)).content.decode()
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert len(re.findall("Log out there", page)) == 6
