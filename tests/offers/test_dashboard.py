"""Staff make offers and courses."""

from __future__ import annotations

from datetime import date

import make
import pytest
from django.urls import reverse

from accounts.models import Contact, Role
from enrollments.access import open_courses
from enrollments.models import Grant
from offers.models import Course, Offer
from portal.models import Event


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


def test_an_offer_begins_as_a_draft_and_its_address_follows_the_title(staff):
    bread = make.course("Bread")
    for slug in ("bread-and-butter", "bread-and-butter-2"):
        staff.post(
            reverse("offers:offer_create"),
            {
                "title": "Bread and butter",
                "kind": "standard",
                "courses": [bread.pk],
                "default_days": "30",
            },
        )
        offer = Offer.objects.get(slug=slug)
    assert (offer.status, offer.default_days, list(offer.courses.all())) == ("draft", 30, [bread])
    staff.post(reverse("offers:offer_publish", args=[offer.pk]))
    assert Offer.objects.get(pk=offer.pk).is_active
    assert Event.objects.filter(name="offer.published").count() == 1
    staff.post(reverse("offers:offer_archive", args=[offer.pk]))
    assert Offer.objects.get(pk=offer.pk).status == "archived"


def test_courses_join_and_leave_an_offer_and_the_log_knows(staff):
    bread, cheese = make.course("Bread"), make.course("Cheese")
    offer = make.offer("Both", courses=[bread])
    page = reverse("offers:offer_update", args=[offer.pk])
    fields = {"title": "Both", "slug": offer.slug, "kind": "standard"}
    staff.post(page, fields | {"courses": [cheese.pk]})
    assert list(offer.courses.all()) == [cheese]
    names = list(
        Event.objects.filter(name__startswith="offer.course_", actor__isnull=False).values_list(
            "name", flat=True
        )
    )
    assert sorted(names) == ["offer.course_added", "offer.course_removed"]
    answer = staff.post(page, fields | {"title": ""})
    assert answer.status_code == 200
    assert list(offer.courses.all()) == [cheese]


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999"])
def test_a_length_that_makes_no_sense_is_refused(staff, days):
    answer = staff.post(
        reverse("offers:offer_create"), {"title": "X", "kind": "standard", "default_days": days}
    )
    assert answer.status_code == 200
    assert not Offer.objects.exists()


@pytest.mark.parametrize(
    ("typed", "days"),
    [("30, 7, 1", [30, 7, 1]), ("1 7;30,,7", [30, 7, 1]), ("", []), ("365", [365])],
)
def test_reminders_are_typed_as_days_before_the_end(staff, typed, days):
    offer = make.offer("Bread", reminder_days=[14])
    page = reverse("offers:offer_update", args=[offer.pk])
    assert 'value="14"' in staff.get(page).content.decode()
    fields = {"title": "Bread", "slug": offer.slug, "kind": "standard"}
    assert staff.post(page, fields | {"reminder_days": typed}).status_code == 302
    offer.refresh_from_db()
    assert offer.reminder_days == days
    shown = ", ".join(str(number) for number in days)
    assert f'name="reminder_days" value="{shown}"' in staff.get(page).content.decode() or not days


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("0", "“0” is not a number of days from 1 to 365."),
        ("7, 366", "“366” is not a number of days from 1 to 365."),
        ("7 days", "“days” is not a number of days from 1 to 365."),
        ("-7", "“-7” is not a number"),
        ("1,2,3,4,5,6", "At most 5 reminders."),
    ],
)
def test_reminders_that_make_no_sense_are_refused_with_a_sentence(staff, typed, error):
    offer = make.offer("Bread", reminder_days=[14])
    answer = staff.post(
        reverse("offers:offer_update", args=[offer.pk]),
        {"title": "Bread", "slug": offer.slug, "kind": "standard", "reminder_days": typed},
    )
    assert error in answer.content.decode()
    assert f'value="{typed}"' in answer.content.decode()
    offer.refresh_from_db()
    assert offer.reminder_days == [14]


def test_a_subscription_is_an_offer_of_another_kind(staff, bob):
    bread = make.course("Bread")
    staff.post(
        reverse("offers:offer_create"),
        {"title": "Club", "kind": "subscription", "courses": [bread.pk]},
    )
    club = Offer.objects.get()
    club.publish()
    make.grant(contact=bob, offer=club)
    assert list(open_courses(bob)) == [bread]
    for page in (reverse("offers:offer_list"), reverse("offers:offer_update", args=[club.pk])):
        assert "Subscription</span>" in staff.get(page).content.decode()


