"""Check and repair: what does not fit together is shown, mended once, and then fits."""

from __future__ import annotations

from datetime import date, timedelta

import make
import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Role, User
from enrollments.models import Enrollment, Grant
from enrollments.repair import check, repair
from portal.models import Event


def fresh(contact):
    return Contact.objects.select_related("user").get(pk=contact.pk)


def page(contact):
    return reverse("enrollments:contact_repair", args=[contact.pk])


@pytest.fixture
def cleo(school):
    """A contact who holds an offer of two courses until the end of the century."""
    offer = make.offer("Bread", courses=[make.course("Flour"), make.course("Water")])
    contact = make.contact("Cleo", email="cleo@example.com")
    make.grant(contact=contact, offer=offer, ends_on=date(2099, 12, 31))
    return fresh(contact)


def lose_the_login(contact):
    contact.user.delete()


def another_address(contact):
    User.objects.filter(contact=contact).update(email="old@example.com")


def stray_addresses(contact):
    user = contact.user
    EmailAddress.objects.create(user=user, email="old@example.com", verified=True, primary=True)
    EmailAddress.objects.create(user=user, email=contact.email, verified=False)


def lose_an_enrollment(contact):
    contact.enrollments.filter(course__title="Water").delete()


def wrong_end(contact):
    contact.grants.update(ends_at=now() - timedelta(days=1), expired_at=now())


def hide(contact):
    Contact.objects.filter(pk=contact.pk).archive()


# What goes wrong -> its code, and a word of the sentence that says so
WRONGS = {
    lose_the_login: ("login_missing", "there is no login"),
    another_address: ("login_address", "old@example.com"),
    stray_addresses: ("login_rows", "cleo@example.com, old@example.com"),
    lose_an_enrollment: ("enrollment_missing", "no enrollment in “Water”"),
    wrong_end: ("grant_end", "31, 2099"),
    hide: ("archived", "is archived"),
}


@pytest.mark.parametrize("spoil", WRONGS, ids=lambda spoil: spoil.__name__)
def test_a_difference_is_shown_first_and_mended_once(cleo, login, spoil):
    code, words = WRONGS[spoil]
    support = make.staff(Role.SUPPORT)
    browser = login(support)
    assert "Everything fits together" in browser.get(page(cleo)).content.decode()
    spoil(cleo)
    assert [difference.code for difference in check(fresh(cleo))] == [code]

    assert words in browser.get(page(cleo)).content.decode()
    assert check(fresh(cleo)), "looking mends nothing"
    assert not Event.objects.filter(name="contact.repaired").exists()

    told = browser.post(page(cleo), follow=True).content.decode()
    assert "Mended 1 thing." in told
    assert "Everything fits together" in told
    assert check(fresh(cleo)) == []
    [event] = Event.objects.filter(name="contact.repaired")
    assert (event.contact, event.actor, event.data) == (cleo, support, {"mended": [code]})

    before = Event.objects.count()
    assert "There was nothing to mend." in browser.post(page(cleo), follow=True).content.decode()
    assert Event.objects.count() == before


def test_after_the_repair_the_course_opens_again(cleo, login):
    wrong_end(cleo)
    lose_an_enrollment(cleo)
    course = cleo.grants.get().offer.courses.get(title="Water")
    url = reverse("enrollments:course_detail", args=[course.slug])
    assert login(cleo).get(url).status_code == 404
    while repair(cleo):  # what a mended grant asks for in turn is found by the next look
        pass
    assert login(fresh(cleo)).get(url).status_code == 200
    grant = cleo.grants.get()
    assert grant.ends_at.isoformat() == "2099-12-31T23:00:00+00:00", "midnight in Rome"
    assert grant.expired_at is None


