"""Comments: who may read and write them, what becomes of their words, and what staff do about them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import chain

import make
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Contact, Role, User
from enrollments.models import Comment, Enrollment, Grant
from offers.models import Lesson
from portal.models import Event
from portal.sentences import sentences


@pytest.fixture
def lesson(school, bob, charlie):
    """The first lesson of a course that Bob and Charlie both may open."""
    course = make.course("Sourdough")
    offer = make.offer("Bread", courses=[course])
    for student in (bob, charlie):
        make.grant(contact=student, offer=offer)
    return course.modules.get().lessons.order_by("position").first()


def address(lesson):
    return reverse("enrollments:comment_list", args=[lesson.module.course.slug, lesson.pk])


def desk(lesson):
    return reverse("enrollments:moderation_detail", args=[lesson.pk])


def write(contact, lesson, text="How warm?", parent=None):
    """A comment that was written a while ago."""
    comment = Comment.objects.write(
        lesson=lesson, author=contact.user, contact=contact, text=text, parent=parent
    )
    Comment.objects.filter(pk=comment.pk).update(created_at=comment.created_at - timedelta(hours=1))
    return comment


def page(browser, url, **headers):
    answer = browser.get(url, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_one_asks_the_other_reads_and_answers(bob, charlie, lesson, login):
    answer = login(bob).post(address(lesson), {"text": "How warm\nshould it be?"}, follow=True)
    assert "Your comment is posted." in answer.content.decode()
    [question] = Comment.objects.all()
    login(charlie).post(address(lesson), {"text": "24 degrees", "parent": question.pk})
    html = page(login(bob), address(lesson))
    assert "How warm<br>should it be?" in html
    assert html.index("How warm") < html.index("24 degrees")
    assert "Charlie Cook" in html
    assert "example.com" not in html.split("<main")[1].split("</main")[0]


def test_the_lesson_leads_there_and_asks_the_database_nothing_for_it(bob, lesson, login):
    browser = login(bob)
    url = reverse("enrollments:lesson_detail", args=[lesson.module.course.slug, lesson.pk])
    assert f'hx-get="{address(lesson)}"' in page(browser, url)
    with CaptureQueriesContext(connection) as asked:
        browser.get(url)
    assert not [query for query in asked if "enrollments_comment" in query["sql"]]


def test_htmx_is_given_the_part_that_changes(bob, lesson, login):
    browser, htmx = login(bob), {"HX-Request": "true"}
    html = page(browser, address(lesson), **htmx)
    assert "<html" not in html
    assert 'id="comments"' in html
    html = browser.post(address(lesson), {"text": "Mine"}, headers=htmx).content.decode()
    assert 'id="comments"' in html
    assert "Mine" in html
    answer = {"text": "An answer", "parent": Comment.objects.get().pk}
    html = browser.post(address(lesson), answer, headers=htmx).content.decode()
    assert 'id="comments"' not in html
    assert html.strip().startswith('<li class="thread">')
    assert "An answer" in html


def test_an_answer_to_what_is_gone_replaces_the_whole_and_keeps_the_words(bob, lesson, login):
    gone = write(bob, lesson)
    gone.hide()
    answer = login(bob).post(
        address(lesson),
        {"text": "My answer", "parent": gone.pk},
        headers={"HX-Request": "true"},
    )
    assert answer["HX-Retarget"] == "#comments"
    assert "My answer</textarea>" in answer.content.decode()


# The door


def shut_by_end(bob, lesson):
    Grant.objects.filter(contact=bob).update(
        ends_on=date(2020, 1, 1), ends_at="2020-01-02T00:00:00Z"
    )


def shut_by_revoking(bob, lesson):
    for grant in Grant.objects.filter(contact=bob):
        grant.revoke()


def shut_by_switch(bob, lesson):
    Enrollment.objects.get(contact=bob).switch(on=False)


def shut_by_draft(bob, lesson):
    Lesson.objects.filter(pk=lesson.pk).update(published_at=None)


def shut_by_archiving(bob, lesson):
    lesson.module.course.archive()


def lock(bob, lesson):
    Lesson.objects.filter(pk=lesson.pk).update(opens_on=date(2999, 1, 1))


@pytest.mark.parametrize(
    ("shut", "status"),
    [
        (shut_by_end, 404),
        (shut_by_revoking, 404),
        (shut_by_switch, 404),
        (shut_by_draft, 404),
        (shut_by_archiving, 404),
        (lock, 403),
    ],
)
def test_a_lesson_that_shuts_is_silent_on_the_next_request(bob, lesson, login, shut, status):
    browser, mine = login(bob), write(bob, lesson, "Secret")
    back = reverse(
        "enrollments:comment_take_back", args=[lesson.module.course.slug, lesson.pk, mine.pk]
    )
    assert page(browser, address(lesson))
    shut(bob, lesson)
    for answer in (
        browser.get(address(lesson)),
        browser.get(address(lesson), headers={"HX-Request": "true"}),
        browser.post(address(lesson), {"text": "Too late"}),
        browser.get(back),
        browser.post(back),
    ):
        assert answer.status_code == status
        assert "Secret" not in answer.content.decode()
    assert Comment.objects.visible().get().text == "Secret"


def test_the_blocked_and_the_stranger_say_nothing(bob, lesson, login):
    stranger, browser = make.student(), login(bob)
    bob.block()
    assert login(stranger).get(address(lesson)).status_code == 404
    assert login(stranger).post(address(lesson), {"text": "Hi"}).status_code == 404
    assert browser.post(address(lesson), {"text": "Hi"}).status_code == 302  # to the login
    assert not Comment.objects.exists()


def test_an_answer_stays_below_its_own_lesson_and_one_level_deep(bob, lesson, login):
    elsewhere = write(bob, Lesson.objects.exclude(pk=lesson.pk).first())
    answer = write(bob, lesson, "An answer", parent=write(bob, lesson))
    hidden = write(bob, lesson, "Hidden")
    hidden.hide()
    for parent in (elsewhere.pk, answer.pk, hidden.pk, "x", 10**30):
        html = login(bob).post(address(lesson), {"text": "Where?", "parent": parent})
        assert "The comment you answer is not there any more." in html.content.decode()
        assert "Where?" in html.content.decode()
    assert not Comment.objects.filter(text="Where?").exists()


@pytest.mark.parametrize("where", [address, desk])
def test_a_thread_that_is_gone_or_elsewhere_leads_to_all_comments(alice, bob, lesson, login, where):
    elsewhere = write(bob, Lesson.objects.exclude(pk=lesson.pk).first(), "Elsewhere")
    gone = write(bob, lesson, "Gone")
    gone.take_back()
    browser = login(bob if where is address else alice)
    for thread in (elsewhere.pk, gone.pk, 10**17):
        answer = browser.get(f"{where(lesson)}?thread={thread}", follow=True)
        assert answer.redirect_chain == [(where(lesson), 302)]
        assert "That comment is not there any more." in answer.content.decode()
        assert "Elsewhere" not in answer.content.decode()


# What may be said


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 5001, "a\0b"])
def test_nothing_and_too_much_are_refused_in_words(bob, lesson, login, text):
    html = login(bob).post(address(lesson), {"text": text}).content.decode()
    assert 'class="errorlist"' in html
    assert not Comment.objects.exists()


def test_a_line_break_is_one_letter_and_a_gap_one_line(bob, lesson, login):
    login(bob).post(address(lesson), {"text": "a\r\n" * 2498 + "\r\n \r\n\r\nabc"})
    assert Comment.objects.get().text == "a\n" * 2497 + "a\n\nabc"


def test_a_double_click_posts_once(bob, charlie, lesson, login):
    for _ in range(2):
        login(bob).post(address(lesson), {"text": "Once"})
    assert Comment.objects.count() == 1
    assert Event.objects.filter(name="comment.created").count() == 1
    [mine] = Comment.objects.all()
    login(charlie).post(address(lesson), {"text": "Once"})
    login(bob).post(address(lesson), {"text": "Once", "parent": mine.pk})
    assert Comment.objects.count() == 3, "another person, another place"


def test_the_same_may_be_said_again_later_or_when_it_was_taken_back(bob, lesson, login):
    write(bob, lesson, "Thanks!")
    login(bob).post(address(lesson), {"text": "Thanks!"})
    Comment.objects.first().take_back()
    login(bob).post(address(lesson), {"text": "Thanks!"})
    assert Comment.objects.visible().count() == 2


def test_eleven_in_a_minute_are_one_too_many(bob, charlie, lesson, login, time_machine):
    time_machine.move_to("2027-05-01T12:00:00Z", tick=False)
    browser = login(bob)
    for number in range(10):
        assert browser.post(address(lesson), {"text": f"No. {number}"}).status_code == 302
        time_machine.shift(timedelta(seconds=3))
    answer = browser.post(address(lesson), {"text": "No. 10"})
    assert answer.status_code == 429
    assert answer["Retry-After"] == "30"
    html = answer.content.decode()
    assert "Wait 30 seconds" in html
    assert "No. 10</textarea>" in html, "what was written is kept"
    assert login(charlie).post(address(lesson), {"text": "Me?"}).status_code == 302
    time_machine.shift(timedelta(seconds=30))
    assert browser.post(address(lesson), {"text": "No. 10"}).status_code == 302


class Bones(HTMLParser):
    """The elements of a page, each with the names of its attributes, but for links of somebody's."""

    def __init__(self, html):
        super().__init__()
        self.found, self.links = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "a" and dict(attrs).get("rel") == "ugc nofollow noopener":
            self.links.append(dict(attrs))
        else:
            self.found.append((tag, [name for name, _value in attrs]))


PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='https://evil.example' onclick='alert(1)'>x</a>",
    "javascript:alert(1)",
    "JaVaScRiPt://example.com/%0Aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    'https://example.com/"onmouseover="alert(1)',
    "https://example.com/'onmouseover='alert(1)",
    "https://example.com/<script>alert(1)</script>",
    "https://example.com/`onmouseover=alert(1)`",
    'https://example.com/"><svg/onload=alert(1)>',
    "https://javascript:alert(1)@example.com",
    "</article></main></body><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "<!--<script>-->alert(1)<!--</script>-->",
    "<style>@import 'https://evil.example'</style>",
    "<link rel=stylesheet href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "<form action=https://evil.example><input name=q>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<div hx-get=/dashboard/ hx-trigger=load>",
    "<button hx-post=/account/logout/ hx-trigger=load>",
    "<confirm-dialog><a href=//evil.example>x</a></confirm-dialog>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ settings.SECRET_KEY }}{% load static %}",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\u202ehttps://example.com/\u2066evil",
    "<scr\u200bipt>alert(1)</scr\u200bipt>",
    "\uff1cscript\uff1ealert(1)",
    "<IMG SRC=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_words_stay_words(alice, bob, charlie, lesson, login, payload):
    comment = write(bob, lesson, "Hello")
    write(charlie, lesson, "Hello to you", parent=comment)
    readers = [(login(charlie), address(lesson)), (login(alice), "/dashboard/comments/")]
    before = [Bones(page(browser, url)) for browser, url in readers]
    Contact.objects.filter(pk=bob.pk).update(name=payload)
    Comment.objects.filter(pk=comment.pk).update(text=payload)
    for (browser, url), plain in zip(readers, before, strict=True):
        bones = Bones(page(browser, url))
        assert bones.found == plain.found
        for link in bones.links:
            assert set(link) == {"href", "rel"}
            assert re.match(r"https?://\w", link["href"], re.IGNORECASE)


