"""Who is reminded of the end, how often, on which day, and in which words."""

from __future__ import annotations

import re
from datetime import date, timedelta

import make
import pytest

from accounts.models import Contact
from enrollments.models import Grant
from notifications.models import Message, State
from notifications.reminders import windows
from offers.models import Offer
from portal.clock import Clock
from portal.models import School

LAST = date(2026, 6, 30)
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")


@pytest.fixture
def on(school, committed, time_machine):
    """`on("06-23")`: it is noon of that day in Rome, and the clock has done its work."""

    def go(day: str, hour: str = "12:00") -> None:
        time_machine.move_to(f"2026-{day}T{hour}:00+02:00", tick=False)
        with committed():
            Clock().follow_calendar()

    time_machine.move_to("2026-05-01T12:00:00+02:00", tick=False)
    return go


@pytest.fixture
def bread(school) -> Offer:
    return make.offer("Bread", reminder_days=[30, 7, 1])


def test_each_reminder_goes_once_on_its_day(bob, bread, on, mailoutbox):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    sent = []
    for day in range(63):
        before = len(mailoutbox)
        on((date(2026, 5, 1) + timedelta(days=day)).strftime("%m-%d"))
        on((date(2026, 5, 1) + timedelta(days=day)).strftime("%m-%d"), "23:00")
        sent += [date(2026, 5, 1) + timedelta(days=day)] * (len(mailoutbox) - before)
    assert sent == [LAST - timedelta(days=30), LAST - timedelta(days=7), LAST - timedelta(days=1)]


def test_the_mail_says_what_ends_when_and_opens_the_door(client, bob, bread, on, mailoutbox):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    on("06-23")
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    assert mail.subject == "“Bread” ends on June 30, 2026"
    html = mail.alternatives[0].content
    for text in (mail.body, html):
        assert "7 days" in text
        assert "Bread" in text
        assert "help@example.com" in text
    [path] = LINK.findall(mail.body)
    assert path in html
    assert client.post(path).headers["Location"] == "/courses/"


@pytest.mark.parametrize(
    ("day", "words"), [("06-29", "Tomorrow is the last day"), ("06-30", "Today is the last day")]
)
def test_near_the_end_it_speaks_of_today_and_tomorrow(bob, bread, on, mailoutbox, day, words):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    on(day)
    assert words in mailoutbox[0].body


def test_nobody_is_reminded_unless_the_offer_says_so(bob, on, mailoutbox):
    make.grant(contact=bob, offer=make.offer(), ends_on=LAST)
    on("06-29")
    assert not mailoutbox


def test_an_end_that_is_set_inside_the_window_brings_the_nearest_reminder(
    bob, bread, on, mailoutbox
):
    grant = make.grant(contact=bob, offer=bread)
    on("06-25")
    assert not mailoutbox, "no end, no reminder"
    grant.extend(until=LAST)
    on("06-25")
    on("06-26")
    assert len(mailoutbox) == 1
    assert "5 days" in mailoutbox[0].body
    on("06-29")
    assert len(mailoutbox) == 2


def test_a_date_that_moves_is_told_anew(bob, bread, on, mailoutbox):
    grant = make.grant(contact=bob, offer=bread, ends_on=LAST)
    on("06-23")
    grant.extend(until=date(2026, 7, 31))
    on("06-30")
    assert len(mailoutbox) == 1
    on("07-01")
    grant.extend(until=date(2026, 7, 31))
    on("07-02")
    assert [mail.subject[-13:] for mail in mailoutbox] == ["June 30, 2026", "July 31, 2026"]


def test_after_the_end_it_is_too_late(bob, bread, on, mailoutbox):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    on("07-01")
    assert not mailoutbox


@pytest.mark.parametrize(
    "spoil",
    [
        lambda grant: grant.revoke(),
        lambda grant: grant.suspend(),
        lambda grant: grant.contact.block(),
        lambda grant: Contact.objects.filter(pk=grant.contact_id).archive(),
        lambda grant: Offer.objects.update(status="draft"),
        lambda grant: Grant.objects.update(starts_at=grant.ends_at - timedelta(hours=1)),
    ],
    ids=["revoked", "suspended", "blocked", "archived", "draft", "not begun"],
)
def test_who_loses_nothing_or_has_nothing_is_not_reminded(bob, bread, on, mailoutbox, spoil):
    grant = make.grant(contact=bob, offer=bread, ends_on=LAST)
    spoil(grant)
    on("06-29")
    assert not mailoutbox
    assert not Message.objects.filter(kind="reminder").exists()


@pytest.mark.parametrize(
    ("first_day", "last_day", "state", "mails"),
    [
        (None, None, "held", 0),
        (None, date(2026, 12, 31), "held", 0),
        (date(2026, 7, 1), date(2027, 6, 30), "held", 0),  # the day after: nothing is lost
        (date(2026, 7, 2), date(2027, 6, 30), "held", 1),
        (None, date(2026, 6, 29), "held", 1),
        (None, LAST, "held", 1),  # one mail for both
        (None, None, "suspended", 1),
        (None, None, "revoked", 1),
    ],
)
def test_who_holds_the_offer_for_longer_from_another_source_loses_nothing(
    bob, bread, school, on, mailoutbox, first_day, last_day, state, mails
):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    second = Grant.objects.create(
        contact=bob,
        offer=bread,
        source="purchase:1",
        starts_at=school.start_of(first_day or date(2026, 5, 1)),
        ends_on=last_day,
        ends_at=school.end_of(last_day),
    )
    if state == "suspended":
        second.suspend()
    elif state == "revoked":
        second.revoke()
    on("06-23")
    about_bread = [mail for mail in mailoutbox if "June 30" in mail.subject]
    assert len(about_bread) == mails
    assert all(mail.body.count("Bread") == 1 for mail in about_bread)


