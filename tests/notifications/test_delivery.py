"""What becomes of a message at a mail server that is away, busy, or says no."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import make
import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Role
from enrollments.models import Grant
from notifications.mail import deliver
from notifications.models import Message, State


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
    login(alice).post(reverse("notifications:message_send", args=[waiting.pk]))
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == State.SENT


def test_a_message_that_kills_its_sender_is_given_up(waiting):
    for _ in range(9):
        assert Message.objects.claim(waiting.pk)
        Message.objects.update(lease_until=now() - timedelta(seconds=1))
    deliver(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == State.DEAD


def test_a_message_has_one_sender_at_a_time(waiting):
    assert Message.objects.claim(waiting.pk)
    assert Message.objects.claim(waiting.pk) is None


def test_a_stranger_to_the_message_log_sees_none_of_it(waiting, bob, login):
    for name in ("message_list", "message_detail"):
        args = [waiting.pk] if name == "message_detail" else []
        assert login(bob).get(reverse(f"notifications:{name}", args=args)).status_code == 403
