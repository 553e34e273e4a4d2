"""Staff build courses: modules and lessons in their order, rules, copies."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import make
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from enrollments.models import Enrollment
from offers import ordering
from offers.duplicating import duplicate
from offers.models import (
    Attachment,
    Choice,
    Course,
    Lesson,
    LessonKind,
    Module,
    Quiz,
    Requirement,
)
from portal.models import Event, File, FileKind


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def course(db):
    """Two modules of two lessons each: A, B and C, D."""
    made = make.course("Bread", lessons=0)
    second = Module.objects.create(course=made, title="Second module", position=2)
    for module, titles in ((made.modules.first(), "AB"), (second, "CD")):
        for position, title in enumerate(titles, start=1):
            Lesson.objects.create(module=module, title=title, position=position, body="x")
    return made


def page_of(course):
    return reverse("offers:course_detail", args=[course.pk])


def shape(course):
    """The course as "AB|CD"."""
    return "|".join(
        "".join(module.lessons.values_list("title", flat=True)) for module in course.modules.all()
    )


def keys(course, shape):
    """What the page sends for "BA|CD"."""
    modules = list(course.modules.values_list("pk", flat=True))
    by_title = dict(Lesson.objects.values_list("title", "pk"))
    return [
        key
        for module, titles in zip(modules, shape.split("|"), strict=True)
        for key in (f"module-{module}", *(f"lesson-{by_title[title]}" for title in titles))
    ]


def send(staff, course, order):
    return staff.post(reverse("offers:course_reorder", args=[course.pk]), {"order": order})


def move(staff, course, noun, direction):
    name = "module" if isinstance(noun, Module) else "lesson"
    return staff.post(
        reverse("offers:course_reorder", args=[course.pk]),
        {"move": f"{name}-{noun.pk} {direction}"},
    )


def test_a_course_is_built_of_modules_and_lessons(staff):
    staff.post(reverse("offers:course_create"), {"title": "Bread", "completion": "watch"})
    course = Course.objects.get()
    assert (course.status, course.slug, course.completion) == ("draft", "bread", "watch")
    for title in ("Start", "Then"):
        staff.post(reverse("offers:module_create", args=[course.pk]), {"title": title})
    assert list(course.modules.values_list("title", "position")) == [("Start", 1), ("Then", 2)]
    module = course.modules.first()
    create = reverse("offers:lesson_create", args=[module.pk])
    kinds = staff.get(create).content.decode()
    for kind in LessonKind:
        assert f"?kind={kind}" in kinds
    words = {"title": "Flour", "kind": "video", "module": module.pk, "body": "*white*"}
    refused = staff.post(create, words | {"video_url": "https://example.com/x"})
    assert "YouTube, Vimeo or Bunny" in refused.content.decode()
    assert not Lesson.objects.exists()
    staff.post(create, words | {"video_url": "https://vimeo.com/76979871"})
    lesson = Lesson.objects.get()
    page = staff.get(reverse("offers:lesson_update", args=[lesson.pk])).content.decode()
    assert "<em>white</em>" in page
    assert "player.vimeo.com/video/76979871" in page
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    assert course.modules.count() == 2, "a module with lessons stays"
    staff.post(reverse("offers:lesson_delete", args=[lesson.pk]))
    staff.post(reverse("offers:module_delete", args=[module.pk]))
    assert list(course.modules.values_list("title", "position")) == [("Then", 1)]
    staff.post(reverse("offers:course_publish", args=[course.pk]))
    assert Course.objects.get().is_published


@pytest.mark.parametrize("wanted", ["BA|CD", "|ABCD", "ADCB|", "DC|BA"])
def test_lessons_and_modules_are_put_in_any_order(staff, course, wanted):
    assert send(staff, course, keys(course, wanted)).status_code == 200
    assert shape(course) == wanted
    for module in course.modules.all():
        places = list(module.lessons.values_list("position", flat=True))
        assert places == list(range(1, len(places) + 1))


def test_modules_change_places_with_all_their_lessons(staff, course):
    order = keys(course, "AB|CD")
    assert send(staff, course, order[3:] + order[:3]).status_code == 200
    assert shape(course) == "CD|AB"
    assert list(course.modules.values_list("position", flat=True)) == [1, 2]


def test_a_new_order_is_answered_with_what_it_leads_to(staff, course):
    Course.objects.filter(pk=course.pk).update(enforces_order=True)
    a, d = (Lesson.objects.get(title=title) for title in "AD")
    Requirement.objects.create(lesson=d, required=a)
    assert "wait for each other" not in staff.get(page_of(course)).content.decode()
    circle = send(staff, course, keys(course, "DB|CA")).content.decode()
    assert "wait for each other" in circle
    assert "<h1" not in circle, "only the part of the page that changes"
    assert circle.strip() in staff.get(page_of(course)).content.decode()
    assert "wait" not in send(staff, course, keys(course, "AB|CD")).content.decode()


def test_an_order_of_something_else_is_refused_and_changes_nothing(staff, course):
    order = keys(course, "BA|CD")
    foreign = make.course("Other").modules.get().lessons.first()
    wrong = [
        order[:-1],
        [*order, order[-1]],
        [*order, f"lesson-{foreign.pk}"],
        [*order[:-1], f"lesson-{foreign.pk}"],
        order[1:],
        [*order, "lesson-x"],
        [*order, "course-1"],
        [],
    ]
    for other in wrong:
        answer = send(staff, course, other)
        assert answer.status_code == 409, other
        assert "Somebody else changed this course" in answer.content.decode()
    assert shape(course) == "AB|CD"
    foreign.refresh_from_db()
    assert foreign.module.course_id != course.pk


def test_buttons_move_without_javascript_across_the_border_of_a_module(staff, course):
    page = staff.get(page_of(course)).content.decode()
    b = Lesson.objects.get(title="B")
    assert f'value="lesson-{b.pk} down"' in page
    answer = move(staff, course, b, "down")
    assert answer.headers["Location"] == f"{page_of(course)}#lesson-{b.pk}"
    assert shape(course) == "A|BCD"
    move(staff, course, b, "down")
    assert shape(course) == "A|CBD"
    for _ in range(3):
        move(staff, course, b, "up")
    assert shape(course) == "BA|CD"
    move(staff, course, b, "up")
    assert shape(course) == "BA|CD", "nothing is above the first"
    move(staff, course, course.modules.first(), "down")
    assert shape(course) == "CD|BA"
    foreign = make.course("Other").modules.get()
    told = staff.post(
        reverse("offers:course_reorder", args=[course.pk]),
        {"move": f"module-{foreign.pk} up"},
        follow=True,
    )
    assert "not in this course any more" in told.content.decode()


@pytest.mark.parametrize("noun", ["module", "lesson"])
def test_what_is_deleted_while_it_moves_is_told(staff, course, monkeypatch, noun):
    left = Module.objects.create(course=course, title="Left over", position=3)
    moved = left if noun == "module" else Lesson.objects.get(title="B")
    lock = ordering.lock

    def delete_and_lock(course):
        type(moved).objects.filter(pk=moved.pk).delete()  # somebody else got it first
        lock(course)

    monkeypatch.setattr(ordering, "lock", delete_and_lock)
    told = staff.post(
        reverse("offers:course_reorder", args=[course.pk]),
        {"move": f"{noun}-{moved.pk} up"},
        follow=True,
    )
    assert "not in this course any more" in told.content.decode()
    assert not Event.objects.filter(name="course.updated").exists()


def test_only_who_makes_content_moves_anything(login, bob, course):
    order = keys(course, "BA|CD")
    for person in (bob, make.staff(Role.SUPPORT)):
        assert send(login(person), course, order).status_code == 403
    assert shape(course) == "AB|CD"


def cost(call):
    with CaptureQueriesContext(
        connection,
    ) as found:
        call()
    return len(found)


def test_a_long_course_takes_as_many_statements_as_a_short_one(staff, school):
    costs = []
    for number in (10, 100):
        long = make.course(f"Course of {number}", lessons=number)
        lessons = list(long.modules.get().lessons.all())
        Requirement.objects.bulk_create(
            Requirement(lesson=later, required=earlier) for earlier, later in pairwise(lessons)
        )
        order = [f"module-{long.modules.get().pk}", *(f"lesson-{row.pk}" for row in lessons[::-1])]
        costs.append(
            (
                cost(lambda: staff.get(page_of(long))),  # noqa: B023
                cost(lambda: send(staff, long, order)),  # noqa: B023
                cost(lambda: staff.get(reverse("offers:lesson_update", args=[lessons[5].pk]))),  # noqa: B023
                cost(lambda: duplicate(long)),  # noqa: B023
                cost(lambda: staff.get(reverse("offers:course_list"))),
            )
        )
    assert costs[0] == costs[1]


def test_rules_stand_beside_what_they_shut(staff, school, course):
    module = course.modules.first()
    staff.post(
        reverse("offers:module_update", args=[module.pk]),
        {
            "version": module.version,
            "title": "Start",
            "opens_after": "7",
            "opens_on": "2026-12-03",
        },
    )
    module.refresh_from_db()
    assert (module.opens_after, module.opens_on) == (7, date(2026, 12, 3))
    b = Lesson.objects.get(title="B")
    Requirement.objects.create(lesson=Lesson.objects.get(title="C"), required=b)
    page = staff.get(page_of(course)).content.decode()
    assert "7 days after enrollment · from Dec. 3, 2026" in page
    assert "after “B”" in page


def test_what_follows_from_the_rules_is_said(staff, course):
    def said():
        return staff.get(page_of(course)).content.decode()

    impossible = "nobody can complete this course"
    Course.objects.update(completion="quiz")
    assert impossible in said()
    Lesson.objects.filter(title="D").update(kind="quiz")
    assert impossible not in said()
    assert "“D” has no questions: nobody can pass it." in said()

    quiz = make.quiz(course, title="E").lesson
    assert "“E” has no questions" not in said()
    quiz.delete()

    a, b, c = (Lesson.objects.get(title=title) for title in "ABC")
    Requirement.objects.create(lesson=a, required=c)
    assert "wait for each other" not in said()
    Course.objects.update(completion="button", enforces_order=True)
    assert "wait for each other, for this course goes in order" in said()
    send(staff, course, keys(course, "CAB|D"))
    assert "wait for each other" not in said()

    Requirement.objects.create(lesson=b, required=a)
    Lesson.objects.filter(pk=a.pk).update(published_at=None)
    assert "“B” does not wait for “A” as long as that is a draft." in said()
    Lesson.objects.update(published_at=None)
    assert "Every lesson is a draft" in said()


def test_the_list_is_searched_by_title_and_status(staff):
    make.course("Rye bread")
    make.course("Wheat bread", status="draft")
    make.course("Cheese", status="draft")

    def found(query):
        page = staff.get(reverse("offers:course_list"), query).content.decode()
        return {title for title in ("Rye bread", "Wheat bread", "Cheese") if f">{title}<" in page}

    assert found({}) == {"Rye bread", "Wheat bread", "Cheese"}
    assert found({"q": "BREAD"}) == {"Rye bread", "Wheat bread"}
    assert found({"q": "bread", "status": "draft"}) == {"Wheat bread"}
    assert found({"status": "nonsense"}) == {"Rye bread", "Wheat bread", "Cheese"}
    assert (
        "No course like that"
        in staff.get(reverse("offers:course_list"), {"q": "soap"}).content.decode()
    )


def test_beyond_a_number_the_list_asks_to_search(staff, monkeypatch):
    monkeypatch.setattr("offers.views.courses.SHOWN", 1)
    make.course("A")
    assert "These are the first" not in staff.get(reverse("offers:course_list")).content.decode()
    make.course("B")
    assert "These are the first 1" in staff.get(reverse("offers:course_list")).content.decode()


def full_course(bob):
    """One of everything, with a student in it."""
    course = make.course("Bread", lessons=2)
    first, second = course.modules.get().lessons.all()
    Course.objects.update(enforces_order=True, completion="quiz")
    Module.objects.update(opens_after=7)
    video = File.objects.create(
        kind=FileKind.VIDEO, name="film.mp4", content_type="video/mp4", size=1, content="aa/film"
    )
    sheet = File.objects.create(
        kind=FileKind.DOCUMENT, name="sheet.pdf", content_type="x/y", size=1, content="aa/sheet"
    )
    Lesson.objects.filter(pk=first.pk).update(kind="video", file=video, version=5, opens_after=3)
    Attachment.objects.create(lesson=first, file=sheet)
    Requirement.objects.create(lesson=second, required=first)
    quiz = make.quiz(course, "Is bread good?", title="Test")
    Quiz.objects.update(pass_mark=55)
    Requirement.objects.create(lesson=second, required=quiz.lesson)
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    Enrollment.objects.get(contact=bob).complete(first)
    return Course.objects.get()


def test_a_copy_has_everything_but_the_people(staff, bob):
    course = full_course(bob)
    make.offer("Everything", courses=[]).include_all()
    staff.post(reverse("offers:course_duplicate", args=[course.pk]))
    made = Course.objects.get(title="Bread (copy)")
    assert (made.status, made.slug, made.enforces_order, made.completion) == (
        "draft",
        "bread-copy",
        True,
        "quiz",
    )
    old, new = (
        [
            (lesson.title, lesson.kind, lesson.position, lesson.file_id, lesson.opens_after)
            for lesson in rows
        ]
        for rows in (
            Lesson.objects.filter(module__course=course).in_order(),
            Lesson.objects.filter(module__course=made).in_order(),
        )
    )
    assert old == new
    first, second, last = Lesson.objects.filter(module__course=made).in_order()
    assert first.version == 1
    assert [file.name for file in first.attachments.all()] == ["sheet.pdf"]
    assert set(second.requires.all()) == {first, last}
    assert last.quiz.pass_mark == 55
    choices = Choice.objects.filter(question__quiz=last.quiz).order_by("position")
    assert [(choice.text, choice.is_right) for choice in choices] == [("Yes", True), ("No", False)]
    assert made.modules.get().opens_after == 7
    assert not made.enrollments.exists()
    assert not first.progress.exists()
    assert [offer.title for offer in made.offers.all()] == ["Everything"]
    assert course.offers.count() == 2, "the first stays as it was"
    staff.post(reverse("offers:course_duplicate", args=[course.pk]))
    assert Course.objects.filter(slug="bread-copy-2").exists()


def test_who_may_not_make_content_copies_none(login, bob, course):
    page = reverse("offers:course_duplicate", args=[course.pk])
    for person in (bob, make.staff(Role.SUPPORT)):
        assert login(person).post(page).status_code == 403
    assert login(make.staff(Role.ADMIN)).get(page).status_code == 405
    assert Course.objects.count() == 1


def test_publishing_a_course_is_told_once(staff):
    course = make.course("Bread", status="draft")
    for _ in range(2):
        staff.post(reverse("offers:course_publish", args=[course.pk]))
    assert Event.objects.filter(name="course.published").count() == 1
