"""A grant ends by itself, at the end of its last day in the school's zone; the log says so once."""

from __future__ import annotations

from datetime import date

import make
import pytest
from django.urls import reverse

from enrollments import expiry
from enrollments.models import Grant
from portal.clock import Clock
from portal.models import Event


def expired() -> list[dict]:
    return [event.data for event in Event.objects.filter(name="offer.expired").order_by("pk")]


@pytest.mark.parametrize(
    ("day", "last", "first"),
    [
        ("2026-06-30", "2026-06-30T21:59:59Z", "2026-06-30T22:00:00Z"),
        # The clocks of Rome go back on October 25 and forward on March 29: days of 25 and 23 hours.
        ("2026-10-25", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"),
        ("2026-03-29", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"),
    ],
)
def test_access_ends_with_its_last_day_by_itself(
    bob, school, login, time_machine, day, last, first
):
    time_machine.move_to("2026-01-15T12:00:00Z", tick=False)
    course = make.course()
    make.grant(contact=bob, offer=make.offer(courses=[course]), ends_on=date.fromisoformat(day))
    page = reverse("enrollments:course_detail", args=[course.slug])

    time_machine.move_to(last, tick=False)
    Clock().run_once()
    assert login(bob).get(page).status_code == 200
    assert not expired()

    time_machine.move_to(first, tick=False)
    assert login(bob).get(page).status_code == 404, "before any clock looked"
    Clock().run_once()
    Clock().run_once()
    grant = Grant.objects.get()
    assert expired() == [
        {"grant": grant.pk, "offer": grant.offer_id, "source": "manual", "ends_on": day}
    ]
    assert Event.objects.get(name="offer.expired").contact_id == bob.pk


def test_what_is_extended_and_ends_again_is_recorded_again(bob, school, time_machine):
    time_machine.move_to("2026-06-01T12:00:00Z", tick=False)
    grant = make.grant(contact=bob, ends_on=date(2026, 6, 10))
    time_machine.move_to("2026-06-11T12:00:00Z", tick=False)
    Clock().run_once()

    again = [
        lambda: grant.extend(until=date(2026, 6, 20)),
        lambda: make.grant(
            contact=bob, offer=grant.offer, ends_on=date(2026, 6, 20), if_held="set"
        ),
        lambda: make.grant(contact=bob, offer=grant.offer, ends_on=date(2026, 6, 20)),
    ]
    for number, open_again in enumerate(again, start=2):
        time_machine.move_to("2026-06-15T12:00:00Z", tick=False)
        Grant.objects.update(ends_on=date(2026, 6, 10), ends_at=school.end_of(date(2026, 6, 10)))
        open_again()
        assert Grant.objects.get().is_live
        Clock().run_once()
        assert len(expired()) == number - 1
        time_machine.move_to("2026-06-21T12:00:00Z", tick=False)
        Clock().run_once()
        assert len(expired()) == number
        assert expired()[-1]["ends_on"] == "2026-06-20"


def test_a_suspended_grant_ends_too_and_a_revoked_one_has_ended_already(bob, charlie, school):
    offer, past = make.offer(), date(2020, 1, 1)
    paused = make.grant(contact=bob, offer=offer, ends_on=past)
    Grant.objects.update(ends_on=None, ends_at=None)
    paused.suspend()
    paused.extend(until=past)
    make.grant(contact=charlie, offer=offer, ends_on=past).revoke()
    make.grant(contact=charlie, offer=offer)
    Clock().run_once()
    assert [data["grant"] for data in expired()] == [paused.pk]


def test_many_ends_are_recorded_in_batches_with_few_statements(
    school, django_assert_max_num_queries
):
    offer = make.offer()
    people = [make.contact().pk for _ in range(30)]
    Grant.objects.grant_many(
        contact_ids=people,
        offer=offer,
        source="manual",
        ends=dict.fromkeys(people, date(2020, 1, 1)),
    )
    with django_assert_max_num_queries(4):  # the update, the events, and a savepoint around both
        assert expiry.record_expired(limit=20) == 20
    assert expiry.record_expired(limit=20) == 10
    assert expiry.record_expired(limit=20) == 0
    assert len({data["grant"] for data in expired()}) == 30


def test_the_clock_looks_at_the_calendar_once_a_minute(bob, school, monkeypatch):
    """The loop ticks every second; a round that finds nothing is not repeated before its time."""
    looks = []
    sound = Clock.follow_calendar
    monkeypatch.setattr(Clock, "follow_calendar", lambda clock: looks.append(1) or sound(clock))
    monkeypatch.setattr("portal.clock.close_old_connections", lambda: None)  # of this very test
    clock = Clock()
    clock.lines = []
    clock.tick()
    clock.tick()
    assert len(looks) == 1

    make.grant(contact=bob, ends_on=date(2020, 1, 1))
    clock.looked_at -= 60
    assert clock.tick(), "there was something, so it looks again at once"
    clock.tick()
    assert len(looks) == 3
    assert len(expired()) == 1


def test_a_fault_in_one_of_them_holds_up_nothing_else(bob, school, monkeypatch):
    from notifications import reminders

    def queue_reminders():
        raise ZeroDivisionError("poison")

    monkeypatch.setattr(reminders, "queue_reminders", queue_reminders)
    make.grant(contact=bob, ends_on=date(2020, 1, 1))
    Clock().run_once()
    assert len(expired()) == 1
