"""Ratings: one of each student and course, to be changed by them and read by staff alone."""

from __future__ import annotations

from datetime import date

import make
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from enrollments.models import Enrollment, Grant, Rating
from portal.models import Event
from portal.sentences import sentences


@pytest.fixture
def course(school, bob, charlie):
    """A course that Bob and Charlie have begun."""
    made = make.course("Sourdough")
    offer = make.offer("Bread", courses=[made])
    for student in (bob, charlie):
        begin(student, made, offer)
    return made


def begin(student, course, offer):
    make.grant(contact=student, offer=offer)
    Enrollment.objects.get(contact=student, course=course).open_lesson(
        course.modules.get().lessons.first()
    )


def address(course):
    return reverse("enrollments:rating_update", args=[course.slug])


def desk(course):
    return reverse("enrollments:rating_list", args=[course.pk])


def events():
    return [
        event.data["stars"] for event in Event.objects.filter(name="course.rated").order_by("pk")
    ]


def test_a_rating_may_be_changed_and_stays_one(bob, course, login):
    browser = login(bob)
    answer = browser.post(address(course), {"stars": "4", "text": "Good,\r\nbut long"}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("enrollments:course_detail", args=[course.slug])
    assert "Your rating is saved." in answer.content.decode()
    for _ in range(2):
        browser.post(address(course), {"stars": "5", "text": ""})
    rating = Rating.objects.get()
    assert (rating.stars, rating.text) == (5, "")
    assert events() == [4, 5], "the same again is nothing new"
    assert Event.objects.filter(name="course.rated").first().contact == bob
    html = browser.get(address(course)).content.decode()
    assert 'value="5"\n' in html.replace(" ", "")
    assert html.count("checked") == 1


@pytest.mark.parametrize(
    "sent", [{}, {"stars": ""}, {"stars": "0"}, {"stars": "6"}, {"stars": "2.5"}, {"stars": "x"}]
)
def test_one_to_five_stars_and_nothing_else(bob, course, login, sent):
    html = login(bob).post(address(course), sent | {"text": "Because"}).content.decode()
    assert 'class="errorlist"' in html
    assert "Because</textarea>" in html
    assert not Rating.objects.exists()


def test_a_course_is_rated_once_it_is_begun(bob, course, login):
    other = make.course("Pizza")
    make.grant(contact=bob, offer=make.offer(courses=[other]))
    browser = login(bob)
    assert browser.get(address(other)).status_code == 404
    assert browser.post(address(other), {"stars": "5"}).status_code == 404
    for page, asks in ((course, True), (other, False)):
        html = browser.get(reverse("enrollments:course_detail", args=[page.slug])).content.decode()
        assert (address(page) in html) is asks


@pytest.mark.parametrize(
    "shut",
    [
        lambda bob: [grant.revoke() for grant in Grant.objects.filter(contact=bob)],
        lambda bob: Grant.objects.filter(contact=bob).update(
            ends_on=date(2020, 1, 1), ends_at="2020-01-02T00:00:00Z"
        ),
        lambda bob: Enrollment.objects.get(contact=bob).switch(on=False),
        lambda bob: Enrollment.objects.get(contact=bob).course.archive(),
    ],
    ids=["revoked", "ended", "switched off", "archived"],
)
def test_a_course_that_is_shut_cannot_be_rated(bob, course, login, shut):
    browser = login(bob)
    assert browser.get(address(course)).status_code == 200
    shut(bob)
    assert browser.get(address(course)).status_code == 404
    assert browser.post(address(course), {"stars": "1"}).status_code == 404
    assert not Rating.objects.exists()


def test_nobody_sees_what_another_thinks(bob, charlie, course, login):
    login(bob).post(address(course), {"stars": "1", "text": "Too much flour"})
    html = login(charlie).get(address(course)).content.decode()
    assert "Too much flour" not in html
    assert "checked" not in html
    stranger = login(make.student())
    assert stranger.get(address(course)).status_code == 404
    assert stranger.post(address(course), {"stars": "1"}).status_code == 404


def test_htmx_is_given_the_box_again(bob, course, login):
    htmx = {"HX-Request": "true"}
    html = login(bob).get(address(course), headers=htmx).content.decode()
    assert "<html" not in html
    assert "Send my rating" in html
    html = login(bob).post(address(course), {"stars": "3"}, headers=htmx).content.decode()
    assert "<html" not in html
    assert "Thank you. Your rating is saved." in html
    assert "Change my rating" in html


def test_staff_read_the_average_the_votes_and_the_words(alice, bob, charlie, course, login):
    assert "Nobody has rated it yet" in login(alice).get(desk(course)).content.decode()
    login(bob).post(
        address(course), {"stars": "5", "text": "<b>Great</b>, see https://example.com/"}
    )
    login(charlie).post(address(course), {"stars": "2", "text": ""})
    html = login(alice).get(desk(course)).content.decode()
    assert "<strong>3.5</strong>" in html
    assert "2 ratings" in html
    assert "&lt;b&gt;Great&lt;/b&gt;" in html
    assert 'rel="ugc nofollow noopener"' in html
    assert "Bob Baker" in html
    assert "Charlie Cook" not in html, "who writes nothing is a number"
    averages = login(alice).get(reverse("enrollments:rating_averages"))
    assert "3.5" in averages.content.decode()
    cells = (
        login(alice)
        .get(reverse("enrollments:rating_averages"), headers={"HX-Request": "true"})
        .content.decode()
    )
    assert f'<span id="rating-{course.pk}" hx-swap-oob="true">' in " ".join(cells.split())
    assert "<table" not in cells


def test_only_who_manages_content_reads_ratings(db, login):
    course = make.course()
    for role in Role:
        status = 200 if role in {Role.OWNER, Role.ADMIN} else 403
        browser = login(make.staff(role))
        assert browser.get(desk(course)).status_code == status
        assert browser.get(reverse("enrollments:rating_averages")).status_code == status


def test_many_ratings_come_twenty_a_page_at_the_same_cost(alice, course, login):
    offer = make.offer(courses=[course])

    def rate(number):
        student = make.student()
        begin(student, course, offer)
        enrollment = Enrollment.objects.get(contact=student, course=course)
        Rating.objects.rate(enrollment=enrollment, stars=number % 5 + 1, text=f"No. {number:02}")

    def cost(url):
        browser.get(url)
        with CaptureQueriesContext(connection) as asked:
            browser.get(url)
        return len(asked)

    browser = login(alice)
    rate(0)
    pages = (desk(course), reverse("enrollments:rating_averages"))
    few = [cost(page) for page in pages]
    for number in range(1, 25):
        rate(number)
    make.course("Pizza")
    assert [cost(page) for page in pages] == few
    first = browser.get(desk(course)).content.decode()
    assert "No. 24" in first
    assert "No. 04" not in first
    before = Rating.objects.get(text="No. 05").pk
    assert f'href="?before={before}"' in first
    assert "No. 04" in browser.get(f"{desk(course)}?before={before}").content.decode()


def test_the_story_of_a_person_tells_of_it(bob, course):
    Rating.objects.rate(enrollment=Enrollment.objects.get(contact=bob), stars=4, text="Private")
    [said] = sentences(Event.objects.filter(name="course.rated"))
    assert said.text == "Course rated: Sourdough"
    assert said.detail == "4 of 5 stars"
