"""What a student finds, and what does not exist for them."""

from __future__ import annotations

import re
from datetime import date, timedelta

import make
import pytest
from django.urls import reverse
from django.utils.timezone import now

from enrollments.models import Enrollment, Grant
from offers.models import Course, Lesson, Requirement
from portal.models import Event, School


@pytest.fixture
def course(bob):
    """A course of two lessons that is Bob's."""
    made = make.course("Sourdough")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[made]))
    return made


def lessons(course):
    return list(course.modules.get().lessons.order_by("position"))


def pages(course):
    return [
        reverse("enrollments:course_detail", args=[course.slug]),
        *[
            reverse("enrollments:lesson_detail", args=[course.slug, lesson.pk])
            for lesson in lessons(course)
        ],
    ]


def test_what_is_mine_opens_and_what_is_not_does_not_exist(bob, charlie, alice, login, course):
    for page in pages(course):
        assert login(bob).get(page).status_code == 200
        assert login(charlie).get(page).status_code == 404
        assert login(charlie).post(page + "complete/").status_code == 404
        assert login(alice).get(page).status_code in {302, 403}
    assert not Enrollment.objects.filter(contact=charlie).exists()


def test_a_lesson_belongs_to_its_own_course_address(bob, login, course):
    other = make.course("Other")
    make.grant(contact=bob, offer=make.offer(courses=[other]))
    address = reverse("enrollments:lesson_detail", args=[other.slug, lessons(course)[0].pk])
    assert login(bob).get(address).status_code == 404


def test_revoking_is_felt_on_the_next_click_unless_another_grant_stays(bob, login, course):
    browser = login(bob)
    make.grant(contact=bob, offer=make.offer("Bundle", courses=[course]), source="import:1")
    by_hand, imported = Grant.objects.order_by("pk")
    by_hand.revoke()
    assert {browser.get(page).status_code for page in pages(course)} == {200}
    imported.revoke()
    assert {browser.get(page).status_code for page in pages(course)} == {404}
    assert browser.post(pages(course)[1] + "complete/").status_code == 404


@pytest.mark.parametrize("how", ["archived", "draft"])
def test_a_course_that_is_not_published_is_shut(bob, login, course, how):
    type(course).objects.filter(pk=course.pk).update(status=how)
    assert {login(bob).get(page).status_code for page in pages(course)} == {404}


def test_an_enrollment_that_staff_switched_off_is_shut(bob, login, course):
    from django.utils.timezone import now

    Enrollment.objects.update(inactive_at=now())
    assert {login(bob).get(page).status_code for page in pages(course)} == {404}


def test_home_shows_where_to_continue_and_until_when(bob, login, school, course):
    Grant.objects.all().revoke()
    make.grant(
        contact=bob,
        offer=make.offer("Year", courses=[course]),
        ends_on=School.current().today().replace(year=2099),
    )
    browser = login(bob)
    browser.get(pages(course)[1])
    page = browser.get("/").content.decode()
    assert "Sourdough" in page
    assert "2099" in page
    assert pages(course)[1] in page


def test_home_goes_on_after_a_lesson_that_is_done(bob, login, course):
    third = make.lesson(course, "Third")
    browser, (_course, first, second) = login(bob), pages(course)[:3]
    browser.get(first)
    assert resumed(browser) == first
    browser.post(first + "complete/")
    browser.get(first)
    assert resumed(browser) == second
    assert "Lesson 2" in browser.get("/").content.decode()

    Lesson.objects.filter(title="Lesson 2").update(opens_on=date(2999, 1, 1))
    assert resumed(browser) == reverse("enrollments:lesson_detail", args=[course.slug, third.pk])
    Lesson.objects.filter(title="Third").update(opens_on=date(2999, 1, 1))
    assert resumed(browser) == first, "no other is open"


def test_home_goes_back_to_what_was_left_out(bob, login, course):
    browser, (_course, first, second) = login(bob), pages(course)
    browser.post(second + "complete/")
    browser.get(second)
    assert resumed(browser) == first


