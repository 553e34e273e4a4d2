"""What staff do to offers and courses is in the audit: by whom, what it was called, what of it was changed."""

from __future__ import annotations

from datetime import date
from typing import Any

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Note, Segment
from offers.models import Cohort, Course, Lesson, Module, Question
from portal.events import Name
from portal.models import Event

AUDIT = "/dashboard/audit/"


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def course(school):
    """A course of two lessons and a quiz."""
    made = make.course("Bread")
    make.quiz(made)
    return made


def told(staff) -> list[str]:
    """The audit, the newest first."""
    lines = staff.get(AUDIT).context["lines"]
    return [" · ".join(filter(None, (line.said.text, line.said.detail))) for line in lines]


def fill(staff, url: str, **changes: Any):
    """Send the forms of a page as they are, but for `changes`."""
    page = staff.get(url)
    words: dict[str, Any] = {}
    for name in ("form", "dates"):
        for field in page.context.get(name) or ():
            value = field.value()
            words[field.html_name] = value.isoformat() if isinstance(value, date) else value
    if "dates" in page.context:
        words["seen"] = page.context["dates"].seen
    words |= changes
    answer = staff.post(url, {name: value for name, value in words.items() if value})
    assert answer.status_code == 302, answer.context["form"].errors
    return answer


def page(name: str, noun) -> str:
    return reverse(f"offers:{name}", args=[noun.pk])


def first(course: Course) -> Lesson:
    return course.modules.get().lessons.get(title="Lesson 1")


def question(course: Course) -> Question:
    return Question.objects.get(quiz__lesson__module__course=course)


def add_lesson(staff, course):
    url = page("lesson_create", course.modules.get())
    fill(staff, f"{url}?kind=text", title="Water", body="Cold.", published="on")


def hide_lesson(staff, course):
    staff.post(page("lesson_publish", first(course)), {"undo": "1"})


def attach(staff, course):
    sheet = SimpleUploadedFile("sheet.pdf", b"%PDF-1.7", "application/pdf")
    words = {"kind": "text", "title": "Typed, not saved", "attach": sheet, "upload": "1"}
    staff.post(page("lesson_update", first(course)), words)


def detach(staff, course):
    attach(staff, course)
    [attached] = first(course).attached.all()
    staff.post(page("lesson_update", first(course)), {"kind": "text", "detach": attached.pk})


def reorder(staff, course):
    staff.post(page("course_reorder", course), {"move": f"lesson-{first(course).pk} down"})


def add_question(staff, course):
    url = page("question_create", question(course).quiz.lesson)
    words = {"choice_0": "Rye", "right_0": "on", "choice_1": "Spelt"}
    fill(staff, url, text="Which flour?", kind="one", **words)


def add_cohort(staff, course):
    fill(staff, page("cohort_create", course), title="May", starts_on="2026-05-01")


def cohort(course: Course) -> Cohort:
    return Cohort.objects.create(course=course, title="May")


def change_dates(staff, course):
    opens = {f"opens_on_{first(course).pk}": "2026-05-02"}
    fill(staff, page("cohort_update", cohort(course)), **opens)


def empty_module(course: Course) -> Module:
    return Module.objects.create(course=course, title="Left over", position=9)


