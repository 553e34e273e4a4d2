"""Passwords: one's own, a temporary one, and what nobody but their reader ever learns."""

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

from accounts import passwords
from accounts.models import Contact, Link, Role, User
from accounts.models.link import LinkQuerySet, Purpose
from notifications.models import Message, State
from portal.models import Event, School, Tally

LOGIN, CHANGE = "/account/login/", "/account/password/change/"
TEMPORARY = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){4}")
NEW = "flour and water"


def enter(person: Contact, password: str) -> Client:
    browser = Client()
    browser.post(LOGIN, {"login": person.email, "password": password})
    return browser


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def fresh(person: Contact) -> User:
    return User.objects.get(contact=person)


@pytest.fixture
def owed(alice, bob, committed, mailoutbox):
    """Bob was given a temporary password by staff; the one in his mail."""
    with committed():
        User.objects.request_temporary_passwords([bob.pk])
    [mail] = mailoutbox
    [password] = set(TEMPORARY.findall(mail.body))
    return password


# A temporary password


def test_a_temporary_password_comes_by_mail_and_replaces_the_old_one(bob, owed, mailoutbox):
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    assert mail.subject == "Your temporary password for Portal"
    assert owed in mail.alternatives[0].content
    assert "logged out everywhere" in mail.body
    assert not is_in(enter(bob, make.PASSWORD))
    assert is_in(enter(bob, owed))


def test_sessions_and_links_of_before_are_worth_nothing(bob, login, committed):
    browser, link = login(bob), make.link(bob.user)
    with committed():
        User.objects.request_temporary_passwords([bob.pk])
    assert browser.get("/").status_code == 302
    link.refresh_from_db()
    assert link.state == "superseded"


def test_files_are_shut_as_well(bob, owed):
    picture = make.cover(width=10, height=10)
    Contact.objects.filter(pk=bob.pk).update(picture=picture)
    assert enter(bob, owed).get(picture.url).headers["Location"].startswith(CHANGE)


def test_whoever_chose_their_own_goes_on_to_where_they_wanted(bob, owed):
    browser = enter(bob, owed)
    asked = browser.get("/profile/?from=mail").headers["Location"]
    page = browser.get(asked).content.decode()
    assert "Choose a password of your own" in page
    assert 'name="current"' not in page
    assert browser.post(asked, {"password": NEW}).headers["Location"] == "/profile/?from=mail"
    assert browser.get("/profile/").status_code == 200
    assert is_in(enter(bob, NEW))
    assert not is_in(enter(bob, owed))
    assert fresh(bob).temporary_until is None


@pytest.mark.parametrize("elsewhere", ["//evil.com", "https://evil.com/", "javascript:alert(1)"])
def test_nobody_is_led_off_the_site(bob, owed, elsewhere):
    answer = enter(bob, owed).post(f"{CHANGE}?next={elsewhere}", {"password": NEW})
    assert answer.headers["Location"] == "/"


def test_the_temporary_password_is_no_password_of_ones_own(bob, owed):
    browser = enter(bob, owed)
    answer = browser.post(CHANGE, {"password": owed})
    assert "This is the temporary password." in answer.content.decode()
    link = make.link(fresh(bob), Purpose.RESET)
    path = reverse("accounts:link_consume", args=[link.token])
    assert "This is the temporary password." in client_post(path, owed)
    assert fresh(bob).temporary_until


def client_post(path: str, password: str) -> str:
    return Client().post(path, {"password": password}).content.decode()


def test_logging_out_is_always_possible(bob, owed):
    browser = enter(bob, owed)
    assert "Log out" in browser.get(CHANGE).content.decode()
    browser.post("/account/logout/")
    assert not is_in(browser)


def test_the_login_says_the_same_to_everybody_who_may_not_come_in(bob, charlie, owed):
    charlie.block(reason="shared the login")
    User.objects.filter(contact=bob).update(temporary_until=now())
    tried = [
        ("bob@example.com", owed),
        ("bob@example.com", "nope"),
        ("charlie@example.com", make.PASSWORD),
        ("nobody@example.com", "nope"),
    ]
    pages = set()
    for email, password in tried:
        answer = Client().post(LOGIN, {"login": email, "password": password})
        assert answer.status_code == 200
        text = answer.content.decode().replace(email, "")
        pages.add(re.sub(r'nonce="[^"]+"|name="csrfmiddlewaretoken" value="\w+"', "", text))
    assert len(pages) == 1