def test_addresses_become_links_without_the_end_of_the_sentence(bob, lesson, login):
    text = "See https://example.com/a?b=1&c=2, (http://example.com/x) or https://example.com/wiki/A_(b)."
    write(bob, lesson, text)
    html = page(login(bob), address(lesson))
    for href in (
        "https://example.com/a?b=1&amp;c=2",
        "http://example.com/x",
        "https://example.com/wiki/A_(b)",
    ):
        assert f'<a href="{href}" rel="ugc nofollow noopener">{href}</a>' in html


# Names


def test_nobody_learns_an_address_from_a_name_that_is_missing(alice, bob, charlie, lesson, login):
    bob.change(name="")
    write(bob, lesson)
    Comment.objects.write(lesson=lesson, author=alice, text="Welcome!")
    html = page(login(charlie), address(lesson))
    assert "A student" in html
    assert "Mill Street" in html
    assert "@example.com" not in html.split('id="comments"')[1].split("</main")[0]
    User.objects.filter(pk=alice.pk).update(name="Alice Miller")
    html = page(login(charlie), address(lesson))
    assert "Alice Miller" in html
    assert html.count(">School</span>") == 1


# Taking back, hiding


def test_who_takes_a_comment_back_leaves_the_answers(bob, charlie, lesson, login):
    question = write(bob, lesson, "A foolish question")
    write(charlie, lesson, "A wise answer", parent=question)
    url = reverse(
        "enrollments:comment_take_back", args=[lesson.module.course.slug, lesson.pk, question.pk]
    )
    assert login(charlie).post(url).status_code == 404, "it is not theirs"
    assert "for good?" in page(login(bob), url)
    login(bob).post(url)
    html = page(login(charlie), address(lesson))
    assert "foolish" not in html
    assert "Taken back by who wrote it." in html
    assert "A wise answer" in html
    assert login(bob).post(url).status_code == 404, "it is gone"
    question.take_back()
    question.refresh_from_db()
    assert question.text == "", "the words are not kept"
    assert Event.objects.filter(name="comment.taken_back").count() == 1


