"""Every address has a door: who opens it is the table in doors.py, which is the README's, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from time import time

import doors
import make
import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils.timezone import now

from accounts.models import BulkRun, Role, Segment, Session
from accounts.models.note import Note
from accounts.models.user import PERMISSIONS
from enrollments.models import Comment, Enrollment, ImportBatch, QuizAttempt
from notifications.models import Message
from offers.models import Cohort, Course
from portal.models import Event, FileKind, Job, Outbox

# What an address is asked for, without which it is none.
ASKED = {"/dashboard/bulk/new/": {"action": "tag"}}

ADDRESSES = {address: room for room in doors.ROOMS for address in room}


def routes(patterns=None, prefix: str = "/") -> Iterator[str]:
    """Every address of the portal as the URL map writes it."""
    for pattern in patterns or get_resolver().url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path


ROUTES = sorted(set(routes()))


def door(route: str) -> str:
    """The address as the table writes it."""
    return re.sub("<[^>]+>", "*", route)


KNOWN = [route for route in ROUTES if door(route) in ADDRESSES]  # the others fail the first test


@pytest.fixture
def things(alice, bob, login, school):
    """What is Bob's, or about Bob, by the word before it in an address."""
    login(bob)
    course = make.course("Sourdough", lessons=1)
    cover = make.file("cover.webp", kind=FileKind.IMAGE, content_type="image/webp")
    Course.objects.filter(pk=course.pk).update(cover=cover)
    offer = make.offer("Bread", courses=[course])
    grant = make.grant(contact=bob, offer=offer)
    quiz = make.quiz(course)
    enrollment = Enrollment.objects.get(contact=bob)
    enrollment.open_lesson(quiz.lesson)
    QuizAttempt.objects.submit(enrollment=enrollment, quiz=quiz, number=1, answers={})
    comment = Comment.objects.create(
        lesson=quiz.lesson, author=bob.user, contact=bob, text="How long?"
    )
    talk = make.file("talk.wav", make.wav(seconds=1), kind=FileKind.AUDIO, content_type="audio/wav")
    at = now()
    session = Session.objects.get(user=bob.user)
    batch = ImportBatch.objects.create(file_name="x.csv", started_at=at, finished_at=at)
    link = make.link(bob.user)
    failed = Event.objects.latest("pk")
    Outbox.objects.update_or_create(event=failed, defaults={"dead_at": at, "attempts": 8})
    return {
        "<slug> courses": course.slug,
        "audit": failed.pk,
        "bulk": BulkRun.objects.create(action="tag", terms={"tag": "x"}, started_by=alice).pk,
        "cohorts": Cohort.objects.create(course=course, title="May", starts_on=date(2026, 5, 1)).pk,
        "comments": comment.pk,
        "contacts": bob.pk,
        "courses": course.pk,
        "enrollments": enrollment.pk,
        "events": failed.pk,
        "files": cover.pk,
        "grants": grant.pk,
        "imports": batch.pk,
        "jobs": Job.objects.create(kind="move_ends", key="x", state="dead").pk,
        "l": link.token,
        "lessons": quiz.lesson.pk,
        "links": link.pk,
        "lessons progress": make.lesson(course, kind="audio", file=talk).pk,
        "mail": "1",
        "messages": Message.objects.create(key="x", kind="access", cause="x", contact=bob).pk,
        "modules": quiz.lesson.module_id,
        "notes": Note.objects.create(contact=bob, author=alice, text="Called").pk,
        "offers": offer.pk,
        "questions": quiz.questions.earliest("pk").pk,
        "quiz": 1,
        "quiz-attempts": QuizAttempt.objects.get().pk,
        "passkeys": make.second_factors(bob.user).pk,
        "security": session.handle,
        "sessions": session.handle,
        "staff": make.staff(Role.SUPPORT).pk,
        "ways": "invite",
        "segments": Segment.objects.create(name="All", query="", created_by=alice).pk,
    }


def filled(route: str, things: dict[str, object]) -> str:
    """The address with what is Bob's in it; a KeyError asks for what `things` do not have yet."""

    def thing(part: re.Match[str]) -> str:
        word, kind = part[1], part[2]
        last = route.rstrip("/").rpartition("/")[2]
        for special in (f"<{kind}> {word}", f"{word} {last}"):
            if special in things:
                return f"{word}/{things[special]}"
        return f"{word}/{things[word]}"

    return re.sub(r"([\w-]+)/<(\w+):\w+>", thing, route)


