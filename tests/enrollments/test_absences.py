"""The courses page tells of what is shut, too: how it stands and what to do. Its pages stay shut."""

from __future__ import annotations

from datetime import date, timedelta

import make
import pytest
from django.urls import reverse
from django.utils.timezone import now

from enrollments import access
from enrollments.absences import absences
from enrollments.models import Enrollment, Grant
from offers.models import Course, Offer
from portal.benchmark.measuring import counted
from portal.models import School


def expire(grant):
    yesterday = School.current().today() - timedelta(days=1)
    grant.extend(until=yesterday)


def postpone(grant):
    Grant.objects.filter(pk=grant.pk).update(starts_at=School.current().start_of(date(2099, 1, 7)))


def switch_off(_grant):
    Enrollment.objects.get().switch(on=False)


SHUT = {
    "revoked": (lambda grant: grant.revoke(reason="He did not pay"), "Your access has ended."),
    "expired": (expire, "Your access ended on"),
    "suspended": (lambda grant: grant.suspend(reason="In doubt"), "Your access is paused."),
    "pending": (postpone, "Opens on Jan. 7, 2099."),
    "inactive": (switch_off, "Not open to you at the moment."),
}


@pytest.fixture
def grant(bob, school):
    return make.grant(contact=bob, offer=make.offer("Bread", courses=[make.course("Sourdough")]))


@pytest.mark.parametrize("state", SHUT)
def test_what_is_shut_is_shown_with_how_it_stands_and_leads_nowhere(bob, login, grant, state):
    shut, words = SHUT[state]
    shut(grant)
    page = login(bob).get("/courses/").content.decode()
    assert "Sourdough" in page
    assert words in page
    assert "He did not pay" not in page
    assert "mailto:help@example.com" in page
    course = reverse("enrollments:course_detail", args=[Course.objects.get().slug])
    assert course not in page
    assert login(bob).get(course).status_code == 404
    assert [absence.state for absence in absences(bob)] == [state]
    assert "Sourdough" in login(bob).get("/").content.decode()


@pytest.mark.parametrize("state", [state for state in SHUT if state != "inactive"])
def test_what_another_grant_opens_is_not_shut(bob, grant, state):
    make.grant(contact=bob, offer=make.offer("Bundle", courses=[Course.objects.get()]))
    SHUT[state][0](grant)
    assert not absences(bob)
    assert access.open_courses(bob).exists()


@pytest.mark.parametrize("status", ["draft", "archived"])
@pytest.mark.parametrize("state", SHUT)
def test_of_a_course_that_is_not_published_nothing_is_told(bob, grant, state, status):
    SHUT[state][0](grant)
    Course.objects.update(status=status)
    assert not absences(bob)


def test_of_an_offer_that_is_being_prepared_nothing_is_told(bob, grant):
    grant.suspend()
    Offer.objects.update(status="draft")
    assert not absences(bob)


def test_what_is_open_is_not_shut_and_what_is_anothers_is_nobody_elses(bob, charlie, grant):
    assert not absences(bob)
    grant.revoke()
    assert not absences(charlie)


def test_of_several_grants_the_most_hopeful_one_is_told(bob, grant):
    grant.revoke()
    again = make.grant(contact=bob, offer=grant.offer, source="import:1")
    expire(again)
    [absence] = absences(bob)
    assert absence.ended_on == School.current().today() - timedelta(days=1)
    Grant.objects.filter(pk=again.pk).update(ends_on=None, ends_at=None, suspended_at=now())
    assert absences(bob)[0].state == "suspended"


def test_it_is_one_statement_however_many_there_are(bob, login, school):
    courses = [make.course(f"Course {n}") for n in range(30)]
    make.grant(contact=bob, offer=make.offer("All", courses=courses)).revoke()
    browser = login(bob)
    browser.get("/courses/")
    with counted() as statements:
        page = browser.get("/courses/").content.decode()
    assert len(statements) <= 6
    assert "Course 29" in page
