"""The clock alone: killed, doubled, and before a mail server that is away, says no, or is slow."""

from __future__ import annotations

import signal
import threading
from collections import Counter

import make
from django.test import Client
from django.urls import reverse
from stage import Letter, Stage, wait_until

from accounts.models import Link
from accounts.models.link import Purpose
from notifications.models import Message, State

THREADS = 6  # what CLOCK_THREADS says by default


def sent() -> int:
    return Message.objects.filter(state=State.SENT).count()


def test_killed_in_the_middle_the_next_one_sends_the_rest(stage: Stage):
    stage.post.hold_from = 10
    killed = stage.clock()
    people = stage.admit(60, make.offer())
    wait_until(lambda: len(stage.post.held) == THREADS)

    killed.kill()
    stage.post.release()
    stage.clock()

    wait_until(lambda: sent() == 60)
    mails = Counter(letter.to for letter in stage.post.letters)
    twice = {to for to, number in mails.items() if number > 1}
    assert set(mails) == set(people)
    assert twice == {letter.to for letter in stage.post.held}, "those it could not mark, no others"
    assert max(mails.values()) == 2
    assert len(set(stage.post.letters)) == 60, "who got two got the same one twice"


def test_told_to_stop_it_finishes_what_it_holds(stage: Stage):
    stage.post.hold_from = 0
    clock = stage.clock()
    stage.admit(20, make.offer())
    wait_until(lambda: len(stage.post.held) == THREADS)

    clock.popen.send_signal(signal.SIGTERM)
    stage.post.release()

    assert clock.popen.wait(timeout=20) == 0
    assert sent() == len(stage.post.letters) >= THREADS
    assert not Message.objects.exclude(lease_until=None).exists()


def test_two_clocks_share_the_work(stage: Stage):
    stage.environment["LEASE_SECONDS"] = "60"  # longer than the second one takes to start
    stage.post.hold_from = 0
    stage.clock()
    stage.clock()
    people = stage.admit(60, make.offer())
    wait_until(lambda: len(stage.post.held) == 2 * THREADS)
    stage.post.release()

    wait_until(lambda: sent() == 60)
    assert sorted(letter.to for letter in stage.post.letters) == sorted(people)


def test_a_mail_server_that_comes_back_gets_every_mail_once(stage: Stage):
    stage.post.close()
    stage.clock()
    people = stage.admit(3, make.offer())
    failed_twice = Message.objects.filter(attempts__gte=2, lease_until=None)
    wait_until(lambda: failed_twice.count() == 3)
    assert all("refused" in message.last_error for message in failed_twice)

    stage.post.open()

    wait_until(lambda: sent() == 3)
    assert sorted(letter.to for letter in stage.post.letters) == sorted(people)
    assert all(message.attempts > 2 for message in Message.objects.all())


def test_a_no_for_good_is_shown_and_one_for_now_is_asked_again(stage: Stage):
    answers = iter(["451 Come again", "550 No such user"])
    stage.post.answer = lambda _letter: next(answers)
    stage.clock()
    [address] = stage.admit(1, make.offer())

    message = wait_until(lambda: Message.objects.filter(state=State.FAILED).first())

    assert (message.attempts, message.reason) == (2, "refused")
    staff = Client()
    staff.force_login(make.staff())
    page = staff.get(reverse("notifications:message_list")).content.decode()
    assert address in page
    assert "Failed" in page
    assert "550" in staff.get(reverse("notifications:message_detail", args=[message.pk])).text


def test_a_slow_mail_server_keeps_nobody_waiting_at_the_door(stage: Stage):
    arrived = threading.Event()

    def slow(letter: Letter) -> str:
        if "new password" not in letter.text:
            arrived.wait(8)
        return "250 OK"

    stage.post.answer = slow
    student = make.student()
    stage.clock()
    stage.admit(200, make.offer())
    wait_until(lambda: Message.objects.exclude(lease_until=None).count() == THREADS)

    Link.objects.mail_to(student.user, purpose=Purpose.RESET)

    try:
        wait_until(lambda: stage.post.to(student.email), timeout=4)
    finally:
        arrived.set()
