"""Every page of the dashboard that shows people and their access is for everybody: in light and dark, at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import make
import pytest
from django.urls import reverse
from django.utils.timezone import now
from looking import barriers, beyond, log_in
from playwright.sync_api import Page, expect
from stage import Stage

from accounts.models import BulkRun, Contact, Note, Segment, Tag
from enrollments.cohorts import set_cohorts
from enrollments.models import Comment, Enrollment, ImportBatch, QuizAttempt, Rating
from enrollments.models.import_batch import ImportRow, RowOutcome
from offers.models import Cohort, Course, Lesson, Offer
from portal import context
from portal.models import Event, School

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
WITH_MENUS = {"contacts", "contacts filtered"}

SHEET = {
    "delimiter": ";",
    "encoding": "cp1252",
    "columns": [["name", "Nome"], ["email", "Email"], ["ends_on", "Data de expiração"]],
    "header": ["Nome", "Email", "Data de expiração", "Turma"],
    "ignored": ["Turma"],
    "rows": [
        {"number": 2, "cells": ["Ana Lima", "ana@example.com", "31/12/2030"]},
        {
            "number": 3,
            "cells": ["Rui Reis", "rui.reis.da.padaria.da.esquina@example.com", "31/13/2030"],
            "reason": "“31/13/2030” is not a date.",
        },
    ],
}


@pytest.fixture
def pages(stage: Stage) -> dict[str, str]:
    """A school in which everything has happened already; its staff's pages, each with its address."""
    alice = make.staff(email="alice@example.com")
    today = School.current().today()
    with context.acting(user=alice):
        base = make.offer("Bread basics", courses=[make.course("Sourdough")], default_days=30)
        whole = make.offer("The whole bakery, with every course there will ever be")
        people = [make.contact(f"Person {n}", phone="+39 055 1234") for n in range(8)]
        dana = make.student("Dana Dough", email="dana@example.com")
        for person in people[:5]:
            make.grant(contact=person, offer=base, ends_on=today + timedelta(days=30))
        grants = [
            make.grant(contact=dana, offer=base, ends_on=today + timedelta(days=7)),
            make.grant(contact=make.contact(), offer=base, source="purchase:7"),
            make.grant(contact=dana, offer=whole, note="A gift of the house"),
        ]
        grants[-1].suspend(reason="She travels")
        Tag.objects.create(name="newsletter")
        Note.objects.create(contact=dana, author=alice, text="Prefers to be called.")
        Segment.objects.create(name="Never came", query="where=portal:is:invited")
        moved = {"offer": base.pk, "mode": "extend", "day": None, "days": 30}
        runs = [
            BulkRun.objects.start(action="set_end", terms=moved, contacts=Contact.objects.present())
            for _state in ("running", "done")
        ]
        runs[1].rows.update(outcome="changed")
        runs[1].rows.filter(contact=dana).update(outcome="refused", reason="It has no end.")
        told = {"done": 10, "changed": 9, "refused": 1}
        BulkRun.objects.filter(pk=runs[1].pk).update(finished_at=now(), **told)
    imports = _imports(base, dana)

    def at(name: str, *args: object, query: str = "") -> str:
        return reverse(name, args=args) + query

    contact, enrollment = dana.pk, dana.enrollments.order_by("pk")[0]
    course = base.courses.get()
    chosen = f"action=grant&ids={dana.pk}&ids={people[0].pk}"
    sure = f"{chosen}&terms=1&offer={base.pk}&mode=default&if_held=leave&notify=on"
    found = f"?where=portal:is:active&where=offer:is:{base.pk}&match=any&q=person"
    return {
        "home": at("portal:dashboard"),
        "contacts": at("portal:contact_list"),
        "contacts filtered": at("portal:contact_list", query=found),
        "contacts none": at("portal:contact_list", query="?q=nobody"),
        "filters": at("portal:contact_filter"),
        "portal users": at("portal:portal_user_list"),
        "search": at("portal:search", query="?q=person"),
        "contact": at("portal:contact_detail", contact),
        "contact new": at("accounts:contact_create"),
        "contact edit": at("accounts:contact_update", contact),
        "contact block": at("portal:contact_block", contact),
        "bulk form": at("portal:bulk_create", query=f"?{chosen}"),
        "bulk confirm": at("portal:bulk_create", query=f"?{sure}"),
        "bulk running": at("portal:bulk_detail", runs[0].pk),
        "bulk done": at("portal:bulk_detail", runs[1].pk),
        "bulk list": at("portal:bulk_list"),
        "register": at("enrollments:member_register"),
        "grant": at("enrollments:grant_create", contact),
        "enrollments": at("enrollments:enrollment_list", contact),
        "enrollment": at("enrollments:enrollment_update", enrollment.pk),
        "extend": at("enrollments:grant_extend", grants[0].pk),
        "suspend": at("enrollments:grant_suspend", grants[0].pk),
        "revoke": at("enrollments:grant_revoke", grants[0].pk),
        "revoke offer": at("enrollments:offer_revoke", contact, base.pk),
        "access": at("enrollments:access_detail", contact, course.pk),
        "access question": at(
            "enrollments:access_explain", query=f"?email=person&course={course.pk}"
        ),
        "repair": at("enrollments:contact_repair", contact),
        "holders": at("enrollments:holder_list", base.pk),
        "holders move": at("enrollments:holder_move", base.pk),
        "import": at("enrollments:import_create"),
        "imports": at("enrollments:import_list"),
        **{f"import {batch.state}": at("enrollments:import_detail", batch.pk) for batch in imports},
        "import undo": at("enrollments:import_undo", imports[-2].pk),
        **_course_pages(course, dana),
        "offers": at("offers:offer_list"),
        "offer": at("offers:offer_update", base.pk),
        "audit": at("portal:audit_list"),
        "audit detail": at("portal:audit_detail", Event.objects.latest("pk").pk),
        "messages": at("notifications:message_list"),
        "settings": at("portal:settings"),
        "ways in": at("portal:access_settings"),
    }


