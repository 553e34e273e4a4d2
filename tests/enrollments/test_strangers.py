"""Two students of different courses: none finds anything of the other's, at any address there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import make
import pytest
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLResolver, get_resolver

from accounts.models import Session
from enrollments.models import Comment, Enrollment, LessonProgress, QuizAttempt, Rating
from offers.models import Attachment, Cohort, Course
from portal.models import FileKind

# A word that stands in everything that is Bob's, and in nothing else.
SECRET = "Panettone"

# Addresses whose number names nothing of a course, each with its reason.
ELSEWHERE = {
    "/l/": "a key that was mailed",
    "/demo/": "there is none outside the demo",
    "/account/": "the login's own pages",
}


@pytest.fixture
def bobs(bob, login, school):
    """What Bob has and did, by the name of the part of an address it stands for."""
    login(bob)
    course = make.course(SECRET, lessons=0)
    picture = make.file(f"{SECRET}.webp", kind=FileKind.IMAGE, content_type="image/webp")
    talk = make.file(
        f"{SECRET}.wav", make.wav(seconds=1), kind=FileKind.AUDIO, content_type="audio/wav"
    )
    Course.objects.filter(pk=course.pk).update(cover=picture, description=f"All about {SECRET}")
    lesson = make.lesson(
        course, f"{SECRET} and you", kind="audio", file=talk, body=f"The {SECRET}."
    )
    Attachment.objects.create(lesson=lesson, file=make.file(f"{SECRET}.pdf"))
    quiz = make.quiz(course, title=f"{SECRET} quiz")
    make.grant(contact=bob, offer=make.offer(f"{SECRET} offer", courses=[course]))
    mine = Enrollment.objects.get(contact=bob)
    mine.change(cohort=Cohort.objects.create(course=course, title=f"{SECRET} class"))
    mine.open_lesson(lesson)
    mine.complete(lesson)
    Rating.objects.create(enrollment=mine, course=mine.course, stars=5, text=SECRET)
    QuizAttempt.objects.submit(enrollment=mine, quiz=quiz, number=1, answers={})
    comment = Comment.objects.create(
        lesson=lesson, author=bob.user, contact=bob, text=f"I love {SECRET}"
    )
    return {
        "slug": [course.slug],
        "lesson": [lesson.pk, quiz.lesson.pk],
        "comment": [comment.pk],
        "file": [picture.pk, talk.pk, lesson.attachments.get().pk],
        "number": [1],
        "handle": [Session.objects.get(user=bob.user).handle],
    }


@pytest.fixture
def charlies(charlie):
    """A course that is Charlie's, with as much in it."""
    course = make.course("Rye")
    make.grant(contact=charlie, offer=make.offer("Rye offer", courses=[course]))
    lesson = course.modules.get().lessons.first()
    Comment.objects.create(lesson=lesson, author=charlie.user, contact=charlie, text="Dark")
    make.quiz(course)
    return course


def patterns(found=None, prefix="/") -> Iterator[str]:
    """Every address of the students' room, as <kind:name> where it takes something."""
    for pattern in found or get_resolver().url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, path)
        elif not path.startswith(("/dashboard/", "/static/", *ELSEWHERE)):
            yield path if "<" in str(pattern.pattern) else simplify_regex(path)


def meant(part: str) -> str:
    """What of Bob's the `<part>` of an address asks for."""
    kind, _colon, name = part.rpartition(":")
    if kind == "uuid":
        return "file"
    return {"pk": "lesson", "comment_pk": "comment"}.get(name, name)


def filled(path: str, things: dict[str, list[object]]) -> list[str]:
    """The address with every one of `things` that its parts may stand for."""
    part = re.search("<([^>]+)>", path)
    if part is None:
        return [path]
    start, end = path[: part.start()], path[part.end() :]
    return [
        whole
        for thing in things[meant(part[1])]
        for whole in filled(f"{start}{thing}{end}", things)
    ]


TAKING = sorted(path for path in set(patterns()) if "<" in path)
PLAIN = sorted(path for path in set(patterns()) if "<" not in path)


def test_there_are_addresses_of_every_sort():
    for needed in (
        "courses/<slug:slug>/",
        "/comments/",
        "/quiz/",
        "files/<uuid:pk>/",
        "/progress/",
    ):
        assert any(needed in path for path in TAKING), needed
    assert {"/", "/courses/"} <= set(PLAIN)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", TAKING)
def test_what_is_the_others_does_not_exist(bob, charlie, login, bobs, charlies, path, method):
    before = traces()
    for url in filled(path, bobs):
        answer = getattr(login(charlie), method)(url)
        assert answer.status_code in {404, 405}, url
        assert SECRET not in answer.content.decode(), url
    assert traces() == before


@pytest.mark.parametrize(
    "path", [path for path in TAKING if "<slug" in path and path.count("<") > 1]
)
def test_nor_is_it_reached_through_a_course_of_ones_own(charlie, login, bobs, charlies, path):
    mine = charlies.modules.get().lessons.first()
    mixed = bobs | {"slug": [charlies.slug]}
    urls = filled(path, mixed)
    if "lesson_pk" in path:
        urls += filled(path, mixed | {"lesson": [mine.pk]})
    for url in urls:
        for method in ("get", "post"):
            answer = getattr(login(charlie), method)(url)
            assert answer.status_code in {404, 405}, url
            assert SECRET not in answer.content.decode(), url


def test_no_page_of_ones_own_speaks_of_it(charlie, login, bobs, charlies):
    browser = login(charlie)
    pages = [*PLAIN, *own_pages(charlies)]
    answers = {page: browser.get(page) for page in pages}
    for page, answer in answers.items():
        assert SECRET not in answer.content.decode(), page
    assert "Rye" in answers["/courses/"].content.decode()
    assert answers[own_pages(charlies)[0]].status_code == 200


def own_pages(course: Course) -> list[str]:
    lessons = [lesson.pk for lesson in course.modules.get().lessons.all()]
    mine = {
        "slug": [course.slug],
        "lesson": lessons,
        "comment": list(Comment.objects.filter(lesson__in=lessons).values_list("pk", flat=True)),
        "file": [],
        "number": [1],
        "handle": [],
    }
    return [url for path in TAKING for url in filled(path, mine)]


def test_whose_it_is_sees_it(bob, login, bobs, charlies):
    """Lest the walk finds nothing for there is nothing to be found."""
    browser = login(bob)
    seen = [
        page
        for path in TAKING
        for page in filled(path, bobs)
        if "/take-back/" not in page and browser.get(page).status_code == 200
    ]
    assert len(seen) > 5
    assert SECRET in browser.get("/courses/").content.decode()


def traces() -> list[int]:
    kept = (LessonProgress, Comment, QuizAttempt, Rating)
    return [model.objects.count() for model in kept]
