"""What a grant does, and what it leaves alone."""

from __future__ import annotations

from datetime import date, timedelta

import make
import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError
from django.utils.timezone import now

from accounts.models import Contact, User
from enrollments import access
from enrollments.models import Enrollment, Grant, Outcome
from portal.events import Name, record
from portal.models import Event, School


def grant_all(contacts, offer, source="manual", **terms):
    ids = [contact.pk for contact in contacts]
    return Grant.objects.grant_many(contact_ids=ids, offer=offer, source=source, **terms)


def names(contact: Contact) -> list[str]:
    return list(Event.objects.filter(contact=contact).order_by("pk").values_list("name", flat=True))


def test_granting_opens_the_course_at_once(bob):
    course = make.course()
    assert not access.open_courses(bob).exists()
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    assert list(access.open_courses(bob)) == [course]


def test_granting_twice_changes_nothing(bob):
    offer = make.offer()
    assert grant_all([bob], offer) == {bob.pk: Outcome.CREATED}
    assert grant_all([bob], offer) == {bob.pk: Outcome.UNCHANGED}
    assert grant_all([bob], offer, source="import:1") == {bob.pk: Outcome.UNCHANGED}
    assert Grant.objects.count() == 1
    assert names(bob).count("offer.granted") == 1


def test_a_grant_makes_a_login_without_a_password_and_the_enrollments(db):
    contact = make.contact()
    offer = make.offer(courses=[make.course("One"), make.course("Two")])
    grant_all([contact], offer)
    assert not User.objects.get(contact=contact).has_usable_password()
    assert Enrollment.objects.filter(contact=contact).count() == 2


def test_a_member_of_staff_who_becomes_a_student_keeps_one_login(alice):
    contact = make.contact(email="alice@example.com")
    grant_all([contact], make.offer())
    assert User.objects.get(contact=contact) == alice


def test_the_default_length_counts_the_first_day(bob, school):
    offer = make.offer(default_days=30)
    grant = make.grant(contact=bob, offer=offer)
    assert grant.ends_on == school.today() + timedelta(days=29)


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (date(2026, 12, 31), "2026-12-31T23:00:00+00:00"),
        (date(2026, 7, 14), "2026-07-14T22:00:00+00:00"),
        (date(2026, 3, 29), "2026-03-29T22:00:00+00:00"),  # the clocks went forward that day
        (date(2026, 10, 25), "2026-10-25T23:00:00+00:00"),  # and back that day
    ],
)
def test_a_last_day_includes_the_whole_day_where_the_school_is(school, day, utc):
    assert (
        school.end_of(day).astimezone(tz=None).isoformat()
        == now().fromisoformat(utc).astimezone(tz=None).isoformat()
    )


def test_access_ends_by_itself_with_the_last_day(bob, school, time_machine):
    time_machine.move_to("2026-12-01T12:00:00Z")
    make.grant(contact=bob, ends_on=date(2026, 12, 31))
    time_machine.move_to("2026-12-31T22:59:59Z")
    assert access.open_courses(bob).exists()
    time_machine.move_to("2026-12-31T23:00:00Z")
    assert not access.open_courses(bob).exists()


def test_extend_takes_the_later_date_and_set_takes_the_date(bob):
    offer = make.offer()
    make.grant(contact=bob, offer=offer, ends_on=date(2027, 6, 30))

    def again(day, if_held):
        return grant_all([bob], offer, source="import:1", ends={bob.pk: day}, if_held=if_held)[
            bob.pk
        ]

    assert again(date(2027, 1, 31), "leave") == Outcome.UNCHANGED
    assert again(date(2027, 1, 31), "extend") == Outcome.UNCHANGED
    assert again(date(2027, 12, 31), "extend") == Outcome.UPDATED
    assert again(date(2027, 12, 31), "set") == Outcome.UNCHANGED
    assert again(date(2027, 1, 31), "set") == Outcome.UPDATED
    assert again(None, "extend") == Outcome.UPDATED
    assert Grant.objects.get().ends_on is None
    assert names(bob).count("offer.extended") == 3
    assert names(bob).count("offer.granted") == 1


def test_an_ended_grant_that_is_set_to_a_later_day_is_granted_again(bob):
    offer, past = make.offer(), date(2026, 1, 31)
    make.grant(contact=bob, offer=offer, ends_on=past)
    same = grant_all([bob], offer, source="import:2", ends={bob.pk: past}, if_held="set")
    assert same == {bob.pk: Outcome.UNCHANGED}
    later = grant_all(
        [bob], offer, source="import:2", ends={bob.pk: date(2099, 1, 1)}, if_held="set"
    )
    assert later == {bob.pk: Outcome.UPDATED}
    assert names(bob).count("offer.granted") == 2
    assert Grant.objects.count() == 1


def test_setting_a_date_leaves_an_older_ended_grant_of_another_source_alone(bob):
    offer = make.offer()
    make.grant(contact=bob, offer=offer, source="import:1", ends_on=date(2026, 1, 31))
    make.grant(contact=bob, offer=offer)
    grant_all([bob], offer, source="import:2", ends={bob.pk: date(2099, 1, 1)}, if_held="set")
    assert {grant.source: grant.ends_on for grant in Grant.objects.all()} == {
        "import:1": date(2026, 1, 31),
        "manual": date(2099, 1, 1),
    }


