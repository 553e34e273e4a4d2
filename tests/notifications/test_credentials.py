"""What the welcome mail carries: a link, a provisional password, or the default one; and to whom never any."""

from __future__ import annotations

import re
from datetime import timedelta

import make
import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, User
from enrollments.models import Grant
from notifications import mail as post
from notifications.mail import compose, deliver
from notifications.models import Message, State
from portal import context, events
from portal.models import School
from portal.sealing import seal

LOGIN = "/account/login/"
TEMPORARY = re.compile(r"Temporary password: (\S.*)")
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")
DEFAULT = "benvenuti a tutti"


@pytest.fixture
def mode(school):
    """Choose what the welcome mail carries."""

    def choose(credentials: str) -> None:
        School.objects.update(
            credentials=credentials,
            default_password=seal(DEFAULT, purpose="default_password"),
        )

    return choose


def give(contact: Contact, title: str = "Bread") -> None:
    """One act of its own, as a request is."""
    with context.acting():
        Grant.objects.grant(contact=contact, offer=make.offer(title), source="manual")


def waiting(contact: Contact) -> int:
    """The access mail that is owed to them, not sent yet."""
    events.dispatch()
    return Message.objects.get(contact=contact, state=State.WAITING).pk


def password_in(mail) -> str:
    [password] = TEMPORARY.findall(mail.body)
    assert password in mail.alternatives[0].content
    return password


def enter(email: str, password: str) -> Client:
    browser = Client()
    browser.post(LOGIN, {"login": email, "password": password})
    return browser


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


@pytest.mark.parametrize("credentials", ["provisional", "default"])
def test_a_newcomer_is_sent_a_password_that_opens_the_form_alone(
    mode, credentials, committed, mailoutbox
):
    mode(credentials)
    with committed():
        give(make.contact("Ana Alves", email="ana@x.com"))
    [mail] = mailoutbox
    password = password_in(mail)
    assert (password == DEFAULT) == (credentials == "default")
    assert "E-mail: ana@x.com" in mail.body
    assert "http://localhost:8000/account/login/" in mail.body
    assert not LINK.findall(mail.body)
    browser = enter("ana@x.com", password)
    assert browser.get("/").headers["Location"].startswith("/account/password/change/")
    browser.post("/account/password/change/", {"password": "flour and water"})
    assert browser.get("/").status_code == 200
    assert is_in(enter("ana@x.com", "flour and water"))
    assert not is_in(enter("ana@x.com", password))


@pytest.mark.parametrize("credentials", ["provisional", "default"])
def test_the_archive_keeps_neither(mode, credentials, committed, mailoutbox):
    mode(credentials)
    with committed():
        give(make.contact(email="ana@x.com"))
    kept = Message.objects.get().body
    assert "Temporary password: [hidden]" in kept
    assert password_in(mailoutbox[0]) not in kept


@pytest.mark.parametrize("hours", [1, 72])
def test_it_works_for_so_many_hours(mode, hours, committed, mailoutbox):
    mode("provisional")
    School.objects.update(temporary_hours=hours)
    with committed():
        give(make.contact(email="ana@x.com"))
    until = User.objects.get(email="ana@x.com").temporary_until
    assert abs(until - now() - timedelta(hours=hours)) < timedelta(minutes=1)
    User.objects.update(temporary_until=now())
    assert not is_in(enter("ana@x.com", password_in(mailoutbox[0])))


@pytest.mark.parametrize("credentials", ["provisional", "default"])
def test_a_second_offer_brings_no_second_password(mode, credentials, committed, mailoutbox):
    mode(credentials)
    ana = make.contact(email="ana@x.com")
    for title in ("Bread", "Cheese"):
        with committed():
            give(ana, title)
    first, second = mailoutbox
    assert not TEMPORARY.findall(second.body)
    assert len(LINK.findall(second.body)) == 1
    assert is_in(enter("ana@x.com", password_in(first)))


