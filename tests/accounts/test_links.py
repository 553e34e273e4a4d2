"""Mailed links: GET shows, POST spends, and what is spent is spent."""

from __future__ import annotations

from datetime import timedelta

import make
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Link, Role
from accounts.models.link import Purpose, Section
from portal.logs import scrub


def path(link: Link) -> str:
    return reverse("accounts:link_consume", args=[link.token])


@pytest.fixture
def link(bob) -> Link:
    return make.link(bob.user)


def test_looking_spends_nothing_and_logs_nobody_in(client, link):
    for _ in range(3):
        answer = client.get(path(link))
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "strict-origin", "the path stays here"
        assert client.head(path(link)).status_code == 200
    link.refresh_from_db()
    assert link.used_at is None
    assert link.opened_at
    assert client.get("/").headers["Location"].startswith("/account/login/")
    assert b"bob@example.com" not in client.get(path(link)).content


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
    assert "does not work any more" in other.content.decode()
    assert "does not work any more" in texts.pop()
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


def test_nobody_can_be_flooded_with_fresh_ones(client, link, committed, mailoutbox):
    end(link, "used")
    with committed():
        for _ in range(20):
            client.post(path(link) + "renew/")
    assert len(mailoutbox) <= 5


def test_a_blocked_contact_is_mailed_no_fresh_one(client, link, committed, mailoutbox):
    link.user.contact.block()
    with committed():
        client.post(path(link) + "renew/")
    assert not mailoutbox


def test_self_service_links_supersede_each_other_and_no_others(bob):
    sent = make.link(bob.user)
    first = make.link(bob.user, self_service=True)
    second = make.link(bob.user, self_service=True)
    states = [Link.objects.get(pk=link.pk).state for link in (sent, first, second)]
    assert states == ["created", "superseded", "created"]
    assert timedelta(minutes=9) < second.expires_at - now() <= timedelta(minutes=10)


def test_only_a_digest_of_the_token_is_stored(link):
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_link::text FROM accounts_link")
        stored = " ".join(row for (row,) in cursor.fetchall())
    assert link.token not in stored
    assert scrub(f"Gone: /l/{link.token}/renew/") == "Gone: /l/***/renew/"


def test_staff_get_no_login_link_even_if_they_had_one(client, bob):
    link = make.link(bob.user)
    make.staff(Role.SUPPORT, email="bob@example.com")
    assert client.post(path(link)).status_code == 410
    assert client.get("/dashboard/").status_code == 302


def test_the_session_is_a_new_one_and_nothing_of_the_old_stays(client, link, charlie):
    client.force_login(charlie.user)
    before = client.session.session_key
    client.post(path(link))
    assert client.session.session_key != before
    assert client.get("/profile/").wsgi_request.user == link.user
    from accounts.models import Session

    assert not Session.objects.filter(pk=before).exists()


def test_a_form_from_elsewhere_logs_nobody_in(link):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path(link)).status_code == 403
    link.refresh_from_db()
    assert link.used_at is None


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
        login(alice).post(reverse("accounts:link_send", args=[ana.pk]), {"section": "courses"})
    [mail] = mailoutbox
    link = Link.objects.get()
    assert link.url in mail.body
    assert client.post(path(link)).headers["Location"] == "/courses/"
    assert timedelta(hours=23) < link.expires_at - now() <= timedelta(hours=24)
