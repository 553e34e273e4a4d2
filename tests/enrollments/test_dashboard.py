"""Staff give and take access in the browser."""

from __future__ import annotations

from datetime import date

import make
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from enrollments.models import Grant
from portal.models import Event


def grant_page(contact):
    return reverse("enrollments:grant_create", args=[contact.pk])


def test_the_form_fills_in_the_default_last_day_and_warns_of_what_is_not_ready(
    alice, bob, login, school
):
    year = make.offer("A year of bread", default_days=365)
    make.offer("Soon", courses=[make.course(status="draft")])
    make.offer("Gone", status="archived", courses=[])
    page = login(alice).get(grant_page(bob)).content.decode()
    assert year.default_end(school.today()).isoformat() in page
    assert "No course of it is published" in page
    assert "Gone" not in page


def test_granting_takes_effect_and_is_told_on_the_contacts_page(alice, bob, login):
    course = make.course()
    bread = make.offer("Bread", courses=[course])
    staff, student = login(alice), login(bob)
    assert student.get(f"/courses/{course.slug}/").status_code == 404
    answer = staff.post(
        grant_page(bob),
        {f"offer_{bread.pk}": "on", f"ends_on_{bread.pk}": "2099-12-31", "note": "gift"},
    )
    assert answer["Location"] == reverse("portal:contact_detail", args=[bob.pk])
    assert student.get(f"/courses/{course.slug}/").status_code == 200
    page = staff.get(answer["Location"]).content.decode()
    assert "Bread" in page
    assert "2099" in page
    assert "gift" in page
    [grant] = Grant.objects.all()
    assert (grant.granted_by, grant.ends_on, grant.source) == (alice, date(2099, 12, 31), "manual")
    event = Event.objects.get(name="offer.granted")
    assert (event.actor, event.address) == (alice, "127.0.0.1")


def test_a_double_click_grants_once_and_says_so(alice, bob, login):
    bread = make.offer("Bread")
    staff = login(alice)
    for _ in range(2):
        answer = staff.post(grant_page(bob), {f"offer_{bread.pk}": "on"}, follow=True)
    assert Grant.objects.count() == 1
    assert "nothing changed" in answer.content.decode()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({}, "Choose at least one offer"),
        ({"ends": "2020-01-01"}, "before the first"),
        ({"ends": "31/31/2020"}, "valid date"),
        ({"ends": "9999-12-31"}, "less than or equal to"),
        ({"ends": "2030-01-01", "starts_on": "0001-01-01"}, "greater than or equal to"),
        ({"ends": "2030-01-01", "starts_on": "2031-01-01"}, "before the first"),
    ],
)
def test_what_makes_no_sense_comes_back_with_a_sentence(alice, bob, login, words, complaint):
    bread = make.offer("Bread")
    data = (
        {f"ends_on_{bread.pk}": words.pop("ends")} | {f"offer_{bread.pk}": "on"}
        if "ends" in words
        else {}
    )
    answer = login(alice).post(grant_page(bob), data | words)
    assert answer.status_code == 200
    assert complaint in answer.content.decode()
    assert not Grant.objects.exists()


def test_an_archived_offer_is_granted_to_nobody_new(alice, bob, login):
    gone = make.offer("Gone", status="archived")
    login(alice).post(grant_page(bob), {f"offer_{gone.pk}": "on"})
    assert not Grant.objects.exists()


def test_revoking_says_first_what_it_closes_and_what_stays_open(alice, bob, login):
    bread, cheese = make.course("Bread"), make.course("Cheese")
    both = make.grant(contact=bob, offer=make.offer("Both", courses=[bread, cheese]))
    make.grant(contact=bob, offer=make.offer("Only bread", courses=[bread]), source="import:1")
    staff, page = login(alice), reverse("enrollments:grant_revoke", args=[both.pk])
    told = staff.get(page).content.decode()
    assert "Ends access to 1 course at once: Cheese." in told
    assert "“Only bread” keeps “Bread” open." in told
    assert Grant.objects.filter(revoked_at=None).count() == 2, "looking does nothing"
    staff.post(page, {"reason": "refunded"})
    both.refresh_from_db()
    assert (both.revoked_by, both.reason) == (alice, "refunded")
    student = login(bob)
    assert student.get(f"/courses/{cheese.slug}/").status_code == 404
    assert student.get(f"/courses/{bread.slug}/").status_code == 200


def test_a_second_grant_of_the_same_offer_is_told_apart_by_its_source(alice, bob, login):
    offer = make.offer("Bread")
    mine = make.grant(contact=bob, offer=offer)
    Grant.objects.create(contact=bob, offer=offer, source="import:1")
    staff = login(alice)
    told = staff.get(reverse("enrollments:grant_revoke", args=[mine.pk])).content.decode()
    assert "Closes no course." in told
    assert "“Bread” (import 1) keeps “Bread” open." in told
    told = staff.get(reverse("enrollments:offer_revoke", args=[bob.pk, offer.pk])).content.decode()
    assert "This ends all 2 grants of this offer." in told
    assert "Ends access to 1 course at once: Bread." in told


def test_revoking_does_not_cancel_a_subscription_and_says_so(alice, bob, login):
    grant = make.grant(contact=bob, source="subscription:sub_1")
    page = reverse("enrollments:grant_revoke", args=[grant.pk])
    assert "charged until it is canceled" in login(alice).get(page).content.decode()


def test_removing_an_offer_revokes_it_from_every_source(alice, bob, login):
    offer = make.offer("Bread")
    make.grant(contact=bob, offer=offer)
    Grant.objects.create(contact=bob, offer=offer, source="import:1")
    login(alice).post(reverse("enrollments:offer_revoke", args=[bob.pk, offer.pk]))
    assert not Grant.objects.filter(revoked_at=None).exists()


def test_support_grants_but_a_moderator_and_a_student_do_not(bob, charlie, login):
    bread = make.offer("Bread")
    grant = make.grant(contact=charlie, offer=bread)
    words = {f"offer_{bread.pk}": "on"}
    for person in (charlie, make.staff(Role.MODERATOR)):
        assert login(person).post(grant_page(bob), words).status_code == 403
        assert (
            login(person).post(reverse("enrollments:grant_revoke", args=[grant.pk])).status_code
            == 403
        )
    assert not bob.grants.exists()
    assert login(make.staff(Role.SUPPORT)).post(grant_page(bob), words).status_code == 302
    assert bob.grants.count() == 1


def test_granting_takes_twelve_statements_at_most_however_much_there_is(alice, bob, login, school):
    staff = login(alice)

    def statements() -> int:
        bread = make.offer("Bread")
        with CaptureQueriesContext(connection) as found:
            staff.post(grant_page(bob), {f"offer_{bread.pk}": "on", "notify": "on"})
        assert bob.grants.filter(offer=bread).exists()
        words = [query["sql"].split()[0] for query in found]
        return sum(word not in {"SAVEPOINT", "RELEASE"} for word in words)

    alone = statements()
    for _ in range(10):
        make.grant(contact=make.contact(), offer=make.offer())
    assert statements() == alone <= 12
