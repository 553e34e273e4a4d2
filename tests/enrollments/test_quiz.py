"""A quiz: answered by the student, graded at once, read by staff."""

from __future__ import annotations

import re

import make
import pytest
from django.urls import reverse

from accounts.models import Role
from enrollments.models import Enrollment, QuizAttempt
from offers.forms.quiz import QuestionForm, QuizForm
from offers.models import Choice, Lesson, Question, Quiz
from portal.models import Event


@pytest.fixture
def quiz(bob, school):
    """Ten questions in a course that Bob may open; seven right ones pass."""
    course = make.course(lessons=0)
    made = make.quiz(course, *(f"Question {n}?" for n in range(10)))
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    return made


def address(quiz, *more):
    lesson = quiz.lesson
    name = "quiz_result" if more else "quiz_take"
    return reverse(f"enrollments:{name}", args=[lesson.module.course.slug, lesson.pk, *more])


def answers(quiz, *, right, number=1):
    """What the form sends: the first `right` questions answered with Yes, the others with No."""
    sent = {"number": number}
    for place, question in enumerate(quiz.questions.all()):
        word = "Yes" if place < right else "No"
        sent[f"q{question.pk}"] = question.choices.get(text=word).pk
    return sent


def events(name):
    return Event.objects.filter(name=name).count()


def test_passing_completes_the_lesson_and_the_course(login, bob, quiz):
    browser = login(bob)
    answer = browser.post(address(quiz), answers(quiz, right=7))
    assert answer["Location"] == address(quiz, 1)
    page = browser.get(answer["Location"]).content.decode()
    assert "Passed. 7 of 10 right: 70%." in " ".join(page.split())
    enrollment = Enrollment.objects.get()
    assert enrollment.progress.done().get().lesson == quiz.lesson
    assert enrollment.completed_at is not None
    assert [events(n) for n in ("quiz.submitted", "lesson.completed", "course.completed")] == [
        1,
        1,
        1,
    ]


def test_six_right_answers_of_ten_do_not_pass_seventy_percent(login, bob, quiz):
    browser = login(bob)
    browser.post(address(quiz), answers(quiz, right=6))
    assert not QuizAttempt.objects.get().passed
    assert not Enrollment.objects.get().progress.done().exists()
    assert "Not passed: 70% are needed." in browser.get(address(quiz, 1)).content.decode()


def test_a_quiz_without_questions_is_passed_by_nobody(login, bob, quiz):
    Question.objects.all().delete()
    browser = login(bob)
    page = browser.get(address(quiz)).content.decode()
    assert "being prepared" in page
    assert "You pass with" not in page
    browser.post(address(quiz), {"number": 1})
    assert not QuizAttempt.objects.exists()


def test_handing_in_twice_is_one_attempt_and_the_first_answer_counts(login, bob, quiz):
    browser = login(bob)
    browser.post(address(quiz), answers(quiz, right=3))
    answer = browser.post(address(quiz), answers(quiz, right=10))
    assert answer["Location"] == address(quiz, 1)
    assert QuizAttempt.objects.get().score == 3
    assert events("quiz.submitted") == 1


def test_every_question_must_be_answered_and_what_was_ticked_stays(login, bob, quiz):
    sent = answers(quiz, right=10)
    first, *_others = quiz.questions.all()
    missing = sent.pop(f"q{first.pk}")
    page = login(bob).post(address(quiz), sent).content.decode()
    assert page.count("Answer this question.") == 1
    assert page.count("checked") == 9
    assert missing
    assert not QuizAttempt.objects.exists()


def test_after_the_last_attempt_there_is_no_more(login, bob, quiz):
    quiz.max_attempts = 2
    quiz.save()
    browser = login(bob)
    assert "2 attempts left" in browser.get(address(quiz)).content.decode()
    for number in (1, 2):
        browser.post(address(quiz), answers(quiz, right=0, number=number))
    page = browser.get(address(quiz)).content.decode()
    assert "No attempt is left" in page
    assert "Hand in" not in page
    page = browser.get(address(quiz, 2)).content.decode()
    assert "Write to us if you would like to try once more." in page
    assert "Back to the lesson" in page
    assert "Try again" not in page
    answer = browser.post(address(quiz), answers(quiz, right=10, number=3), follow=True)
    assert "not counted" in answer.content.decode()
    assert QuizAttempt.objects.count() == 2