def test_an_offer_of_all_courses_holds_those_there_are_and_those_to_come(staff, bob, committed):
    old = make.course("Old")
    staff.post(
        reverse("offers:offer_create"),
        {"title": "Everything", "kind": "subscription", "holds_all_courses": "on"},
    )
    offer = Offer.objects.get()
    offer.publish()
    make.grant(contact=bob, offer=offer)
    assert list(open_courses(bob)) == [old]
    with committed():
        staff.post(reverse("offers:course_create"), {"title": "New", "completion": "button"})
        new = Course.objects.get(title="New")
        new.publish()
    assert set(open_courses(bob)) == {old, new}
    assert "All (2)" in staff.get(reverse("offers:offer_list")).content.decode()

    page = reverse("offers:offer_update", args=[offer.pk])
    fields = {"title": "Everything", "slug": offer.slug, "kind": "subscription"}
    staff.post(page, fields | {"holds_all_courses": "on"})
    assert set(offer.courses.all()) == {old, new}, "no list of courses is needed, none is heeded"
    staff.post(page, fields | {"courses": [new.pk]})
    make.course("Newest")
    assert list(offer.courses.all()) == [new], "without the box exactly those that are ticked"
    offer.refresh_from_db()
    assert not offer.holds_all_courses


def test_the_list_says_how_many_people_hold_each_offer(staff, bob, charlie, school):
    both = make.offer("Both", courses=[make.course("A"), make.course("B")])
    for person in (bob, charlie):
        make.grant(contact=person, offer=both)
        Grant.objects.create(contact=person, offer=both, source="purchase:1")
    make.grant(contact=make.contact(), offer=both).revoke()
    make.grant(contact=make.contact(), offer=both, ends_on=date(2020, 1, 1))
    make.grant(contact=make.contact("Aside"), offer=both)
    Contact.objects.filter(name="Aside").archive()
    offer = Offer.objects.with_counts().get()
    assert (offer.holder_count, offer.course_count) == (2, 2)
    page = staff.get(reverse("offers:offer_list")).content.decode()
    assert f'href="{reverse("enrollments:holder_list", args=[both.pk])}">2</a>' in page


def test_beyond_a_number_the_list_stops_counting(staff, bob, charlie, school, monkeypatch):
    for module in ("offers.models.offer", "offers.views.offers"):
        monkeypatch.setattr(f"{module}.COUNTED", 1)
    offer = make.offer("Both")
    for person in (bob, charlie):
        make.grant(contact=person, offer=offer)
    assert ">1+</a>" in staff.get(reverse("offers:offer_list")).content.decode()
    page = staff.get(reverse("offers:offer_update", args=[offer.pk])).content.decode()
    assert "1+ holders" in page


def test_a_course_without_an_offer_is_flagged_with_the_way_to_make_one(staff, bob, school):
    lonely = make.course("Lonely")
    make.offer("Bread")
    link = f"{reverse('offers:offer_create')}?course={lonely.pk}"
    pages = (
        reverse("offers:course_list"),
        reverse("offers:course_detail", args=[lonely.pk]),
        reverse("enrollments:grant_create", args=[bob.pk]),
        reverse("enrollments:member_register"),
        "/dashboard/",
    )
    for page in pages:
        assert link in staff.get(page).content.decode().replace("&amp;", "&"), page
        assert "Make an offer for it" in staff.get(page).content.decode(), page
    assert 'value="Lonely"' in staff.get(link).content.decode()
    assert staff.get(f"{reverse('offers:offer_create')}?course=nonsense").status_code == 200


def test_who_may_not_make_an_offer_is_not_told_to(login, bob, school):
    make.course("Lonely")
    make.offer("Bread")
    page = login(make.staff(Role.SUPPORT)).get(reverse("enrollments:grant_create", args=[bob.pk]))
    assert "Bread" in page.content.decode()
    assert "1 course is in no offer that can be granted" in page.content.decode()
    assert "Lonely" in page.content.decode()
    assert "Make an offer for it" not in page.content.decode()


def test_the_home_names_published_courses_that_no_offer_can_give(staff):
    drafted = make.course("Drafted", status="draft")
    shelved = make.course("Shelved")
    make.offer("Old", courses=[shelved], status="archived")
    page = staff.get("/dashboard/").content.decode()
    assert f"No offer that can be granted holds “{shelved}”" in page
    assert drafted.title not in page


def test_an_offer_that_is_archived_gives_nothing(staff):
    course = make.course("Lonely")
    offer = make.offer("Old", courses=[course])
    page = reverse("offers:course_detail", args=[course.pk])
    sentence = "No offer that can be granted holds this course"
    assert sentence not in staff.get(page).content.decode()
    offer.archive()
    assert sentence in staff.get(page).content.decode()


def test_lists_take_as_many_statements_for_many_as_for_few(
    staff, school, django_assert_max_num_queries
):
    for n in range(15):
        make.offer(f"Offer {n}")
    for page in ("offers:offer_list", "offers:course_list"):
        with django_assert_max_num_queries(6):
            staff.get(reverse(page))