@pytest.fixture
def enter(bob, login):
    """A browser of whom the table names, who has just proved who they are."""

    def enter(who: str) -> Client:
        browser = come(who)
        if who not in ("nobody", "blocked"):
            session = browser.session
            session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time()}]
            session.save()
        return browser

    def come(who: str) -> Client:
        match who:
            case "nobody":
                return Client()
            case "student":
                return login(bob)
            case "other":
                return login(make.student("Charlie Cook", email="charlie@example.com"))
            case "blocked":
                browser = login(bob)
                bob.block(reason="")
                return browser
            case "simulating":
                return simulating(login(make.staff(Role.SUPPORT)), bob)
            case _:
                return login(make.staff(Role(who)))

    return enter


def simulating(browser: Client, student) -> Client:
    started = browser.post(
        f"/dashboard/contacts/{student.pk}/simulate/", {"reason": "Sees no course, says the phone"}
    )
    assert started.status_code == 302
    return browser


def answer(browser: Client, method: str, url: str) -> str:
    """What somebody gets; whatever it did is undone, in the database and in their cookies."""
    copy = Client()
    copy.cookies.load({name: cookie.value for name, cookie in browser.cookies.items()})
    with transaction.atomic():
        got = getattr(copy, method)(url, ASKED.get(url))
        transaction.set_rollback(True)
    if got.streaming:
        b"".join(got.streaming_content)
    where = got.headers.get("Location", "")
    if where.startswith("/account/login/"):
        return doors.LOGIN
    if where == "/dashboard/" and not url.startswith("/dashboard/"):
        return doors.LED
    known = {403: doors.FORBIDDEN, 404: doors.MISSING, 405: ""}
    assert got.status_code < 500, (method, url)
    return known.get(got.status_code, doors.OPEN)


def both(browser: Client, url: str) -> tuple[str, str]:
    return answer(browser, "get", url), answer(browser, "post", url)


def is_as_told(told: str, got: tuple[str, str]) -> bool:
    """Whether the answers to GET and POST are those of the table. An address may refuse one of the methods."""
    words = told.split(", ") if ", " in told else [told, told]
    return any(got) and all(each in ("", word) for each, word in zip(got, words, strict=True))


def test_the_table_names_every_address_once_and_no_other():
    assert sorted(door(route) for route in ROUTES) == sorted(
        address for room in doors.ROOMS for address in room
    )


@pytest.mark.parametrize("who", doors.WHO)
def test_every_door_answers_as_the_table_says(things, enter, who):
    browser = enter(who)
    wrong = {}
    for route in KNOWN:
        url = filled(route, things)
        got = both(browser, url)
        told = ADDRESSES[door(route)].gets[who]
        if not is_as_told(told, got):
            wrong[url] = f"{got}, not {told}"
    assert wrong == {}


PERMITTED = sorted({room.permission for room in doors.ROOMS if room.permission})


@pytest.mark.parametrize("permission", PERMITTED)
def test_without_its_permission_the_door_is_shut(things, login, alice, monkeypatch, permission):
    """Though it is the owner who comes, who has all the others."""
    monkeypatch.setitem(PERMISSIONS, Role.OWNER, PERMISSIONS[Role.OWNER] - {permission})
    browser = login(alice)
    mine = [
        filled(route, things) for route in KNOWN if ADDRESSES[door(route)].permission == permission
    ]
    wrong = {url: got for url in mine if not is_as_told(doors.FORBIDDEN, got := both(browser, url))}
    assert wrong == {}


def test_the_readme_shows_the_table():
    shown = doors.README.read_text()
    assert doors.BEGIN in shown
    assert shown == doors.shown_in(shown), "run: make doors"


def test_a_table_that_is_wrong_is_found(things, enter):
    """Lest the walk says yes to everything."""
    browser = enter("moderator")
    url = filled("/dashboard/contacts/<int:pk>/", things)
    got = both(browser, url)
    assert got == ("403", "403")
    assert not is_as_told(doors.OPEN, got)
    assert not is_as_told(doors.LOGIN, got)
    assert not is_as_told(doors.AWAY, got)
    assert not is_as_told(doors.FORBIDDEN, ("", ""))


def test_a_fragment_leads_the_whole_page_to_the_login(client, db):
    got = client.get("/dashboard/contacts/count/", headers={"HX-Request": "true"})
    assert got.headers["HX-Redirect"].startswith("/account/login/")
