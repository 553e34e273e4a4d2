"""While staff see the portal as a student does nothing of the student's changes, and everything is written down."""

from __future__ import annotations

from datetime import timedelta

import make
import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now
from test_doors import things

from accounts import simulation
from accounts.models import Contact, Simulation, User
from enrollments.models import Enrollment
from notifications.models import Message
from offers.models import Lesson
from portal.events import Name
from portal.models import Event, FileKind, School

__all__ = ["things"]

REASON = "She cannot see lesson two."


def begin(browser: Client, contact: Contact) -> Simulation:
    url = reverse("accounts:simulation_start", args=[contact.pk])
    assert browser.post(url, {"reason": REASON}).status_code == 302
    return Simulation.objects.latest("pk")


def of(*names: Name) -> list[Event]:
    return list(Event.objects.filter(name__in=names).order_by("pk"))


@pytest.fixture
def browser(login, alice, bob, things, school) -> Client:
    """Alice's, who sees the portal as Bob does."""
    browser = login(alice)
    begin(browser, bob)
    return browser


def test_a_write_to_an_address_that_does_not_exist_is_refused_too(browser):
    assert browser.post("/nothing/here/").status_code == 403


def test_without_the_record_of_a_course_none_is_made(browser, bob, things):
    quiz = reverse("enrollments:quiz_take", args=[things["<slug> courses"], things["lessons"]])
    lesson = reverse(
        "enrollments:lesson_detail", args=[things["<slug> courses"], things["lessons"]]
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM enrollments_quizattempt")
        cursor.execute("DELETE FROM enrollments_lessonprogress")
        cursor.execute("DELETE FROM enrollments_enrollment")
    assert browser.get(lesson).status_code == 200
    assert browser.get(quiz).status_code == 200
    assert not Enrollment.objects.exists()


def test_without_a_simulation_they_are_open(login, alice, bob):
    assert login(bob).get("/profile/data/").status_code == 200
    assert login(alice).get("/account/password/change/").status_code == 200


# What is written down


def test_what_a_page_is_made_of_is_not_a_page(browser, bob):
    picture = make.file("face.webp", kind=FileKind.IMAGE, content_type="image/webp")
    Contact.objects.filter(pk=bob.pk).update(picture=picture)
    shown = browser.get(picture.url, headers={"Sec-Fetch-Dest": "image"})
    assert shown.status_code == 200
    assert "no-store" in shown["Cache-Control"]
    assert not of(Name.SIMULATION_VIEWED)
    browser.get(picture.url, headers={"Sec-Fetch-Dest": "document"})
    browser.get("/courses/", headers={"Sec-Fetch-Dest": "image"})
    assert len(of(Name.SIMULATION_VIEWED)) == 2


def test_what_a_page_fetches_is_told_as_a_part_of_it(browser, things):
    rating = reverse("enrollments:rating_update", args=[things["<slug> courses"]])
    browser.get(rating, headers={"HX-Request": "true"})
    assert not of(Name.SIMULATION_VIEWED)
    [loaded] = of(Name.SIMULATION_LOADED)
    assert (loaded.data["method"], loaded.data["path"], loaded.data["status"]) == (
        "GET",
        rating,
        200,
    )
    audit = browser.get("/dashboard/audit/").content.decode()
    assert "Part of a page loaded in a simulated session" in audit
    assert f"GET {rating}" in audit
    browser.get(rating)
    assert [event.data["path"] for event in of(Name.SIMULATION_VIEWED)] == [rating]
    browser.post(rating, {"stars": "5"}, headers={"HX-Request": "true"})
    assert len(of(Name.SIMULATION_REFUSED)) == 1


def test_the_timeline_tells_that_it_was_and_nothing_more(browser, bob):
    browser.get("/courses/")
    browser.get("/courses/", headers={"HX-Request": "true"})
    browser.post("/profile/")
    browser.post(reverse("accounts:simulation_end"))
    url = reverse("portal:contact_timeline", args=[bob.pk])
    text = browser.get(url).content.decode()
    assert "Session simulated" in text
    assert REASON in text
    assert "Simulated session ended" in text
    assert "Page seen" not in text
    assert "Part of a page" not in text
    assert "Refused" not in text
    assert "Session simulated" in browser.get(f"{url}?kind=account").content.decode()


def test_one_statement_more_reads_the_same_page(login, browser, bob):
    def reads(who: Client) -> int:
        who.get("/courses/")
        with CaptureQueriesContext(connection) as told:
            who.get("/courses/")
        return sum(query["sql"].startswith("SELECT") for query in told)

    assert reads(browser) == reads(login(bob)) + 1


# As the student


def test_the_portal_speaks_as_to_the_student_and_the_banner_as_to_staff(browser, bob, alice):
    Contact.objects.filter(pk=bob.pk).update(language="it", time_zone="Asia/Tokyo")
    text = browser.get("/profile/security/").content.decode()
    assert '<html lang="it"' in text
    assert "You see the portal as <strong>Bob Baker</strong>" in text
    assert 'lang="en"' in text
    refused = browser.post("/profile/").content.decode()
    assert '<html lang="en"' in refused
    User.objects.filter(pk=alice.pk).update(language="pt-br")
    Contact.objects.filter(pk=bob.pk).update(language="")
    assert 'lang="pt-br"' in browser.get("/").content.decode()


def test_the_permissions_are_the_students_alone(browser, things):
    course = make.course("Hidden")
    assert browser.get(f"/courses/{course.slug}/").status_code == 404
    assert "/dashboard/" not in browser.get("/").content.decode().replace(
        reverse("accounts:simulation_end"), ""
    )


def test_a_temporary_password_of_the_student_is_no_matter(browser, bob):
    User.objects.filter(contact=bob).update(temporary_until=now() + timedelta(hours=1))
    assert browser.get("/").status_code == 200


def test_what_is_said_to_the_student_is_not_left_to_staff(browser, things):
    slug, lesson = things["<slug> courses"], things["lessons"]
    url = reverse("enrollments:comment_list", args=[slug, lesson])
    assert browser.get(f"{url}?thread=999999").status_code == 302
    assert "not there any more" not in browser.get("/dashboard/").content.decode()


def test_the_player_reports_nothing(browser, bob, things):
    course = things["<slug> courses"]
    recording = make.file("talk.wav", make.wav(seconds=1), kind="audio", content_type="audio/wav")
    Lesson.objects.filter(pk=things["lessons"]).update(kind="audio", file=recording)
    url = reverse("enrollments:lesson_detail", args=[course, things["lessons"]])
    text = browser.get(url).content.decode()
    assert "<lesson-player" in text
    assert "/progress/" not in text


# The banner


@pytest.fixture
def broken(monkeypatch):
    """The list of courses fails."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("a pipe burst")

    monkeypatch.setattr("enrollments.views.student.shelf", fail)


def test_without_a_simulation_there_is_none(login, alice, bob):
    assert "simulation-banner" not in login(bob).get("/").content.decode()
    assert "simulation-banner" not in login(alice).get("/dashboard/").content.decode()


def test_a_page_that_broke_is_in_the_audit_too(browser, broken):
    browser.raise_request_exception = False
    browser.get("/courses/")
    assert [event.data["status"] for event in of(Name.SIMULATION_VIEWED)] == [500]


# The student is told


def notices() -> list[Message]:
    return list(Message.objects.filter(kind="simulation"))


def test_the_student_is_told_when_it_ends(login, alice, bob, school, committed, mailoutbox):
    School.objects.update(simulation_notice="end")
    browser = login(alice)
    with time_machine.travel(now()) as clock:
        with committed():
            begin(browser, bob)
        assert not mailoutbox
        clock.shift(timedelta(minutes=12))
        with committed():
            browser.post(reverse("accounts:simulation_end"))
    [mail] = mailoutbox
    assert "saw the portal as you do" in mail.body
    assert "for 13 minutes" in mail.body or "for 12 minutes" in mail.body


def test_the_student_is_told_a_day_later(login, alice, bob, school, committed, mailoutbox):
    School.objects.update(simulation_notice="day_after")
    with committed():
        begin(login(alice), bob)
    assert not mailoutbox
    with time_machine.travel(now() + timedelta(hours=25)):
        simulation.end_overdue()
        with committed():
            pass
    [mail] = mailoutbox
    assert "for 30 minutes" in mail.body or "saw the portal as you do" in mail.body


def test_the_student_is_told_once_whatever_is_set_meanwhile(
    login, alice, bob, school, committed, mailoutbox
):
    browser = login(alice)
    with committed():
        begin(browser, bob)
    School.objects.update(simulation_notice="end")
    with committed():
        browser.post(reverse("accounts:simulation_end"))
    assert len(mailoutbox) == len(notices()) == 1


def test_the_student_sees_it_in_the_profile_and_in_the_data(login, alice, bob, school):
    browser = login(alice)
    begin(browser, bob)
    page = login(bob).get("/profile/security/").content.decode()
    assert "Staff looked at your portal" in page
    assert "alice@example.com" in page
    assert "looks at it now" in page
    browser.post(reverse("accounts:simulation_end"))
    page = login(bob).get("/profile/security/").content.decode()
    assert "for 1 minute" in page
    assert REASON not in page
    told = login(bob).post("/profile/data/").json()["simulated_sessions"]
    assert [each["by"] for each in told] == ["alice@example.com"]
    assert REASON not in str(told)


def test_nobody_looked_nobody_is_told(login, bob):
    assert "Staff looked" not in login(bob).get("/profile/security/").content.decode()


# Reports


def test_a_visit_of_staff_is_no_last_access(login, alice):
    own = make.contact("Alice", email="own@example.com")
    User.objects.filter(pk=alice.pk).update(contact=own)
    login(alice).get("/courses/")
    own.refresh_from_db()
    assert own.last_seen_at is None
