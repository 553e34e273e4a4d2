"""The lesson's page for each kind of lesson, and what completes it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import make
import pytest
from django.urls import reverse

from enrollments.models import Enrollment, LessonProgress
from offers.models import Attachment, Cohort, CohortDate, Course, Requirement
from portal.benchmark.measuring import counted
from portal.models import Event, FileKind, School

BEGINS = datetime(2026, 12, 3, 17, 0, tzinfo=UTC)


@pytest.fixture
def course(bob):
    """A course of two lessons that is Bob's."""
    made = make.course("Sourdough")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[made]))
    return made


def url_of(lesson, name="lesson_detail"):
    return reverse(f"enrollments:{name}", args=[lesson.module.course.slug, lesson.pk])


@pytest.fixture
def read(bob, login):
    """The page of a lesson, as Bob reads it."""
    browser = login(bob)

    def read(lesson, status=200):
        answer = browser.get(url_of(lesson))
        assert answer.status_code == status
        return answer.content.decode()

    return read


@pytest.fixture
def recording(course):
    """A lesson with an uploaded recording of 100 seconds, in a course where playing it completes it."""
    Course.objects.filter(pk=course.pk).update(completion="watch")
    file = make.file("talk.wav", kind=FileKind.AUDIO, content_type="audio/wav")
    return make.lesson(course, "The talk", kind="audio", file=file)


def test_a_video_elsewhere_and_a_page_of_another_service_are_framed(course, read):
    video = make.lesson(course, kind="video", video_url="https://youtu.be/dQw4w9WgXcQ")
    assert "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ" in read(video)
    form = "https://docs.google.com/forms/d/e/abc-1/viewform"
    embed = make.lesson(course, kind="embed", embed_url=form)
    assert f'src="{form}?embedded=true"' in read(embed)


def test_an_uploaded_video_has_captions_and_goes_on_where_one_stopped(course, read):
    film = make.file("film.mp4", kind=FileKind.VIDEO, content_type="video/mp4")
    words = make.file("film.vtt", kind=FileKind.CAPTIONS, content_type="text/vtt")
    lesson = make.lesson(course, kind="video", file=film, captions=words)
    read(lesson)
    LessonProgress.objects.create(enrollment=Enrollment.objects.get(), lesson=lesson, position=83)
    page = read(lesson)
    assert f'src="{film.url}"' in page
    assert f'src="{words.url}"' in page
    assert 'position="83"' in page
    assert "Mark complete" in page, "the course says: by the button"


def test_a_download_has_a_name_a_size_and_a_button(course, read):
    file = make.file("Recipes.pdf", b"x" * 2048)
    page = read(make.lesson(course, kind="file", file=file))
    assert f'href="{file.url}"' in page
    assert "Recipes.pdf" in page
    assert "2.0\xa0KB" in page


def test_attachments_are_listed_but_not_the_pictures_of_the_text(course, read):
    shown, offered = make.file("shown.webp", kind=FileKind.IMAGE), make.file("offered.pdf")
    lesson = make.lesson(course, body=f"Look: ![]({shown.url})")
    Attachment.objects.create(lesson=lesson, file=shown)
    Attachment.objects.create(lesson=lesson, file=offered)
    page = read(lesson)
    assert "offered.pdf" in page
    assert "shown.webp" not in page


@pytest.mark.parametrize("kind", ["video", "audio", "file", "embed"])
def test_a_lesson_whose_content_is_missing_says_so(course, read, kind):
    assert "This lesson is being prepared" in read(make.lesson(course, kind=kind))


@pytest.fixture
def live(course):
    """A class of an hour, on 3 December at 17:00 UTC."""
    terms = {"live_at": BEGINS, "live_minutes": 60, "join_url": "https://meet.example.com/abc"}
    return make.lesson(course, "Ask me", kind="live", **terms)


@pytest.mark.parametrize(
    ("minutes", "said", "may_join"),
    [
        (-16, "The button to join appears here at 5:45 p.m.", False),
        (-15, "The door is open.", True),
        (59, "The door is open.", True),
        (60, "The recording will appear here.", False),
    ],
)
def test_a_live_class_can_be_joined_from_a_quarter_before_until_it_is_over(
    school, live, read, minutes, said, may_join
):
    with patch("enrollments.sitting.now", return_value=BEGINS + timedelta(minutes=minutes)):
        page = read(live)
    assert said in page
    assert ("https://meet.example.com/abc" in page) is may_join


