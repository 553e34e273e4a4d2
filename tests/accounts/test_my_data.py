"""A student's data as a file: all of theirs, nothing of anybody else's, and only for them."""

from __future__ import annotations

import json
from datetime import date

import make
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Contact, Note
from enrollments.models import Comment, Enrollment, QuizAttempt, Rating
from notifications.models import Message, State
from portal.models import Event

PAGE = "/profile/data/"


def live(contact: Contact, *, alone: str) -> None:
    """Everything somebody can leave behind. `alone`: a word that stands in each part of it."""
    course = make.course(f"Course {alone}", lessons=2)
    quiz = make.quiz(course, f"Question {alone}?", title=f"Quiz {alone}")
    make.grant(
        contact=contact,
        offer=make.offer(f"Offer {alone}", courses=[course]),
        ends_on=date(2030, 6, 30),
    )
    enrollment = Enrollment.objects.get(contact=contact, course=course)
    first, second = course.modules.get().lessons.order_by("position")[:2]
    enrollment.complete(first)
    right = quiz.questions.get().choices.get(is_right=True)
    wrong = quiz.questions.get().choices.get(is_right=False)
    QuizAttempt.objects.submit(
        enrollment=enrollment, quiz=quiz, number=1, answers={right.question_id: {wrong.pk}}
    )
    Comment.objects.write(
        lesson=second, author=contact.user, contact=contact, text=f"Comment {alone}"
    )
    Rating.objects.rate(enrollment=enrollment, stars=4, text=f"Rating {alone}")
    contact.tag([f"tag-{alone}"])
    Message.objects.create(
        key=f"test:{alone}",
        kind="access",
        contact=contact,
        cause="test",
        state=State.SENT,
        subject=f"Mail {alone}",
        address=contact.email,
        body="secret words",
    )


def download(browser) -> dict:
    answer = browser.post(PAGE)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my-data-2')
    assert "no-store" in answer.headers["Cache-Control"]
    return json.loads(answer.content)


def test_the_file_holds_everything(bob, login, school):
    live(bob, alone="rye")
    told = download(login(bob))
    assert told["school"] == "Mill Street"
    assert told["you"]["email"] == "bob@example.com"
    assert told["you"]["tags"] == ["tag-rye"]
    assert told["login"]["has_password"] is True
    [grant] = told["grants"]
    assert (grant["title"], grant["source"], grant["ends_on"]) == (
        "Offer rye",
        "manual",
        "2030-06-30",
    )
    [enrollment] = told["enrollments"]
    assert enrollment["title"] == "Course rye"
    assert [lesson["title"] for lesson in enrollment["lessons"]] == ["Lesson 1"]
    assert enrollment["lessons"][0]["completed_at"]
    [tried] = told["quiz_attempts"]
    assert tried["answers"] == [{"question": "Question rye?", "chosen": ["No"]}]
    assert told["comments"][0]["text"] == "Comment rye"
    assert (told["ratings"][0]["stars"], told["ratings"][0]["text"]) == (4, "Rating rye")
    assert told["mails"][0]["subject"] == "Mail rye"
    assert {"offer.granted", "lesson.completed", "portal.login"} <= {
        event["name"] for event in told["log"]
    }
    [session] = told["sessions"]
    assert session["logged_in_at"]


def test_it_holds_nothing_of_anybody_else(bob, charlie, login, school):
    live(bob, alone="rye")
    live(charlie, alone="wheat")
    login(charlie)
    text = json.dumps(download(login(bob)))
    assert "rye" in text
    assert "wheat" not in text
    assert "charlie" not in text


def test_it_holds_nothing_that_staff_keep_to_themselves(alice, bob, login, school):
    live(bob, alone="rye")
    Note.objects.create(contact=bob, author=alice, text="a note of staff")
    bob.block(reason="a reason of staff")
    bob.unblock()
    Event.objects.bulk_create(
        [
            Event(
                name="contact.updated",
                occurred_at=bob.created_at,
                contact=bob,
                actor=alice,
                address="203.0.113.9",
                cause="test",
            )
        ]
    )
    text = json.dumps(download(login(bob)))
    for hidden in ("of staff", "203.0.113.9", "is_right", "secret words", "argon2", "alice"):
        assert hidden not in text
    for key in bob.user.sessions.values_list("pk", flat=True):
        assert key not in text


def test_that_there_was_a_note_stays_with_staff(alice, bob, login, school):
    note = Note.objects.create(contact=bob, author=alice, text="a note of staff")
    login(alice).post(reverse("accounts:note_delete", args=[note.pk]))
    assert Event.objects.filter(name="note.deleted", contact=bob).exists()
    assert "note" not in json.dumps(download(login(bob)))


def test_taking_it_is_noted_and_looking_is_not(bob, login, alice):
    here = login(bob)
    here.get(PAGE)
    assert not Event.objects.filter(name="export.made").exists()
    download(here)
    event = Event.objects.get(name="export.made")
    assert (event.contact_id, event.data["what"]) == (bob.pk, "my_data")
    url = reverse("portal:contact_timeline", args=[bob.pk])
    page = login(alice).get(url).content.decode()
    assert "Their own data, JSON" in page


def test_the_password_is_asked_for_first_when_the_login_is_old(bob, login):
    here = login(bob)
    session = here.session
    session["proved_at"] -= 3600
    session.save()
    assert here.get(PAGE).status_code == 200
    answer = here.post(PAGE)
    assert answer.headers["Location"] == "/account/reauthenticate/?next=%2Fprofile%2Fdata%2F"
    assert not Event.objects.filter(name="export.made").exists()
    here.post(answer.headers["Location"], {"password": make.PASSWORD, "next": PAGE})
    assert download(here)["you"]["email"] == "bob@example.com"


def test_a_long_story_takes_no_more_statements(bob, login, school):
    here, counts = login(bob), []
    live(bob, alone="first")
    here.get(PAGE)
    for number in range(2):
        with CaptureQueriesContext(connection) as queries:
            download(here)
        counts.append(len(queries))
        for more in range(3):
            live(bob, alone=f"more {number} {more}")
    assert counts[0] == counts[1]
