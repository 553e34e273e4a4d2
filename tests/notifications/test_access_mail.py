"""Who is told of a grant, how often, and with which words."""

from __future__ import annotations

import re
from datetime import date, timedelta

import make
import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, User
from enrollments.models import Grant
from notifications.mail import deliver
from notifications.models import Message, State
from portal import context, events
from portal.models import Event, Outbox, School

LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")


def give(contact: Contact, offer, **terms) -> None:
    """One act of its own, as a request is."""
    with context.acting():
        Grant.objects.grant(
            contact=contact, offer=offer, source=terms.pop("source", "manual"), **terms
        )


def test_who_never_had_access_gets_a_password_link_and_a_login_button(committed, mailoutbox, db):
    with committed():
        give(make.contact("Ana Alves", email="ana@x.com"), make.offer("Bread"))
    [mail] = mailoutbox
    assert "Bread" in mail.body
    assert len(LINK.findall(mail.body)) == 2
    html = mail.alternatives[0].content
    assert all(path in html for path in LINK.findall(mail.body))


def test_the_link_sets_a_password_and_leads_to_the_courses(client, committed, mailoutbox, db):
    course = make.course()
    with committed():
        give(make.contact(email="ana@x.com"), make.offer(courses=[course]))
    path = next(
        path
        for path in LINK.findall(mailoutbox[0].body)
        if b'type="password"' in client.get(path).content
    )
    answer = client.post(path, {"password": make.PASSWORD})
    assert answer["Location"] == reverse("enrollments:course_list")
    assert client.get(f"/courses/{course.slug}/").status_code == 200
    assert User.objects.get(email="ana@x.com").check_password(make.PASSWORD)
    assert Contact.objects.get(email="ana@x.com").joined_at


def test_who_can_log_in_gets_a_login_button_and_never_a_password(bob, committed, mailoutbox):
    with committed():
        give(bob, make.offer("Bread"))
    [mail] = mailoutbox
    [_path] = LINK.findall(mail.body)
    assert "Bread" in mail.body
    assert not Contact.objects.get(pk=bob.pk).credentials_claim
    assert bob.user.links.get().purpose == "login"


def test_a_second_offer_brings_no_second_credentials(committed, mailoutbox, db):
    ana = make.contact()
    for title in ("Bread", "Cheese"):
        with committed():
            give(ana, make.offer(title))
    assert [len(LINK.findall(mail.body)) for mail in mailoutbox] == [2, 1]


def test_a_mail_that_never_arrives_leaves_the_credentials_to_the_next(committed, mailoutbox, db):
    ana, draft = make.contact(), make.offer("Soon")
    with committed():
        give(ana, draft)
        Grant.objects.all().revoke()
    assert Message.objects.get().state == State.CANCELED
    with committed():
        give(ana, make.offer("Bread"))
    [mail] = mailoutbox
    assert len(LINK.findall(mail.body)) == 2


def test_offers_of_one_save_come_in_one_mail(alice, login, committed, mailoutbox, school):
    ana, bread, cheese = make.contact(), make.offer("Bread"), make.offer("Cheese")
    with committed():
        login(alice).post(
            reverse("enrollments:grant_create", args=[ana.pk]),
            {
                f"offer_{bread.pk}": "on",
                f"offer_{cheese.pk}": "on",
                "notify": "on",
                f"ends_on_{cheese.pk}": "2099-12-31",
            },
        )
    [mail] = mailoutbox
    assert "Bread" in mail.body
    assert "Cheese" in mail.body
    assert "2099" in mail.body
    assert set(ana.grants.values_list("offer__title", "ends_on")) == {
        ("Bread", None),
        ("Cheese", date(2099, 12, 31)),
    }


@pytest.mark.parametrize("how", ["by staff's choice", "by the school's setting"])
def test_nobody_is_told_where_the_notice_is_off(bob, school, committed, mailoutbox, how):
    School.objects.update(mails_access=how != "by the school's setting")
    with committed():
        give(bob, make.offer(), notify=how != "by staff's choice")
    assert not mailoutbox
    assert not Contact.objects.get(pk=bob.pk).invited_at