def mailed(user: User, purpose: Purpose) -> Link:
    return Link.objects.request(user=user, purpose=purpose, delivery="mail")


def test_a_link_that_staff_had_in_their_hands_sets_no_password(bob, owed):
    browser, link = Client(), make.link(fresh(bob))
    browser.post(reverse("accounts:link_consume", args=[link.token]))
    assert is_in(browser)
    assert browser.post(CHANGE, {"password": NEW}).headers["Location"] == "/profile/security/renew/"
    assert fresh(bob).check_password(owed)


def test_a_login_link_leads_to_choosing_a_password_too(bob, owed):
    browser, link = Client(), mailed(fresh(bob), Purpose.LOGIN)
    browser.post(reverse("accounts:link_consume", args=[link.token]))
    assert browser.get("/courses/").headers["Location"].startswith(CHANGE)
    assert browser.post(CHANGE, {"password": NEW}).headers["Location"] == "/"
    assert browser.get("/courses/").status_code == 200


def test_a_forgotten_login_cannot_be_given_a_password_by_a_passer_by(
    bob, owed, settings, committed, mailoutbox
):
    browser = enter(bob, owed)
    settings.FRESH_LOGIN_SECONDS = 0
    assert browser.post(CHANGE, {"password": NEW}).headers["Location"] == "/profile/security/renew/"
    assert not is_in(enter(bob, NEW))
    with committed():
        browser.post("/profile/security/renew/")
    settings.FRESH_LOGIN_SECONDS = 600
    [path] = re.findall(r"(/l/[0-9a-f]{64}/)", mailoutbox[-1].body)
    browser.post(path)
    assert browser.post(CHANGE, {"password": NEW}).status_code == 302
    assert is_in(enter(bob, NEW))


@pytest.mark.parametrize("is_shut_out", [False, True])
def test_who_became_staff_meanwhile_gets_a_password_of_their_own_all_the_same(
    bob, owed, settings, committed, mailoutbox, is_shut_out
):
    User.objects.appoint(email=bob.email, role=Role.SUPPORT)
    if is_shut_out:
        bob.block(reason="as a student")
    browser = enter(bob, owed)
    settings.FRESH_LOGIN_SECONDS = 0
    led_to = browser.post(CHANGE, {"password": NEW}).headers["Location"]
    page = browser.get(led_to).content.decode()
    assert "Mail me the link" in page
    assert "with it you choose a new password, and then come to the dashboard" in page
    assert "log in once more" not in page
    with committed():
        page = browser.post(led_to).content.decode()
    assert "A link to choose a new password is on its way to b•••@example.com." in page
    assert "your profile" not in page
    [path] = re.findall(r"(/l/[0-9a-f]{64}/)", mailoutbox[-1].body)
    browser.post(path, {"password": NEW})
    assert not fresh(bob).must_change_password
    assert enter(bob, NEW).get("/dashboard/").status_code == 200


def test_a_link_that_was_not_mailed_is_said_so(bob, owed, monkeypatch):
    browser = enter(bob, owed)
    monkeypatch.setattr(LinkQuerySet, "mail_to", lambda *_, **__: False)
    page = browser.post("/profile/security/renew/").content.decode()
    assert "Nothing was sent" in page
    assert "on its way" not in page


def test_the_way_to_the_form_costs_no_query(bob, owed, django_assert_max_num_queries):
    browser = enter(bob, owed)
    with django_assert_max_num_queries(4):  # session, person, school and their savepoints
        browser.get("/courses/")


# Who gets one


def test_staff_and_whoever_is_blocked_get_none(bob, charlie, committed, mailoutbox):
    charlie.block(reason="")
    ada = make.contact(email="ada@example.com")
    User.objects.appoint(email="ada@example.com", role=Role.SUPPORT)
    User.objects.filter(email="ada@example.com").update(contact=ada)
    new = make.contact()
    with committed():
        asked = User.objects.request_temporary_passwords([bob.pk, charlie.pk, ada.pk, new.pk])
    assert asked == {bob.pk, new.pk}
    assert {mail.to[0] for mail in mailoutbox} == {bob.email, new.email}


