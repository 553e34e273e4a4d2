"""Hazards 78 and 79: what is another's, asked for by its number; and what a page tells the browser."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import make
import pytest
from django.test import Client
from doors import MISSING, ROOMS
from test_doors import ROUTES, door, filled, things

from accounts.models import Contact, Role, Session, User
from enrollments import access, outline
from enrollments.models import Comment, Enrollment, QuizAttempt
from offers.models import Course
from portal.browser import BrowserMiddleware
from portal.logs import Line
from portal.models import FileKind, Job, School

__all__ = ["things"]

# Addresses that name a thing of one student.
THEIRS = {address for room in ROOMS if room.gets["other"] == MISSING for address in room}
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")


# 78: objects of another member


def test_h78_what_is_another_students_is_not_there_for_a_stranger(things, login, charlie):
    browser, opened = login(charlie), {}
    mine = [filled(route, things) for route in ROUTES if door(route) in THEIRS]
    assert len(mine) > 12
    for url in mine:
        for method in METHODS:
            answer = getattr(browser, method)(url, {"text": "x", "undo": "1", "stars": "1"})
            if answer.status_code not in (404, 405):
                opened[method, url] = answer.status_code
    assert {url for (_method, url) in opened if "/2fa/" not in url} == set()
    assert not {method for method, url in opened if "/2fa/" in url} - {"options"}


@pytest.fixture
def classmate(charlie, things) -> Contact:
    """Charlie takes the same course: what Bob has of his own in it is no concern of hers."""
    make.grant(contact=charlie, offer=make.offer(courses=[Course.objects.get()]))
    return charlie


def test_h78_a_classmate_shares_the_course_and_nothing_else(things, login, bob, classmate):
    browser, slug, lesson = login(classmate), things["<slug> courses"], things["lessons"]
    page = f"/courses/{slug}/lessons/{lesson}"
    assert browser.get(f"{page}/comments/").status_code == 200
    picture = make.file("face.webp", kind=FileKind.IMAGE, content_type="image/webp")
    secret = make.file("answers.pdf")
    make.lesson(Course.objects.get(), published_at=None).attached.create(file=secret)
    Comment.objects.all().delete()
    Contact.objects.filter(pk=bob.pk).update(picture=picture)
    comment = Comment.objects.create(
        lesson_id=lesson, author=bob.user, contact=bob, text="I live in Baker Lane", hidden_by=None
    )
    Comment.objects.filter(pk=comment.pk).update(hidden_at=comment.created_at)
    attempt = QuizAttempt.objects.get()
    for url in (
        f"{page}/comments/{comment.pk}/take-back/",
        f"{page}/quiz/{attempt.number}/",
        f"/profile/security/{things['security']}/end/",
        picture.url,
        secret.url,
    ):
        assert {browser.get(url).status_code, browser.post(url).status_code} <= {404, 405}, url
    for query in ("", f"?thread={comment.pk}", "?order=oldest"):
        assert "Baker Lane" not in browser.get(f"{page}/comments/{query}").content.decode()
    assert Session.objects.filter(user=bob.user).exists()


def test_h78_answers_stay_below_the_lesson_they_are_about(things, login, classmate):
    """Below her own lesson Charlie names Bob's comment, which stands below one that is shut to her."""
    other = make.course("Rye")
    make.grant(contact=classmate, offer=make.offer(courses=[other]))
    own = other.modules.get().lessons.first()
    url = f"/courses/{other.slug}/lessons/{own.pk}/comments/"
    answer = login(classmate).post(url, {"text": "Hello", "parent": things["comments"]})
    assert "is not there any more" in answer.content.decode()
    assert not Comment.objects.filter(text="Hello").exists()