def test_what_ends_on_one_day_is_told_in_one_mail(bob, charlie, bread, on, mailoutbox):
    for title in ("Cheese", "Wine"):
        make.grant(contact=bob, offer=make.offer(title, reminder_days=[14]), ends_on=LAST)
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    make.grant(contact=bob, offer=make.offer("Salt", reminder_days=[14]), ends_on=date(2026, 7, 2))
    make.grant(contact=charlie, offer=bread, ends_on=LAST)
    on("06-24")
    to_bob = [mail for mail in mailoutbox if mail.to == ["bob@example.com"]]
    assert sorted("Wine" in mail.body for mail in to_bob) == [False, True]
    [whole] = [mail for mail in to_bob if "Wine" in mail.body]
    assert "and more end on" in whole.subject
    assert "Bread" in whole.body
    assert "Cheese" in whole.body
    assert "Salt" not in whole.body
    assert [mail.to for mail in mailoutbox].count(["charlie@example.com"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda grant: grant.extend(until=date(2027, 1, 1)),
        lambda grant: grant.extend(until=None),
        lambda grant: grant.revoke(),
        lambda grant: grant.suspend(),
    ],
    ids=["moved", "no end", "revoked", "suspended"],
)
def test_what_changes_before_it_is_sent_stops_the_mail(
    alice, bob, bread, on, login, committed, mailoutbox, change
):
    grant = make.grant(contact=bob, offer=bread, ends_on=LAST)
    on("06-01")  # the moment of queuing …
    mailoutbox.clear()
    Message.objects.update(state=State.WAITING)
    with committed():  # … and, later, of sending
        change(grant)
    message = Message.objects.get()
    assert not mailoutbox
    assert (message.state, message.reason) == (State.CANCELED, "end_moved")
    page = login(alice).get("/dashboard/messages/").content.decode()
    assert "the end date moved" in page


def test_who_wants_no_reminders_gets_none_and_staff_see_why(
    alice, bob, charlie, bread, on, login, mailoutbox
):
    for contact in (bob, charlie):
        make.grant(contact=contact, offer=bread, ends_on=LAST)
    login(bob).post("/profile/notifications/", {"wants_replies": "on"})
    on("06-23")
    assert [mail.to for mail in mailoutbox] == [["charlie@example.com"]]
    message = Message.objects.get(contact=bob)
    assert (message.state, message.reason) == (State.CANCELED, "not_reminded")
    page = login(alice).get("/dashboard/messages/").content.decode()
    assert "they do not want to be reminded" in page


def test_mails_about_access_come_whatever_they_want(bob, bread, login, committed, mailoutbox):
    login(bob).post("/profile/notifications/", {})
    with committed():
        make.grant(contact=bob, offer=bread, notify=True)
    assert [mail.to for mail in mailoutbox] == [["bob@example.com"]]


def test_one_offer_that_is_extended_leaves_the_others_in_the_mail(
    bob, bread, on, committed, mailoutbox
):
    grant = make.grant(contact=bob, offer=bread, ends_on=LAST)
    make.grant(contact=bob, offer=make.offer("Cheese", reminder_days=[7]), ends_on=LAST)
    on("06-23")
    Message.objects.update(state=State.WAITING)
    mailoutbox.clear()
    with committed():
        grant.extend(until=date(2027, 1, 1))
    [mail] = mailoutbox
    assert "Cheese" in mail.body
    assert "Bread" not in mail.body


def test_the_day_is_the_school_s(bob, bread, on, mailoutbox):
    make.grant(contact=bob, offer=bread, ends_on=LAST)
    on("06-22", "00:01")
    mailoutbox.clear()
    on("06-22", "23:59")
    assert not mailoutbox
    on("06-23", "00:01")  # still the 22nd in London
    assert len(mailoutbox) == 1


def test_a_mail_speaks_the_language_of_its_reader(bread, on, mailoutbox):
    make.grant(contact=make.contact("Ana", language="it"), offer=bread, ends_on=LAST)
    on("06-23")
    assert "Ciao" in mailoutbox[0].body
    assert "30 Giugno 2026" in mailoutbox[0].subject


def test_with_nothing_to_remind_of_it_asks_one_question(school, django_assert_num_queries):
    from notifications.reminders import queue_reminders

    School.current()
    with django_assert_num_queries(4):  # the school, the offers, and a savepoint around them
        assert queue_reminders() == 0


def test_many_people_take_no_more_statements(bread, school, django_assert_max_num_queries):
    from notifications.reminders import queue_reminders

    people = [make.contact().pk for _ in range(25)]
    soon = school.today() + timedelta(days=5)
    Grant.objects.grant_many(
        contact_ids=people, offer=bread, source="manual", ends=dict.fromkeys(people, soon)
    )
    with django_assert_max_num_queries(9):
        assert queue_reminders(limit=20) == 20
    assert queue_reminders(limit=20) == 5
    assert queue_reminders(limit=20) == 0
    assert Message.objects.filter(kind="reminder").count() == 25


def test_windows_touch_and_do_not_overlap():
    today = date(2026, 6, 23)
    assert list(windows([30, 7, 1], today=today)) == [
        (1, today, date(2026, 6, 24)),
        (7, date(2026, 6, 25), date(2026, 6, 30)),
        (30, date(2026, 7, 1), date(2026, 7, 23)),
    ]