def test_asking_for_thousands_hashes_nothing(db, monkeypatch):
    people = [make.contact() for _ in range(3)]
    monkeypatch.setattr("accounts.models.user.make_password", lambda *_: 1 / 0)

    def statements(group: list[Contact]) -> int:
        with CaptureQueriesContext(connection) as asked:
            User.objects.request_temporary_passwords([each.pk for each in group])
        return len(asked)

    assert statements(people[:1]) == statements(people[1:])


# What is kept of it


def test_a_temporary_password_that_went_to_a_former_address_opens_nothing(bob):
    # Looked up before it went out.
    changing = Contact.objects.select_related("user").get(pk=bob.pk)
    assert fresh(bob).set_temporary_password(NEW, until=now() + timedelta(hours=1))
    changing.change_email("bob@new.example")
    assert not fresh(bob).has_usable_password()
    assert not fresh(bob).must_change_password


def test_the_log_says_that_it_was_temporary_and_not_what(alice, bob, owed, login):
    changed = Event.objects.get(contact=bob, name="password.changed", data__temporary=True)
    assert set(changed.data) == {"user", "first", "temporary"}
    page = login(alice).get(reverse("portal:contact_timeline", args=[bob.pk])).content.decode()
    assert "Temporary password requested" in page
    assert "a temporary one, sent by mail" in page


def test_staff_see_how_long_it_works(alice, bob, owed, login):
    page = reverse("portal:contact_detail", args=[bob.pk])
    assert "Has a temporary password. It stops working" in login(alice).get(page).content.decode()
    User.objects.filter(contact=bob).update(temporary_until=now())
    assert "Had a temporary password" in login(alice).get(page).content.decode()
    User.objects.filter(contact=bob).update(temporary_until=None)
    assert "Has a password." in login(alice).get(page).content.decode()


def test_every_mail_has_another_and_so_has_every_address():
    one, other = bytes(16), bytes(15) + b"\x01"
    derived = {
        passwords.derive(one, email="bob@example.com"),
        passwords.derive(other, email="bob@example.com"),
        passwords.derive(one, email="eve@example.com"),
    }
    assert len(derived) == 3
    assert all(TEMPORARY.fullmatch(each) for each in derived)
    assert not set("ilo01") & set("".join(derived))


# What happens in between


def test_whoever_changed_their_password_first_keeps_it(bob, committed, mailoutbox):
    User.objects.request_temporary_passwords([bob.pk])
    with committed():
        bob.user.change_password(NEW)
    assert is_in(enter(bob, NEW))
    assert [mail.subject for mail in mailoutbox] == ["Your password for Portal was changed"]
    message = Message.objects.get(kind="temporary_password")
    assert (message.state, message.reason) == (State.CANCELED, "password_overtaken")


def test_asked_for_twice_it_goes_out_once(bob, committed, mailoutbox):
    with committed():
        for _ in range(2):
            User.objects.request_temporary_passwords([bob.pk])
    assert len(mailoutbox) == 1
    states = Message.objects.filter(kind="temporary_password").values_list("state", flat=True)
    assert sorted(states) == [State.CANCELED, State.SENT]


def test_a_corrected_address_makes_it_worthless(bob, owed, committed):
    with committed():
        Contact.objects.select_related("user").get(pk=bob.pk).change_email("robert@example.com")
    bob.refresh_from_db()
    assert not is_in(enter(bob, owed))
    assert not fresh(bob).has_usable_password()


def test_the_password_somebody_chose_survives_a_new_address(bob, committed):
    with committed():
        bob.change_email("robert@example.com")
    assert is_in(enter(bob, make.PASSWORD))


# One's own password


def test_a_new_password_asks_for_the_present_one(bob, login, committed, mailoutbox):
    here, elsewhere = enter(bob, make.PASSWORD), login(bob)
    answer = here.post(CHANGE, {"current": "nope", "password": NEW})
    assert "This is not your present password." in answer.content.decode()
    assert here.post(CHANGE, {"password": NEW}).status_code == 200
    assert is_in(enter(bob, make.PASSWORD))
    with committed():
        answer = here.post(CHANGE, {"current": make.PASSWORD, "password": NEW})
    assert answer.headers["Location"] == "/profile/security/"
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    [mail] = mailoutbox
    assert mail.subject == "Your password for Portal was changed"


