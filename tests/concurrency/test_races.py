"""The races: many at once, one outcome. Each stands beside a control that takes the guard away and sees the harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import make
import pytest
from django.db import IntegrityError, OperationalError, connection, models
from django.utils.timezone import now
from racing import RACERS, race

from accounts.models import Contact, Link, User
from accounts.models.link import LinkQuerySet, Purpose
from enrollments.models import Enrollment, Grant, Outcome, grant_rows
from notifications.mail import deliver
from notifications.models import Message
from portal import context, events
from portal.models import Event, School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob() -> Contact:
    """A contact of a school that stands."""
    School.current()
    return make.contact("Bob", email="bob@example.com")


def grant(
    contact: Contact, offer, source: str = "manual", **terms: Any
) -> Callable[[], dict[int, Outcome]]:
    return lambda: Grant.objects.grant_many(
        contact_ids=[contact.pk], offer=offer, source=source, **terms
    )


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: contacts are not locked before anybody looks at what they hold.

    All lookers meet at a gate behind the look, as an unlucky schedule would have it.
    """
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    look = grant_rows.holders_among
    gate = threading.Barrier(2)

    def look_together(*args: Any, **kwargs: Any) -> set[int]:
        seen = look(*args, **kwargs)
        gate.wait(timeout=10)
        return seen

    monkeypatch.setattr(grant_rows, "holders_among", look_together)


def test_granting_at_once_from_one_source_makes_one_grant(bob):
    offer = make.offer()
    outcomes = race(*[grant(bob, offer) for _ in range(RACERS)])
    assert sum(outcome[bob.pk] == Outcome.CREATED for outcome in outcomes) == 1
    assert Grant.objects.count() == 1
    assert Event.objects.filter(name="offer.granted").count() == 1
    assert User.objects.filter(contact=bob).count() == 1
    assert Enrollment.objects.count() == 1


def test_granting_at_once_from_two_sources_makes_one_grant(bob):
    for _ in range(5):
        offer = make.offer()
        outcomes = race(grant(bob, offer), grant(bob, offer, source="import:1"))
        assert sum(outcome[bob.pk] == Outcome.CREATED for outcome in outcomes) == 1
        assert Grant.objects.filter(offer=offer).count() == 1


def test_control_without_the_lock_two_sources_both_grant(bob, unlocked):
    User.objects.for_contacts([bob.pk])
    offer = make.offer()
    race(grant(bob, offer), grant(bob, offer, source="import:1"))
    assert Grant.objects.filter(offer=offer).count() == 2


def test_without_the_index_the_statement_itself_refuses(bob, unlocked):
    with connection.schema_editor() as editor:
        [constraint] = [c for c in Grant._meta.constraints if c.name == "one_live_grant_per_source"]
        offer = make.offer()
        editor.remove_constraint(Grant, constraint)
    try:
        with pytest.raises(Exception, match="ON CONFLICT"):
            race(grant(bob, offer), grant(bob, offer))
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(Grant, constraint)


def test_overlapping_batches_neither_deadlock_nor_grant_twice():
    people = [make.contact().pk for _ in range(300)]
    offer = make.offer()

    def batch(ids: list[int]) -> Callable[[], dict[int, Outcome]]:
        return lambda: Grant.objects.grant_many(contact_ids=ids, offer=offer, source="import:1")

    outcomes = race(
        batch(people[:200]), batch(people[100:][::-1]), batch(people[::-1]), batch(people[::2])
    )
    created = [
        pk for outcome in outcomes for pk, what in outcome.items() if what == Outcome.CREATED
    ]
    assert sorted(created) == sorted(people)
    assert Grant.objects.count() == len(people)
    assert Event.objects.filter(name="offer.granted").count() == len(people)


def test_control_unsorted_locks_deadlock(bob):
    other = make.contact()
    gate = threading.Barrier(2)

    def lock(first: Contact, second: Contact) -> Callable[[], bool]:
        def run() -> bool:
            from django.db import transaction

            try:
                with transaction.atomic():
                    Contact.objects.select_for_update(no_key=True).get(pk=first.pk)
                    gate.wait(timeout=10)
                    Contact.objects.select_for_update(no_key=True).get(pk=second.pk)
            except OperationalError:
                return False
            return True

        return run

    assert sorted(race(lock(bob, other), lock(other, bob))) == [False, True]