def test_a_live_class_is_told_in_the_clock_of_the_student(school, bob, live, read):
    page = read(live)
    assert "Thursday, Dec. 3, 2026" in page
    assert "From 6 p.m. to 7 p.m., Rome time" in page
    type(bob).objects.filter(pk=bob.pk).update(time_zone="America/Sao_Paulo")
    assert "From 2 p.m. to 3 p.m., Sao Paulo time" in read(live)


def test_a_cohort_has_its_own_class_and_its_own_door(school, course, live, read):
    cohort = Cohort.objects.create(course=course, title="Autumn")
    later = BEGINS + timedelta(days=1)
    CohortDate.objects.create(
        cohort=cohort, lesson=live, live_at=later, join_url="https://meet.example.com/autumn"
    )
    read(live)
    Enrollment.objects.update(cohort=cohort)
    with patch("enrollments.sitting.now", return_value=later):
        page = read(live)
    assert "Dec. 4, 2026" in page
    assert "https://meet.example.com/autumn" in page
    assert "https://meet.example.com/abc" not in page


def test_the_recording_of_a_class_is_shown_when_it_is_over(school, live, read):
    type(live).objects.filter(pk=live.pk).update(video_url="https://youtu.be/dQw4w9WgXcQ")
    with patch("enrollments.sitting.now", return_value=BEGINS):
        assert "youtube-nocookie" not in read(live)
    with patch("enrollments.sitting.now", return_value=BEGINS + timedelta(hours=2)):
        assert "youtube-nocookie" in read(live)


def test_a_class_without_a_date_says_that_it_has_none(course, read):
    assert "The date is not set yet" in read(make.lesson(course, kind="live"))


def test_a_lesson_that_waits_says_when_or_for_what_and_so_does_the_way_to_it(
    school, course, bob, login, read
):
    first, second = course.modules.get().lessons.order_by("position")
    Requirement.objects.create(lesson=second, required=first)
    later = make.lesson(course, "Later", opens_on=date(2099, 1, 7))
    assert "Opens when “Lesson 1” is done." in read(first)
    assert f'href="{url_of(second)}"' not in read(first)
    assert "Opens when “Lesson 1” is done." in read(second, 403)
    assert "Jan. 7, 2099" in read(later, 403)

    browser = login(bob)
    assert browser.post(url_of(later, "lesson_complete")).status_code == 403
    done = browser.post(url_of(first, "lesson_complete"))
    assert done["Location"] == url_of(second), "which this very mark has opened"
    done = browser.post(url_of(second, "lesson_complete"))
    assert done["Location"] == reverse("enrollments:course_detail", args=[course.slug])
    assert not Event.objects.filter(data__lesson=later.pk).exists()


def test_a_quiz_is_neither_marked_nor_unmarked_by_the_button(course, bob, login, read):
    quiz = make.quiz(course)
    browser, complete = login(bob), url_of(quiz.lesson, "lesson_complete")
    answer = browser.post(complete, follow=True)
    assert "This lesson is complete when you pass its quiz." in answer.content.decode()
    assert not LessonProgress.objects.done().exists()
    Enrollment.objects.get().complete(quiz.lesson)
    browser.post(complete, {"undo": "1"})
    assert LessonProgress.objects.done().exists()
    page = read(quiz.lesson)
    assert f'action="{complete}"' not in page
    assert reverse("enrollments:quiz_take", args=[course.slug, quiz.lesson.pk]) in page


def test_where_only_quizzes_count_the_rule_says_so(course, read):
    Course.objects.filter(pk=course.pk).update(completion="quiz")
    assert "You may mark this lesson for yourself" in read(course.modules.get().lessons.first())


def report(browser, lesson, played, *, position=10.0, duration=100.0):
    words = {"position": position, "duration": duration, "played": played}
    return browser.post(url_of(lesson, "lesson_progress"), words)


