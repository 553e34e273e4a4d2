"""Two people edit one text: whoever saves second is told, and nothing of either is lost."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from accounts.models import Role
from offers.forms.careful import in_words
from offers.forms.lesson import LessonForm
from offers.models import Course, Lesson, LessonKind


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def lesson(school):
    return make.course("Bread").modules.get().lessons.get(position=1)


class Form(HTMLParser):
    """What a browser would send of the form with a version."""

    def __init__(self, page):
        super().__init__()
        self.sent, self._area, self._select = {}, None, None
        forms = re.findall(r"<form.*?</form>", page, re.DOTALL)
        [form] = [form for form in forms if 'name="version"' in form]
        self.feed(form)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        name = found.get("name")
        if tag == "textarea":
            self._area, self.sent[name] = name, ""
        elif tag == "input" and found.get("type") in {"checkbox", "radio"}:
            if "checked" in found:
                self.sent.setdefault(name, []).append(found.get("value", "on"))
        elif tag == "input" and found.get("type") != "file" and name and found.get("value"):
            self.sent[name] = found["value"]
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in found:
            self.sent[self._select] = found["value"]

    def handle_endtag(self, tag):
        if tag == "textarea":
            self._area = None

    def handle_data(self, data):
        if self._area:
            self.sent[self._area] += data.removeprefix("\n")


def edit(lesson):
    return reverse("offers:lesson_update", args=[lesson.pk])


def opened(browser, address):
    """What the form at `address` would send if nothing were typed."""
    return Form(browser.get(address).content.decode()).sent


def test_whoever_saves_second_sees_both_texts_and_goes_on_with_hers(staff, login, lesson):
    other = login(make.staff(Role.ADMIN))
    mine, theirs = opened(staff, edit(lesson)), opened(other, edit(lesson))
    assert (
        other.post(edit(lesson), theirs | {"body": "Their text", "opens_after": "3"}).status_code
        == 302
    )

    answer = staff.post(edit(lesson), mine | {"body": "My text", "title": "My title"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Their text" in page
    assert ">\nMy text</textarea>" in page
    assert 'value="My title"' in page
    lesson.refresh_from_db()
    assert (lesson.title, lesson.body, lesson.opens_after) == ("Lesson 1", "Their text", 3)

    again = Form(page).sent
    assert again["version"] == "2"
    assert staff.post(edit(lesson), again | {"body": "Both texts"}).status_code == 302
    lesson.refresh_from_db()
    assert (lesson.title, lesson.body, lesson.version) == ("My title", "Both texts", 3)


def test_keeping_theirs_is_a_link(staff, lesson):
    mine = opened(staff, edit(lesson))
    staff.post(edit(lesson), mine | {"title": "First"})
    page = staff.post(edit(lesson), mine | {"title": "Second"}).content.decode()
    assert re.search(rf'href="{edit(lesson)}"[^>]*>Keep theirs', page)
    assert 'value="First"' in staff.get(edit(lesson)).content.decode()


def test_another_kind_rules_and_files_are_differences_too(staff, lesson):
    second = Lesson.objects.get(title="Lesson 2")
    mine = opened(staff, edit(lesson))
    staff.post(edit(lesson), mine | {"kind": "audio", "requires": [second.pk]})
    film = SimpleUploadedFile("film.mp4", b"\0\0\0\x18ftypisom" + b"\0" * 64, "video/mp4")
    answer = staff.post(edit(lesson), mine | {"kind": "video", "file": film})
    assert answer.status_code == 409
    page = answer.content.decode()
    for word in ("Audio", "Video", "Lesson 2", "film.mp4"):
        assert word in page
    assert staff.post(edit(lesson), Form(page).sent).status_code == 302
    lesson.refresh_from_db()
    assert (lesson.kind, lesson.file.name) == (LessonKind.VIDEO, "film.mp4")
    assert not lesson.requires.exists()


def test_what_moves_or_is_published_meanwhile_is_not_moved_back(staff, lesson):
    mine = opened(staff, edit(lesson))
    staff.post(reverse("offers:lesson_publish", args=[lesson.pk]), {"undo": "1"})
    assert staff.post(edit(lesson), mine | {"title": "New"}).status_code == 409
    mine = opened(staff, edit(lesson))
    course = lesson.module.course
    other = course.modules.create(title="Other", position=2)
    sibling = Lesson.objects.get(title="Lesson 2")
    order = [f"module-{lesson.module_id}", f"lesson-{sibling.pk}"]
    order += [f"module-{other.pk}", f"lesson-{lesson.pk}"]
    staff.post(reverse("offers:course_reorder", args=[course.pk]), {"order": order})
    answer = staff.post(edit(lesson), mine | {"title": "New"})
    assert answer.status_code == 409
    assert "Other" in answer.content.decode()
    mine = opened(staff, edit(sibling))
    assert staff.post(edit(sibling), mine | {"title": "New"}).status_code == 302


def test_a_text_whose_lesson_was_deleted_is_there_to_copy(staff, bob, login, lesson):
    mine = opened(staff, edit(lesson))
    staff.post(reverse("offers:lesson_delete", args=[lesson.pk]))
    answer = staff.post(edit(lesson), mine | {"body": "Long & <b>dear</b>"})
    assert answer.status_code == 410
    assert "Long &amp; &lt;b&gt;dear&lt;/b&gt;" in answer.content.decode()
    assert staff.get(edit(lesson)).status_code == 404
    assert login(bob).post(edit(lesson), mine).status_code == 403
    module = lesson.module
    module.lessons.all().delete()
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    answer = staff.post(reverse("offers:lesson_create", args=[module.pk]), mine | {"body": "Mine"})
    assert answer.status_code == 410
    assert "Mine" in answer.content.decode()


def test_a_course_is_not_overwritten_either(staff, school):
    course = make.course("Bread")
    address = reverse("offers:course_update", args=[course.pk])
    mine = opened(staff, address)
    staff.post(address, mine | {"description": "Theirs", "enforces_order": "on"})
    answer = staff.post(address, mine | {"description": "Mine", "completion": "quiz"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Theirs" in page
    assert ">\nMine</textarea>" in page
    again = Form(page).sent
    assert staff.post(address, again).status_code == 302
    saved = Course.objects.get()
    assert (saved.description, saved.completion, saved.enforces_order) == ("Mine", "quiz", False)


def test_a_cover_that_came_with_a_save_too_late_is_not_lost(staff, school):
    course = make.course("Bread")
    address = reverse("offers:course_update", args=[course.pk])
    mine = opened(staff, address)
    staff.post(address, mine | {"description": "Theirs"})
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "brown").save(content, "PNG")
    loaf = SimpleUploadedFile("loaf.png", content.getvalue(), "image/png")
    answer = staff.post(address, mine | {"cover": loaf})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "loaf.webp" in page
    assert staff.post(address, Form(page).sent).status_code == 302
    course.refresh_from_db()
    assert course.cover.name == "loaf.webp"


def test_a_save_without_a_version_is_a_mistake(staff, lesson):
    mine = opened(staff, edit(lesson))
    del mine["version"]
    assert staff.post(edit(lesson), mine | {"title": "New"}).status_code == 200
    lesson.refresh_from_db()
    assert lesson.title == "Lesson 1"


@pytest.mark.parametrize("kind", [LessonKind.TEXT, LessonKind.LIVE])
def test_days_and_moments_are_differences_too(staff, school, lesson, kind):
    Lesson.objects.filter(pk=lesson.pk).update(kind=LessonKind.LIVE)
    mine = opened(staff, edit(lesson))
    theirs = {"kind": kind, "opens_on": "2026-03-05", "live_at": "2026-03-05T19:30"}
    assert staff.post(edit(lesson), mine | theirs).status_code == 302
    changes = {"opens_on": "2026-04-06", "live_at": "2026-04-06T18:15"}
    answer = staff.post(edit(lesson), mine | changes)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "March 5, 2026" in page
    assert ("7:30 p.m." in page) is (kind == LessonKind.LIVE)
    assert 'value="2026-04-06T18:15"' in page
    assert staff.post(edit(lesson), Form(page).sent).status_code == 302
    lesson.refresh_from_db()
    assert lesson.kind == LessonKind.LIVE
    assert lesson.live_at.isoformat() == "2026-04-06T16:15:00+00:00"


@pytest.mark.parametrize("junk", ["0001-01-01", "0026-03-05", "9999-12-31", "soon", "2026-02-30"])
def test_a_date_nobody_can_mean_is_refused_though_somebody_else_saved(staff, lesson, junk):
    Lesson.objects.filter(pk=lesson.pk).update(kind=LessonKind.LIVE)
    mine = opened(staff, edit(lesson))
    staff.post(edit(lesson), mine | {"title": "Theirs"})
    sent = mine | {"opens_on": junk, "live_at": f"{junk}T19:30", "live_minutes": "0"}
    answer = staff.post(edit(lesson), sent)
    assert answer.status_code == 200
    assert {*answer.context["form"].errors} == {"opens_on", "live_at", "live_minutes"}
    assert f'value="{junk}T19:30"' in answer.content.decode()


def test_a_date_that_is_none_is_said_as_it_was_typed(school, lesson):
    form = LessonForm(
        instance=lesson, module=lesson.module, asked="live", initial={"live_at": "soon"}
    )
    assert in_words(form["live_at"]) == "soon"


def test_a_file_added_by_a_save_that_came_too_late_is_there_once(staff, lesson):
    mine = opened(staff, edit(lesson))
    staff.post(edit(lesson), mine | {"title": "Theirs"})

    def late(content):
        chosen = SimpleUploadedFile("notes.txt", content, "text/plain")
        return staff.post(edit(lesson), mine | {"title": "Mine", "attach": chosen})

    assert late(b"Flour").status_code == 409
    assert late(b"Flour").status_code == 409
    assert lesson.attachments.count() == 1
    late(b"Water")
    assert lesson.attachments.count() == 2


def test_a_module_is_not_overwritten_either(staff, lesson):
    module = lesson.module
    address = reverse("offers:module_update", args=[module.pk])
    mine = opened(staff, address)
    staff.post(address, mine | {"opens_on": "2026-03-05", "opens_after": "3"})
    answer = staff.post(address, mine | {"title": "Mine"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "March 5, 2026" in page
    module.refresh_from_db()
    assert (module.title, module.opens_after) == ("First module", 3)
    assert staff.post(address, Form(page).sent).status_code == 302
    module.refresh_from_db()
    assert (module.title, module.opens_after, module.opens_on) == ("Mine", None, None)


def test_what_was_typed_for_a_module_that_is_gone_is_there_to_copy(staff, lesson):
    module = lesson.module.course.modules.create(title="Second", position=2)
    address = reverse("offers:module_update", args=[module.pk])
    mine = opened(staff, address)
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    answer = staff.post(address, mine | {"title": "Long & dear"})
    assert answer.status_code == 410
    assert "Long &amp; dear" in answer.content.decode()
    assert staff.get(address).status_code == 404


def test_the_page_of_what_is_gone_speaks_no_machine(staff, lesson):
    mine = opened(staff, edit(lesson)) | {"requires": "77001", "published": "on"}
    staff.post(reverse("offers:lesson_delete", args=[lesson.pk]))
    answer = staff.post(edit(lesson), mine)
    assert [label for label, _text in answer.context["words"]] == ["Title", "Text", "Published"]
    assert answer.context["words"][2][1] == "Yes"
