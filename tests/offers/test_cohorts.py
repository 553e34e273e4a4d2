"""The cohorts of a course: made, dated lesson by lesson, edited by two people at once, deleted."""

from __future__ import annotations

from datetime import date, timedelta

import make
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from enrollments.cohorts import set_cohorts
from enrollments.models import Enrollment
from offers.models import Cohort, CohortDate, Lesson


@pytest.fixture
def staff(login, alice, school):
    return login(alice)


@pytest.fixture
def course(db):
    return make.course("Bread", lessons=2)


def cohort(course, title="March", **fields):
    return Cohort.objects.create(course=course, title=title, **fields)


def page(made):
    return f"/dashboard/cohorts/{made.pk}/"


def filled(browser, made, **changes):
    """What the page's form would send, with some fields changed."""
    form = browser.get(page(made)).context["form"]
    dates = browser.get(page(made)).context["dates"]
    words = {"seen": dates.seen}
    for field in (*form, *dates):
        value = field.field.widget.format_value(field.value())
        words[field.name] = value or ""
    return words | changes


def test_a_cohort_is_made_and_stands_in_the_list_with_its_state(staff, course, school):
    url = f"/dashboard/courses/{course.pk}/cohorts/"
    assert "No cohort yet" in staff.get(url).content.decode()
    first = school.today() + timedelta(days=5)
    answer = staff.post(f"{url}new/", {"title": "March", "starts_on": first, "ends_on": ""})
    made = Cohort.objects.get()
    assert answer.headers["Location"] == page(made)
    html = staff.get(url).content.decode()
    assert "March" in html
    assert "Upcoming" in html
    assert "0 people" in html


@pytest.mark.parametrize(
    ("starts", "ends", "state"),
    [(1, None, "upcoming"), (0, 0, "running"), (None, None, "running"), (-9, -1, "over")],
)
def test_both_its_days_belong_to_it(course, school, starts, ends, state):
    first, last = (
        days if days is None else school.today() + timedelta(days=days) for days in (starts, ends)
    )
    made = cohort(course, starts_on=first, ends_on=last)
    assert made.state == state
    assert Cohort.objects.not_over().exists() is (state != "over")


def test_what_makes_no_sense_is_refused_with_a_sentence(staff, course):
    cohort(course)
    new = f"/dashboard/courses/{course.pk}/cohorts/new/"
    html = staff.post(new, {"title": "March"}).content.decode()
    assert "The course has a cohort of this name already." in html
    days = {"title": "May", "starts_on": "2026-05-02", "ends_on": "2026-05-01"}
    assert "The last day is before the first." in staff.post(new, days).content.decode()
    year = {"title": "May", "starts_on": "0026-05-02"}
    assert "errorlist" in staff.post(new, year).content.decode()
    assert Cohort.objects.count() == 1


def test_dates_of_all_lessons_are_saved_at_once_and_taken_back_by_emptying_them(staff, course):
    made = cohort(course)
    first, second = Lesson.objects.order_by("pk")
    Lesson.objects.filter(pk=second.pk).update(kind="live")
    words = {
        f"opens_on_{first.pk}": "2026-03-03",
        f"live_at_{second.pk}": "2026-03-05T18:30",
        f"join_url_{second.pk}": "https://meet.example.com/a",
    }
    staff.post(page(made), filled(staff, made, **words))
    rows = {row.lesson_id: row for row in CohortDate.objects.all()}
    assert rows[first.pk].opens_on == date(2026, 3, 3)
    assert (
        rows[second.pk].live_at.isoformat() == "2026-03-05T17:30:00+00:00"
    )  # Rome is an hour ahead
    assert rows[second.pk].join_url == "https://meet.example.com/a"
    staff.post(page(made), filled(staff, made, **{f"opens_on_{first.pk}": ""}))
    assert CohortDate.objects.get().lesson == second


def test_nobodys_dates_are_lost_when_two_edit_at_once(staff, course):
    made = cohort(course)
    first, second = Lesson.objects.order_by("pk")
    mine = filled(staff, made, **{f"opens_on_{first.pk}": "2026-03-03"})
    staff.post(page(made), filled(staff, made, **{f"opens_on_{second.pk}": "2026-04-04"}))
    answer = staff.post(page(made), mine)
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Somebody else changed this cohort meanwhile." in html
    assert "Saved meanwhile: 2026-04-04" in html
    assert 'value="2026-03-03"' in html
    assert CohortDate.objects.get().lesson == second
    seen = answer.context["dates"].seen
    assert staff.post(page(made), mine | {"seen": seen}).status_code == 302
    assert CohortDate.objects.get().lesson == first


def test_the_page_of_a_large_course_takes_no_more_statements(staff, db):
    def statements(lessons):
        made = cohort(make.course(lessons=lessons))
        with CaptureQueriesContext(
            connection,
        ) as shown:
            assert staff.get(page(made)).status_code == 200
        words = filled(staff, made)
        for lesson in made.course.modules.get().lessons.all():
            words[f"opens_on_{lesson.pk}"] = "2026-03-03"
        with CaptureQueriesContext(connection) as saved:
            assert staff.post(page(made), words).status_code == 302
        assert made.dates.count() == lessons
        return len(shown), len(saved)

    statements(1)
    assert statements(30) == statements(2)


def test_deleting_says_who_is_in_it_and_keeps_them_enrolled(staff, course, bob):
    made = cohort(course)
    make.grant(contact=bob, offer=make.offer(courses=[course]), cohorts=[made])
    assert "1 person is in it" in staff.get(page(made)).content.decode()
    assert staff.get(f"{page(made)}delete/").status_code == 405
    staff.post(f"{page(made)}delete/")
    assert not Cohort.objects.exists()
    assert Enrollment.objects.get(contact=bob).cohort is None


def test_a_cohort_of_another_course_is_none_for_an_enrollment(course, bob):
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    other = cohort(make.course("Cheese"))
    assert set_cohorts({Enrollment.objects.get().pk: other.pk}) == []
    assert Enrollment.objects.get().cohort is None


def test_support_may_not_edit_cohorts(login, course):
    made, sue = cohort(course), login(make.staff(Role.SUPPORT))
    for url in (page(made), f"/dashboard/courses/{course.pk}/cohorts/"):
        assert sue.get(url).status_code == 403


@pytest.mark.parametrize("year", ["0001", "0026", "9999"])
def test_a_moment_nobody_can_mean_is_refused_with_a_sentence(staff, course, year):
    made, lesson = cohort(course), Lesson.objects.earliest("pk")
    Lesson.objects.filter(pk=lesson.pk).update(kind="live")
    words = {
        f"live_at_{lesson.pk}": f"{year}-12-31T23:59",
        f"opens_on_{lesson.pk}": f"{year}-12-31",
    }
    html = staff.post(page(made), filled(staff, made, **words)).content.decode()
    assert html.count("Give a year from 2000 to 2100.") == 2
    assert not CohortDate.objects.exists()


def test_what_was_typed_for_a_cohort_that_is_gone_is_there_to_copy(staff, course):
    made, lesson = cohort(course), Lesson.objects.earliest("pk")
    mine = filled(staff, made, title="Long & dear", **{f"opens_on_{lesson.pk}": "2026-03-03"})
    staff.post(f"{page(made)}delete/")
    answer = staff.post(page(made), mine)
    assert answer.status_code == 410
    assert answer.context["words"] == [
        ("Title", "Long & dear"),
        ("Lesson 1 opens on", "2026-03-03"),
    ]
    assert staff.get(page(made)).status_code == 404
