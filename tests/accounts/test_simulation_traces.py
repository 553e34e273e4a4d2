"""While staff see the portal as a student does nothing of the student's changes, and everything is written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import make
import pytest
import time_machine
from django.db import InternalError, connection
from django.db.utils import NotSupportedError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now
from test_doors import ROUTES, filled, things

from accounts import simulation
from accounts.models import Contact, Simulation, User
from enrollments.models import Enrollment
from notifications.models import Message
from offers.models import Lesson
from portal.events import Name
from portal.models import Event, FileKind, School

__all__ = ["things"]

REASON = "She cannot see lesson two."
# What a simulation may write: the log, and itself.
OWN = {"portal_event", "portal_outbox", "accounts_simulation", "accounts_session"}
UNSAFE = ("post", "put", "patch", "delete")
STUDENTS = [route for route in ROUTES if simulation.is_students_path(route)]


def begin(browser: Client, contact: Contact) -> Simulation:
    url = reverse("accounts:simulation_start", args=[contact.pk])
    assert browser.post(url, {"reason": REASON}).status_code == 302
    return Simulation.objects.latest("pk")


def of(*names: Name) -> list[Event]:
    return list(Event.objects.filter(name__in=names).order_by("pk"))


def tables() -> dict[str, str]:
    """What is in every table, as a checksum of all its rows."""
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor)) - OWN
        found = {}
        for name in sorted(names):
            cursor.execute(
                f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{name}" t'
            )
            found[name] = cursor.fetchone()[0]
    return found


@pytest.fixture
def browser(login, alice, bob, things, school) -> Client:
    """Alice's, who sees the portal as Bob does."""
    browser = login(alice)
    begin(browser, bob)
    return browser


def addresses(things) -> Iterator[str]:
    assert len(STUDENTS) > 20
    yield from (filled(route, things) for route in STUDENTS)


def test_looking_at_every_page_changes_nothing(browser, things, bob):
    # As if nobody had been there yet: whatever would be noted of a visit is noted at once.
    Contact.objects.update(last_seen_at=None)
    Enrollment.objects.update(started_at=None, last_lesson=None, last_lesson_at=None)
    before, answers = tables(), {}
    for url in addresses(things):
        answers[url] = browser.get(url).status_code
    assert tables() == before
    assert set(answers.values()) <= {200, 403, 404, 405}
    shown = {url for url, status in answers.items() if status == 200}
    assert {"/", "/courses/", "/profile/", "/profile/security/"} < shown
    assert any("/lessons/" in url for url in shown)
    assert any("/quiz/" in url for url in shown)


def test_the_student_who_looks_leaves_traces(login, bob, things):
    """The control: the same pages, by Bob himself."""
    Contact.objects.update(last_seen_at=None)
    Enrollment.objects.update(started_at=None, last_lesson=None, last_lesson_at=None)
    before, browser = tables(), login(bob)
    for url in addresses(things):
        browser.get(url)
    changed = {name for name, rows in tables().items() if rows != before[name]}
    assert changed >= {"accounts_contact", "enrollments_enrollment"}


def test_no_write_goes_through(browser, things):
    before, answers = tables(), []
    for url in addresses(things):
        for method in UNSAFE:
            answer = getattr(browser, method)(url, {"reason": "x", "text": "x", "stars": "5"})
            answers.append((method, url, answer.status_code))
    assert [each for each in answers if each[2] != 403] == []
    assert tables() == before
    refused = of(Name.SIMULATION_REFUSED)
    assert len(refused) == len(answers)
    assert {event.data["method"] for event in refused} == {"POST", "PUT", "PATCH", "DELETE"}


def test_a_write_is_answered_with_a_page_that_says_so(browser, things):
    answer = browser.post("/profile/", {"name": "Robert"})
    assert answer.status_code == 403
    assert "Read-only simulation" in answer.content.decode()
    assert "<simulation-banner" in answer.content.decode()
    assert answer["X-Impersonating"] == "1"


def test_even_to_an_address_that_does_not_exist(browser):
    assert browser.post("/nothing/here/").status_code == 403


