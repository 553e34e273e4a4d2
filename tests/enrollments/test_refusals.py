"""Whatever shuts a course or a lesson shuts every address of it, on the very next request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import make
import pytest
from django.urls import reverse

from enrollments.models import Comment, Enrollment, Grant, LessonProgress, QuizAttempt, Rating
from offers.models import Course, Lesson, Requirement
from portal.models import FileKind, School


@pytest.fixture
def lesson(bob, school):
    """The second lesson of a course that is Bob's and that he has begun: a recording, and a quiz like it."""
    course = make.course("Sourdough", lessons=1)
    recording = make.file(
        "talk.wav", make.wav(seconds=1), kind=FileKind.AUDIO, content_type="audio/wav"
    )
    make.lesson(course, "The talk", kind="audio", file=recording)
    make.quiz(course)
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    first = course.modules.get().lessons.get(title="Lesson 1")
    Enrollment.objects.get().open_lesson(first)
    return course.modules.get().lessons.get(title="The talk")


def each_lesson(**fields: object) -> None:
    """All but the first of the course."""
    Lesson.objects.exclude(title="Lesson 1").update(**fields)


def require_the_first() -> None:
    first = Lesson.objects.get(title="Lesson 1")
    for lesson in Lesson.objects.exclude(pk=first.pk):
        Requirement.objects.create(lesson=lesson, required=first)


def end_yesterday() -> None:
    Grant.objects.get().extend(until=School.current().today() - timedelta(days=1))


def unpublish() -> None:
    """The only way a published course is published no more."""
    Course.objects.get().archive()


# What happened meanwhile, and whether it shuts the course or the lesson alone.
COURSE, LESSON = "course", "lesson"
STATES: dict[str, tuple[str, Callable[[], object]]] = {
    "revoked": (COURSE, lambda: Grant.objects.get().revoke()),
    "expired": (COURSE, end_yesterday),
    "suspended": (COURSE, lambda: Grant.objects.get().suspend()),
    "not started": (
        COURSE,
        lambda: Grant.objects.update(starts_at=School.current().start_of(date(2099, 1, 1))),
    ),
    "switched off": (COURSE, lambda: Enrollment.objects.get().switch(on=False)),
    "blocked": (COURSE, lambda: Grant.objects.get().contact.block(reason="")),
    "archived course": (COURSE, unpublish),
    "draft course": (COURSE, lambda: Course.objects.update(status="draft")),
    "unpublished lesson": (LESSON, lambda: each_lesson(published_at=None)),
    "a day to come": (LESSON, lambda: each_lesson(opens_on=date(2099, 1, 1))),
    "days to wait": (LESSON, lambda: each_lesson(opens_after=3)),
    "a lesson to do first": (LESSON, require_the_first),
    "an order to keep": (LESSON, lambda: Course.objects.update(enforces_order=True)),
}
REFUSED = {403, 404}

type Ask = Callable[[object, Lesson], object]


def at(name: str, method: str = "get", **words: object) -> Ask:
    """Ask for an address of the lesson."""

    def ask(browser, lesson):
        url = reverse(f"enrollments:{name}", args=[Course.objects.get().slug, lesson.pk])
        return getattr(browser, method)(url, words)

    return ask


def at_course(name: str, method: str = "get", **words: object) -> Ask:
    def ask(browser, lesson):
        return getattr(browser, method)(
            reverse(f"enrollments:{name}", args=[Course.objects.get().slug]), words
        )

    return ask


def at_quiz(name: str, method: str = "get", **words: object) -> Ask:
    def ask(browser, lesson):
        return at(name, method, **words)(browser, Lesson.objects.get(kind="quiz"))

    return ask


def file(browser, lesson, **headers):
    return browser.get(lesson.file.url, headers=headers)


PLAYED = {"position": "1", "duration": "10", "played": "0-1"}
# How each address is asked, and the answer while everything is open.
ADDRESSES: dict[str, tuple[str, Ask, int]] = {
    "course": (COURSE, at_course("course_detail"), 200),
    "rating": (COURSE, at_course("rating_update"), 200),
    "rating post": (COURSE, at_course("rating_update", "post", stars="5"), 302),
    "lesson": (LESSON, at("lesson_detail"), 200),
    "complete": (LESSON, at("lesson_complete", "post"), 302),
    "progress": (LESSON, at("lesson_progress", "post", **PLAYED), 204),
    "comments": (LESSON, at("comment_list"), 200),
    "comment post": (LESSON, at("comment_list", "post", text="Why?"), 302),
    "quiz": (LESSON, at_quiz("quiz_take"), 200),
    "quiz post": (LESSON, at_quiz("quiz_take", "post", number="1"), 200),
    "file": (LESSON, file, 200),
    "part of a file": (
        LESSON,
        lambda browser, lesson: file(browser, lesson, Range="bytes=0-9"),
        206,
    ),
}
# What shuts a course shuts all of it; what shuts a lesson leaves the course open.
MATRIX = [
    (state, address)
    for state, (shuts, _happen) in STATES.items()
    for address, (belongs, _ask, _status) in ADDRESSES.items()
    if shuts == COURSE or belongs == LESSON
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_while_everything_is_open_each_address_answers(bob, login, lesson, address):
    _belongs, ask, status = ADDRESSES[address]
    assert ask(login(bob), lesson).status_code == status


@pytest.mark.parametrize(("state", "address"), MATRIX)
def test_on_the_next_request_it_is_refused(bob, login, lesson, state, address):
    browser = login(bob)
    assert browser.get(reverse("enrollments:course_list")).status_code == 200
    before = traces()
    STATES[state][1]()
    answer = ADDRESSES[address][1](browser, lesson)
    # Who is blocked has no session any more.
    is_shown_out = answer.headers.get("Location", "").startswith("/account/login/")
    assert answer.status_code in REFUSED or (state == "blocked" and is_shown_out)
    assert "The talk" not in shown(answer) or answer.status_code == 403
    assert traces() == before


def shown(answer) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode(errors="replace")


def traces() -> list[int]:
    """What somebody may leave behind in a course."""
    marks = LessonProgress.objects.all()
    return [kept.count() for kept in (marks, Comment.objects, QuizAttempt.objects, Rating.objects)]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_not_mine_is_refused_as_if_it_did_not_exist(charlie, login, lesson, address):
    answer = ADDRESSES[address][1](login(charlie), lesson)
    assert answer.status_code == 404
