"""Files: who gets them, who is told that there is no such thing, and how they are sent."""

from __future__ import annotations

import uuid
from datetime import timedelta

import make
import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils.http import http_date
from django.utils.timezone import now

from accounts.models import Contact, Role
from enrollments.models import Comment, Enrollment, Grant
from offers.models import Attachment, Course, Lesson
from portal import sending, sweep
from portal.clock import Clock
from portal.models import File, FileKind, School

CONTENT = bytes(range(256)) * 4


def kept(kind=FileKind.VIDEO, content=CONTENT, name="film.mp4", **fields) -> File:
    types = {"video": "video/mp4", "image": "image/webp", "captions": "text/vtt"}
    file = File(
        kind=kind,
        name=name,
        size=len(content),
        content_type=types.get(kind, "application/octet-stream"),
        **fields,
    )
    file.content.save(name, ContentFile(content), save=False)
    file.save()
    return file


@pytest.fixture
def course(bob):
    """A course of two lessons that is Bob's."""
    made = make.course("Sourdough")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[made]))
    return made


@pytest.fixture
def lesson(course):
    return Lesson.objects.filter(module__course=course).in_order().first()


@pytest.fixture
def film(lesson):
    """The video of the first lesson."""
    lesson.file = kept()
    lesson.save()
    return lesson.file


def everything(course) -> list[File]:
    """Whatever a course may hold: film, captions, a download, a picture in the text, its cover."""
    lesson = Lesson.objects.filter(module__course=course).in_order().first()
    lesson.file = kept()
    lesson.captions = kept(FileKind.CAPTIONS, b"WEBVTT\n", "film.vtt")
    lesson.save()
    offered = [kept(FileKind.DOCUMENT, b"plan", "plan.pdf"), kept(FileKind.IMAGE, b"webp")]
    Attachment.objects.bulk_create([Attachment(lesson=lesson, file=file) for file in offered])
    course.cover = kept(FileKind.IMAGE, b"cover", "cover.webp")
    course.save()
    return [lesson.file, lesson.captions, *offered, course.cover]


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def statuses(browser, files) -> set[int]:
    return {browser.get(file.url).status_code for file in files}


# Who gets it


def test_what_belongs_to_my_course_opens_and_what_does_not_does_not_exist(
    bob, charlie, login, course
):
    files = everything(course)
    others = everything(make.course("Pizza"))
    assert statuses(login(bob), files) == {200}
    assert statuses(login(bob), others) == {404}
    assert statuses(login(charlie), files + others) == {404}


def test_a_stranger_is_sent_to_the_login(client, film):
    answer = client.get(film.url)
    assert answer.headers["Location"].startswith("/account/login/")


def test_what_there_is_not_is_answered_like_what_is_not_mine(login, bob, charlie, film):
    missing = reverse("enrollments:file_detail", args=[uuid.uuid4()])
    mine = login(charlie)
    assert mine.get(missing).status_code == mine.get(film.url).status_code == 404


def revoke(bob, course):
    Grant.objects.all().revoke()


def suspend(bob, course):
    Grant.objects.all().suspend()


def expire(bob, course):
    Grant.objects.update(
        ends_on=now().date() - timedelta(days=2), ends_at=now() - timedelta(days=1)
    )


def postpone(bob, course):
    Grant.objects.update(starts_at=now() + timedelta(days=1))


def switch_off(bob, course):
    Enrollment.objects.update(inactive_at=now())


def draft(bob, course):
    Course.objects.update(status="draft")


def archive(bob, course):
    course.archive()


def draft_offer(bob, course):
    course.offers.update(status="draft")


def exclude(bob, course):
    course.offers.get().exclude(course)


SHUTTING = [
    revoke,
    suspend,
    expire,
    postpone,
    switch_off,
    draft,
    archive,
    draft_offer,
    exclude,
]


@pytest.mark.parametrize("shut", SHUTTING)
def test_what_shuts_a_course_shuts_its_files_on_the_very_next_request(bob, login, course, shut):
    browser, files = login(bob), everything(course)
    assert statuses(browser, files) == {200}
    shut(bob, course)
    assert statuses(browser, files) == {404}
    part = browser.get(files[0].url, headers={"Range": "bytes=0-9"})
    again = browser.get(files[0].url, headers={"If-None-Match": f'"{files[0].pk.hex}"'})
    assert part.status_code == again.status_code == 404


def unpublish(lesson):
    Lesson.objects.filter(pk=lesson.pk).update(published_at=None)


def drip(lesson):
    Lesson.objects.filter(pk=lesson.pk).update(opens_after=3)


def require(lesson):
    other = lesson.module.lessons.exclude(pk=lesson.pk).first()
    lesson.requires.add(other)