def test_a_question_with_several_right_answers_wants_exactly_those(login, bob, quiz):
    Question.objects.exclude(pk=quiz.questions.first().pk).delete()
    question = quiz.questions.get()
    question.kind = "some"
    question.save()
    second = Choice.objects.create(question=question, text="Also", is_right=True, position=3)
    yes = question.choices.get(text="Yes").pk
    no = question.choices.get(text="No").pk
    browser = login(bob)
    for number, ticked in enumerate(([yes], [yes, second.pk, no], [yes, second.pk]), start=1):
        browser.post(address(quiz), {"number": number, f"q{question.pk}": ticked})
    assert list(QuizAttempt.objects.order_by("number").values_list("passed", flat=True)) == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("reveal", "shown_when_failed", "shown_when_passed"),
    [("always", True, True), ("passed", False, True), ("never", False, False)],
)
def test_the_right_answers_are_shown_when_the_school_wants(
    login, bob, quiz, reveal, shown_when_failed, shown_when_passed
):
    quiz.reveal = reveal
    quiz.save()
    browser = login(bob)
    browser.post(address(quiz), answers(quiz, right=0))
    failed = browser.get(address(quiz, 1)).content.decode()
    assert ("right answer</span>" in failed) is shown_when_failed
    browser.post(address(quiz), answers(quiz, right=10, number=2))
    passed = browser.get(address(quiz, 2)).content.decode()
    assert ("right answer</span>" in passed) is shown_when_passed


def test_results_stay_as_they_were_graded(login, bob, alice, quiz):
    login(bob).post(address(quiz), answers(quiz, right=10))
    Question.objects.all().delete()
    page = login(alice).get(
        reverse("enrollments:quiz_attempt_detail", args=[QuizAttempt.objects.get().pk])
    )
    assert page.content.decode().count("sheet__choice--chosen sheet__choice--right") == 10
    assert "10 of 10 right" in " ".join(page.content.decode().split())


def test_a_new_attempt_at_the_course_begins_its_quizzes_anew(login, bob, quiz):
    browser = login(bob)
    browser.get(
        reverse("enrollments:lesson_detail", args=[quiz.lesson.module.course.slug, quiz.lesson.pk])
    )
    browser.post(address(quiz), answers(quiz, right=10))
    Enrollment.objects.get().restart()
    assert browser.get(address(quiz, 1)).status_code == 404
    browser.post(address(quiz), answers(quiz, right=10))
    assert QuizAttempt.objects.count() == 2
    assert Enrollment.objects.get().completed_at is not None


def test_strangers_and_those_whose_access_ended_find_nothing(login, bob, charlie, quiz):
    login(bob).post(address(quiz), answers(quiz, right=10))
    bob.grants.all().revoke()
    for person in (bob, charlie):
        browser = login(person)
        for url in (address(quiz), address(quiz, 1)):
            assert browser.get(url).status_code == 404
            assert browser.post(url, answers(quiz, right=10, number=2)).status_code in (404, 405)
    assert QuizAttempt.objects.count() == 1


def test_a_locked_quiz_says_why_and_takes_no_answers(login, bob, quiz):
    quiz.lesson.opens_after = 7
    quiz.lesson.save()
    browser = login(bob)
    for answer in (
        browser.get(address(quiz)),
        browser.post(address(quiz), answers(quiz, right=10)),
    ):
        assert answer.status_code == 403
        assert "Opens on" in answer.content.decode()
    assert not QuizAttempt.objects.exists()


def test_a_quiz_is_never_completed_by_the_button(login, bob, quiz):
    lesson = quiz.lesson
    browser = login(bob)
    url = reverse("enrollments:lesson_complete", args=[lesson.module.course.slug, lesson.pk])
    browser.post(url)
    assert not Enrollment.objects.get().progress.done().exists()
    assert 'action="' + url not in browser.get(url.removesuffix("complete/")).content.decode()


def test_staff_see_who_tried_and_what_they_answered(login, alice, bob, charlie, quiz):
    login(bob).post(address(quiz), answers(quiz, right=4))
    listed = reverse("enrollments:quiz_attempt_list")
    detail = reverse("enrollments:quiz_attempt_detail", args=[QuizAttempt.objects.get().pk])
    for person in (alice, make.staff(Role.SUPPORT)):
        browser = login(person)
        assert "Bob Baker" in browser.get(f"{listed}?contact={bob.pk}").content.decode()
        assert (
            "Bob Baker"
            not in browser.get(f"{listed}?contact={charlie.pk}").content.decode().split("</h1>")[1]
        )
        assert "Question 3?" in browser.get(detail).content.decode()
    assert browser.get(f"{listed}?contact=99999999").status_code == 404
    for person in (bob, charlie, make.staff(Role.MODERATOR)):
        browser = login(person)
        assert browser.get(listed).status_code == 403
        assert browser.get(detail).status_code == 403