@pytest.mark.parametrize("rule", ["order", "requirement"])
def test_home_names_the_day_of_a_lesson_that_waits_for_nothing_else(bob, login, course, rule):
    browser, (_course, first, _second) = login(bob), pages(course)
    Lesson.objects.filter(title="Lesson 2").update(opens_on=date(2999, 1, 1))
    told = "“Lesson 2” opens on Jan. 1, 2999"
    assert told in browser.get("/").content.decode()
    if rule == "order":
        Course.objects.update(enforces_order=True)
    else:
        before, after = lessons(course)
        Requirement.objects.create(lesson=after, required=before)
    assert told not in browser.get("/").content.decode()
    browser.post(first + "complete/")
    assert told in browser.get("/").content.decode()


def test_home_takes_six_statements_at_most_wherever_one_stopped(
    bob, login, course, django_assert_max_num_queries
):
    for n in range(20):
        lesson = make.lesson(course, f"Live {n}", kind="live")
        Lesson.objects.filter(pk=lesson.pk).update(live_at=now() + timedelta(days=n + 1))
    browser, first = login(bob), pages(course)[1]
    browser.post(first + "complete/")
    browser.get(first)
    browser.get("/")
    with django_assert_max_num_queries(6):
        assert "Live class: Live 0" in browser.get("/").content.decode()


def resumed(browser):
    """Where the home says to go on."""
    [address] = re.findall(r'class="resume" href="([^"]+)"', browser.get("/").content.decode())
    return address


def test_home_without_anything_says_whom_to_ask(charlie, login, school):
    page = login(charlie).get("/").content.decode()
    assert "help@example.com" in page


def test_completing_goes_on_to_the_next_lesson_and_in_the_end_completes_the_course(
    bob, login, course
):
    browser, (course_page, first, second) = login(bob), pages(course)
    browser.get(first)
    assert browser.post(first + "complete/")["Location"] == second
    assert browser.post(first + "complete/")["Location"] == second, "twice is harmless"
    assert browser.post(second + "complete/")["Location"] == course_page
    names = list(Event.objects.filter(contact=bob).values_list("name", flat=True))
    assert [
        names.count(name) for name in ("course.started", "lesson.completed", "course.completed")
    ] == [1, 2, 1]
    enrollment = Enrollment.objects.get()
    assert enrollment.learning_status == "completed"
    browser.post(first + "complete/", {"undo": "1"})
    assert enrollment.progress.done().count() == 1
    assert Enrollment.objects.get().completed_at, "that it was completed once stays true"


def test_progress_survives_revoking_and_granting_again(bob, login, course):
    browser, first = login(bob), pages(course)[1]
    browser.post(first + "complete/")
    Grant.objects.all().revoke()
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    assert Enrollment.objects.get().progress.count() == 1
    assert "1 of 2" in browser.get(pages(course)[0]).content.decode()


def test_a_lesson_shows_its_text_and_no_foreign_script(bob, login, course):
    lesson = lessons(course)[0]
    lesson.body = "**Bold** <script>alert(1)</script> [x](javascript:alert(1)) ![i](https://evil.example/i.png)"
    lesson.video_url = "https://youtu.be/dQw4w9WgXcQ"
    lesson.save()
    page = login(bob).get(pages(course)[1]).content.decode()
    assert "<strong>Bold</strong>" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert 'evil.example/i.png"' not in page
    assert "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ" in page


@pytest.mark.parametrize("number", [1, 50])
def test_the_number_of_statements_does_not_grow_with_courses(
    bob, login, school, number, django_assert_max_num_queries
):
    courses = [make.course(f"Course {n}", lessons=3) for n in range(number)]
    make.grant(contact=bob, offer=make.offer("All", courses=courses))
    browser = login(bob)
    addresses = ["/", "/courses/", *pages(courses[0])[:2]]
    for address in addresses:
        browser.get(address)
    for address in addresses:
        with django_assert_max_num_queries(6):
            assert browser.get(address).status_code == 200


def test_the_profile_changes_name_and_language(bob, login):
    browser = login(bob)
    browser.post("/profile/", {"name": "Roberto Baker", "language": "it"})
    bob.refresh_from_db()
    assert (bob.name, bob.language) == ("Roberto Baker", "it")
    assert 'lang="it"' in browser.get("/").content.decode()
    assert "Roberto" in browser.get("/").content.decode()


def test_what_was_given_for_a_later_day_is_announced(bob, login, school):
    from datetime import date

    make.grant(
        contact=bob, offer=make.offer("Winter loaves"), starts_at=school.start_of(date(2099, 1, 7))
    )
    for page in ("/", "/courses/"):
        text = login(bob).get(page).content.decode()
        assert "Winter loaves" in text
        assert "2099" in text
