"""What staff see of locks: one person's lessons, what opens when for whom, and the explanation."""

from __future__ import annotations

import json
from datetime import timedelta

import make
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Contact, Role
from enrollments import access
from enrollments.models import Enrollment
from enrollments.reasons import Bearing
from offers.models import Cohort, CohortDate, Course, Lesson, Module, Requirement


@pytest.fixture
def staff(login, alice, school):
    return login(alice)


@pytest.fixture
def course(db):
    return make.course("Bread", lessons=3)


@pytest.fixture
def lessons(course):
    return list(Lesson.objects.filter(module__course=course).in_order())


@pytest.fixture
def mine(bob, course, school):
    make.grant(contact=bob, offer=make.offer("Bakery", courses=[course]))
    return Enrollment.objects.get(contact=bob, course=course)


def drip(lesson, days):
    Lesson.objects.filter(pk=lesson.pk).update(opens_after=days)


# One person's lessons


def test_staff_see_what_shuts_each_lesson_and_unlock_it(staff, login, bob, mine, lessons):
    first, second, third = lessons
    drip(second, 5)
    Requirement.objects.create(lesson=third, required=first)
    url = f"/dashboard/enrollments/{mine.pk}/lessons/"
    html = staff.get(url).content.decode()
    assert html.count("Locked") == 2
    assert "Waits for “Lesson 1”." in html
    page = f"/courses/{mine.course.slug}/lessons/{second.pk}/"
    student = login(bob)
    assert student.get(page).status_code == 403
    staff.post(f"{url}{second.pk}/unlock/")
    assert "Unlocked" in staff.get(url).content.decode()
    assert student.get(page).status_code == 200
    staff.post(f"{url}{second.pk}/lock/")
    assert student.get(page).status_code == 403
    staff.post(f"/dashboard/enrollments/{mine.pk}/unlock/")
    assert student.get(page).status_code == 200
    assert "Every lesson is unlocked for them since" in staff.get(url).content.decode()
    staff.post(f"/dashboard/enrollments/{mine.pk}/lock/")
    assert student.get(page).status_code == 403


def test_a_new_attempt_locks_again_and_keeps_what_was_unlocked(login, bob, mine, lessons):
    first, second, third = lessons
    Requirement.objects.create(lesson=second, required=first)
    Requirement.objects.create(lesson=third, required=first)
    mine.complete(first)
    mine.unlock(third)
    Enrollment.objects.get(pk=mine.pk).restart()
    answers = [
        login(bob).get(f"/courses/{mine.course.slug}/lessons/{lesson.pk}/").status_code
        for lesson in lessons
    ]
    assert answers == [200, 403, 200]


def test_the_page_says_when_the_course_itself_is_shut(staff, bob, mine):
    url = f"/dashboard/enrollments/{mine.pk}/lessons/"
    text = "The course itself is not open to them"
    assert text not in staff.get(url).content.decode()
    bob.grants.get().revoke()
    assert text in staff.get(url).content.decode()


def test_a_lesson_of_another_course_is_not_unlocked(staff, mine):
    other = make.course("Cheese", lessons=1).modules.get().lessons.get()
    url = f"/dashboard/enrollments/{mine.pk}/lessons/{other.pk}/unlock/"
    assert staff.post(url).status_code == 404
    assert not mine.unlocks.exists()


def test_the_page_of_a_long_course_takes_no_more_statements(staff, bob, school):
    def statements(number):
        course = make.course(lessons=number)
        make.grant(contact=bob, offer=make.offer(courses=[course]))
        pk = Enrollment.objects.get(course=course).pk
        with CaptureQueriesContext(connection) as caught:
            assert staff.get(f"/dashboard/enrollments/{pk}/lessons/").status_code == 200
        return len(caught)

    statements(1)
    assert statements(40) == statements(2)


# What opens when for whom


def test_the_schedule_shows_rules_dates_and_people(staff, bob, mine, lessons, school):
    today = school.today()
    march = Cohort.objects.create(
        course=mine.course, title="March", starts_on=today + timedelta(days=10)
    )
    april = Cohort.objects.create(course=mine.course, title="April")
    first, second, _third = lessons
    drip(second, 7)
    own = today + timedelta(days=30)
    CohortDate.objects.create(cohort=april, lesson=first, opens_on=own)
    url = f"/dashboard/courses/{mine.course_id}/schedule/"
    page = staff.get(url)
    rows = {row.lesson.title: row for row in page.context["lessons"]}
    days = {title: [cell.day for _c, cell in row.cells] for title, row in rows.items()}
    start = march.starts_on  # columns: nobody's, then the cohorts; one without a day comes last
    assert days["Lesson 1"] == [None, start, own]
    assert days["Lesson 2"] == [None, start + timedelta(days=7), None]
    assert [cell.after for _c, cell in rows["Lesson 2"].cells] == [
        "7 days after enrollment",
        "",
        "7 days after enrollment",
    ]
    assert page.content.decode().count(f'scope="colgroup" colspan="5">{first.module}</th>') == 1
    [person] = page.context["people"]
    assert person.outlook.next_day == mine.enrolled_on + timedelta(days=7)
    assert "2 of 3" in page.content.decode()
    Enrollment.objects.update(cohort=march)
    [person] = staff.get(url).context["people"]
    assert (person.outlook.anchor, person.outlook.open) == (march.starts_on, 0)


