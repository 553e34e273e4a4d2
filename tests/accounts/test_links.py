"""Mailed links: GET shows, POST spends, and what is spent is spent."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import make
import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.encoding import iri_to_uri
from django.utils.timezone import now

from accounts.models import Link, Session, Simulation
from accounts.models.link import Purpose, Section, digest
from portal.models import Event


def path(link: Link) -> str:
    return reverse("accounts:link_consume", args=[link.token])


@pytest.fixture
def link(bob) -> Link:
    return make.link(bob.user)


def test_looking_is_noted_and_shows_nobody_the_address(client, link):
    assert b"bob@example.com" not in client.get(path(link)).content
    link.refresh_from_db()
    assert link.opened_at


def test_a_link_speaks_as_its_mail_did_unless_somebody_is_logged_in(client, bob, charlie, link):
    bob.language = "it"
    bob.save()
    assert '<html lang="it"' in client.get(path(link)).content.decode()
    client.force_login(charlie.user)
    assert '<html lang="en"' in client.get(path(link)).content.decode()
    assert '<html lang="en"' in Client().get("/l/forged/").content.decode()


@pytest.mark.parametrize(
    ("section", "page"), [("home", "/"), ("courses", "/courses/"), ("profile", "/profile/")]
)
def test_pressing_the_button_logs_in_and_leads_to_the_section(client, bob, section, page):
    link = make.link(bob.user, section=Section(section))
    assert client.post(path(link)).headers["Location"] == page
    assert client.get(page).status_code == 200


def end(link: Link, how: str) -> None:
    match how:
        case "used":
            Client().post(path(link))
        case "expired":
            Link.objects.filter(pk=link.pk).update(
                created_at=now() - timedelta(days=2), expires_at=now() - timedelta(seconds=1)
            )
        case "superseded":
            link.user.end_access()
        case "revoked":
            Link.objects.filter(pk=link.pk).update(revoked_at=now())
        case "of a blocked contact":
            link.user.contact.block()


@pytest.mark.parametrize(
    "how", ["used", "expired", "superseded", "revoked", "forged", "of a blocked contact"]
)
def test_a_link_that_is_no_good_answers_410_with_one_text(client, link, how):
    address = path(link) if how != "forged" else f"/l/{'0' * 64}/"
    end(link, how)
    texts = set()
    for method in (client.get, client.post):
        answer = method(address)
        assert answer.status_code == 410
        texts.add(answer.content.decode().replace(address, ""))
    forged = f"/l/{'f' * 64}/"
    other = Client().get(forged)
    assert "is no longer valid" in other.content.decode()
    assert "is no longer valid" in texts.pop()
    assert client.get("/").headers["Location"].startswith("/account/login/")


def test_a_fresh_one_is_mailed_to_its_owner_and_nobody_else(client, link, committed, mailoutbox):
    end(link, "used")
    with committed():
        known = client.post(path(link) + "renew/")
        forged = client.post(f"/l/{'0' * 64}/renew/")
    assert (known.status_code, forged.status_code) == (200, 200)
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    fresh = Link.objects.latest("pk")
    assert fresh.url in mail.body
    assert client.post(path(fresh)).status_code == 302


def test_a_blocked_contact_is_mailed_no_fresh_one(client, link, committed, mailoutbox):
    link.user.contact.block()
    with committed():
        client.post(path(link) + "renew/")
    assert not mailoutbox


def test_a_bad_password_is_refused_and_the_link_stays_good(client, bob):
    link = make.link(bob.user, purpose=Purpose.SET_PASSWORD)
    for bad in ("", "short", "password123", "bob@example.com"):
        assert client.post(path(link), {"password": bad}).status_code == 200
    link.refresh_from_db()
    assert link.used_at is None
    assert client.post(path(link), {"password": "flour and water"}).status_code == 302


def test_a_new_password_ends_other_sessions_and_open_links_and_is_told(
    bob, login, committed, mailoutbox
):
    elsewhere, open_link = login(bob), make.link(bob.user)
    reset = make.link(bob.user, purpose=Purpose.RESET)
    here = Client()
    with committed():
        here.post(path(reset), {"password": "flour and water"})
    assert here.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302
    assert here.get(path(open_link)).status_code == 410
    [notice] = mailoutbox
    assert notice.to == ["bob@example.com"]


def test_staff_mail_a_link_to_a_section(alice, login, committed, mailoutbox, client, db):
    ana = make.contact(email="ana@x.com")
    with committed():
        login(alice).post(reverse("accounts:link_create", args=[ana.pk]), {"section": "courses"})
    [mail] = mailoutbox
    link = Link.objects.get()
    assert link.url in mail.body
    assert client.post(path(link)).headers["Location"] == "/courses/"
    assert timedelta(hours=23) < link.expires_at - now() <= timedelta(hours=24)


SAFE = ["/profile/", "/courses/?q=%2F%2Fx", "/courses/été/"]


@pytest.mark.parametrize("page", SAFE)
def test_a_link_leads_to_a_page_of_the_portal(client, link, page):
    answer = client.post(f"{path(link)}?{urlencode({'next': page})}")
    assert answer["Location"] == iri_to_uri(page)


def test_the_same_person_is_not_asked_who_they_are(client, link):
    client.force_login(link.user)
    assert "is logged out" not in client.get(path(link)).content.decode()


def test_a_copied_link_is_refused_where_staff_are_logged_in_and_stays_good(login, link, alice):
    browser = login(alice)
    for method in (browser.get, browser.post):
        answer = method(path(link))
        assert answer.status_code == 409
        assert "another browser" in answer.content.decode()
    link.refresh_from_db()
    assert (link.used_at, link.opened_at) == (None, None)
    assert browser.get("/dashboard/").status_code == 200, "she is still herself"
    assert Client().post(path(link))["Location"] == "/"


def test_a_mailed_link_may_be_used_where_staff_are_logged_in(login, bob, alice):
    link = Link.objects.request(user=bob.user, purpose=Purpose.LOGIN, delivery="mail")
    browser = login(alice)
    assert "a•••@example.com" in browser.get(path(link)).content.decode()
    assert browser.post(path(link))["Location"] == "/"
    assert browser.get("/dashboard/").status_code == 403


def test_whoever_leaves_by_a_link_simulates_nobody_any_more(login, bob, charlie, alice):
    browser = login(alice)
    reason = {"reason": "Sees no second lesson"}
    browser.post(reverse("accounts:simulation_start", args=[charlie.pk]), reason)
    link = Link.objects.request(user=bob.user, purpose=Purpose.LOGIN, delivery="mail")
    browser.post(path(link))
    assert browser.get("/profile/").wsgi_request.user == bob.user
    assert Simulation.objects.get().ended_at


@pytest.mark.parametrize(
    ("delivery", "way"), [("copy", "copied"), ("mail", "link"), ("inside", "link")]
)
def test_a_session_knows_by_which_link_it_began(client, bob, delivery, way):
    link = Link.objects.request(user=bob.user, purpose=Purpose.LOGIN, delivery=delivery)
    client.post(path(link))
    client.get("/profile/")
    assert Session.objects.get(user=bob.user).entered_by == way
    assert Event.objects.get(name="portal.login").data["way"] == way


def test_a_session_knows_that_it_began_with_a_password_or_a_code(client, bob, settings):
    client.post("/account/login/", {"login": "bob@example.com", "password": make.PASSWORD})
    assert Session.objects.get(user=bob.user).entered_by == "password"
    other = Client()
    other.cookies["asked"] = "a cookie."
    code = make.link(bob.user, self_service=True, browser=digest("a cookie.")).code
    other.post("/account/login/code/", {"code": code})
    ways = set(Session.objects.filter(user=bob.user).values_list("entered_by", flat=True))
    assert ways == {"password", "code"}


def test_a_new_password_does_not_change_how_the_session_began(bob):
    reset = make.link(bob.user, purpose=Purpose.RESET)
    here = Client()
    here.post(path(reset), {"password": "flour and water"})
    here.post(
        "/account/password/change/", {"current": "flour and water", "password": "salt and water"}
    )
    assert here.get("/profile/").status_code == 200
    assert Session.objects.get(user=bob.user).entered_by == "copied"


def test_a_code_asks_for_the_second_factor_too(client, bob):
    TOTP.activate(bob.user, generate_totp_secret())
    client.cookies["asked"] = "a cookie."
    code = make.link(bob.user, self_service=True, browser=digest("a cookie.")).code
    answer = client.post("/account/login/code/", {"code": code})
    assert answer["Location"] == reverse("mfa_authenticate")
    assert "_auth_user_id" not in client.session


def test_forged_and_spent_links_cost_the_same_statements(client, link):
    end(link, "used")
    said = []
    for address in (path(link), f"/l/{'0' * 64}/"):
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        said.append([re.sub(r"'[^']*'", "?", query["sql"]) for query in captured.captured_queries])
    assert said[0] == said[1]


def test_the_page_of_a_link_that_is_over_is_the_same_for_all(bob):
    pages = set()
    for how in ("used", "expired", "superseded", "revoked", "of a blocked contact"):
        for purpose in (Purpose.LOGIN, Purpose.INVITATION, Purpose.SET_PASSWORD, Purpose.RESET):
            person = make.student()
            link = make.link(person.user, purpose)
            end(link, how)
            if how == "used" and purpose != Purpose.LOGIN:
                Link.objects.filter(pk=link.pk).update(used_at=now())
            answer = Client().get(path(link))
            assert answer.status_code == 410
            pages.add(bare(answer, link.token))
    forged = Client().get(f"/l/{'0' * 64}/")
    pages.add(bare(forged, "0" * 64))
    assert len(pages) == 1


def bare(answer, token: str) -> str:
    """A page without what is drawn by lot."""
    lot = r"(?<=nonce=\")[\w-]+|(?<=csrfmiddlewaretoken\" value=\")\w+"
    return re.sub(lot, "", answer.content.decode().replace(token, ""))