def test_a_link_is_spent_once(bob):
    for _ in range(5):
        User.objects.for_contacts([bob.pk])
        link = make.link(User.objects.get(contact=bob))
        winners = race(
            *[lambda token=link.token: Link.objects.consume(token) for _ in range(RACERS)]
        )
        assert sum(winner is not None for winner in winners) == 1


def test_control_looking_before_spending_lets_several_in(bob, monkeypatch):
    User.objects.for_contacts([bob.pk])
    link = make.link(User.objects.get(contact=bob))
    gate = threading.Barrier(RACERS)

    def look_then_spend(self: LinkQuerySet, token: str) -> Link | None:
        found = self.by_token(token).usable().first()
        gate.wait(timeout=30)
        if found:
            Link.objects.filter(pk=found.pk).update(used_at=now())
        return found

    monkeypatch.setattr(LinkQuerySet, "consume", look_then_spend)
    winners = race(*[lambda: Link.objects.consume(link.token) for _ in range(RACERS)])
    assert sum(winner is not None for winner in winners) > 1


def confirming(bob: Contact, *emails: str) -> list[Callable[[], bool]]:
    """For each address, pressing the button of the mail that went there."""
    User.objects.for_contacts([bob.pk])
    user = User.objects.get(contact=bob)
    links = [make.link(user, Purpose.CONFIRM_EMAIL, email=email) for email in emails]

    def press(token: str) -> bool:
        try:
            return Link.objects.confirm_email(token) is not None
        except IntegrityError:
            return False

    return [lambda token=link.token: press(token) for link in links]


def standing(bob: Contact) -> tuple[str, str]:
    """The address of a contact, and of their login."""
    user = User.objects.select_related("contact").get(contact=bob)
    return user.email, user.contact.email if user.contact else ""


def test_an_address_is_confirmed_once(bob):
    [press] = confirming(bob, "bob@new.example")
    assert sum(race(*[press] * RACERS)) == 1
    assert standing(bob) == ("bob@new.example", "bob@new.example")
    assert Event.objects.filter(name="contact.email_changed").count() == 1


def test_two_addresses_confirmed_at_once_are_one(bob):
    for number in range(5):
        emails = [f"one{number}@new.example", f"two{number}@new.example"]
        assert sum(race(*confirming(bob, *emails))) == 1
        login, contact = standing(bob)
        assert login == contact
        assert login in emails


def test_two_people_who_confirm_one_address_are_two_people(bob):
    other = make.contact(email="other@example.com")
    presses = confirming(bob, "new@example.com") + confirming(other, "new@example.com")
    assert sum(race(*presses)) == 1
    assert {standing(bob)[0], standing(other)[0]} < {
        "new@example.com",
        "bob@example.com",
        "other@example.com",
    }
    for person in (bob, other):
        assert len(set(standing(person))) == 1


def test_staff_and_student_who_change_the_address_at_once_do_not_lock_each_other_out(bob):
    for number in range(5):
        [press] = confirming(bob, f"own{number}@new.example")
        of_staff = f"staff{number}@new.example"
        race(press, lambda of_staff=of_staff: Contact.objects.get(pk=bob.pk).change_email(of_staff))
        assert standing(bob) == (of_staff, of_staff), "the later one, or the only one"
        assert not Link.objects.usable().exists()


def test_control_without_the_lock_two_confirmations_meet_in_a_deadlock(bob, monkeypatch):
    presses = confirming(bob, "one@new.example", "two@new.example")
    gate, consume = threading.Barrier(2), LinkQuerySet.consume

    def consume_together(self: LinkQuerySet, token: str) -> Link | None:
        link = consume(self, token)
        gate.wait(timeout=10)
        return link

    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    monkeypatch.setattr(LinkQuerySet, "consume", consume_together)
    killed = []

    def run(press: Callable[[], bool]) -> Callable[[], bool]:
        def watched() -> bool:
            try:
                return press()
            except OperationalError as error:
                killed.append(error)
                return False

        return watched

    race(*[run(press) for press in presses])
    assert len(killed) == 1


ASKERS = 16


def asking(bob: Contact) -> list[Callable[[], bool]]:
    """Many browsers that ask for a link to reset the password at once."""
    User.objects.for_contacts([bob.pk])
    user = User.objects.select_related("contact").get(contact=bob)
    return [lambda: Link.objects.mail_to(user, purpose=Purpose.RESET)] * ASKERS


