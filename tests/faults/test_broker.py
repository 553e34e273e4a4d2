"""With a worker: it is killed, and Redis is wiped, frozen, or was never there. No mail is lost or doubled."""

from __future__ import annotations

import time
from collections import Counter

import make
import pytest
from stage import Stage, Visitor, wait_until

from accounts.models import Link
from accounts.models.link import Purpose
from notifications.models import Message, State

WORKERS = 2  # processes of one worker


def sent() -> int:
    return Message.objects.filter(state=State.SENT).count()


def mails(stage: Stage) -> Counter[str]:
    """How many mails each person got."""
    return Counter(letter.to for letter in stage.post.letters)


def staff(stage: Stage) -> Visitor:
    """Alice, logged in."""
    alice = make.staff(email="alice@example.com")
    visitor = stage.visitor()
    visitor.log_in(alice.email, make.PASSWORD)
    return visitor


def grant(visitor: Visitor, name: str = "") -> tuple[str, float]:
    """Grant somebody new an offer as staff do; returns their address, and how many seconds it took."""
    offer, contact = make.offer(), make.contact(name)
    path = f"/dashboard/contacts/{contact.pk}/grants/new/"
    began = time.monotonic()
    page = visitor.post(path, **{f"offer_{offer.pk}": "on", "notify": "on"})
    took = time.monotonic() - began
    assert page.status == 200
    assert f"now has {offer.title}" in page.text
    return contact.email, took


def test_a_killed_worker_loses_nothing(stage: Stage):
    stage.post.hold_from = 40
    stage.redis()
    # Patient enough not to take over, for a worker that is slow to start, what that will hold.
    stage.clock(CELERY_BROKER_URL=stage.broker, HANDOVER_SECONDS="8")
    worker = stage.worker()
    people = stage.admit(200, make.offer())
    wait_until(lambda: len(stage.post.held) == WORKERS)

    worker.kill()
    stage.post.release()
    stage.worker()

    wait_until(lambda: sent() == 200, timeout=60)
    assert set(mails(stage)) == set(people)
    twice = {to for to, number in mails(stage).items() if number > 1}
    assert twice == {letter.to for letter in stage.post.held}, "those it could not mark, no others"
    assert max(mails(stage).values()) == 2
    assert len(set(stage.post.letters)) == 200, "who got two got the same one twice"


def test_a_wiped_queue_is_filled_again(stage: Stage):
    stage.redis()
    stage.clock(CELERY_BROKER_URL=stage.broker)
    people = stage.admit(100, make.offer())
    with stage.queue() as queue:
        wait_until(lambda: queue.llen("bulk") >= 100)
        queue.flushall()

    stage.worker()

    wait_until(lambda: sent() == 100, timeout=60)
    assert mails(stage) == dict.fromkeys(people, 1)


@pytest.mark.parametrize("redis", ["frozen", "never started"])
def test_without_an_answer_from_redis_the_clock_does_it(stage: Stage, redis: str):
    if redis == "frozen":
        stage.redis().freeze()
    stage.web(CELERY_BROKER_URL=stage.broker)
    stage.clock(CELERY_BROKER_URL=stage.broker)
    visitor = staff(stage)

    first, took_first = grant(visitor)
    second, took_second = grant(visitor)

    assert took_first < 5
    assert took_second < 2, "whoever comes after a failure does not wait for another"
    wait_until(lambda: sent() == 2)
    assert mails(stage) == {first: 1, second: 1}
    page = visitor.get("/readyz")
    assert (page.status, '"redis": "down"' in page.text) == (200, True)


def test_a_grant_nobody_was_nudged_about_is_found(stage: Stage):
    """A web process killed between its commit and its nudge leaves just this behind."""
    stage.redis()
    stage.web()
    stage.clock(CELERY_BROKER_URL=stage.broker)

    address, _took = grant(staff(stage))

    with stage.queue() as queue:
        wait_until(lambda: queue.llen("bulk"))
    assert not stage.post.letters
    stage.worker()
    wait_until(sent)
    assert mails(stage) == {address: 1}


def test_a_login_link_overtakes_the_welcomes(stage: Stage):
    stage.redis()
    # Patient, or it would take over what no worker takes.
    stage.clock(CELERY_BROKER_URL=stage.broker, HANDOVER_SECONDS="60")
    stage.admit(100, make.offer())
    student = make.student()
    with stage.queue() as queue:
        wait_until(lambda: queue.llen("bulk") >= 100)
        Link.objects.mail_to(student.user, purpose=Purpose.RESET)
        wait_until(lambda: queue.llen("login"))

    stage.worker()

    wait_until(lambda: stage.post.to(student.email))
    before = [letter.to for letter in stage.post.letters].index(student.email)
    assert before < 10, "all of them were in the queue before it"