def test_a_mended_enrollment_counts_from_the_grant_or_the_course_whichever_is_later(cleo, school):
    grant = cleo.grants.get()
    cleo.enrollments.all().delete()
    Grant.objects.update(starts_at=now() - timedelta(days=20))
    inclusion = grant.offer.inclusions.get(course__title="Water")
    inclusion.added_at = now() - timedelta(days=5)
    inclusion.save()
    grant.offer.inclusions.exclude(pk=inclusion.pk).update(added_at=now() - timedelta(days=90))
    repair(cleo)
    days = {
        row.course.title: (school.today() - row.enrolled_on).days for row in cleo.enrollments.all()
    }
    assert days == {"Flour": 20, "Water": 5}


def test_a_new_address_ends_what_the_old_one_could_open(cleo, login):
    cleo.user.set_password(make.PASSWORD)
    cleo.user.save()
    another_address(cleo)
    browser, link = login(fresh(cleo)), make.link(cleo.user)
    assert browser.get("/").status_code == 200
    repair(cleo)
    assert browser.get("/").status_code == 302, "they are logged out"
    link.refresh_from_db()
    assert link.superseded_at
    assert authenticate(None, email="old@example.com", password=make.PASSWORD) is None
    assert authenticate(None, email=cleo.email, password=make.PASSWORD) == cleo.user


def test_what_only_a_person_can_decide_is_said_and_left_alone(cleo, alice, login):
    other = make.contact("Somebody")
    User.objects.for_contacts([other.pk])
    lose_the_login(cleo)
    User.objects.filter(contact=other).update(email=cleo.email)
    assert "another contact" in login(alice).get(page(cleo)).content.decode()
    assert repair(cleo) == []

    another_address(other)
    User.objects.for_contacts([cleo.pk])
    User.objects.filter(contact=cleo).update(email="third@example.com")
    User.objects.filter(contact=other).update(email=cleo.email)
    assert "another login has" in login(alice).get(page(cleo)).content.decode()
    assert repair(cleo) == []


def test_the_login_of_staff_is_not_support_s_to_change(cleo):
    User.objects.filter(contact=cleo).update(role=Role.OWNER, email="owner@example.com")
    EmailAddress.objects.create(user=cleo.user, email="owner@example.com", verified=True)
    assert [difference.is_mendable for difference in check(fresh(cleo))] == [False]
    assert repair(cleo) == []
    assert User.objects.get(contact=cleo).email == "owner@example.com"


def test_days_that_are_over_and_grants_that_were_revoked_are_left_alone(cleo):
    Grant.objects.update(ends_on=date(2020, 1, 1), ends_at=now() - timedelta(days=400))
    assert check(cleo) == []
    wrong_end(cleo)
    Grant.objects.update(ends_on=date(2099, 12, 31), revoked_at=now())
    Enrollment.objects.all().delete()
    lose_the_login(cleo)
    hide(cleo)
    assert check(fresh(cleo)) == []


def test_logging_in_leaves_nothing_to_repair(cleo, client):
    cleo.user.set_password(make.PASSWORD)
    cleo.user.save()
    client.post("/account/login/", {"login": cleo.email, "password": make.PASSWORD})
    assert client.get("/courses/").status_code == 200
    assert check(fresh(cleo)) == []


def test_support_may_repair_but_a_moderator_and_a_student_may_not(cleo, bob, login):
    lose_an_enrollment(cleo)
    for person in (bob, make.staff(Role.MODERATOR)):
        assert login(person).get(page(cleo)).status_code == 403
        assert login(person).post(page(cleo)).status_code == 403
    assert check(cleo), "nothing was mended"


def test_checking_takes_the_same_statements_however_much_there_is(
    cleo, django_assert_max_num_queries
):
    for number in range(10):
        make.grant(contact=cleo, offer=make.offer(f"Offer {number}"), ends_on=date(2099, 1, 1))
    Enrollment.objects.all().delete()
    Grant.objects.update(ends_at=now() + timedelta(days=1))
    with django_assert_max_num_queries(8):
        found = check(cleo)
    assert len(found) == 12 + 11