@pytest.mark.parametrize("shut", [unpublish, drip, require])
def test_a_lesson_that_is_shut_shuts_its_files_and_the_cover_stays(
    bob, login, course, lesson, shut
):
    browser, files = login(bob), everything(course)
    shut(lesson)
    *of_lesson, cover = files
    assert statuses(browser, of_lesson) == {404}
    assert statuses(browser, [cover]) == {200}


def test_a_blocked_person_gets_nothing(bob, login, film):
    browser = login(bob)
    bob.block()
    assert browser.get(film.url).status_code != 200


def test_a_file_that_was_replaced_is_gone(bob, login, lesson, film):
    lesson.file = kept()
    lesson.save()
    assert statuses(login(bob), [film]) == {404}
    assert statuses(login(bob), [lesson.file]) == {200}


def test_a_file_of_two_lessons_opens_with_either(bob, login, lesson, film):
    other = make.course("A copy of it")
    copied = Lesson.objects.filter(module__course=other).in_order().first()
    copied.file = film
    copied.save()
    unpublish(lesson)
    assert statuses(login(bob), [film]) == {404}
    make.grant(contact=bob, offer=make.offer("Copy", courses=[other]))
    assert statuses(login(bob), [film]) == {200}


def pictured(contact: Contact) -> File:
    contact.picture = kept(FileKind.IMAGE, b"face", "face.webp")
    contact.save()
    return contact.picture


def test_my_picture_is_seen_by_me_and_by_who_may_read_what_i_wrote(bob, charlie, login, lesson):
    face = pictured(charlie)
    assert statuses(login(charlie), [face]) == {200}
    assert statuses(login(bob), [face]) == {404}
    comment = Comment.objects.create(
        lesson=lesson, author=charlie.user, contact=charlie, text="Nice."
    )
    assert statuses(login(bob), [face]) == {200}
    Comment.objects.filter(pk=comment.pk).update(hidden_at=now())
    assert statuses(login(bob), [face]) == {404}
    Comment.objects.filter(pk=comment.pk).update(hidden_at=None)
    drip(lesson)
    assert statuses(login(bob), [face]) == {404}


@pytest.mark.parametrize(
    ("role", "of_courses", "of_people"),
    [
        (Role.OWNER, 200, 200),
        (Role.ADMIN, 200, 200),
        (Role.SUPPORT, 404, 200),
        (Role.MODERATOR, 404, 404),
    ],
)
def test_staff_see_what_they_work_with_drafts_too(
    login, bob, course, lesson, role, of_courses, of_people
):
    files, face = everything(course), pictured(bob)
    draft(bob, course)
    browser = login(make.staff(role))
    assert statuses(browser, files) == {of_courses}
    assert statuses(browser, [face]) == {of_people}
    Comment.objects.create(lesson=lesson, author=bob.user, contact=bob, text="Nice.")
    assert statuses(browser, [face]) == {200}


def test_a_file_that_nothing_points_at_is_nobodys(alice, bob, login):
    assert statuses(login(alice), [kept()]) == {404}
    assert statuses(login(bob), [kept()]) == {404}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_a_file_is_only_ever_read(bob, login, film, method):
    assert getattr(login(bob), method)(film.url).status_code == 405


def test_the_number_of_statements_does_not_grow(
    bob, login, course, lesson, film, django_assert_max_num_queries
):
    School.current()
    for number in range(12):
        other = make.course(f"Course {number}")
        make.grant(contact=bob, offer=make.offer(f"Offer {number}", courses=[other]))
        Lesson.objects.filter(module__course=other).update(file=film)
        Comment.objects.create(lesson=lesson, author=bob.user, contact=bob, text=str(number))
    browser = login(bob)
    body(browser.get(film.url))
    with django_assert_max_num_queries(8):
        assert statuses(browser, [film]) == {200}


# How it is sent


def test_a_film_is_shown_in_place_and_cannot_be_taken_for_anything_else(bob, login, film):
    answer = login(bob).get(film.url)
    assert body(answer) == CONTENT
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == "1024"
    assert answer.headers["Content-Disposition"] == 'inline; filename="film.mp4"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.streaming


@pytest.mark.parametrize("content", [b"<script>alert(1)</script>", b"<svg/>", b"%PDF-1.7"])
def test_a_document_is_downloaded_whatever_it_claims_to_be(bob, login, lesson, content):
    file = kept(FileKind.DOCUMENT, content, "così.html")
    File.objects.filter(pk=file.pk).update(content_type="text/html")
    Attachment.objects.create(lesson=lesson, file=file)
    answer = login(bob).get(file.url)
    assert body(answer) == content
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''cos%C3%AC.html"


