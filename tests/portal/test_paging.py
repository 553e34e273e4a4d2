"""Every list that comes in pages shows each of its rows once, whichever way somebody goes through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import make
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import BulkRun, Contact, User
from accounts.models.bulk import BulkRow, Outcome
from enrollments.models import (
    Comment,
    Enrollment,
    Grant,
    ImportBatch,
    QuizAttempt,
    Rating,
    RowOutcome,
)
from enrollments.models.import_batch import ImportRow
from notifications.models import Kind, Message, State
from offers.models import Course, Offer, Quiz
from portal import context
from portal.events import Name, record_many
from portal.models import Event

SIZE, NUMBER = 2, 5  # rows of a page, and of each list: two full pages, and one with the last row
RUN = "unblock"  # a bulk action without terms

# The contact list, whose pages go by any column, has stories of its own; the other shows components.
ELSEWHERE = {"components/contact_table.html", "portal/dashboard/styleguide.html"}


@dataclass(frozen=True)
class House:
    """Five people with a course, whom the lists are about, and who runs the school with Alice."""

    alice: User
    colleague: User
    people: list[Contact]
    offer: Offer
    course: Course
    quiz: Quiz


@pytest.fixture
def house(alice: User) -> House:
    course = make.course()
    quiz, offer = make.quiz(course, "Flour?"), make.offer(courses=[course])
    people = [make.student(f"Person {number}") for number in range(NUMBER)]
    Grant.objects.grant_many(
        contact_ids=[person.pk for person in people], offer=offer, source="manual", notify=False
    )
    return House(alice, make.staff(email="colleague@example.com"), people, offer, course, quiz)


type Lists = Callable[[House], tuple[str, Iterable[Model]]]  # its address, and its rows in order

LISTS: dict[str, tuple[str, str, Lists]] = {}  # name of a test -> template, module of PAGE, list


def walked(template: str, module: str) -> Callable[[Lists], Lists]:
    def note(lists: Lists) -> Lists:
        LISTS[lists.__name__] = template, module, lists
        return lists

    return note


def enrollments(house: House) -> list[Enrollment]:
    return list(Enrollment.objects.filter(course=house.course).order_by("pk"))


@walked("enrollments/dashboard/holder_list.html", "enrollments.views.holders")
def holders(house):
    url = reverse("enrollments:holder_list", args=[house.offer.pk])
    return url, Grant.objects.order_by("-pk")


@walked("enrollments/dashboard/schedule_detail.html", "enrollments.views.schedule")
def schedule(house):
    url = reverse("enrollments:schedule_detail", args=[house.course.pk])
    return f"{url}?cohort=none", Enrollment.objects.order_by("-pk")


def write_comments(house: House) -> str:
    """By all, below two lessons in turn."""
    lessons = [make.lesson(house.course, "Oven"), make.lesson(house.course, "Flour")]
    Comment.objects.bulk_create(
        Comment(lesson=lessons[n % 2], author=person.user, contact=person, text=f"No. {n}")
        for n, person in enumerate(house.people)
    )
    return reverse("enrollments:moderation_list")


@walked("enrollments/dashboard/moderation_list.html", "enrollments.views.moderation")
def comments(house):
    return write_comments(house), Comment.objects.order_by("-pk")


@walked("enrollments/dashboard/moderation_list.html", "enrollments.views.moderation")
def comments_of_a_course(house):
    url = write_comments(house)
    return f"{url}?course={house.course.pk}&state=visible", Comment.objects.order_by("-pk")


@walked("enrollments/dashboard/moderation_list.html", "enrollments.views.moderation")
def comments_of_people_by_name(house):
    return f"{write_comments(house)}?q=person", Comment.objects.order_by("-pk")


def tried(enrollment: Enrollment, quiz: Quiz, number: int = 1) -> QuizAttempt:
    terms = {"attempt": 1, "score": 0, "total": 1, "passed": False}
    return QuizAttempt(enrollment=enrollment, quiz=quiz, number=number, **terms)


def try_quizzes(house: House) -> str:
    """Each once, at two quizzes in turn."""
    quizzes = [house.quiz, make.quiz(house.course, "Water?", title="Second quiz")]
    QuizAttempt.objects.bulk_create(
        tried(mine, quizzes[n % 2]) for n, mine in enumerate(enrollments(house))
    )
    return reverse("enrollments:quiz_attempt_list")


@walked("enrollments/dashboard/quiz_attempt_list.html", "enrollments.views.quiz_attempts")
def quiz_attempts(house):
    return try_quizzes(house), QuizAttempt.objects.order_by("-pk")


@walked("enrollments/dashboard/quiz_attempt_list.html", "enrollments.views.quiz_attempts")
def quiz_attempts_of_a_course(house):
    url = f"{try_quizzes(house)}?course={house.course.pk}"
    return url, QuizAttempt.objects.order_by("-pk")


@walked("enrollments/dashboard/quiz_attempt_list.html", "enrollments.views.quiz_attempts")
def quiz_attempts_of_a_person(house):
    [mine, *_others] = enrollments(house)
    QuizAttempt.objects.bulk_create(tried(mine, house.quiz, number=n) for n in range(1, NUMBER + 1))
    url = reverse("enrollments:quiz_attempt_list")
    return f"{url}?contact={mine.contact_id}", QuizAttempt.objects.order_by("-pk")


@walked("enrollments/dashboard/rating_list.html", "enrollments.views.ratings")
def ratings(house):
    Rating.objects.bulk_create(
        Rating(enrollment=mine, course=house.course, stars=4, text="Crisp")
        for mine in enrollments(house)
    )
    url = reverse("enrollments:rating_list", args=[house.course.pk])
    return url, Rating.objects.order_by("-pk")


@walked("enrollments/dashboard/import_list.html", "enrollments.views.imports")
def imports(_house):
    ImportBatch.objects.bulk_create(ImportBatch(file_name=f"{n}.csv") for n in range(NUMBER))
    return reverse("enrollments:import_list"), ImportBatch.objects.order_by("-pk")


@walked("enrollments/dashboard/import_detail.html", "enrollments.views.imports")
def rows_of_an_import(_house):
    batch = ImportBatch.objects.create(file_name="members.csv", counts={"failed": NUMBER})
    ImportRow.objects.bulk_create(
        # Written down in another order than they stand in the file.
        ImportRow(batch=batch, number=number, outcome=RowOutcome.FAILED, cells=[])
        for number in reversed(range(2, 2 + NUMBER))
    )
    url = reverse("enrollments:import_detail", args=[batch.pk])
    return f"{url}?outcome=failed", ImportRow.objects.order_by("number")


@walked("notifications/dashboard/message_list.html", "notifications.views.dashboard")
def messages(house):
    Message.objects.bulk_create(
        Message(key=f"old:{person.pk}", kind=Kind.ACCESS, contact=person, state=State.SENT)
        for person in house.people
    )
    url = reverse("notifications:message_list")
    return f"{url}?state=sent", Message.objects.filter(state=State.SENT).order_by("-pk")


@walked("portal/dashboard/link_list.html", "portal.views.links")
def links(house):
    [person, *_others] = house.people
    made = [make.link(person.user) for _number in range(NUMBER)]
    return reverse("portal:link_list", args=[person.pk]), reversed(made)


@walked("portal/dashboard/bulk_list.html", "portal.views.bulk")
def bulk_runs(_house):
    BulkRun.objects.bulk_create(BulkRun(action=RUN) for _number in range(NUMBER))
    return reverse("portal:bulk_list"), BulkRun.objects.order_by("-pk")


@walked("portal/dashboard/bulk_detail.html", "portal.views.bulk")
def contacts_of_a_bulk_run(house):
    run = BulkRun.objects.create(action=RUN, total=NUMBER)
    BulkRow.objects.bulk_create(
        BulkRow(run=run, contact=person, outcome=Outcome.CHANGED) for person in house.people
    )
    url = reverse("portal:bulk_detail", args=[run.pk])
    return f"{url}?outcome=changed", BulkRow.objects.order_by("pk")


@walked("portal/dashboard/audit_list.html", "portal.views.audit")
def audit(house):
    """Of two who act in turn: each one's events are looked for apart."""
    for number in range(NUMBER):
        with context.acting(user=(house.alice, house.colleague)[number % 2]), transaction.atomic():
            record_many(Name.OFFER_PUBLISHED, [(None, {"offer": house.offer.pk})])
    url = reverse("portal:audit_list")
    published = Event.objects.filter(name=Name.OFFER_PUBLISHED)
    return f"{url}?what=offer.published", published.order_by("-pk")