def test_who_forgets_to_ask_is_refused_by_the_database(browser, things, monkeypatch):
    """The control of the control: the traces of a visit are written as always, and PostgreSQL does not let them."""
    monkeypatch.setattr(simulation, "is_on", lambda: False)
    before = tables()
    browser.raise_request_exception = False
    Contact.objects.update(last_seen_at=None)
    before = tables()
    assert browser.get("/").status_code == 500
    assert tables() == before
    browser.raise_request_exception = True
    with pytest.raises((InternalError, NotSupportedError), match="read-only transaction"):
        browser.get("/")


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


CLOSED = [
    "/profile/data/",
    "/profile/security/email/",
    "/profile/security/renew/",
    "/profile/erasure/",
    "/account/password/change/",
    "/account/password/set/",
    "/account/password/reset/",
    "/account/2fa/",
    "/account/2fa/app/add/",
    "/account/2fa/codes/",
]


@pytest.mark.parametrize("url", CLOSED)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_theirs_alone_stays_shut(browser, url, method, alice, bob):
    answer = getattr(browser, method)(url)
    assert answer.status_code == 403
    assert "<simulation-banner" in answer.content.decode()
    [refused] = of(Name.SIMULATION_REFUSED)
    assert (refused.actor, refused.contact) == (alice, bob)
    assert (refused.data["path"], refused.data["status"]) == (url, 403)
    assert not of(Name.SIMULATION_VIEWED)


def test_without_a_simulation_they_are_open(login, alice, bob):
    assert login(bob).get("/profile/data/").status_code == 200
    assert login(alice).get("/account/password/change/").status_code == 200


# What is written down


def test_every_page_is_in_the_audit_with_who_and_whom(browser, alice, bob):
    answer = browser.get("/courses/?page=1")
    browser.get("/nothing/here/")
    seen, missed = of(Name.SIMULATION_VIEWED)
    assert (seen.actor, seen.contact) == (alice, bob)
    assert seen.cause == f"request:{answer['X-Request-ID']}"
    assert seen.data == {
        "simulation": Simulation.objects.get().pk,
        "method": "GET",
        "path": "/courses/",
        "status": 200,
    }
    assert missed.data["status"] == 404
    text = browser.get("/dashboard/audit/").content.decode()
    assert "Page seen in a simulated session" in text
    assert "GET /courses/" in text
    assert len(of(Name.SIMULATION_VIEWED)) == 2  # the dashboard is their own


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


def test_the_timeline_tells_that_it_was_and_nothing_more(browser, bob):
    browser.get("/courses/")
    browser.post("/profile/")
    browser.post(reverse("accounts:simulation_end"))
    url = reverse("portal:contact_timeline", args=[bob.pk])
    text = browser.get(url).content.decode()
    assert "Session simulated" in text
    assert REASON in text
    assert "Simulated session ended" in text
    assert "Page seen" not in text
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


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/", 200),
        ("/profile/data/", 403),
        ("/nothing/here/", 404),
        ("/profile/erasure/withdraw/", 405),
        ("/courses/", 500),
        ("/dashboard/", 200),
        ("/dashboard/nothing/", 404),
        ("/account/logout/", 200),
    ],
)
def test_the_banner_is_on_every_page(browser, broken, url, status):
    browser.raise_request_exception = False
    answer = browser.get(url)
    text = answer.content.decode()
    assert answer.status_code == status
    assert text.count("<simulation-banner") == 1
    assert "<strong>Bob Baker</strong>" in text
    assert f'action="{reverse("accounts:simulation_end")}"' in text
    assert text.count("csrfmiddlewaretoken") >= 1
    assert "css/simulation" in text


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


def test_the_student_is_told_when_it_starts(login, alice, bob, school, committed, mailoutbox):
    with committed():
        begin(login(alice), bob)
    [mail] = mailoutbox
    assert mail.to == [bob.email]
    assert mail.subject == "alice@example.com looked at your portal at Mill Street"
    assert "sees the portal as you do" in mail.body
    assert "30 more minutes at most" in mail.body
    assert "/profile/security/" in mail.body
    assert REASON not in mail.body


def test_or_when_it_ends(login, alice, bob, school, committed, mailoutbox):
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


def test_or_a_day_later(login, alice, bob, school, committed, mailoutbox):
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


def test_but_once_and_whatever_is_set_meanwhile(login, alice, bob, school, committed, mailoutbox):
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