def test_what_was_taken_back_and_has_no_answer_leaves_no_trace(bob, lesson, login):
    write(bob, lesson).take_back()
    assert "Nobody has said anything here yet" in page(login(bob), address(lesson))


def test_what_staff_hide_only_staff_read(alice, bob, charlie, lesson, login):
    rude = write(bob, lesson, "Something rude")
    write(charlie, lesson, "Calm down", parent=rude)
    hide = reverse("enrollments:comment_hide", args=[rude.pk])
    for _ in range(2):
        login(alice).post(hide)
    html = page(login(charlie), address(lesson))
    assert "Something rude" not in html
    assert "Hidden by the school." in html
    assert "Calm down" in html
    assert "nobody else can read it" in page(login(bob), address(lesson))
    assert "Something rude" in page(login(alice), desk(lesson))
    [event] = Event.objects.filter(name="comment.hidden")
    assert (event.actor, event.contact) == (alice, bob)
    for _ in range(2):
        login(alice).post(reverse("enrollments:comment_show", args=[rude.pk]))
    assert "Something rude" in page(login(charlie), address(lesson))
    assert Event.objects.filter(name="comment.shown").get().actor == alice


# Pages


def test_ten_threads_a_page_newest_or_oldest_first(bob, lesson, login):
    for number in range(25):
        write(bob, lesson, f"No. {number:02}")
    browser = login(bob)

    def walk(url):
        found = []
        while url:
            html = page(browser, url)
            found.append(re.findall(r">No. (\d\d)<", html))
            more = re.search(r'href="([^"]+(?:before|after)=\d+)"', html)
            url = more and more[1].replace("&amp;", "&")
        return found

    newest = walk(address(lesson))
    assert [len(numbers) for numbers in newest] == [10, 10, 5]
    assert list(chain(*newest)) == [f"{number:02}" for number in reversed(range(25))]
    oldest = walk(address(lesson) + "?order=oldest")
    assert list(chain(*oldest)) == [f"{number:02}" for number in range(25)]


def test_a_thread_shows_its_latest_answers_and_a_way_to_the_rest(bob, charlie, lesson, login):
    question = write(bob, lesson)
    for number in range(20):
        write(charlie, lesson, f"Answer {number:02}", parent=question)

    def answers(url):
        html = page(login(bob), url)
        earlier = re.search(r'href="([^"]+thread=\d+&amp;before=\d+)"', html)
        return re.findall(r"Answer (\d\d)", html), earlier and earlier[1].replace("&amp;", "&")

    found, earlier = answers(address(lesson))
    assert found == ["15", "16", "17", "18", "19"]
    found, earlier = answers(earlier)
    assert found == [f"{number:02}" for number in range(5, 15)]
    found, earlier = answers(earlier)
    assert found == ["00", "01", "02", "03", "04"]
    assert earlier is None


@pytest.mark.parametrize(
    "query", ["before=x", "after=1", "thread=", "order=up", "before=-1", "before=" + "9" * 30]
)
def test_an_address_that_makes_no_sense_shows_the_first_page(bob, lesson, login, query):
    write(bob, lesson, "Here")
    assert "Here" in page(login(bob), f"{address(lesson)}?{query}")


@pytest.mark.parametrize("where", [address, desk, lambda _lesson: "/dashboard/comments/"])
def test_many_comments_cost_no_more_statements_than_few(alice, bob, lesson, login, where):
    reader = login(bob if where is address else alice)

    def cost():
        reader.get(where(lesson))
        with CaptureQueriesContext(connection) as asked:
            assert reader.get(where(lesson)).status_code == 200
        return len(asked)

    write(make.student(), lesson, "First", parent=write(bob, lesson))
    few = cost()
    for _ in range(15):
        thread = write(make.student(), lesson)
        thread.hide()
        write(make.student(), lesson, parent=write(make.student(), lesson))
    assert cost() == few


# Moderation