def test_the_schedule_is_narrowed_to_a_cohort_and_paged(staff, course, school, monkeypatch):
    monkeypatch.setattr("enrollments.views.schedule.PAGE", 2)
    offer, march = make.offer(courses=[course]), Cohort.objects.create(course=course, title="March")
    for name in ("Ann", "Ben", "Cleo"):
        make.grant(contact=make.contact(name), offer=offer, cohorts=[march])
    make.grant(contact=make.contact("Dan"), offer=offer)
    url = f"/dashboard/courses/{course.pk}/schedule/"

    def people(query):
        page = staff.get(url + query)
        return [row.enrollment.contact.name for row in page.context["people"]], page.context

    names, context = people(f"?cohort={march.pk}")
    assert names == ["Cleo", "Ben"]
    assert context["count"] == 3
    assert people(context["page"].next_url.split("#")[0])[0] == ["Ann"]
    assert people("?cohort=none")[0] == ["Dan"]
    assert people("?cohort=999999")[0] == ["Dan", "Cleo"]


def test_the_schedule_takes_no_more_statements_for_more_people_lessons_and_cohorts(staff, school):
    def statements(number):
        course = make.course(lessons=number)
        offer = make.offer(courses=[course])
        for n in range(number):
            cohort = Cohort.objects.create(course=course, title=f"Cohort {n}")
            make.grant(contact=make.contact(), offer=offer, cohorts=[cohort])
        first, *others = Lesson.objects.filter(module__course=course)
        for lesson in others:
            Requirement.objects.create(lesson=lesson, required=first)
        with CaptureQueriesContext(connection) as caught:
            assert staff.get(f"/dashboard/courses/{course.pk}/schedule/").status_code == 200
        return len(caught)

    statements(2)
    assert statements(12) == statements(3) <= 16


def test_support_sees_the_schedule_and_moderators_do_not(login, course):
    url = f"/dashboard/courses/{course.pk}/schedule/"
    assert login(make.staff(Role.SUPPORT)).get(url).status_code == 200
    assert login(make.staff(Role.MODERATOR)).get(url).status_code == 403


# The explanation


def told(bob, course):
    found = access.verdict(Contact.objects.select_related("user").get(pk=bob.pk), course)
    return {reason.code: reason for reason in found.reasons if reason.bearing is Bearing.INFORMS}


def test_the_explanation_tells_of_days_and_of_what_waits(bob, mine, lessons, course):
    first, second, third = lessons
    assert not any(code.startswith("lesson") for code in told(bob, course))
    drip(second, 5)
    Requirement.objects.create(lesson=third, required=first)
    found = told(bob, course)
    assert found["lessons_to_come"].text.startswith("1 of 3 lesson is not open yet: “Lesson 2”")
    assert found["lessons_wait"].text == "“Lesson 3” waits for “Lesson 1”."
    assert found["lessons_wait"].button.url == f"/dashboard/enrollments/{mine.pk}/lessons/"
    Course.objects.filter(pk=course.pk).update(enforces_order=True)
    Requirement.objects.all().delete()
    assert "goes in order" in told(bob, course)["lessons_wait"].text
    mine.unlock_all()
    assert "lessons_unlocked" in told(bob, course)


def test_the_explanation_tells_of_a_cohort_to_come(bob, mine, course, school):
    march = Cohort.objects.create(
        course=course, title="March", starts_on=school.today() + timedelta(days=3)
    )
    Enrollment.objects.update(cohort=march)
    found = told(bob, course)
    assert found["cohort_not_started"].text.startswith("Their cohort, “March”, starts on")
    assert found["lessons_to_come"].text.startswith("3 of 3 lessons are not open yet")
    bob.grants.get().revoke()
    assert "lessons_to_come" not in told(bob, course)


def test_the_explanation_stays_within_four_statements(bob, mine, course, lessons):
    drip(lessons[0], 5)
    contact = Contact.objects.get(pk=bob.pk)
    with CaptureQueriesContext(connection) as caught:
        access.verdict(contact, course)
    assert len(caught) <= 4


def test_the_command_tells_of_lessons_too(bob, mine, course, lessons, capsys):
    drip(lessons[0], 5)
    call_command("explain_access", bob.email, course.slug, "--json")
    codes = [reason["code"] for reason in json.loads(capsys.readouterr().out)["reasons"]]
    assert "lessons_to_come" in codes


def test_modules_without_a_lesson_break_nothing(staff, bob, school):
    course = make.course("Empty", lessons=0)
    Module.objects.create(course=course, title="Second", position=2)
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    mine = Enrollment.objects.get(course=course)
    for url in (
        f"/dashboard/enrollments/{mine.pk}/lessons/",
        f"/dashboard/courses/{course.pk}/schedule/",
    ):
        assert staff.get(url).status_code == 200
    assert "lessons_to_come" not in told(bob, course)
