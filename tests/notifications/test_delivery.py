"""What becomes of a message at a mail server that is away, busy, or says no."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import make
import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.urls import reverse
from django.utils.timezone import now
from stage import Post

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose
from enrollments.models import Grant
from notifications.line import line
from notifications.mail import deliver
from notifications.models import Message, State
from portal import context
from portal.benchmark.measuring import counted


@pytest.fixture
def waiting(bob, django_capture_on_commit_callbacks) -> Message:
    """One access mail that waits."""
    from portal import events

    with django_capture_on_commit_callbacks(execute=True):
        Grant.objects.grant(contact=bob, offer=make.offer(), source="manual")
    events.dispatch()
    return Message.objects.get()


@pytest.fixture
def server(monkeypatch):
    """Lets the mail server answer each mail with an error."""

    def answer(error: Exception | None) -> None:
        def send(self, messages):
            if error is not None:
                raise error
            return len(messages)

        monkeypatch.setattr(EmailBackend, "send_messages", send)

    return answer


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("nobody there"),
        TimeoutError("too slow"),
        smtplib.SMTPServerDisconnected("gone"),
        smtplib.SMTPAuthenticationError(535, b"wrong password"),
        smtplib.SMTPDataError(451, b"try later"),
        smtplib.SMTPRecipientsRefused({"bob@example.com": (450, b"greylisted")}),
    ],
)
def test_what_may_pass_is_tried_again_later(waiting, server, error):
    server(error)
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == State.WAITING
    assert waiting.attempts == 1
    assert timedelta(0) < waiting.next_attempt_at - now() <= timedelta(seconds=60)
    assert waiting.last_error
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.attempts == 1, "not due yet"


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"bob@example.com": (550, b"no such user")}),
        smtplib.SMTPDataError(554, b"rejected"),
    ],
)
def test_a_final_no_is_final_and_shown_to_staff(waiting, server, error, alice, login):
    server(error)
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (State.FAILED, "refused")
    page = login(alice).get(reverse("portal:dashboard")).content.decode()
    assert reverse("notifications:message_list") + "?state=failed" in page
    page = login(make.staff(Role.MODERATOR)).get(reverse("portal:dashboard")).content.decode()
    assert "refused for good" not in page, "a moderator could do nothing about it"
    assert "Read the comments" in page


def test_after_eight_attempts_it_is_given_up_until_staff_send_it(waiting, server, alice, login):
    server(ConnectionRefusedError())
    for _ in range(9):
        Message.objects.update(next_attempt_at=now())
        deliver(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts) == (State.DEAD, 8)
    server(None)
    send = partial(login(alice).post, reverse("notifications:message_send", args=[waiting.pk]))
    assert "The message is on its way." in send(follow=True).content.decode()
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == State.SENT
    assert "There was nothing to do." in send(follow=True).content.decode()


def test_mails_speak_the_language_their_reader_reads_in_the_portal(
    bob, login, committed, mailoutbox
):
    Contact.objects.filter(pk=bob.pk).update(language="it")
    User.objects.appoint(email=bob.email, role=Role.OWNER)
    staff = User.objects.get(contact=bob)
    for language, word in (("", "Ciao Bob!"), ("pt-br", "Olá, Bob!")):
        staff.language = language
        staff.save(update_fields=["language"])
        page = login(staff).get("/dashboard/").content.decode()
        assert f'lang="{language or "it"}"' in page
        with committed():
            staff.change_password("flour and water")
        assert word in mailoutbox[-1].body


def test_staff_who_are_blocked_as_students_hear_of_their_login_all_the_same(
    bob, committed, mailoutbox
):
    """Or else whoever may block contacts could keep an owner from a new password."""
    owner = User.objects.appoint(email=bob.email, role=Role.OWNER)
    bob.block(reason="x")
    with committed():
        Link.objects.mail_to(User.objects.get(pk=owner.pk), purpose=Purpose.RESET)
    with committed():
        owner.change_password("flour and water")
    assert [mail.to for mail in mailoutbox] == [[bob.email]] * 2
    with committed():
        make.grant(contact=bob, notify=True)
    assert len(mailoutbox) == 2


def test_a_message_that_kills_its_sender_is_given_up(waiting):
    for _ in range(9):
        assert Message.objects.claim(waiting.pk)
        Message.objects.update(lease_until=now() - timedelta(seconds=1))
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == State.DEAD


def test_a_welcome_takes_few_statements(waiting, mailoutbox):
    with counted() as statements:
        deliver(waiting.pk)
    assert len(mailoutbox) == 1
    assert len(statements) <= 10


def test_a_message_has_one_sender_at_a_time(waiting):
    assert Message.objects.claim(waiting.pk)
    assert Message.objects.claim(waiting.pk) is None


def test_many_mails_share_a_line_to_the_server_until_it_fails_or_they_are_too_many(
    committed, mailoutbox, server, monkeypatch
):
    opened = []

    def note(mailer: EmailBackend) -> None:
        opened.append(mailer)

    def grant(number: int, *, cause: str) -> None:
        line.close()
        opened.clear()
        people = [make.contact().pk for _ in range(number)]
        with committed(), context.acting(cause=cause):
            terms = {"offer": make.offer(), "source": "manual"}
            Grant.objects.grant_many(contact_ids=people, **terms)

    monkeypatch.setattr(EmailBackend, "open", note)
    grant(4, cause="bulk:1")
    assert (len(opened), len(mailoutbox)) == (1, 4)
    monkeypatch.setattr("notifications.line.MOST", 3)
    grant(4, cause="import:1")
    assert (len(opened), len(mailoutbox)) == (2, 8)
    server(smtplib.SMTPServerDisconnected("gone"))
    grant(2, cause="bulk:2")
    assert len(opened) == 2, "the second did not try the line of the first"


class Curt(Post):
    """A mail server that hangs up after each mail, or answers whoever asks that it is about to."""

    def __init__(self, *, hangs_up: bool) -> None:
        super().__init__()
        self.hangs_up, self.lines = hangs_up, set[Any]()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        self.lines.add(session.peer)
        if self.hangs_up:
            self.loop.call_soon(server.transport.close)  # once it has answered
        return answer

    async def handle_NOOP(self, *_asked: Any) -> str:  # noqa: N802
        return "421 Too long"


@pytest.fixture(params=[True, False], ids=["hangs up", "says so"])
def curt(request, settings) -> Iterator[Curt]:
    """Where mail goes."""
    curt = Curt(hangs_up=request.param)
    curt.start()
    smtp = {"host": curt.hostname, "port": curt.port, "timeout": 10}
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": smtp}
    }
    line.close()
    yield curt
    line.close()
    curt.stop()


def test_a_line_that_the_server_closed_costs_no_mail_its_turn(curt, committed):
    people = [make.contact() for _ in range(3)]
    with committed(), context.acting(cause="bulk:1"):
        pks = [person.pk for person in people]
        Grant.objects.grant_many(contact_ids=pks, offer=make.offer(), source="manual")
    assert sorted(letter.to for letter in curt.letters) == sorted(each.email for each in people)
    assert len(curt.lines) == 3
    assert set(Message.objects.values_list("state", "attempts")) == {(State.SENT, 1)}


def test_a_stranger_to_the_message_log_sees_none_of_it(waiting, bob, login):
    for name in ("message_list", "message_detail"):
        args = [waiting.pk] if name == "message_detail" else []
        assert login(bob).get(reverse(f"notifications:{name}", args=args)).status_code == 403


def test_the_school_hears_of_a_wish_to_be_erased_though_they_are_blocked_by_then(
    bob, school, committed, mailoutbox
):
    with committed():
        bob.ask_erasure()
        bob.block(reason="x")
    assert [mail.to for mail in mailoutbox] == [["help@example.com"]]