def test_h78_staff_reach_nothing_around_what_they_may_see(things, login, bob, charlie):
    moderator, support = login(make.staff(Role.MODERATOR)), login(make.staff(Role.SUPPORT))
    named = moderator.get(f"/dashboard/comments/?contact={bob.pk}").content.decode()
    silent = moderator.get(f"/dashboard/comments/?contact={charlie.pk}").content.decode()
    assert "Bob Baker" in named
    assert "Charlie" not in silent, "who never said a word is not theirs to name"
    picture = make.file("face.webp", kind=FileKind.IMAGE, content_type="image/webp")
    Contact.objects.filter(pk=charlie.pk).update(picture=picture)
    assert moderator.get(picture.url).status_code == 404
    assert support.get(picture.url).status_code == 200

    Job.objects.create(
        kind="move_ends",
        key="x2",
        state="dead",
        last_error=f"Key (email)=({charlie.email}) is there",
    )
    assert charlie.email not in moderator.get("/dashboard/").content.decode()

    foreign = Enrollment.objects.create(
        contact=charlie, course=make.course("Rye"), enrolled_on=School.current().today()
    )
    for url in (
        f"/dashboard/contacts/{charlie.pk}/sessions/{things['security']}/end/",
        f"/dashboard/enrollments/{foreign.pk}/lessons/{things['lessons']}/unlock/",
    ):
        assert support.post(url).status_code == 404, url

    User.objects.filter(contact=bob).update(role=Role.ADMIN)
    for url in (
        f"/dashboard/links/{things['links']}/revoke/",
        f"/dashboard/contacts/{bob.pk}/sessions/",
        f"/dashboard/contacts/{bob.pk}/sessions/{things['security']}/end/",
        f"/dashboard/contacts/{bob.pk}/links/new/",
    ):
        words = {"delivery": "copy", "section": "home", "once": "0" * 32}
        assert support.post(url, words).status_code in (403, 405), url
    assert Session.objects.filter(user=bob.user).exists()
    assert support.post(f"/dashboard/contacts/{bob.pk}/edit/", {"email": "x@example.com"})
    assert User.objects.get(contact=bob).email == "bob@example.com"


def test_h78_control_a_course_that_is_anybodys_opens_to_a_stranger(
    things, login, charlie, monkeypatch
):
    anybodys = outline.STUDY.replace("held.contact_id = %(contact)s", "%(contact)s > 0")
    monkeypatch.setattr(outline, "STUDY", anybodys)
    browser = login(charlie)
    assert browser.get(f"/courses/{things['<slug> courses']}/").status_code == 200


def test_h78_control_a_file_that_is_only_hard_to_guess_is_read(
    things, login, bob, charlie, monkeypatch
):
    monkeypatch.setattr(access, "is_file_open", lambda file, user: True)
    picture = make.file("face.webp", kind=FileKind.IMAGE, content_type="image/webp")
    Contact.objects.filter(pk=bob.pk).update(picture=picture)
    assert login(charlie).get(picture.url).status_code == 200


# 79: what the browser is told

POLICY = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def policy_of(answer) -> dict[str, str]:
    directives = answer["Content-Security-Policy"].split("; ")
    return {name: values for name, _space, values in (each.partition(" ") for each in directives)}


