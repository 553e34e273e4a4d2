"""Hazards 31–36: what staff could do while they look through a student's eyes, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta

import make
import pytest
import time_machine
from django.db import InternalError, ProgrammingError, connection, transaction
from django.db.utils import NotSupportedError
from django.test import Client
from django.utils.timezone import now
from simulating import END, REASON, begin, browser, contact_url, looking, of
from test_doors import ROUTES, filled, things

from accounts import simulation
from accounts.models import Contact, Session, User
from enrollments.models import Enrollment
from notifications import reactions
from portal.events import Name
from portal.models import School
from portal.views import errors

__all__ = ["browser", "looking", "things"]

UNSAFE = ("post", "put", "patch", "delete")
STUDENTS = [route for route in ROUTES if simulation.is_students_path(route)]
# What a simulation may write: the log, and itself.
OWN = {"portal_event", "portal_outbox", "accounts_simulation", "accounts_session"}


# 31 and 33: something of the student's changes


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


def addresses(things: dict[str, object]) -> Iterator[str]:
    assert len(STUDENTS) > 20
    yield from (filled(route, things) for route in STUDENTS)


TYPED = {"name": "Robert", "reason": "x", "text": "x", "stars": "5", "undo": "1"}


def test_h31_no_write_goes_through(things, browser, looking):
    before, answers = tables(), []
    for url in addresses(things):
        for method in UNSAFE:
            answer = getattr(browser, method)(url, TYPED)
            answers.append((method, url, answer.status_code))
    assert [each for each in answers if each[2] != 403] == []
    assert tables() == before
    assert len(of(Name.SIMULATION_REFUSED)) == len(answers)
    answer = browser.post("/profile/", TYPED)
    assert "Read-only simulation" in answer.content.decode()
    assert answer["X-Impersonating"] == "1"


ODD = [
    ("GET", "/profile/?_method=POST", {"X-HTTP-Method-Override": "POST"}),
    ("GET", "/profile/", {"X-Method-Override": "PUT", "X-HTTP-Method": "DELETE"}),
    ("OPTIONS", "/profile/", {}),
    ("HEAD", "/profile/", {}),
    ("TRACE", "/profile/", {}),
    ("post", "/profile/", {}),
    ("PROPFIND", "/profile/", {}),
    ("POST", "//profile/", {}),
    ("POST", "/./profile/", {}),
    ("POST", "/dashboard/../profile/", {}),
    ("POST", "/dashboard/%2e%2e/profile/", {}),
    ("POST", "/dashboard/;/../../profile/", {}),
    ("POST", "/profile", {}),
    ("POST", "/profile/", {"Referer": "http://testserver/dashboard/"}),
    ("POST", "/profile/", {"HX-Request": "true", "Sec-Fetch-Dest": "image"}),
]


@pytest.mark.parametrize(("method", "path", "headers"), ODD)
def test_h31_no_odd_request_goes_through(browser, looking, bob, method, path, headers):
    before = tables()
    words = "&".join(f"{name}={value}" for name, value in TYPED.items())
    form = "application/x-www-form-urlencoded"
    browser.generic(method, path, words, content_type=form, headers=headers)
    assert tables() == before


def test_h31_a_path_that_the_server_calls_otherwise_is_judged_by_what_it_opens(
    browser, looking, things
):
    """A front server, or whoever can speak in its name, may say what part of the path is not ours."""
    for path in ("/account/2fa/codes/", "/account/2fa/", "/profile/data/"):
        answer = browser.get(path, SCRIPT_NAME="/under")
        assert answer.status_code == 403, path


def test_h31_what_a_form_forgets_the_database_refuses(browser, looking, monkeypatch):
    monkeypatch.setattr(simulation, "SAFE", {"GET", "POST"})
    before = tables()
    browser.raise_request_exception = False
    assert browser.post("/profile/", TYPED).status_code == 500
    assert tables() == before


def test_h31_control_without_both_guards_staff_rename_the_student(
    browser, looking, bob, monkeypatch
):
    monkeypatch.setattr(simulation, "SAFE", {"GET", "POST"})
    monkeypatch.setattr(simulation, "_reading_only", nullcontext)
    browser.post("/profile/", TYPED)
    bob.refresh_from_db()
    assert bob.name == "Robert"


# 32: what is nobody's but the student's

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
    "/account/2fa/app/remove/",
    "/account/2fa/codes/",
    "/account/2fa/codes/download/",
    "/account/2fa/passkeys/add/",
]


@pytest.mark.parametrize("url", CLOSED)
def test_h32_what_is_theirs_alone_stays_shut(browser, looking, alice, bob, url):
    for method in ("get", "post", "head"):
        answer = getattr(browser, method)(url)
        assert answer.status_code == 403
        assert method == "head" or "<simulation-banner" in answer.content.decode()
    told = [
        (event.actor, event.contact, event.data["path"]) for event in of(Name.SIMULATION_REFUSED)
    ]
    assert told == [(alice, bob, url)] * 3


def test_h32_control_a_form_that_is_not_closed_opens(browser, looking, monkeypatch):
    monkeypatch.setattr(simulation, "CLOSED", set())
    assert browser.get("/profile/data/").status_code == 200


# 33: a look leaves traces


@pytest.fixture
def unseen(things) -> None:
    """As if Bob had never been there: whatever would be noted of a visit is noted at once."""
    Contact.objects.update(last_seen_at=None)
    Enrollment.objects.update(started_at=None, last_lesson=None, last_lesson_at=None)


def test_h33_looking_at_every_page_changes_nothing(things, unseen, browser, looking):
    before, answers = tables(), {}
    for url in addresses(things):
        answers[url] = browser.get(url).status_code
        browser.head(url)
    assert tables() == before
    assert set(answers.values()) <= {200, 403, 404, 405}
    shown = {url for url, status in answers.items() if status == 200}
    assert {"/", "/courses/", "/profile/", "/profile/security/"} < shown
    assert any("/lessons/" in url for url in shown)
    assert any("/quiz/" in url for url in shown)


def test_h33_who_forgets_to_ask_is_refused_by_the_database(unseen, browser, looking, monkeypatch):
    monkeypatch.setattr(simulation, "is_on", lambda: False)
    before = tables()
    with pytest.raises((InternalError, NotSupportedError), match="read-only transaction"):
        browser.get("/")
    assert tables() == before


def test_h33_control_without_both_guards_the_visit_is_noted(
    things, unseen, browser, looking, monkeypatch
):
    monkeypatch.setattr(simulation, "is_on", lambda: False)
    monkeypatch.setattr(simulation, "_reading_only", nullcontext)
    before = tables()
    for url in addresses(things):
        browser.get(url)
    changed = {name for name, rows in tables().items() if rows != before[name]}
    assert changed >= {"accounts_contact", "enrollments_enrollment"}


# 34: nobody knows who did it


def test_h34_every_page_is_in_the_audit_with_who_and_whom(browser, looking, alice, bob):
    answer = browser.get("/courses/?page=1")
    browser.get("/nothing/%00here/")
    browser.head("/profile/")
    browser.post("/profile/")
    facts = {"simulation": looking.pk, "method": "GET", "path": "/courses/", "status": 200}
    seen, missed, headed = of(Name.SIMULATION_VIEWED)
    [refused] = of(Name.SIMULATION_REFUSED)
    assert {(each.actor, each.contact) for each in (seen, missed, headed, refused)} == {
        (alice, bob)
    }
    assert seen.cause == f"request:{answer['X-Request-ID']}"
    assert seen.data == facts
    assert missed.data == facts | {"path": "/nothing/%00here/", "status": 404}
    assert headed.data == facts | {"path": "/profile/", "method": "HEAD"}
    assert refused.data == facts | {"path": "/profile/", "method": "POST", "status": 403}
    page = browser.get("/dashboard/audit/").content.decode()
    assert "Page seen in a simulated session" in page
    assert "GET /courses/" in page
    assert len(of(Name.SIMULATION_VIEWED)) == 3, "the dashboard is their own"


def test_h34_a_document_is_in_it_whatever_the_browser_says_it_is_for(browser, looking, bob):
    file = make.file()
    lesson = make.lesson(make.course(lessons=0))
    lesson.attached.create(file=file)
    make.grant(contact=bob, offer=make.offer(courses=[lesson.module.course]))
    assert browser.get(file.url, headers={"Sec-Fetch-Dest": "image"}).status_code == 200
    assert [event.data["path"] for event in of(Name.SIMULATION_VIEWED)] == [file.url]


CHANGES = ["UPDATE portal_event SET actor_id = NULL", "DELETE FROM portal_event"]


@pytest.mark.parametrize("statement", CHANGES)
def test_h34_what_was_written_down_stays(browser, looking, statement):
    with (
        pytest.raises(ProgrammingError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert of(Name.SIMULATION_STARTED)


def test_h34_control_without_the_record_nobody_knows(browser, looking, monkeypatch):
    monkeypatch.setattr(simulation.SimulationMiddleware, "_record", lambda self, *told: None)
    assert browser.get("/profile/").status_code == 200
    assert not of(Name.SIMULATION_VIEWED)


def test_h34_control_without_the_trigger_the_log_is_changed(browser, looking):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or else the table could not be altered
        cursor.execute("ALTER TABLE portal_event DISABLE TRIGGER portal_event_is_immutable")
        cursor.execute(CHANGES[0])
        assert of(Name.SIMULATION_STARTED)[0].actor is None
        transaction.set_rollback(True)


# 35: the student never hears of it


def test_h35_the_student_is_told_by_mail_and_in_the_profile(
    browser, login, bob, committed, mailoutbox
):
    with committed():
        begin(browser, bob)
    [mail] = mailoutbox
    assert mail.to == [bob.email]
    assert mail.subject == "alice@example.com looked at your portal at Mill Street"
    assert "sees the portal as you do" in mail.body
    assert "30 more minutes at most" in mail.body
    assert "/profile/security/" in mail.body
    assert REASON not in mail.body
    page = login(bob).get("/profile/security/").content.decode()
    assert "looks at it now" in page
    browser.post(END)
    page = login(bob).get("/profile/security/").content.decode()
    assert "alice@example.com" in page
    assert REASON not in page


@pytest.mark.parametrize("when", ["start", "end", "day_after"])
def test_h35_the_school_decides_when_but_not_whether(browser, bob, committed, mailoutbox, when):
    School.objects.update(simulation_notice=when)
    with committed():
        begin(browser, bob)
    assert len(mailoutbox) == (when == "start")
    with committed():
        browser.post(END)
    assert len(mailoutbox) == (when != "day_after")
    with time_machine.travel(now() + timedelta(hours=25)), committed():
        pass
    assert len(mailoutbox) == 1


def test_h35_control_without_the_reaction_they_are_not_told(
    browser, bob, committed, mailoutbox, monkeypatch
):
    for name in (Name.SIMULATION_STARTED, Name.SIMULATION_ENDED):
        monkeypatch.setitem(reactions.REACTIONS, name, [])
    with committed():
        begin(browser, bob)
        browser.post(END)
    assert not mailoutbox


# 36: staff take the student's page for their own, and the student's session stays behind


@pytest.fixture
def broken(monkeypatch) -> None:
    """The list of courses fails."""

    def fail(*_args: object, **_words: object) -> None:
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
def test_h36_the_banner_is_on_every_page(browser, looking, broken, url, status):
    browser.raise_request_exception = False
    answer = browser.get(url)
    text = answer.content.decode()
    assert answer.status_code == status
    assert text.count("<simulation-banner") == 1
    assert "<strong>Bob Baker</strong>" in text
    assert f'action="{END}"' in text
    assert "csrfmiddlewaretoken" in text
    if simulation.is_students_path(url):
        assert answer["X-Impersonating"] == "1"
        assert "no-store" in answer["Cache-Control"]


def test_h36_in_the_end_staff_are_who_they_were(login, alice, bob, school):
    browser = login(alice)
    before, key = dict(browser.session), browser.session.session_key
    row = Session.objects.get(pk=key)
    begin(browser, bob)
    assert browser.get("/").status_code == 200
    assert not Session.objects.filter(user=bob.user).exists()
    assert browser.post(END)["Location"] == contact_url(bob)
    assert (browser.session.session_key, dict(browser.session)) == (key, before)
    after = Session.objects.get(pk=key)
    assert (after.user_id, after.created_at, after.seen_at) == (
        alice.pk,
        row.created_at,
        row.seen_at,
    )
    assert browser.get("/courses/")["Location"] == "/dashboard/"
    assert "You simulate" not in browser.get("/dashboard/").content.decode()
    last_logins = User.objects.filter(pk__in=[alice.pk, bob.user.pk]).values_list("last_login")
    assert set(last_logins) == {(alice.last_login,), (None,)}


def test_h36_a_copied_cookie_and_a_second_tab_are_the_same_session_to_its_end(browser, looking):
    copied = Client()
    copied.cookies = browser.cookies
    assert "<strong>Bob Baker</strong>" in copied.get("/").content.decode()
    browser.post(END)
    assert copied.get("/courses/")["Location"] == "/dashboard/"
    assert copied.post("/profile/", TYPED).status_code == 403


def test_h36_control_an_error_page_that_forgets_it_has_none(browser, looking, broken, monkeypatch):
    monkeypatch.setattr(errors, "_banner", lambda request: {})
    browser.raise_request_exception = False
    assert "<simulation-banner" not in browser.get("/courses/").content.decode()