def test_playing_nine_tenths_completes_it_and_the_page_is_told(recording, bob, login, read):
    assert "when you have played 90% of it" in read(recording)
    browser = login(bob)
    assert report(browser, recording, "0-50", position=50.4).status_code == 204
    assert report(browser, recording, "20-89,50-89").status_code == 204
    assert not LessonProgress.objects.done().exists()
    answer = report(browser, recording, "88.9-90.2", position=90.2)
    assert answer.status_code == 200
    assert "You completed this lesson." in answer.content.decode()
    assert "1 of 3" in answer.content.decode()
    assert report(browser, recording, "90-100", position=100).status_code == 204, (
        "it is done already"
    )
    progress = LessonProgress.objects.get()
    assert (progress.position, progress.played) == (100, [[0, 100]])
    names = list(Event.objects.filter(contact=bob).values_list("name", flat=True))
    assert names.count("lesson.completed") == names.count("course.started") == 1
    assert "You completed this lesson." in read(recording)


def test_taking_the_mark_back_begins_anew(recording, bob, login):
    browser = login(bob)
    assert report(browser, recording, "0-95").status_code == 200
    browser.post(url_of(recording, "lesson_complete"), {"undo": "1"})
    assert report(browser, recording, "95-100").status_code == 204
    assert not LessonProgress.objects.done().exists()


def test_where_the_button_completes_playing_does_not(recording, bob, login):
    Course.objects.update(completion="button")
    assert report(login(bob), recording, "0-100").status_code == 204
    assert not LessonProgress.objects.done().exists()
    assert LessonProgress.objects.get().position == 10


def test_one_report_tells_of_no_more_than_can_have_been_played(recording, bob, login):
    browser = login(bob)
    report(browser, recording, "0-3600", duration=3600)
    assert LessonProgress.objects.get().played == [[0, 120]]
    report(browser, recording, "200-201", duration=1)
    assert not LessonProgress.objects.done().exists(), "it is longer than what was played of it"


def test_nobody_stops_behind_the_end(recording, bob, login):
    report(login(bob), recording, "0-1", position=86_000)
    assert LessonProgress.objects.get().position == 100


@pytest.mark.parametrize("kind", ["text", "file", "embed", "quiz"])
def test_where_nothing_plays_nothing_is_reported(course, bob, login, kind):
    assert report(login(bob), make.lesson(course, kind=kind), "0-1").status_code == 404
    assert not LessonProgress.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", "-1"),
        ("position", "nan"),
        ("position", "1e9"),
        ("position", ""),
        ("duration", "inf"),
        ("duration", "0"),
        ("duration", "x"),
        ("played", "10-5"),
        ("played", "0-99999"),
        ("played", "0-1;DROP"),
        ("played", "0-٣"),
        ("played", "1-2," * 21),
        ("played", "1-2," * 500),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(recording, bob, login, field, value):
    words = {"position": "1", "duration": "100", "played": "0-1", field: value}
    answer = login(bob).post(url_of(recording, "lesson_progress"), words)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not LessonProgress.objects.exists()


def test_a_new_attempt_plays_from_the_beginning(recording, bob, login, read):
    browser = login(bob)
    read(recording)
    report(browser, recording, "0-95", position=95)
    Enrollment.objects.get().restart()
    assert 'position="0"' in read(recording)
    assert report(browser, recording, "0-95").status_code == 200
    assert Event.objects.filter(name="lesson.completed").count() == 2


@pytest.mark.parametrize("number", [3, 30])
def test_the_number_of_statements_does_not_grow_with_lessons(course, school, bob, login, number):
    for n in range(number):
        lesson = make.lesson(course, f"Number {n}", opens_on=School.current().today())
    browser = login(bob)
    addresses = [
        *("/", "/courses/"),
        reverse("enrollments:course_detail", args=[course.slug]),
        url_of(lesson),
    ]
    for address in addresses:
        browser.get(address)
    for address in addresses:
        with counted() as statements:
            browser.get(address)
        assert len(statements) <= 6, address
    with counted() as statements:
        report(browser, lesson, "0-5")
    assert len(statements) <= 10
    with counted() as statements:
        browser.post(url_of(lesson, "lesson_complete"))
    assert len(statements) <= 10