def test_the_list_of_attempts_costs_the_same_however_many(
    login, alice, quiz, django_assert_max_num_queries, bob
):
    enrollment = Enrollment.objects.get()
    rows = [
        QuizAttempt(
            enrollment=enrollment, attempt=1, quiz=quiz, number=n, score=1, total=2, passed=False
        )
        for n in range(1, 61)
    ]
    QuizAttempt.objects.bulk_create(rows)
    browser = login(alice)
    url = reverse("enrollments:quiz_attempt_list")
    with django_assert_max_num_queries(5):
        page = browser.get(url).content.decode()
    [following] = re.findall(r'rel="next"\s+href="([^"]+)"', page)
    second = browser.get(url + following.replace("&amp;", "&")).content.decode()
    assert second.count("<tr>") == 11


# The editor


def test_staff_write_a_quiz(login, alice, quiz):
    browser = login(alice)
    lesson = quiz.lesson
    page = reverse("offers:quiz_update", args=[lesson.pk])
    browser.post(page, {"pass_mark": "50", "max_attempts": "3", "reveal": "never"})
    quiz.refresh_from_db()
    assert (quiz.pass_mark, quiz.max_attempts, quiz.reveal) == (50, 3, "never")
    browser.post(
        reverse("offers:question_create", args=[lesson.pk]),
        {
            "text": "What raises bread?",
            "kind": "one",
            "choice_0": "Salt",
            "choice_2": "Yeast",
            "right_2": "on",
        },
    )
    question = quiz.questions.last()
    assert [(choice.text, choice.is_right) for choice in question.choices.all()] == [
        ("Salt", False),
        ("Yeast", True),
    ]
    browser.post(reverse("offers:question_move", args=[question.pk]), {"up": ""})
    assert list(quiz.questions.all())[-2] == question
    assert "What raises bread?" in browser.get(page).content.decode()
    browser.post(reverse("offers:question_delete", args=[question.pk]))
    assert quiz.questions.count() == 10


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"choice_0": "Only one", "right_0": "on"}, "Write at least two answers."),
        ({"choice_0": "A", "choice_1": "B"}, "Tick the answer that is right."),
        (
            {"choice_0": "A", "choice_1": "B", "right_0": "on", "right_1": "on"},
            "Tick one answer only",
        ),
        (
            {"choice_0": "A", "choice_1": "B", "right_0": "on", "right_3": "on"},
            "A right answer needs a text.",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(login, alice, quiz, sent, sentence):
    url = reverse("offers:question_create", args=[quiz.lesson.pk])
    answer = login(alice).post(url, {"text": "What?", "kind": "one"} | sent)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert quiz.questions.count() == 10


def test_an_edit_keeps_the_choices_that_stay(login, alice, quiz):
    question = quiz.questions.first()
    before = list(question.choices.values_list("pk", flat=True))
    login(alice).post(
        reverse("offers:question_update", args=[question.pk]),
        {
            "version": question.version,
            "text": "Anew?",
            "kind": "one",
            "choice_0": "Yes!",
            "right_0": "on",
            "choice_1": "Never",
        },
    )
    assert list(question.choices.values_list("pk", "text")) == [
        (before[0], "Yes!"),
        (before[1], "Never"),
    ]


def typed(browser, page):
    """What the form of a question would send if nothing were typed."""
    form = browser.get(page).context["form"]
    return {field.name: field.value() for field in form if field.value()}


def test_whoever_saves_a_question_second_sees_both_and_goes_on_with_hers(login, alice, quiz):
    question = quiz.questions.first()
    page = reverse("offers:question_update", args=[question.pk])
    browser, other = login(alice), login(make.staff(Role.ADMIN))
    mine, theirs = typed(browser, page), typed(other, page)
    more = {f"choice_{n}": f"Theirs {n}" for n in range(2, 7)}
    assert other.post(page, theirs | more | {"text": "Their question?"}).status_code == 302
    answer = browser.post(page, mine | {"choice_1": "My no", "choice_2": "My maybe"})
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Their question?" in html
    assert "Theirs 2" in html
    assert "Theirs 6" in html
    assert 'value="My maybe"' in html
    assert 'value="Theirs' not in html, "what I never typed is not mine"
    question.refresh_from_db()
    assert (question.text, question.choices.count()) == ("Their question?", 7)

    shown = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', html))
    assert shown["version"] == question.version
    again = mine | {"choice_1": "My no", "choice_2": "My maybe", "version": shown["version"]}
    assert browser.post(page, again).status_code == 302
    question.refresh_from_db()
    assert question.text == "Question 0?"
    assert list(question.choices.values_list("text", flat=True)) == ["Yes", "My no", "My maybe"]
    assert other.post(page, theirs).status_code == 409


def test_a_question_moved_meanwhile_is_saved_and_stays_where_it_is(login, alice, quiz):
    question = quiz.questions.first()
    page = reverse("offers:question_update", args=[question.pk])
    browser = login(alice)
    mine = typed(browser, page)
    browser.post(reverse("offers:question_move", args=[question.pk]), {"down": ""})
    assert browser.post(page, mine | {"text": "Anew?"}).status_code == 302
    assert list(quiz.questions.values_list("text", flat=True))[1] == "Anew?"


def test_a_question_deleted_meanwhile_is_there_to_copy(login, alice, quiz):
    question = quiz.questions.first()
    page = reverse("offers:question_update", args=[question.pk])
    browser = login(alice)
    mine = typed(browser, page)
    browser.post(reverse("offers:question_delete", args=[question.pk]))
    answer = browser.post(page, mine | {"choice_5": "Long and dear"})
    assert answer.status_code == 410
    html = answer.content.decode()
    for word in ("Question 0?", "Long and dear", "One is right", "Answer 1 is right"):
        assert word in html
    assert mine["version"] not in html
    assert browser.get(page).status_code == 404
    create = reverse("offers:question_create", args=[quiz.lesson.pk])
    quiz.lesson.delete()
    answer = browser.post(create, {"text": "Mine", "choice_11": "Far down"})
    assert answer.status_code == 410
    assert "Far down" in answer.content.decode()


def test_a_lesson_deleted_while_its_new_question_is_saved_loses_no_text(
    login, alice, quiz, monkeypatch
):
    create = reverse("offers:question_create", args=[quiz.lesson.pk])
    check = QuestionForm.clean

    def clean(form):
        quiz.lesson.delete()  # somebody else, at this very moment
        return check(form)

    monkeypatch.setattr(QuestionForm, "clean", clean)
    sent = {"text": "Mine?", "kind": "one", "choice_0": "Long and dear", "choice_1": "B"}
    answer = login(alice).post(create, sent | {"right_0": "on"})
    assert answer.status_code == 410
    assert "Long and dear" in answer.content.decode()


def test_rules_of_a_quiz_whose_lesson_was_deleted_are_there_to_copy(
    login, alice, quiz, monkeypatch
):
    page = reverse("offers:quiz_update", args=[quiz.lesson.pk])
    check = QuizForm.clean

    def clean(form):
        Lesson.objects.filter(pk=quiz.lesson_id).delete()  # somebody else, at this very moment
        return check(form)

    monkeypatch.setattr(QuizForm, "clean", clean)
    browser, sent = login(alice), {"pass_mark": "85", "max_attempts": "3", "reveal": "never"}
    for _ in range(2):  # it is gone while it is saved, then gone for good
        answer = browser.post(page, sent)
        assert answer.status_code == 410
        assert [text for _label, text in answer.context["words"]] == ["85", "3", "Never"]
    assert events("quiz.updated") == 0


@pytest.mark.parametrize("gone", ["question", "lesson"])
def test_a_question_deleted_while_it_moves_is_not_found(login, alice, quiz, monkeypatch, gone):
    question = quiz.questions.first()

    def select_for_update(**options):
        noun = question if gone == "question" else quiz.lesson
        type(noun).objects.filter(pk=noun.pk).delete()  # somebody else, before the lock
        return Quiz.objects.all().select_for_update(**options)

    monkeypatch.setattr(Quiz.objects, "select_for_update", select_for_update)
    page = reverse("offers:question_move", args=[question.pk])
    assert login(alice).post(page, {"down": ""}).status_code == 404
    assert events("quiz.updated") == 0


def test_the_same_answer_twice_is_refused(login, alice, quiz):
    url = reverse("offers:question_create", args=[quiz.lesson.pk])
    sent = {
        "text": "What?",
        "kind": "one",
        "choice_0": "Salt",
        "choice_1": " Salt",
        "right_0": "on",
    }
    answer = login(alice).post(url, sent)
    assert "This answer stands there twice." in answer.content.decode()
    assert quiz.questions.count() == 10


def test_a_quiz_that_everybody_or_nobody_passes_is_refused(login, alice, quiz):
    page = reverse("offers:quiz_update", args=[quiz.lesson.pk])
    answer = login(alice).post(page, {"pass_mark": "0", "max_attempts": "0", "reveal": "never"})
    assert {*answer.context["form"].errors} == {"pass_mark", "max_attempts"}
    assert 'min="1"' in answer.content.decode()
