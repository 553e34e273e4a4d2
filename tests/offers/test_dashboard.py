"""Staff make offers and courses."""

from __future__ import annotations

import make
import pytest
from django.urls import reverse

from offers.models import Course, Lesson, Module, Offer
from offers.video import player_url
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
            {"title": "Bread and butter", "courses": [bread.pk], "default_days": "30"},
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
    staff.post(page, {"title": "Both", "slug": offer.slug, "courses": [cheese.pk]})
    assert list(offer.courses.all()) == [cheese]
    names = list(
        Event.objects.filter(name__startswith="offer.course_", actor__isnull=False).values_list(
            "name", flat=True
        )
    )
    assert sorted(names) == ["offer.course_added", "offer.course_removed"]
    answer = staff.post(page, {"title": "", "slug": offer.slug})
    assert answer.status_code == 200
    assert list(offer.courses.all()) == [cheese]


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999"])
def test_a_length_that_makes_no_sense_is_refused(staff, days):
    answer = staff.post(reverse("offers:offer_create"), {"title": "X", "default_days": days})
    assert answer.status_code == 200
    assert not Offer.objects.exists()


def test_a_course_is_built_of_modules_and_lessons(staff):
    staff.post(reverse("offers:course_create"), {"title": "Bread"})
    course = Course.objects.get()
    assert (course.status, course.slug) == ("draft", "bread")
    staff.post(
        reverse("offers:module_create", args=[course.pk]), {"title": "Start", "position": "1"}
    )
    module = Module.objects.get()
    create = reverse("offers:lesson_create", args=[module.pk])
    words = {"title": "Flour", "module": module.pk, "position": "1", "body": "*white*"}
    assert staff.post(create, words | {"video_url": "https://example.com/x"}).status_code == 200
    assert not Lesson.objects.exists()
    assert (
        staff.post(create, words | {"video_url": "https://vimeo.com/76979871"}).status_code == 302
    )
    lesson = Lesson.objects.get()
    page = staff.get(reverse("offers:lesson_update", args=[lesson.pk])).content.decode()
    assert "<em>white</em>" in page
    assert staff.get(reverse("offers:course_detail", args=[course.pk])).status_code == 200
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    assert Module.objects.exists(), "a module with lessons stays"
    staff.post(reverse("offers:lesson_delete", args=[lesson.pk]))
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    assert not Module.objects.exists()
    staff.post(reverse("offers:course_publish", args=[course.pk]))
    assert Course.objects.get().is_published


def test_a_course_without_an_offer_is_flagged_with_the_way_to_make_one(staff):
    lonely = make.course("Lonely")
    make.offer("Bread")
    link = f"{reverse('offers:offer_create')}?course={lonely.pk}"
    for page in (reverse("offers:course_list"), "/dashboard/"):
        assert link in staff.get(page).content.decode().replace("&amp;", "&"), page
    assert 'value="Lonely"' in staff.get(link).content.decode()
    assert staff.get(f"{reverse('offers:offer_create')}?course=nonsense").status_code == 200


def test_lists_take_as_many_statements_for_many_as_for_few(
    staff, school, django_assert_max_num_queries
):
    for n in range(15):
        make.offer(f"Offer {n}")
    for page in ("offers:offer_list", "offers:course_list"):
        with django_assert_max_num_queries(6):
            staff.get(reverse(page))


@pytest.mark.parametrize(
    ("address", "player"),
    [
        (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        ),
        ("https://youtu.be/dQw4w9WgXcQ?t=3", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"),
        (
            "https://www.youtube.com/watch?list=a&v=dQw4w9WgXcQ",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        ),
        ("https://vimeo.com/76979871", "https://player.vimeo.com/video/76979871"),
        ("https://vimeo.com/76979871/ab12cd", "https://player.vimeo.com/video/76979871?h=ab12cd"),
        ('https://youtu.be/dQw4w9WgXcQ"><script>', ""),
        ("https://evil.example/youtu.be/dQw4w9WgXcQ", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_videos_are_embedded_from_services_we_know(address, player):
    assert player_url(address) == player