def test_every_role_may_moderate_and_a_moderator_learns_names_alone(bob, lesson, login):
    write(bob, lesson, "Hello")
    contact_page = reverse("portal:contact_detail", args=[bob.pk])
    for role in Role:
        browser = login(make.staff(role))
        every = page(browser, "/dashboard/comments/")
        theirs = page(browser, f"/dashboard/comments/?contact={bob.pk}")
        for html in (every, theirs):
            assert "Bob Baker" in html
            assert "Hello" in html
            assert "bob@example.com" not in html
        assert (contact_page in theirs) is (role != Role.MODERATOR)
        assert 'href="/dashboard/comments/"' in page(browser, "/dashboard/")
    moderator = login(make.staff(Role.MODERATOR))
    assert moderator.get(contact_page).status_code == 403
    assert "Hello" not in page(moderator, "/dashboard/comments/?q=bob@example.com")
    assert "Hello" in page(moderator, "/dashboard/comments/?q=baker")


def test_comments_are_found_by_person_course_and_state(alice, bob, charlie, lesson, login):
    other = make.course("Pizza")
    elsewhere = write(bob, other.modules.get().lessons.first(), "On pizza")
    write(bob, lesson, "On bread")
    write(charlie, lesson, "Of another")
    elsewhere.hide()

    def found(query):
        html = page(login(alice), f"/dashboard/comments/?{query}")
        return {text for text in ("On pizza", "On bread", "Of another") if text in html}

    assert found("") == {"On pizza", "On bread", "Of another"}
    assert found(f"contact={bob.pk}") == {"On pizza", "On bread"}
    assert found("q=b") == {"On pizza", "On bread"}
    assert found("q=COOK") == {"Of another"}
    assert found(f"course={other.pk}") == {"On pizza"}
    assert found("state=hidden") == {"On pizza"}
    assert found(f"state=visible&contact={bob.pk}") == {"On bread"}
    assert found("state=x&course=x&contact=x&before=x") == {"On pizza", "On bread", "Of another"}
    assert found("q=nobody") == set()
    assert "Comments of Bob Baker" in page(login(alice), f"/dashboard/comments/?contact={bob.pk}")


def test_all_comments_come_25_a_page(alice, bob, lesson, login):
    for number in range(60):
        write(bob, lesson, f"No. {number:03}")
    url, sizes, seen = "/dashboard/comments/", [], []
    while url:
        html = page(login(alice), url)
        numbers = re.findall(r">No. (\d\d\d)<", html)
        sizes.append(len(numbers))
        seen += numbers
        further = re.search(r'rel="next"\s+href="([^"]+)"', html)
        url = further and "/dashboard/comments/" + further[1].replace("&amp;", "&")
    assert sizes == [25, 25, 10]
    assert seen == [f"{number:03}" for number in reversed(range(60))]
    past = page(login(alice), "/dashboard/comments/?state=visible&before=1")
    assert "Nothing more here" in past
    assert 'href="?state=visible">First page' in past


def test_staff_answer_as_themselves(alice, bob, lesson, login):
    question = write(bob, lesson)
    User.objects.filter(pk=alice.pk).update(name="Alice Miller")
    login(alice).post(desk(lesson), {"text": "At 24 degrees.", "parent": question.pk})
    answer = Comment.objects.first()
    assert (answer.author, answer.contact, answer.parent) == (alice, None, question)
    html = page(login(bob), address(lesson))
    assert "Alice Miller" in html
    assert ">School</span>" in html


def test_a_student_who_is_staff_too_speaks_as_a_student_in_the_portal(bob, lesson, login):
    User.objects.appoint(email=bob.email, role=Role.SUPPORT)
    bob = Contact.objects.get(pk=bob.pk)
    login(bob.user).post(address(lesson), {"text": "Both"})
    assert Comment.objects.get().contact == bob
    html = page(login(bob.user), address(lesson))
    assert "Bob Baker" in html
    assert ">School</span>" in html


def test_the_story_of_a_person_tells_of_their_comments(alice, bob, lesson, login):
    comment = write(bob, lesson, "Not for the log")
    comment.hide()
    created, hidden = Event.objects.filter(name__startswith="comment.").order_by("pk")
    assert created.data == {"lesson": lesson.pk, "comment": comment.pk, "parent": None}
    told = sentences([created, hidden])
    assert [said.text for said in told] == ["Comment written: Lesson 1", "Comment hidden: Lesson 1"]
    assert "Not for the log" in page(login(alice), told[0].url)
    timeline = reverse("portal:contact_timeline", args=[bob.pk])
    assert "Comment written: Lesson 1" in page(login(alice), timeline + "?kind=learning")
    assert "Comment written" not in page(login(alice), timeline + "?kind=account")