def test_an_ended_grant_of_the_same_source_is_opened_again(bob):
    offer = make.offer()
    make.grant(contact=bob, offer=offer, ends_on=date(2026, 1, 31))
    assert grant_all([bob], offer) == {bob.pk: Outcome.UPDATED}
    [grant] = Grant.objects.all()
    assert grant.is_live
    assert names(bob).count("offer.granted") == 2


def test_after_revoking_a_new_grant_is_a_new_row(bob):
    offer = make.offer()
    first = make.grant(contact=bob, offer=offer)
    first.revoke(reason="refund")
    assert not access.open_courses(bob).exists()
    second = make.grant(contact=bob, offer=offer)
    assert second.pk != first.pk
    assert access.open_courses(bob).exists()


def test_revoking_one_grant_leaves_the_other_source_alone(bob):
    course = make.course()
    gift = make.grant(contact=bob, offer=make.offer("Gift", courses=[course]))
    make.grant(contact=bob, offer=make.offer("Bundle", courses=[course]), source="import:1")
    gift.revoke()
    assert list(access.open_courses(bob)) == [course]


def test_revoking_twice_is_recorded_once_with_its_reason(alice, bob):
    grant = make.grant(contact=bob)
    grant.revoke(reason="asked for it")
    grant.revoke(reason="again")
    assert grant.reason == "asked for it"
    assert names(bob).count("offer.revoked") == 1


def test_a_draft_offer_opens_nothing_until_it_is_published(bob):
    offer = make.offer(status="draft")
    make.grant(contact=bob, offer=offer)
    assert not access.open_courses(bob).exists()
    offer.publish()
    assert access.open_courses(bob).exists()
    offer.archive()
    assert access.open_courses(bob).exists()


def test_a_course_that_joins_an_offer_opens_at_once_and_its_holders_are_enrolled(bob, committed):
    offer, late = make.offer(courses=[]), make.course("Late")
    make.grant(contact=bob, offer=offer)
    with committed():
        offer.include(late)
    assert list(access.open_courses(bob)) == [late]
    assert Enrollment.objects.filter(contact=bob, course=late).exists()
    offer.exclude(late)
    assert not access.open_courses(bob).exists()


def test_a_future_grant_is_pending_until_its_day(bob, school, time_machine):
    time_machine.move_to("2026-11-01T12:00:00Z")
    grant = make.grant(contact=bob, starts_at=school.start_of(date(2026, 11, 10)))
    assert grant.state == "pending"
    assert not access.open_courses(bob).exists()
    time_machine.move_to("2026-11-09T23:00:00Z")
    assert access.open_courses(bob).exists()


def test_one_person_cannot_hold_two_live_grants_from_one_source(bob):
    grant = make.grant(contact=bob)
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(contact=bob, offer=grant.offer, source="manual")


def test_grants_of_many_take_a_constant_number_of_statements(school, django_assert_num_queries):
    offer = make.offer()
    few = [make.contact() for _ in range(3)]
    many = [make.contact() for _ in range(40)]
    with django_assert_num_queries(7) as first:
        grant_all(few, offer)
    with django_assert_num_queries(len(first)):
        grant_all(many, offer)


def test_an_event_outside_a_transaction_is_refused(transactional_db):
    with pytest.raises(TransactionManagementError):
        record(Name.OFFER_GRANTED)


def test_an_event_cannot_be_rewritten(bob):
    for change in (
        lambda: Event.objects.update(name="lie"),
        lambda: Event.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(Exception, match="never changed or deleted"), transaction.atomic():
            change()


def test_moving_the_school_moves_the_ends(bob, alice, login, committed):
    School.current()
    grant = make.grant(contact=bob, ends_on=date(2099, 7, 1))
    with committed():
        login(alice).post(
            "/dashboard/settings/",
            {
                "name": "X",
                "accent": "#112233",
                "time_zone": "Asia/Tokyo",
                "language": "en",
                "mails_access": "on",
            },
        )
    grant.refresh_from_db()
    assert grant.ends_at.isoformat() == "2099-07-01T15:00:00+00:00"


def test_granting_sends_one_welcome(committed, mailoutbox: list[EmailMessage], db):
    person = make.contact("Wilma Weiss", email="wilma@example.com")
    with committed():
        Grant.objects.grant(contact=person, offer=make.offer(), source="manual")
    [message] = mailoutbox
    assert message.to == ["wilma@example.com"]
    person.refresh_from_db()
    assert person.invited_at
    assert names(person).count("portal.invited") == 1


def test_a_rolled_back_grant_leaves_no_event_and_no_mail(bob, committed, mailoutbox):
    offer = make.offer()
    before = Event.objects.count()
    with committed(), pytest.raises(ZeroDivisionError), transaction.atomic():
        Grant.objects.grant(contact=bob, offer=offer, source="manual")
        raise ZeroDivisionError
    assert Event.objects.count() == before
    assert not mailoutbox