ACTS = {
    "Offer changed: Bakery · default length in days": lambda staff, course: fill(
        staff, page("offer_update", make.offer("Bakery", courses=[course])), default_days="30"
    ),
    "Course changed: Bread · in order": lambda staff, course: fill(
        staff, page("course_update", course), enforces_order="on"
    ),
    "Course changed: Bread · Order": reorder,
    "Module changed: First module · opens after days · Bread": lambda staff, course: fill(
        staff, page("module_update", course.modules.get()), opens_after="3"
    ),
    "Module deleted: Left over · Bread": lambda staff, course: staff.post(
        page("module_delete", empty_module(course))
    ),
    "Lesson created: Water · Published · Bread": add_lesson,
    "Lesson changed: Lesson 1 · text · Published · Bread": lambda staff, course: fill(
        staff, page("lesson_update", first(course)), body="Warm."
    ),
    "Lesson changed: Lesson 2 · opens after lessons · Published · Bread": lambda staff, course: (
        fill(
            staff,
            page("lesson_update", Lesson.objects.get(title="Lesson 2")),
            requires=[first(course).pk],
        )
    ),
    "Lesson changed: Lesson 1 · Draft · Bread": hide_lesson,
    "Lesson changed: Lesson 1 · Files · Published · Bread": attach,
    "Lesson deleted: Lesson 1 · Bread": lambda staff, course: staff.post(
        page("lesson_delete", first(course))
    ),
    "Quiz changed: Quiz · pass mark in percent · Bread": lambda staff, course: fill(
        staff, page("quiz_update", question(course).quiz.lesson), pass_mark="90"
    ),
    "Question created: Which flour? · Bread": add_question,
    "Question changed: Is flour white? · Answers · Bread": lambda staff, course: fill(
        staff, page("question_update", question(course)), choice_1="Never"
    ),
    "Question deleted: Is flour white? · Bread": lambda staff, course: staff.post(
        page("question_delete", question(course))
    ),
    "Cohort created: May · Bread": add_cohort,
    "Cohort changed: May · last day · Bread": lambda staff, course: fill(
        staff, page("cohort_update", cohort(course)), ends_on="2026-06-30"
    ),
    "Cohort changed: May · Dates · Bread": change_dates,
    "Cohort deleted: May · Bread": lambda staff, course: staff.post(
        page("cohort_delete", cohort(course))
    ),
}


@pytest.mark.parametrize("line", ACTS)
def test_an_act_is_one_line_of_the_audit(staff, course, line):
    ACTS[line](staff, course)
    assert told(staff)[0] == line
    assert told(staff).count(line) == 1


def test_taking_a_file_off_is_a_second_line(staff, course):
    detach(staff, course)
    assert told(staff) == ["Lesson changed: Lesson 1 · Files · Published · Bread"] * 2


def test_the_order_of_questions_belongs_to_the_quiz(staff, course):
    add_question(staff, course)
    last = Question.objects.get(text="Which flour?")
    staff.post(page("question_move", last), {"down": "1"})
    assert told(staff)[0].startswith("Question created"), "it is the last already"
    staff.post(page("question_move", last))
    assert told(staff)[0] == "Quiz changed: Quiz · Order · Bread"


def test_what_changes_nothing_is_no_line(staff, course):
    lesson, may = first(course), cohort(course)
    for url in (
        page("offer_update", make.offer("Bakery", courses=[course])),
        page("course_update", course),
        page("module_update", course.modules.get()),
        page("lesson_update", lesson),
        page("quiz_update", question(course).quiz.lesson),
        page("question_update", question(course)),
        page("cohort_update", may),
    ):
        fill(staff, url)
    staff.post(page("lesson_publish", lesson))  # it is published
    staff.post(page("course_reorder", course), {"move": f"module-{lesson.module_id} up"})
    staff.post(page("module_delete", lesson.module))  # it has lessons
    assert told(staff) == []


def test_what_is_deleted_later_keeps_its_name(staff, course):
    hide_lesson(staff, course)
    staff.post(page("lesson_delete", first(course)))
    hidden, deleted = reversed(told(staff))
    assert hidden == "Lesson changed: Lesson 1 · Draft · Bread"
    assert deleted == "Lesson deleted: Lesson 1 · Bread"


def test_deleting_a_note_or_a_segment_is_a_line_without_what_was_written(staff, alice, bob):
    note = Note.objects.create(contact=bob, author=alice, text="Pays late")
    staff.post(reverse("accounts:note_delete", args=[note.pk]))
    segment = Segment.objects.create(name="Late payers", query="q=x", created_by=alice)
    staff.post(reverse("portal:segment_delete", args=[segment.pk]))
    assert told(staff) == ["Segment deleted: Late payers", "Note deleted"]
    event = Event.objects.get(name=Name.NOTE_DELETED)
    assert (event.contact, event.actor, event.data) == (bob, alice, {})
    story = staff.get(reverse("portal:contact_timeline", args=[bob.pk])).content.decode()
    assert "Note deleted" in story
    assert "Pays late" not in story