@pytest.mark.parametrize("credentials", ["provisional", "default"])
def test_killed_between_sending_and_marking_the_same_password_comes_again(
    mode, credentials, db, monkeypatch, mailoutbox
):
    class Killed(BaseException):
        pass

    def kill(*_args, **_kwargs):
        raise Killed

    mode(credentials)
    ana = make.contact(email="ana@x.com")
    give(ana)
    pk = waiting(ana)
    with monkeypatch.context() as patch:
        patch.setattr(Message, "mark_sent", kill)
        with pytest.raises(Killed):
            deliver(pk)
    hashed = User.objects.get(contact=ana).password
    Message.objects.update(lease_until=None)
    deliver(pk)
    one, two = mailoutbox
    assert password_in(one) == password_in(two)
    assert one.extra_headers["Message-ID"] == two.extra_headers["Message-ID"]
    assert User.objects.get(contact=ana).password == hashed, "hashed once"
    assert is_in(enter("ana@x.com", password_in(two)))


def test_a_default_password_that_changed_before_the_next_try_is_the_one_that_works(
    mode, db, monkeypatch, mailoutbox
):
    mode("default")
    ana = make.contact(email="ana@x.com")
    give(ana)
    pk = waiting(ana)
    with monkeypatch.context() as patch:
        patch.setattr(post.Mail, "send", lambda *_: (_ for _ in ()).throw(OSError("down")))
        deliver(pk)
    School.objects.update(default_password=seal("another for all", purpose="default_password"))
    Message.objects.update(next_attempt_at=now())
    deliver(pk)
    [mail] = mailoutbox
    assert password_in(mail) == "another for all"
    assert is_in(enter("ana@x.com", "another for all"))
    assert not is_in(enter("ana@x.com", DEFAULT))


@pytest.mark.parametrize("how", ["chose their own", "came in"])
def test_whoever_was_quicker_than_the_mail_keeps_what_they_have(mode, db, monkeypatch, how):
    """They come in by a link while the password is being hashed: the conditional UPDATE decides."""
    from accounts.models import user as users

    mode("provisional")
    ana = make.contact(email="ana@x.com")
    give(ana)
    message = Message.objects.get(pk=waiting(ana))
    hash_it = users.make_password

    def meanwhile(password: str) -> str:
        login = User.objects.get(contact=ana)
        if how == "came in":
            Client().force_login(login)
        else:
            User.objects.filter(pk=login.pk).update(password="their own", auth_epoch=7)
        return hash_it(password)

    monkeypatch.setattr(users, "make_password", meanwhile)
    mail = compose(message)
    assert not TEMPORARY.findall(mail.body)
    login = User.objects.get(contact=ana)
    assert login.temporary_until is None
    assert login.has_usable_password() == (how == "chose their own")


def test_a_default_password_nobody_can_read_falls_back_to_the_link(mode, committed, mailoutbox):
    mode("default")
    School.objects.update(default_password="sealed under another key")
    with committed():
        give(make.contact(email="ana@x.com"))
    assert len(LINK.findall(mailoutbox[0].body)) == 2


def test_nothing_is_hashed_where_access_is_granted(mode, db, monkeypatch):
    mode("provisional")
    monkeypatch.setattr("accounts.models.user.make_password", lambda *_: 1 / 0)
    monkeypatch.setattr("django.contrib.auth.base_user.make_password", lambda *_: 1 / 0)
    ana = make.contact()
    give(ana)
    assert waiting(ana)


def test_access_sent_once_more_brings_another_password_and_ends_the_first(
    mode, alice, login, committed, mailoutbox
):
    mode("provisional")
    ana = make.contact(email="ana@x.com")
    with committed():
        give(ana)
    with committed():
        login(alice).post(reverse("accounts:contact_way", args=[ana.pk, "resend"]), {"once": "a"})
    first, second = map(password_in, mailoutbox)
    assert first != second
    assert not is_in(enter("ana@x.com", first))
    assert is_in(enter("ana@x.com", second))