def follow(browser: Any, address: str, rel: str) -> tuple[list[list[int]], list[int], str]:
    """Press the same button until it is gone: the keys on each page, its statements, where it ended."""
    path, pages, costs = address.partition("?")[0], [], []
    for _ in range(2 * NUMBER):
        with CaptureQueriesContext(connection) as asked:
            response = browser.get(address)
        assert response.status_code == 200
        pages.append([row.pk for row in response.context["page"].rows])
        costs.append(len(asked))
        button = re.search(rf'rel="{rel}"\s+href="([^"#]+)', response.content.decode())
        if button is None:
            return pages, costs, address
        address = path + unescape(button[1])
    pytest.fail(f"{path} has no last page")


@pytest.mark.parametrize("name", LISTS)
def test_on_and_back_again_every_row_is_shown_once(name, house, login, monkeypatch):
    template, module, lists = LISTS[name]
    monkeypatch.setattr(f"{module}.PAGE", SIZE)
    address, rows = lists(house)
    keys = [row.pk for row in rows]
    pages = [keys[start : start + SIZE] for start in range(0, NUMBER, SIZE)]
    assert len(keys) == NUMBER

    browser = login(house.alice)
    assert template in [used.name for used in browser.get(address).templates]
    there, costs, last = follow(browser, address, "next")
    assert there == pages
    assert costs[1] <= costs[0]
    back, costs, first = follow(browser, last, "prev")
    assert back == pages[::-1]
    assert costs[1] <= costs[2]
    again, _costs, _last = follow(browser, first, "next")
    assert again == pages

    path, _question, query = address.partition("?")
    assert query in last
    assert query in first, "what is looked for stays"
    past = "before=1" if keys[0] > keys[1] else "after=999999999999999999"
    empty = browser.get(f"{path}?{query}&{past}")
    assert empty.context["page"].rows == []
    [button] = re.findall(
        r'href="(\?[^"#]*)[^>]*>[^<]*(?:<svg.*?</svg>)?(?:First page|Previous)',
        empty.content.decode(),
        re.DOTALL,
    )
    first = browser.get(path + unescape(button)).context["page"]
    assert [row.pk for row in first.rows] == pages[0]


def test_every_list_with_pages_is_walked_through():
    [folder] = settings.TEMPLATES[0]["DIRS"]
    found = {
        str(path.relative_to(folder))
        for path in Path(folder).rglob("*.html")
        if '"components/pagination.html"' in path.read_text()
    }
    assert found - ELSEWHERE == {template for template, _module, _lists in LISTS.values()}


@pytest.mark.parametrize("query", ["before=x", "after=", "before=-1", "after=" + "9" * 30])
def test_an_address_that_makes_no_sense_is_the_first_page(query, house, login):
    url, rows = bulk_runs(house)
    page = login(house.alice).get(f"{url}?{query}").context["page"]
    assert page.rows == list(rows)
    assert (page.prev_url, page.next_url) == ("", "")


def test_what_is_new_meanwhile_stands_on_a_page_before_the_first(house, login, monkeypatch):
    monkeypatch.setattr("portal.views.bulk.PAGE", SIZE)
    url, _rows = bulk_runs(house)
    browser = login(house.alice)
    second = url + browser.get(url).context["page"].next_url
    new = BulkRun.objects.create(action=RUN)
    pages, _costs, _first = follow(browser, second, "prev")
    assert pages[-1] == [new.pk]
    assert len(pages) == 3