def test_a_name_cannot_break_out_of_its_header(bob, login, lesson):
    file = kept(FileKind.DOCUMENT, b"x", 'a"; filename="b.exe')
    Attachment.objects.create(lesson=lesson, file=file)
    answer = login(bob).get(file.url)
    assert answer.headers["Content-Disposition"] == r'attachment; filename="a\"; filename=\"b.exe"'


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=1000-", 1000, 1023),
        ("bytes=0-", 0, 1023),
        ("bytes=-24", 1000, 1023),
        ("bytes=-5000", 0, 1023),
        ("bytes=1020-9999", 1020, 1023),
        ("Bytes = 5-6", 5, 6),
    ],
)
def test_a_part_is_the_very_bytes_that_were_asked_for(bob, login, film, asked, first, last):
    answer = login(bob).get(film.url, headers={"Range": asked})
    assert answer.status_code == 206
    assert body(answer) == CONTENT[first : last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/1024"
    assert answer.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=9-3"])
def test_a_part_there_is_not_is_answered_with_how_large_it_is(bob, login, film, asked):
    answer = login(bob).get(film.url, headers={"Range": asked})
    assert answer.status_code == 416
    assert body(answer) == b""
    assert answer.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=-", "bytes=a-b", "lines=1-2", "0-5", f"bytes=0-{9**40}", ""]
)
def test_what_asks_for_several_parts_or_none_gets_the_whole(bob, login, film, asked):
    answer = login(bob).get(film.url, headers={"Range": asked})
    assert answer.status_code == 200
    assert body(answer) == CONTENT


def test_a_part_is_only_of_the_file_that_somebody_has_begun_with(bob, login, film):
    browser, moment = login(bob), http_date(film.created_at.timestamp())
    for mark, status in [
        (f'"{film.pk.hex}"', 206),
        (moment, 206),
        ('"another"', 200),
        (f'W/"{film.pk.hex}"', 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ]:
        answer = browser.get(film.url, headers={"Range": "bytes=0-9", "If-Range": mark})
        assert answer.status_code == status
        assert len(body(answer)) == (10 if status == 206 else 1024)


def test_a_player_gets_a_film_piece_by_piece(bob, login, film, monkeypatch):
    monkeypatch.setattr(sending, "PART", 100)
    browser, found = login(bob), b""
    while len(found) < film.size:
        headers = {"Range": f"bytes={len(found)}-", "Sec-Fetch-Dest": "video"}
        answer = browser.get(film.url, headers=headers)
        assert answer.status_code == 206
        assert int(answer.headers["Content-Length"]) <= 100
        found += body(answer)
    assert found == CONTENT


def test_head_tells_all_and_sends_nothing(bob, login, film, settings):
    browser = login(bob)
    answer = browser.head(film.url, headers={"Range": "bytes=0-9"})
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "1024"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.content == b""


def test_what_a_browser_has_already_is_not_sent_again(bob, login, film):
    browser = login(bob)
    mark = browser.head(film.url).headers["ETag"]
    answer = browser.get(film.url, headers={"If-None-Match": mark})
    assert answer.status_code == 304
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert browser.get(film.url, headers={"If-None-Match": '"other"'}).status_code == 200
    since = http_date(film.created_at.timestamp())
    assert browser.get(film.url, headers={"If-Modified-Since": since}).status_code == 304
    assert browser.get(film.url, headers={"If-Match": '"other"'}).status_code == 412


def test_a_file_whose_content_was_lost_is_not_found(bob, login, film):
    film.content.storage.delete(film.content.name)
    assert login(bob).get(film.url).status_code == 404


def test_nginx_sends_it_where_it_stands_in_front(bob, charlie, login, film, settings):
    settings.FILES_SENDFILE = "accel"
    answer = login(bob).get(film.url)
    assert answer.headers["X-Accel-Redirect"] == f"/protected/{film.content.name}"
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.content == b""
    assert "X-Accel-Redirect" not in login(charlie).get(film.url).headers


def test_apache_sends_it_where_it_stands_in_front(bob, login, film, settings):
    settings.FILES_SENDFILE = "sendfile"
    answer = login(bob).get(film.url)
    assert answer.headers["X-Sendfile"] == film.content.path
    assert answer.content == b""


# What nothing points at


def test_the_clock_sweeps_what_nothing_points_at_after_a_day(bob, course, monkeypatch):
    monkeypatch.setattr(sweep, "BATCH", 2)
    old = now() - timedelta(days=2)
    used = [*everything(course), pictured(bob)]
    unused = [kept(created_at=old) for _ in range(5)]
    fresh = kept()
    File.objects.filter(pk__in=[file.pk for file in used]).update(created_at=old)

    Clock().run_once()

    assert set(File.objects.all()) == {*used, fresh}
    storage = fresh.content.storage
    assert [storage.exists(file.content.name) for file in unused] == [False] * 5
    assert all(storage.exists(file.content.name) for file in [*used, fresh])


def test_a_sweep_that_finds_nothing_leaves_no_trace(bob, course):
    from portal.models import Job

    everything(course)
    sweep.queue_sweep()
    assert not Job.objects.exists()