def _course_pages(course: Course, student: Contact) -> dict[str, str]:
    """The staff's pages about a course in which everything has happened."""
    lesson = Lesson.objects.filter(module__course=course).earliest("pk")
    quiz = make.quiz(course, "Is flour white?", "Is water wet?", title="Check")
    cohort = Cohort.objects.create(
        course=course, title="Spring", starts_on=School.current().today()
    )
    enrollment = Enrollment.objects.get(contact=student, course=course)
    set_cohorts({enrollment.pk: cohort.pk})
    tried = QuizAttempt.objects.submit(enrollment=enrollment, quiz=quiz, number=1, answers={})
    question = Comment.objects.write(
        lesson=lesson, author=student.user, contact=student, text="How warm?"
    )
    Comment.objects.write(
        lesson=lesson, author=student.user, contact=student, text="Found it.", parent=question
    )
    Rating.objects.rate(enrollment=enrollment, stars=4, text="It rose.")

    def at(name: str, *args: object, query: str = "") -> str:
        return reverse(name, args=args) + query

    return {
        "cohorts": at("offers:cohort_list", course.pk),
        "cohort": at("offers:cohort_update", cohort.pk),
        "schedule": at("enrollments:schedule_detail", course.pk),
        "lessons": at("enrollments:lesson_list", enrollment.pk),
        "quiz": at("offers:quiz_update", quiz.lesson.pk),
        "question": at("offers:question_update", quiz.questions.earliest("pk").pk),
        "quiz attempts": at("enrollments:quiz_attempt_list"),
        "quiz attempt": at("enrollments:quiz_attempt_detail", tried.pk),
        "comments": at("enrollments:moderation_list"),
        "comments of a lesson": at("enrollments:moderation_detail", lesson.pk),
        "ratings": at("enrollments:rating_list", course.pk),
    }


def _imports(offer: Offer, contact: Contact) -> list[ImportBatch]:
    """One batch in each of its states."""
    at = now()
    checked = {"check_started_at": at, "checked_at": at}
    started = checked | {"started_at": at, "done": 20}
    done = started | {"finished_at": at, "done": 61}
    states: list[dict[str, object]] = [
        {},
        {"check_started_at": at, "done": 10},
        checked,
        {**checked, "refusal": "No column holds e-mail addresses."},
        started,
        {**done, "undo_started_at": at, "done": 5},
        done,
        {**done, "undo_started_at": at, "undone_at": at, "undo_counts": {"reset": 12}},
    ]
    batches = []
    for times in states:
        batch = ImportBatch.objects.create(
            file_name="alunos-novembro.csv", sheet=SHEET, total=61, **times
        )
        batch.offers.add(offer)
        if batch.state == "uploaded":
            batch.courses.add(offer.courses.get())
        if batch.state in {"checked", "done", "undone"}:
            batch.counts = {"created": 12, "updated": 41, "unchanged": 6, "failed": 2}
            batch.save(update_fields=["counts"])
            ImportRow.objects.create(
                batch=batch, number=2, outcome=RowOutcome.UPDATED, contact=contact
            )
            ImportRow.objects.create(
                batch=batch,
                number=3,
                outcome=RowOutcome.FAILED,
                reason="“31/13/2030” is not a date.",
                cells=["Rui Reis", "rui.reis.da.padaria.da.esquina@example.com", "31/13/2030"],
            )
        batches.append(batch)
    return batches


def opened(page: Page) -> Iterator[str]:
    """The page as it came; then with each of its menus open, and with what its filters ask."""
    yield ""
    for button in page.locator("main button[popovertarget]").all():
        if button.is_visible():
            button.click()
            panel = page.locator(f"#{button.get_attribute('popovertarget')}")
            expect(panel).to_be_visible()
            yield f", {button.inner_text()}"
            page.keyboard.press("Escape")
            expect(panel).to_be_hidden()


@pytest.mark.parametrize("half", [0, 1])  # so that two processes share the work
def test_nobody_is_kept_out_of_a_page(
    half: int, pages: dict[str, str], stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser()
    log_in(page, "alice@example.com")
    found = []
    for name, address in list(pages.items())[half::2]:
        page.set_viewport_size(DESK)
        answer = page.goto(address)
        if answer.status != 200:
            found.append(f"{name}: {answer.status}")
            continue
        # Light at a desk, dark on a phone: colors do not depend on the width.
        for _where in opened(page) if name in WITH_MENUS else [""]:
            found += barriers(page, schemes=["light"])
        page.set_viewport_size(PHONE)
        found += barriers(page, schemes=["dark"])
        if (pixels := beyond(page)) > 0:
            found.append(f"{name}: {pixels} pixels too wide for a phone")
    assert not found, "\n".join(found)