def test_h79_every_page_tells_the_browser_to_trust_nothing_but_us(alice, bob, login, school):
    student, staff = login(bob), login(alice)
    pages = {
        "/account/login/": Client(),
        "/": student,
        "/profile/": student,
        "/nothing/here/": student,
        "/dashboard/": staff,
        "/dashboard/settings/": staff,
    }
    for url, person in pages.items():
        answer = person.get(url)
        policy = policy_of(answer)
        assert POLICY.items() <= policy.items(), url
        assert "unsafe" not in answer["Content-Security-Policy"], url
        assert policy["img-src"].split() == ["'self'", "data:"], url
        [nonce] = set(re.findall(r'nonce="([^"]+)"', answer.content.decode()))
        for kind in ("script-src", "style-src"):
            assert policy[kind].split() == ["'self'", f"'nonce-{nonce}'"], url
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["Referrer-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]
        assert "no-store" in answer["Cache-Control"], url


def test_h79_a_nonce_is_used_once(client, db):
    first, second = (client.get("/account/login/")["Content-Security-Policy"] for _ in range(2))
    assert first != second


def test_h79_no_page_runs_what_stands_in_it(alice, bob, login, school):
    """Neither a script without the nonce nor a handler in an attribute: the policy would be in vain."""
    for person, url in (
        (bob, "/profile/"),
        (alice, "/dashboard/"),
        (alice, "/dashboard/contacts/"),
    ):
        page = login(person).get(url).content.decode()
        assert not re.search(r"<script(?![^>]*(src=|nonce=|application/json))", page), url
        assert not re.search(r"<[^>]+\s(on\w+|style)=", page), url


def test_h79_cookies_are_for_the_server_alone(bob, client, school):
    client.get("/account/login/")
    client.post("/account/login/", {"login": bob.email, "password": make.PASSWORD})
    client.post("/profile/notifications/", {})
    assert {"session", "csrf", "messages"} <= set(client.cookies)
    for cookie in client.cookies.values():
        assert cookie["httponly"], cookie.key
        assert cookie["samesite"] == "Lax", cookie.key
        assert cookie["path"] == "/", cookie.key
        assert not cookie["domain"], cookie.key


HELD = {
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SESSION_COOKIE_NAME": "__Host-session",
    "CSRF_COOKIE_NAME": "__Host-csrf",
    "SESSION_COOKIE_SAMESITE": "Lax",
    "CSRF_COOKIE_SAMESITE": "Lax",
    "SESSION_COOKIE_HTTPONLY": True,
    "CSRF_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_DOMAIN": None,
    "CSRF_COOKIE_DOMAIN": None,
}
ASKED = f"""
import json
from django.conf import settings
from django.test import Client
from portal.browser import Messages

browser = Client(raise_request_exception=False, headers={{"host": "portal.example.com"}})
plain, answer = browser.get("/account/login/"), browser.get("/account/login/", secure=True)
told = {{name: getattr(settings, name) for name in {list(HELD)}}}
told |= {{"messages": Messages.storage_classes[0].cookie_name, "moved": plain.headers["Location"]}}
print(json.dumps(told | {{"answer": answer.status_code, "headers": dict(answer.headers)}}))
"""


def test_h79_in_production_the_browser_is_held_to_https_and_to_our_cookies():
    """Asked of a process of its own: there is no database, and even the page that says so is held to it."""
    production = {
        "SECRET_KEY": "kW7vQ2mZ9xR4tY6uB8nC1pL3dF5gH0jS-aE_iO7wX2zV4qM6-longer",
        "PORTAL_URL": "https://portal.example.com",
        "ALLOWED_HOSTS": "portal.example.com",
        "EMAIL_URL": "smtp://localhost",
        "DATABASE_URL": "postgres://127.0.0.1:9/x",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", ASKED],
        cwd=Path(__file__).parent.parent.parent,
        env=kept | production,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told.items() >= HELD.items()
    assert told["messages"] == "__Host-messages"
    assert told["moved"] == "https://portal.example.com/account/login/"
    assert told["answer"] == 503
    sure = told["headers"]["Strict-Transport-Security"]
    assert sure == "max-age=31536000; includeSubDomains; preload"
    assert "frame-ancestors 'none'" in told["headers"]["Content-Security-Policy"]


@pytest.fixture
def written():
    """What the log of this test would be, as the portal writes it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Line())
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    yield out.getvalue
    logger.removeHandler(handler)


@pytest.fixture
def broken(client, monkeypatch):
    """The login page, which fails."""

    def fail(*_args: object, **_words: object) -> None:
        raise ValueError("inner workings")

    client.raise_request_exception = False
    monkeypatch.setattr("allauth.account.views.LoginView.get", fail)
    return lambda: client.get("/account/login/")


TRACE = re.compile("inner workings|Traceback|ValueError|LoginView")


def test_h79_a_broken_page_shows_no_trace_but_the_number_under_which_the_log_has_it(
    broken, db, written
):
    answer = broken()
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Something broke" in page
    assert answer["X-Request-ID"] in page
    assert not TRACE.search(page)
    [line] = [line for line in written().splitlines() if "Internal Server Error" in line]
    assert answer["X-Request-ID"] in line
    assert "ValueError: inner workings" in written()
    assert POLICY.items() <= policy_of(answer).items()


def test_h79_control_pages_made_for_programmers_show_it(broken, db, settings):
    settings.DEBUG = True
    assert TRACE.search(broken().content.decode())


def test_h79_control_without_the_middleware_browsers_trust_whatever_they_find(db, settings):
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "csp" not in each]
    assert "Content-Security-Policy" not in Client().get("/account/login/").headers


def test_h79_control_without_ours_pages_of_somebody_are_kept(bob, login, school, monkeypatch):
    monkeypatch.setattr(
        BrowserMiddleware, "__call__", lambda self, request: self.get_response(request)
    )
    assert "Cache-Control" not in login(bob).get("/nothing/here/").headers
