"""A link and a code for who asks: nobody learns from it who is known, and nobody is flooded by it."""

from __future__ import annotations

import re
from datetime import timedelta

import make
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts import asking, codes, cookies
from accounts.models import Contact, Link, Role
from accounts.models.link import Purpose
from portal import clock
from portal.models import Event, Job, Tally

MAIL, CODE, RESET = "/account/login/mail/", "/account/login/code/", "/account/password/reset/"
SHOWN = re.compile(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b")
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")


@pytest.fixture
def ask(committed):
    """`ask(browser, email)`: that browser asks for a link and a code, and what follows follows."""

    def asked(browser: Client, email: str = "bob@example.com", **more: str) -> HttpResponse:
        with committed():
            return browser.post(MAIL, {"login": email, **more})

    return asked


def enter(browser: Client, code: str) -> HttpResponse:
    return browser.post(CODE, {"code": code})


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def wait(seconds: int) -> None:
    """Let that time pass for whoever counts tries."""
    for row in Tally.objects.all():
        Tally.objects.filter(pk=row.pk).update(began_at=row.began_at - timedelta(seconds=seconds))


def test_the_mail_has_a_link_and_a_code_and_either_lets_in_once(client, bob, ask, mailoutbox):
    answer = ask(client)
    assert answer["Location"] == CODE
    assert "Look into your mail" in client.get(CODE).content.decode()
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    [path], [code] = LINK.findall(mail.body), SHOWN.findall(mail.body)
    html = mail.alternatives[0].content
    assert html.index("Log in\n") < html.index(code), "under the button"

    answer = enter(client, code)
    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200
    elsewhere = Client()
    assert elsewhere.post(path).status_code == 410, "one of the two, once"
    client.post("/account/logout/")
    enter(client, code)
    assert not is_in(client)


def test_the_link_lets_in_and_its_code_is_spent_with_it(client, bob, ask, mailoutbox):
    ask(client)
    [path], [code] = LINK.findall(mailoutbox[0].body), SHOWN.findall(mailoutbox[0].body)
    assert Client().post(path)["Location"] == "/", "the link works in any browser"
    enter(client, code)
    assert not is_in(client)


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", " "), " {} ".format])
def test_a_code_is_read_as_people_type_it(client, bob, ask, mailoutbox, change):
    ask(client)
    [code] = SHOWN.findall(mailoutbox[0].body)
    assert enter(client, change(code))["Location"] == "/"


def test_codes_are_letters_that_nobody_mistakes(bob):
    link = make.link(bob.user, self_service=True, browser="x")
    assert len(link.code) == 8
    assert not set(link.code) & set("ILO01")
    assert link.code == Link.objects.get(pk=link.pk).code, (
        "the same in every mail that is sent again"
    )
    other = make.link(bob.user, self_service=True, browser="x")
    assert other.code != link.code
    assert make.link(bob.user).code == "", "of what staff send, a code would be guessed for days"
    assert codes.read(codes.show(link.code)) == link.code


def test_codes_are_counted_for_where_they_come_from(client, bob, ask, mailoutbox):
    for _ in range(10):
        assert enter(client, "AAAA-AAAA").status_code == 200
    answer = enter(client, "AAAA-AAAA")
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    recorded = Event.objects.filter(name="login.failed").count()
    assert recorded == 10, "who is refused fills no log"
    wait(61)
    assert enter(client, "AAAA-AAAA").status_code == 200


@pytest.fixture
def people(bob):
    """An address of each kind: known, unknown, blocked, staff's, without a login."""
    make.student("Blocked", email="blocked@example.com").block()
    make.staff(Role.SUPPORT, email="staff@example.com")
    make.contact("Known", email="known@example.com")
    return [f"{who}@example.com" for who in ("bob", "nobody", "blocked", "staff", "known")]


def test_whoever_may_not_come_in_is_mailed_nothing(people, ask, mailoutbox):
    for email in people:
        ask(Client(), email)
    assert [mail.to for mail in mailoutbox] == [["bob@example.com"]]


def test_staff_may_reset_their_password_by_mail(people, committed, mailoutbox):
    with committed():
        for email in people:
            Client().post(RESET, {"email": email})
    assert sorted(mail.to[0] for mail in mailoutbox) == ["bob@example.com", "staff@example.com"]
    assert not any(SHOWN.search(mail.body) for mail in mailoutbox)


def test_what_was_typed_is_forgotten_once_it_is_done(client, bob, ask, committed):
    with committed():
        client.post(RESET, {"email": "my secret@example"})
    ask(client, "somebody.else@example.com")
    ask(client)
    assert Job.objects.filter(kind=asking.KIND, state="done").count() == 2
    for table in ("portal_job", "portal_tally", "portal_event"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg(row::text, ' ') FROM {table} AS row")
            [text] = cursor.fetchone()
        assert "somebody" not in (text or "")


def test_doing_it_twice_mails_once(client, bob, mailoutbox, django_capture_on_commit_callbacks):
    client.post(MAIL, {"login": "bob@example.com"})
    job = Job.objects.get()
    assert job.priority == 0, "somebody is waiting at the door"
    assert asking.mail_link(job)
    assert asking.mail_link(job), "killed before it was marked"
    assert Link.objects.count() == 1


def test_the_cookie_is_for_servers_only_and_goes_when_it_has_served(client, bob, ask, mailoutbox):
    ask(client)
    cookie = client.cookies[cookies.ASKED]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 600)
    enter(client, SHOWN.findall(mailoutbox[0].body)[0])
    assert client.cookies[cookies.ASKED].value == ""


def test_a_newer_link_takes_the_older_one_s_place(client, bob, ask, mailoutbox):
    ask(client)
    ask(client)
    first, second = (SHOWN.findall(mail.body)[0] for mail in mailoutbox)
    assert enter(client, first).status_code == 200
    assert enter(client, second)["Location"] == "/"


def test_the_button_presses_itself_only_where_the_link_was_asked_for(
    client, bob, charlie, ask, mailoutbox
):
    ask(client)
    [path] = LINK.findall(mailoutbox[0].body)
    assert "<auto-press>" in client.get(path).content.decode()
    assert "<auto-press>" not in Client().get(path).content.decode(), "a scanner runs scripts too"
    ask(scanner := Client(), "nobody@example.com")
    assert "<auto-press>" not in scanner.get(path).content.decode()
    client.force_login(charlie.user)
    page = client.get(path).content.decode()
    assert "<auto-press>" not in page, "who is logged in here decides for themselves"
    of_staff = make.link(bob.user)
    assert "<auto-press>" not in client.get(reverse("accounts:link_consume", args=[of_staff.token]))


def test_whoever_was_on_the_way_somewhere_gets_there(client, bob, ask, mailoutbox):
    ask(client, next="/profile/security/")
    [path], [code] = LINK.findall(mailoutbox[0].body), SHOWN.findall(mailoutbox[0].body)
    assert enter(client, code)["Location"] == "/profile/security/"
    client = Client()
    ask(client, next="/profile/security/")
    [path] = LINK.findall(mailoutbox[1].body)
    assert client.post(path)["Location"] == "/profile/security/"


def test_the_way_is_kept_while_another_code_is_asked_for(client, bob, ask):
    ask(client, next="/profile/security/")
    page = enter(client, "AAAA-AAAA").content.decode()
    assert "It is for the browser that asked for it" in page
    assert f'href="{MAIL}?next=%2Fprofile%2Fsecurity%2F"' in page
    assert 'href="/account/login/?next=%2Fprofile%2Fsecurity%2F"' in page


def test_a_way_too_long_for_a_cookie_is_dropped_and_the_code_works(client, bob, ask, mailoutbox):
    ask(client, next="/courses/?q=" + "é" * 900)
    assert len(client.cookies[cookies.ASKED].value) < 4000, "browsers throw longer ones away"
    [code] = SHOWN.findall(mailoutbox[0].body)
    assert enter(client, code)["Location"] == "/"


def test_who_asks_in_somebodys_name_uses_up_nothing_of_theirs(client, bob, ask, mailoutbox):
    ask(client)
    enter(client, SHOWN.findall(mailoutbox[0].body)[0])
    client.post("/account/logout/")
    wait(2 * 3600)
    for _ in range(4):
        flood = ask(Client())
    assert flood.status_code == 429
    assert client.post(RESET, {"email": "bob@example.com"}).status_code == 200
    assert ask(client)["Location"] == CODE, "a browser they were in before"
    assert enter(client, SHOWN.findall(mailoutbox[-1].body)[0])["Location"] == "/"


def test_the_login_page_takes_the_address_along(client, bob, committed, mailoutbox):
    page = client.get("/account/login/?next=/courses/").content.decode()
    assert page.index('name="login"') < page.index('name="password"') < page.index(MAIL)
    assert 'name="next" value="/courses/"' in page
    with committed():
        typed = {"login": " BOB@Example.com ", "password": "", "next": "/courses/"}
        assert client.post(MAIL, typed)["Location"] == CODE
    assert mailoutbox[0].to == ["bob@example.com"]


@pytest.mark.parametrize(
    "typed",
    ["", "bob", "bob@", "bob@example.com, eve@example.com", "b\0b@x.com", "x" * 260 + "@x.com"],
)
def test_what_is_no_address_is_said_so(client, db, typed):
    answer = client.post(MAIL, {"login": typed})
    assert answer.status_code == 200
    assert answer.context["form"].errors["login"]
    assert not Job.objects.exists()


@pytest.mark.parametrize("typed", ["BOB@EXAMPLE.COM", "ｂｏｂ@example.com", "bob@ｅxample.com"])
def test_mail_goes_to_the_stored_address_however_it_is_typed(client, bob, ask, mailoutbox, typed):
    ask(client, typed)
    assert [mail.to for mail in mailoutbox] == [["bob@example.com"]]
    ask(client, "bоb@example.com")  # a Cyrillic о is another letter, and another person
    assert len(mailoutbox) == 1


def test_the_page_says_when_to_come_again(client, bob, ask, school):
    for _ in range(3):
        ask(client)
    answer = ask(client)
    text = answer.content.decode()
    seconds = int(answer["Retry-After"])
    assert f"Try again in {seconds} seconds" in text
    assert "Mill Street" in text


def test_an_invitation_that_was_taken_back_is_not_renewed(client, bob, committed, mailoutbox):
    link = make.link(bob.user, Purpose.INVITATION)
    Link.objects.filter(pk=link.pk).revoke()
    with committed():
        client.post(reverse("accounts:link_renew", args=[link.token]))
    assert not mailoutbox


def test_what_is_over_is_swept(client, bob, ask):
    ask(client)
    old, recent = make.link(bob.user), make.link(bob.user)
    for link, days in ((old, 91), (recent, 89)):
        Link.objects.filter(pk=link.pk).update(
            created_at=now() - timedelta(days=days, hours=1),
            expires_at=now() - timedelta(days=days),
        )
    Job.objects.update(created_at=now() - timedelta(days=2))
    wait(2 * 24 * 3600)
    clock.Clock().beat()
    assert not Link.objects.filter(pk=old.pk).exists()
    assert Link.objects.filter(pk=recent.pk).exists()
    assert not Job.objects.filter(kind=asking.KIND).exists()
    assert not Tally.objects.exists()


def test_nobody_is_made_by_asking(client, db, ask):
    ask(client, "new@example.com")
    assert not Contact.objects.exists()
