"""The mail about an answer: once, to who wants it and may read it, and a way straight there."""

from __future__ import annotations

import re

import make
import pytest
from django.urls import reverse

from accounts.models import Contact, Role, User
from enrollments.models import Comment, Grant
from notifications.models import Message
from offers.models import Lesson
from portal import events

LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/\?next=\S+)")


@pytest.fixture
def lesson(school, bob, charlie):
    """A lesson that Bob and Charlie both may open."""
    course = make.course("Sourdough")
    offer = make.offer("Bread", courses=[course])
    for student in (bob, charlie):
        make.grant(contact=student, offer=offer)
    return course.modules.get().lessons.order_by("position").first()


@pytest.fixture
def question(bob, lesson):
    """What Bob asked below the lesson."""
    return Comment.objects.write(lesson=lesson, author=bob.user, contact=bob, text="How warm?")


def answer(contact, question, text="At 24 degrees, <b>never</b> more."):
    return Comment.objects.write(
        lesson=question.lesson, author=contact.user, contact=contact, text=text, parent=question
    )


def test_who_is_answered_gets_one_mail_that_leads_there(
    client, bob, charlie, question, committed, mailoutbox
):
    with committed():
        said = answer(charlie, question)
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    assert mail.subject == "Charlie Cook answered your comment on “Lesson 1”"
    html = mail.alternatives[0].content
    assert "At 24 degrees, <b>never</b> more." in mail.body
    assert "At 24 degrees, &lt;b&gt;never&lt;/b&gt; more." in html
    for text in (mail.body, html):
        assert "http://localhost:8000/profile/" in text
        assert "charlie@example.com" not in text
    [path] = LINK.findall(mail.body)
    course = question.lesson.module.course
    there = reverse("enrollments:comment_list", args=[course.slug, question.lesson_id])
    landed = client.post(path)
    assert landed["Location"] == f"{there}?thread={question.pk}#comment-{said.pk}"
    assert "At 24 degrees" in client.get(landed["Location"]).content.decode()
    message = Message.objects.get(kind="reply")
    assert message.key == f"reply:{said.pk}"
    assert message.priority > Message._meta.get_field("priority").default
    assert re.search(r"/l/[0-9a-f]{64}", message.body) is None


@pytest.mark.parametrize(
    "page", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil", ""]
)
def test_a_link_leads_to_no_other_house(client, bob, question, page):
    link = make.link(bob.user)
    path = reverse("accounts:link_consume", args=[link.token])
    assert client.post(path, query_params={"next": page})["Location"] == "/"


def test_a_repeat_sends_nothing_more(bob, charlie, question, committed, mailoutbox):
    for _ in range(2):
        with committed():
            answer(charlie, question)
    assert len(mailoutbox) == 1
    with committed():
        answer(charlie, question, text="And wait.")
    assert len(mailoutbox) == 2


def test_own_answers_are_no_news(bob, question, committed, mailoutbox):
    with committed():
        answer(bob, question)
    assert not mailoutbox
    assert not Message.objects.filter(kind="reply").exists()


def test_a_comment_that_answers_nobody_mails_nobody(bob, charlie, question, committed, mailoutbox):
    with committed():
        Comment.objects.write(
            lesson=question.lesson, author=charlie.user, contact=charlie, text="Hello"
        )
    assert not mailoutbox


def test_staff_are_not_told_and_their_answers_are(
    alice, bob, charlie, lesson, question, committed, mailoutbox
):
    welcome = Comment.objects.write(lesson=lesson, author=alice, text="Welcome!")
    with committed():
        answer(charlie, welcome, text="Thank you")
    assert not mailoutbox
    User.objects.filter(pk=alice.pk).update(name="Alice Miller")
    with committed():
        Comment.objects.write(lesson=lesson, author=alice, text="At 24 degrees", parent=question)
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]
    assert mail.subject.startswith("Alice Miller answered")


def test_a_student_who_is_staff_too_logs_in_by_themselves(
    bob, charlie, question, committed, mailoutbox
):
    User.objects.appoint(email=bob.email, role=Role.MODERATOR)
    with committed():
        answer(charlie, question)
    [mail] = mailoutbox
    assert "/l/" not in mail.body
    assert f"/lessons/{question.lesson_id}/comments/?thread={question.pk}" in mail.body


def test_who_does_not_want_it_is_left_alone(bob, charlie, question, committed, mailoutbox):
    Contact.objects.filter(pk=bob.pk).update(wants_replies=False)
    with committed():
        answer(charlie, question)
    assert not mailoutbox
    assert not Message.objects.filter(kind="reply").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda bob, said: said.hide(), "comment_gone"),
        (lambda bob, said: said.take_back(), "comment_gone"),
        (lambda bob, said: said.parent.take_back(), "comment_gone"),
        (lambda bob, said: said.parent.hide(), "comment_gone"),
        (lambda bob, said: Grant.objects.filter(contact=bob).get().revoke(), "lesson_closed"),
        (lambda bob, said: said.lesson.module.course.archive(), "lesson_closed"),
        (lambda bob, said: Lesson.objects.update(opens_on="2999-01-01"), "lesson_closed"),
        (lambda bob, said: Lesson.objects.update(published_at=None), "lesson_closed"),
        (lambda bob, said: Contact.objects.update(wants_replies=False), "not_wanted"),
        (lambda bob, said: bob.block(), "blocked"),
    ],
    ids=[
        "hidden",
        "taken back",
        "question taken back",
        "question hidden",
        "revoked",
        "archived",
        "locked",
        "unpublished",
        "switched off",
        "blocked",
    ],
)
def test_what_changes_before_it_is_sent_stops_it(
    alice, bob, charlie, question, committed, login, mailoutbox, change, reason
):
    said = answer(charlie, question)
    events.dispatch()
    assert Message.objects.get(kind="reply").state == "waiting"
    with committed():
        change(bob, said)
    assert not mailoutbox
    message = Message.objects.get(kind="reply")
    assert (message.state, message.reason) == ("canceled", reason)
    assert login(alice).get("/dashboard/messages/").status_code == 200