@pytest.mark.parametrize(
    ("offer_status", "course_status", "reason"),
    [
        ("active", "draft", "course_unpublished"),
        ("active", "archived", "course_unpublished"),
        ("draft", "published", "offer_inactive"),
    ],
)
def test_what_is_not_ready_holds_the_mail_back_until_staff_send_it(
    alice, bob, login, committed, mailoutbox, offer_status, course_status, reason
):
    course = make.course(status=course_status)
    offer = make.offer("Soon", courses=[course], status=offer_status)
    with committed():
        give(bob, offer)
    message = Message.objects.get()
    assert (message.state, message.reason) == (State.SUPPRESSED, reason)
    with committed():
        offer.publish()
        course.publish()
    assert not mailoutbox, "publishing sends nothing by itself"
    with committed():
        login(alice).post(reverse("notifications:message_send", args=[message.pk]))
    [mail] = mailoutbox
    assert "Soon" in mail.body
    assert Contact.objects.get(pk=bob.pk).invited_at


def test_an_offer_without_courses_needs_none(bob, committed, mailoutbox):
    with committed():
        give(bob, make.offer("Just a group", courses=[]))
    assert len(mailoutbox) == 1


def test_a_grant_that_starts_later_tells_when_it_starts(
    bob, school, committed, mailoutbox, time_machine
):
    time_machine.move_to("2026-11-01T12:00:00Z", tick=False)
    with committed():
        give(bob, make.offer("Later"), starts_at=school.start_of(date(2026, 11, 10)))
    assert not mailoutbox
    time_machine.move_to("2026-11-09T22:59:00Z", tick=False)
    with committed():
        pass
    assert not mailoutbox
    time_machine.move_to("2026-11-09T23:00:01Z", tick=False)
    with committed():
        pass
    [mail] = mailoutbox
    assert "Later" in mail.body


def test_a_revoked_grant_sends_no_welcome(bob, committed, mailoutbox):
    with committed():
        give(bob, make.offer())
        Grant.objects.all().revoke()
    assert not mailoutbox
    assert Message.objects.get().reason == "grant_ended"


def test_a_blocked_contact_is_sent_nothing(bob, committed, mailoutbox):
    with committed():
        give(bob, make.offer())
        bob.block()
    assert not mailoutbox
    assert Message.objects.get().reason == "blocked"


def test_dispatching_and_delivering_again_changes_nothing(bob, committed, mailoutbox):
    with committed():
        give(bob, make.offer())
    granted = Event.objects.get(name="offer.granted")
    Outbox.objects.create(event=granted)
    with committed():
        pass
    deliver(Message.objects.get().pk)
    assert len(mailoutbox) == 1


def test_a_resend_after_a_crash_is_identical(committed, mailoutbox, db):
    with committed():
        give(make.contact(), make.offer())
    message = Message.objects.get()
    Message.objects.update(state=State.WAITING, lease_until=now() - timedelta(seconds=1))
    deliver(message.pk)
    first, second = mailoutbox
    assert first.body == second.body
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]


def test_what_is_kept_of_a_mail_has_no_link_in_it(committed, mailoutbox, db):
    with committed():
        give(make.contact(), make.offer())
    message = Message.objects.get()
    assert LINK.search(mailoutbox[0].body)
    assert not LINK.search(message.body)
    assert "/l/***" in message.body


def test_a_mail_speaks_the_language_of_its_reader(committed, mailoutbox, school):
    with committed():
        give(make.contact("Ana", language="it"), make.offer())
    assert "Ciao" in mailoutbox[0].body


def test_a_broken_reaction_holds_up_nobody_else(bob, charlie, committed, mailoutbox, monkeypatch):
    from notifications import reactions

    sound = reactions.queue_access_mail

    def stumble(found):
        if any(event.contact_id == charlie.pk for event in found):
            raise ZeroDivisionError("poison")
        sound(found)

    monkeypatch.setitem(reactions.REACTIONS, events.Name.OFFER_GRANTED, [stumble])
    offer = make.offer()
    with committed():
        give(charlie, offer)
        give(bob, offer)
    assert [mail.to for mail in mailoutbox] == [["bob@example.com"]]
    stuck = Outbox.objects.get(event__name="offer.granted")
    assert (stuck.attempts, stuck.dead_at) == (1, None)
    assert "poison" in stuck.last_error
    for _ in range(7):
        Outbox.objects.filter(pk=stuck.pk).update(next_attempt_at=now())
        events.dispatch()
    assert Outbox.objects.get(pk=stuck.pk).dead_at


def test_an_event_that_somebody_else_dispatched_after_all_stops_nobody(bob, monkeypatch):
    give(bob, make.offer())
    looks = []

    def overtaken(rows):
        if looks:
            Outbox.objects.all().delete()
        looks.append(rows)
        raise ZeroDivisionError

    monkeypatch.setattr(events, "_dispatch", overtaken)
    assert events.dispatch() > 0
    assert not Outbox.objects.exists()