def test_of_links_asked_for_at_once_one_works(bob):
    assert sum(race(*asking(bob))) == ASKERS
    assert Link.objects.count() == ASKERS
    assert Link.objects.usable().count() == 1


def test_staff_who_are_no_contact_ask_for_links_one_after_the_other_too():
    School.current()
    user = make.staff()
    race(*[lambda: Link.objects.mail_to(user, purpose=Purpose.RESET)] * ASKERS)
    assert Link.objects.count() == ASKERS
    assert Link.objects.usable().count() == 1


def test_control_asking_without_the_lock_makes_many_that_work(bob, monkeypatch):
    gate, request = threading.Barrier(ASKERS), LinkQuerySet.request

    def request_together(self: LinkQuerySet, **terms: Any) -> Link:
        gate.wait(timeout=30)  # everybody is there, nobody made any
        link = request(self, **terms)
        gate.wait(timeout=30)  # everybody superseded, nobody committed
        return link

    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    monkeypatch.setattr(LinkQuerySet, "request", request_together)
    race(*asking(bob))
    assert Link.objects.usable().count() == ASKERS


def credentials(mailoutbox: list[Any]) -> int:
    return sum(message.body.count("/l/") == 2 for message in mailoutbox)


def access_mails(bob: Contact, number: int) -> list[int]:
    for n in range(number):
        grant(bob, make.offer(f"Offer {n}"))()
    while events.dispatch():
        pass
    return list(Message.objects.filter(kind="access").values_list("pk", flat=True))


def test_credentials_go_out_once_however_many_mails_race(bob, mailoutbox):
    pks = access_mails(bob, 8)
    assert len(pks) == 8
    race(*[lambda pk=pk: deliver(pk) for pk in pks])
    assert len(mailoutbox) == 8
    assert credentials(mailoutbox) == 1


def test_control_looking_before_claiming_sends_several(bob, mailoutbox, monkeypatch):
    gate = threading.Barrier(8)

    def look_then_claim(self: Contact, *, by: str) -> bool:
        is_free = not Contact.objects.get(pk=self.pk).credentials_claim
        gate.wait(timeout=30)
        Contact.objects.filter(pk=self.pk).update(credentials_claim=by)
        return is_free

    monkeypatch.setattr(Contact, "claim_credentials", look_then_claim)
    pks = access_mails(bob, 8)
    race(*[lambda pk=pk: deliver(pk) for pk in pks])
    assert credentials(mailoutbox) > 1


def test_one_message_has_one_sender(bob, mailoutbox):
    [pk] = access_mails(bob, 1)
    race(*[lambda: deliver(pk) for _ in range(RACERS)])
    assert len(mailoutbox) == 1


def test_control_claiming_without_a_condition_sends_it_many_times(bob, mailoutbox, monkeypatch):
    [pk] = access_mails(bob, 1)
    manager = type(Message.objects.all())
    monkeypatch.setattr(manager, "claim", lambda self, pk: Message.objects.get(pk=pk))
    race(*[lambda: deliver(pk) for _ in range(RACERS)])
    assert len(mailoutbox) > 1


def test_dispatching_at_once_owes_each_mail_once(bob, mailoutbox):
    offers = [make.offer(f"Offer {n}") for n in range(5)]
    with context.acting():
        for offer in offers:
            Grant.objects.grant(contact=bob, offer=offer, source="manual")
    race(*[events.dispatch for _ in range(6)])
    assert Message.objects.filter(kind="access").count() == 1
    deliver(Message.objects.get(kind="access").pk)
    assert all(offer.title in mailoutbox[0].body for offer in offers)


def test_completing_a_lesson_at_once_counts_once(bob):
    course = make.course(lessons=2)
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    enrollment = Enrollment.objects.get()
    lessons = list(course.modules.get().lessons.all())
    race(*[lambda lesson=lesson: enrollment.complete(lesson) for lesson in lessons * 5])
    names = list(Event.objects.values_list("name", flat=True))
    assert (names.count("lesson.completed"), names.count("course.completed")) == (2, 1)
    enrollment.refresh_from_db()
    assert enrollment.completed_at


def test_blocking_at_once_is_recorded_once(bob):
    race(*[lambda: bob.block(reason="test") for _ in range(5)])
    assert Event.objects.filter(name="contact.blocked").count() == 1
