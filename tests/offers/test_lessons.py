"""Staff write lessons: each kind with what it asks for, its rules, its preview and its files."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from accounts.models import Role
from enrollments.models import Comment, Enrollment, QuizAttempt
from offers.markdown import render
from offers.models import Course, Lesson, LessonKind, Module, Quiz, Requirement
from portal.models import File

VIDEO = b"\0\0\0\x18ftypisom" + b"\0" * 64


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def lesson(school):
    """The first of two."""
    return make.course("Bread").modules.get().lessons.get(position=1)


def edit(lesson):
    return reverse("offers:lesson_update", args=[lesson.pk])


def create(module):
    return reverse("offers:lesson_create", args=[module.pk])


def fields(lesson, **changes):
    """What the editor sends if nothing but `changes` is typed."""
    lesson.refresh_from_db()
    return {
        "version": lesson.version,
        "kind": lesson.kind,
        "title": lesson.title,
        "body": lesson.body,
        "module": lesson.module_id,
        "published": "on" if lesson.is_published else "",
    } | changes


def picture(name="loaf.png"):
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "brown").save(content, "PNG")
    return SimpleUploadedFile(name, content.getvalue(), "image/png")


def film(name="film.mp4"):
    return SimpleUploadedFile(name, VIDEO, "video/mp4")


def page(answer):
    return answer.content.decode()


OWN = {
    "text": set(),
    "video": {"video_url", "file", "captions"},
    "audio": {"file"},
    "file": {"file"},
    "embed": {"embed_url"},
    "quiz": set(),
    "live": {"live_at", "live_minutes", "join_url", "video_url", "file", "captions"},
}


@pytest.mark.parametrize("kind", LessonKind.values)
def test_the_editor_asks_for_what_the_kind_needs_and_no_more(staff, lesson, kind):
    shown = page(staff.get(create(lesson.module), {"kind": kind}))
    every = set.union(*OWN.values())
    assert {name for name in every if f'name="{name}"' in shown} == OWN[kind]
    for name in ("title", "body", "opens_after", "opens_on", "requires", "published", "attach"):
        assert f'name="{name}"' in shown


def test_only_who_makes_content_sees_the_editor(login, bob, lesson):
    for person in (bob, make.staff(Role.SUPPORT), make.staff(Role.MODERATOR)):
        for address in (edit(lesson), create(lesson.module), reverse("offers:lesson_preview")):
            assert login(person).post(address, fields(lesson, title="Mine")).status_code == 403
    lesson.refresh_from_db()
    assert lesson.title == "Lesson 1"


def test_a_live_class_is_in_the_zone_of_the_school(staff, lesson):
    words = fields(lesson, kind="live", live_at="2026-12-03T18:30", live_minutes="90")
    staff.post(edit(lesson), words | {"join_url": "https://meet.example/x"})
    lesson.refresh_from_db()
    assert lesson.live_at == datetime(2026, 12, 3, 17, 30, tzinfo=UTC)
    shown = page(staff.get(edit(lesson)))
    assert 'value="2026-12-03T18:30"' in shown
    assert "Europe/Rome" in shown


def test_a_quiz_lesson_has_a_quiz_and_keeps_it_through_another_kind(staff, lesson):
    answer = staff.post(
        create(lesson.module),
        {"kind": "quiz", "title": "Test", "module": lesson.module_id, "published": "on"},
    )
    quiz = Quiz.objects.get()
    assert answer.headers["Location"] == reverse("offers:quiz_update", args=[quiz.lesson_id])
    staff.post(edit(quiz.lesson), fields(quiz.lesson, kind="text"))
    staff.post(edit(quiz.lesson), fields(quiz.lesson, kind="quiz"))
    assert Quiz.objects.get() == quiz


def test_another_kind_is_tried_with_everything_typed_and_saves_only_when_told(staff, lesson):
    Lesson.objects.filter(pk=lesson.pk).update(
        kind="video", video_url="https://youtu.be/dQw4w9WgXcQ"
    )
    words = fields(lesson, title="Typed", body="Kept", change_kind="embed")
    shown = page(staff.post(edit(lesson), words))
    assert 'value="Typed"' in shown
    assert ">\nKept</textarea>" in shown
    assert 'name="embed_url"' in shown
    assert 'name="video_url"' not in shown
    assert "What only the former kind has" in shown
    lesson.refresh_from_db()
    assert (lesson.kind, lesson.title) == ("video", "Lesson 1")
    del words["change_kind"]
    staff.post(edit(lesson), words | {"kind": "text"})
    lesson.refresh_from_db()
    assert (lesson.kind, lesson.title, lesson.video_url) == ("text", "Typed", "")


def test_a_new_lesson_of_a_published_course_begins_as_a_draft(staff, lesson):
    def is_ticked():
        box = re.search(
            r'<input[^>]*name="published"[^>]*>',
            page(staff.get(create(lesson.module), {"kind": "text"})),
        )
        return "checked" in box[0]

    assert not is_ticked()
    Course.objects.update(status="draft")
    assert is_ticked()
    staff.post(create(lesson.module), {"kind": "text", "title": "New", "module": lesson.module_id})
    new = Lesson.objects.get(title="New")
    assert (new.is_published, new.position) == (False, 3)
    course_page = page(staff.get(reverse("offers:course_detail", args=[new.module.course_id])))
    assert reverse("offers:lesson_publish", args=[new.pk]) in course_page
    staff.post(reverse("offers:lesson_publish", args=[new.pk]))
    new.refresh_from_db()
    assert new.is_published
    staff.post(reverse("offers:lesson_publish", args=[new.pk]), {"undo": "1"})
    new.refresh_from_db()
    assert not new.is_published


def test_a_lesson_goes_to_the_end_of_another_module_and_leaves_no_gap(staff, lesson):
    other = Module.objects.create(course=lesson.module.course, title="Other", position=2)
    staff.post(edit(lesson), fields(lesson, module=other.pk))
    lesson.refresh_from_db()
    assert (lesson.module, lesson.position) == (other, 1)
    assert Lesson.objects.get(title="Lesson 2").position == 1
    foreign = make.course("Foreign").modules.get()
    assert staff.post(edit(lesson), fields(lesson, module=foreign.pk)).status_code == 200
    lesson.refresh_from_db()
    assert lesson.module == other


def test_in_a_course_in_order_a_lesson_that_moves_is_judged_where_it_goes(staff, lesson):
    course, second = lesson.module.course, Lesson.objects.get(title="Lesson 2")
    Course.objects.update(enforces_order=True)
    after = Module.objects.create(course=course, title="After", position=2)
    staff.post(edit(lesson), fields(lesson, requires=[second.pk], module=after.pk))
    lesson.refresh_from_db()
    assert (lesson.module, list(lesson.requires.all())) == (after, [second])

    third = make.lesson(course, title="Lesson 3")
    before = Module.objects.create(course=course, title="Before", position=0)
    answer = staff.post(edit(third), fields(third, requires=[second.pk], module=before.pk))
    assert "wait for each other, for this course goes in order" in page(answer)
    third.refresh_from_db()
    assert third.module != before


def test_lessons_that_wait_for_each_other_are_refused_by_name(staff, lesson):
    second = Lesson.objects.get(title="Lesson 2")
    staff.post(edit(second), fields(second, requires=[lesson.pk]))
    assert list(second.requires.all()) == [lesson]
    answer = staff.post(edit(lesson), fields(lesson, requires=[second.pk]))
    assert "“Lesson 1” and “Lesson 2” wait for each other" in page(answer) or (
        "“Lesson 2” and “Lesson 1” wait for each other" in page(answer)
    )
    assert Requirement.objects.count() == 1
    staff.post(edit(second), fields(second))
    assert not Requirement.objects.exists()
    staff.post(edit(lesson), fields(lesson, requires=[second.pk]))
    assert Requirement.objects.count() == 1


def test_in_a_course_that_goes_in_order_nothing_waits_for_what_comes_later(staff, lesson):
    Course.objects.update(enforces_order=True)
    second = Lesson.objects.get(title="Lesson 2")
    answer = staff.post(edit(lesson), fields(lesson, requires=[second.pk]))
    assert "for this course goes in order" in page(answer)
    assert not Requirement.objects.exists()
    staff.post(edit(second), fields(second, requires=[lesson.pk]))
    assert Requirement.objects.count() == 1


def test_a_lesson_waits_only_for_lessons_of_its_course(staff, lesson):
    foreign = make.course("Foreign").modules.get().lessons.first()
    staff.post(edit(lesson), fields(lesson, requires=[foreign.pk, lesson.pk]))
    assert not Requirement.objects.exists()


@pytest.mark.parametrize("day", ["0026-01-01", "9999-01-01"])
def test_a_day_nobody_can_mean_is_refused(staff, lesson, day):
    assert staff.post(edit(lesson), fields(lesson, opens_on=day)).status_code == 200
    lesson.refresh_from_db()
    assert lesson.opens_on is None


# The preview


def test_the_preview_follows_what_is_typed_and_lets_no_script_through(staff, school):
    address = reverse("offers:lesson_preview")
    answer = page(
        staff.post(address, {"body": "*Hi* <script>alert(1)</script> [x](javascript:alert(1))"})
    )
    assert "<em>Hi</em>" in answer
    assert "<script>alert" not in answer
    assert 'href="javascript' not in answer
    assert "<html" not in answer
    assert staff.get(address).status_code == 405


def test_without_javascript_a_button_previews_and_keeps_what_was_typed(staff, lesson):
    shown = page(staff.post(edit(lesson), fields(lesson, title="", body="*new*", preview="")))
    assert "<em>new</em>" in shown
    assert ">\n*new*</textarea>" in shown
    assert "This field is required" not in shown
    shown = page(
        staff.post(
            create(lesson.module), {"kind": "video", "title": "T", "body": "*x*", "preview": ""}
        )
    )
    assert "<em>x</em>" in shown
    assert 'name="video_url"' in shown
    lesson.refresh_from_db()
    assert lesson.body == "Text *1*."
    assert Lesson.objects.count() == 2


OURS = "/files/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f/"


@pytest.mark.parametrize(
    "text",
    [
        "![a loaf](https://evil.example/x.png)",
        "![a loaf](//evil.example/x.png)",
        f"![a loaf](https://evil.example{OURS})",
        "![a loaf](/dashboard/)",
        "![a loaf](/files/../dashboard/)",
        "![a loaf](data:image/png;base64,AAAA)",
        f"![a loaf]({OURS}?x=1)",
    ],
)
def test_pictures_come_from_our_own_files_alone(text):
    assert "<img" not in render(text)
    assert "a loaf" in render(text)


def test_our_pictures_are_shown_and_links_are_told_apart():
    assert render(f'![a "loaf"]({OURS})') == (
        f'<p><img src="{OURS}" alt="a &quot;loaf&quot;" loading="lazy"></p>\n'
    )
    assert 'rel="ugc nofollow noopener"' in render("[x](https://example.com)")


# Files


def test_a_video_is_uploaded_kept_and_removed(staff, lesson):
    staff.post(edit(lesson), fields(lesson, kind="video", file=film()))
    lesson.refresh_from_db()
    assert lesson.file.name == "film.mp4"
    staff.post(edit(lesson), fields(lesson, title="Same film"))
    lesson.refresh_from_db()
    assert lesson.file.name == "film.mp4"
    answer = staff.post(edit(lesson), fields(lesson, video_url="https://youtu.be/dQw4w9WgXcQ"))
    assert "students see one video" in page(answer)
    words = fields(lesson, video_url="https://youtu.be/dQw4w9WgXcQ") | {"file-clear": "on"}
    staff.post(edit(lesson), words)
    lesson.refresh_from_db()
    assert (lesson.file, lesson.video_url) == (None, "https://youtu.be/dQw4w9WgXcQ")


def kept(shown, name):
    """The key in the hidden field that remembers what was uploaded."""
    field = re.search(rf'<input[^>]*name="kept_{name}"[^>]*>', shown)[0]
    found = re.search(r'value="([^"]+)"', field)
    return found and found[1]


def test_a_file_that_came_with_a_mistake_need_not_be_sent_again(staff, login, lesson):
    shown = page(staff.post(edit(lesson), fields(lesson, kind="video", title="", file=film())))
    assert "film.mp4" in shown
    key = kept(shown, "file")
    assert key
    staff.post(edit(lesson), fields(lesson, kind="video", kept_file=key))
    lesson.refresh_from_db()
    assert str(lesson.file_id) == key

    second = Lesson.objects.get(title="Lesson 2")
    other = login(make.staff(Role.ADMIN))
    other.post(edit(second), fields(second, kind="video", kept_file=key))
    second.refresh_from_db()
    assert second.file is None, "what somebody else uploaded is not theirs to take"


def test_files_hang_below_a_lesson_and_pictures_show_how_to_be_shown(staff, lesson):
    sheet = SimpleUploadedFile("sheet.pdf", b"%PDF-1.4", "application/pdf")
    words = fields(lesson, title="Typed", upload="", attach=[picture(), sheet])
    shown = page(staff.post(edit(lesson), words))
    image, document = [row.file for row in lesson.attached.all()]
    assert (image.kind, document.kind) == ("image", "document")
    assert f"![loaf]({image.url})" in shown
    assert f"]({document.url})" not in shown
    assert 'value="Typed"' in shown, "what was typed stays"
    lesson.refresh_from_db()
    assert (lesson.title, lesson.version) == ("Lesson 1", 1)

    row = lesson.attached.get(file=document)
    foreign = Lesson.objects.get(title="Lesson 2")
    staff.post(edit(foreign), fields(foreign, detach=row.pk))
    assert lesson.attached.count() == 2, "a file is taken from its own lesson alone"
    shown = page(staff.post(edit(lesson), fields(lesson, title="Typed", detach=row.pk)))
    assert 'value="Typed"' in shown
    assert [row.file for row in lesson.attached.all()] == [image]


def test_files_come_with_a_new_lesson_and_with_a_save(staff, lesson):
    staff.post(
        create(lesson.module),
        {"kind": "text", "title": "New", "module": lesson.module_id, "attach": [picture()]},
    )
    assert Lesson.objects.get(title="New").attached.count() == 1
    staff.post(edit(lesson), fields(lesson, attach=[picture("a.png"), picture("b.png")]))
    assert lesson.attached.count() == 2


def test_a_cover_is_uploaded_and_shown_in_the_list(staff, lesson):
    course = lesson.module.course
    words = {"title": "Bread", "slug": course.slug, "completion": "button", "version": "1"}
    staff.post(reverse("offers:course_update", args=[course.pk]), words | {"cover": picture()})
    course.refresh_from_db()
    assert course.cover.kind == "image"
    for address in (
        reverse("offers:course_list"),
        reverse("offers:course_detail", args=[course.pk]),
    ):
        assert course.cover.url in page(staff.get(address))
    staff.post(
        reverse("offers:course_update", args=[course.pk]),
        words | {"version": "2", "cover-clear": "on"},
    )
    course.refresh_from_db()
    assert course.cover is None
    assert File.objects.count() == 1


def test_deleting_says_everything_that_goes_with_it(staff, school, bob, charlie):
    course = make.course("Bread")
    quiz = make.quiz(course)
    lesson = quiz.lesson
    offer = make.offer(courses=[course])
    for person in (bob, charlie):
        make.grant(contact=person, offer=offer)
        enrollment = Enrollment.objects.get(contact=person)
        answers = {"enrollment": enrollment, "quiz": quiz, "answers": {}}
        QuizAttempt.objects.submit(number=1, **answers)
        enrollment.complete(lesson)
    enrollment.restart()  # what Charlie did before is no mark of the present
    Lesson.objects.get(title="Lesson 1").requirements.create(required=lesson)
    comment = Comment.objects.write(lesson=lesson, author=bob.user, text="Salt?", contact=bob)
    Comment.objects.write(lesson=lesson, author=bob.user, text="Oil?", contact=bob).take_back()
    page = staff.get(reverse("offers:lesson_update", args=[lesson.pk])).content.decode()
    for sentence in (
        "1 person completed it: their mark is deleted with it.",
        "2 attempts at its quiz are deleted",
        "1 comment below it is deleted.",
        "1 lesson that waits for it",
    ):
        assert sentence in page
    assert "nothing else hangs on it" not in page
    staff.post(reverse("offers:lesson_delete", args=[lesson.pk]))
    assert not QuizAttempt.objects.exists()
    assert not Comment.objects.filter(pk=comment.pk).exists()