def test_staff_change_theirs_likewise(alice, login):
    browser = login(alice)
    answer = browser.post(CHANGE, {"current": make.PASSWORD, "password": NEW})
    assert answer.headers["Location"] == "/dashboard/profile/"
    assert browser.get("/dashboard/").status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(NEW)


def test_guessing_the_present_password_has_an_end(bob, login):
    browser = login(bob)
    statuses = [
        browser.post(CHANGE, {"current": f"guess {n}", "password": NEW}).status_code
        for n in range(7)
    ]
    assert statuses == [200] * 5 + [429] * 2
    Tally.objects.update(began_at=now() - timedelta(seconds=301))
    assert browser.post(CHANGE, {"current": make.PASSWORD, "password": NEW}).status_code == 302


def test_a_password_may_not_be_weak(bob, login):
    for weak in ("short", "password123", "bob@example.com"):
        answer = login(bob).post(CHANGE, {"current": make.PASSWORD, "password": weak})
        assert answer.status_code == 200
        Tally.objects.all().delete()
    bob.user.refresh_from_db()
    assert bob.user.check_password(make.PASSWORD)


def test_strangers_have_no_password_to_change(client, db):
    assert client.get(CHANGE).headers["Location"].startswith(LOGIN)


# The settings

SETTINGS = "/dashboard/settings/access/"
TERMS = {
    "credentials": "link",
    "temporary_hours": "72",
    "max_sessions": "",
    "simulation_notice": "start",
}


def test_the_default_password_is_kept_sealed_and_never_shown(alice, school, login):
    browser = login(alice)
    answer = browser.post(SETTINGS, TERMS | {"credentials": "default", "default_password": NEW})
    assert answer.status_code == 302
    kept = School.objects.get()
    assert kept.credentials == "default"
    assert kept.default_password
    assert NEW not in kept.default_password
    page = browser.get(SETTINGS).content.decode()
    assert "A default password is kept, encrypted." in page
    assert NEW not in page
    assert kept.default_password not in page
    assert "One password for everybody is a risk" in page
    event = Event.objects.get(name="settings.changed")
    assert event.data == {"fields": ["credentials", "default_password"], "credentials": "default"}
    browser.post(SETTINGS, TERMS | {"forget_default_password": "on"})
    assert School.objects.get().default_password == ""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"credentials": "default"}, "Enter the password that newcomers are sent."),
        ({"default_password": "short"}, "too short"),
        ({"default_password": "password123"}, "too common"),
        ({"temporary_hours": "0"}, "greater than or equal to 1"),
        ({"temporary_hours": "9999"}, "less than or equal to 720"),
        ({"max_sessions": "0"}, "greater than or equal to 1"),
        ({"credentials": "none"}, "not one of the available choices"),
    ],
)
def test_settings_that_cannot_be_are_said_so(alice, school, login, wrong, why):
    answer = login(alice).post(SETTINGS, TERMS | wrong)
    assert answer.status_code == 200
    assert why in answer.content.decode()
    assert not Event.objects.filter(name="settings.changed").exists()


def test_the_default_password_cannot_be_forgotten_while_it_is_mailed(alice, school, login):
    browser = login(alice)
    terms = TERMS | {"credentials": "default"}
    browser.post(SETTINGS, terms | {"default_password": NEW})
    answer = browser.post(SETTINGS, terms | {"forget_default_password": "on"})
    assert "Enter the password that newcomers are sent." in answer.content.decode()
    assert School.objects.get().default_password
    assert browser.post(SETTINGS, terms).status_code == 302, "the one there is will do"


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SUPPORT, Role.MODERATOR])
def test_owners_alone_decide_about_the_ways_in(school, login, role):
    browser = login(make.staff(role))
    assert browser.get(SETTINGS).status_code == 403
    assert browser.post(SETTINGS, TERMS).status_code == 403


def test_the_ways_in_are_changed_after_a_fresh_login_only(alice, school, login, settings):
    browser = login(alice)
    settings.FRESH_LOGIN_SECONDS = 0
    for answer in (browser.get(SETTINGS), browser.post(SETTINGS, TERMS | {"max_sessions": "1"})):
        assert answer.headers["Location"].startswith("/account/reauthenticate/")
    assert School.objects.get().max_sessions is None
