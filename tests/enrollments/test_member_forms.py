"""One person's contents, dates and states, edited by hand: register, extend, suspend, the edit page."""

from __future__ import annotations

from datetime import date, timedelta

import make
import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact
from enrollments.models import Enrollment, Grant
from enrollments.status import with_access_status
from portal.models import Event

REGISTER = "/dashboard/contacts/register/"


def status(contact: Contact) -> str:
    return with_access_status(Enrollment.objects.filter(contact=contact)).get().access_status


def undo(browser, page) -> str:
    """Press Undo in the message on `page`; returns what the next page says."""
    html = page.content.decode()
    [action] = {part.split('"')[0] for part in html.split('action="') if "/undo/" in part[:80]}
    words = [part.split('value="')[1].split('"')[0] for part in html.split('name="end"')[1:]]
    return browser.post(action, {"end": words}, follow=True).content.decode()


# Access status


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        ({}, "active"),
        ({"starts_at": now() + timedelta(days=3)}, "pending"),
        ({"ends_on": date(2020, 1, 1)}, "expired"),
    ],
)
def test_the_access_status_is_the_first_that_fits(bob, school, terms, word):
    grant = make.grant(contact=bob, **terms)
    assert status(bob) == word
    grant.revoke()
    assert status(bob) == "inactive"


def test_the_best_grant_speaks_and_the_switch_of_the_staff_speaks_first(bob, school):
    course = make.course()
    over = make.offer("Over", courses=[course])
    make.grant(contact=bob, offer=over, ends_on=date(2020, 1, 1))
    later = make.offer("Later", courses=[course])
    make.grant(contact=bob, offer=later, starts_at=now() + timedelta(days=3))
    assert status(bob) == "pending"
    grant = make.grant(contact=bob, offer=make.offer("Live", courses=[course]))
    assert status(bob) == "active"
    grant.suspend()
    assert status(bob) == "pending"
    grant.resume()
    bob.enrollments.get().switch(on=False)
    assert status(bob) == "inactive"


def test_an_offer_that_is_a_draft_opens_nothing_and_is_no_promise(bob, school):
    make.grant(contact=bob, offer=make.offer(status="draft"))
    assert status(bob) == "inactive"


# Extend


def extend_page(grant):
    return reverse("enrollments:grant_extend", args=[grant.pk])


def test_the_end_is_shown_as_a_day_and_as_an_instant_and_names_the_other_courses(
    alice, bob, login, school
):
    both = make.offer("Both", courses=[make.course("Bread"), make.course("Cheese")])
    grant = make.grant(contact=bob, offer=both, ends_on=date(2099, 12, 31))
    page = login(alice).get(extend_page(grant)).content.decode()
    assert "Last day Dec. 31, 2099, ends Jan. 1, 2100 00:00 Europe/Rome." in page
    assert "Bread, Cheese" in page


def test_a_new_last_day_counts_at_once_mails_nobody_and_can_be_undone(
    alice, bob, login, school, committed, mailoutbox
):
    grant = make.grant(contact=bob, ends_on=date(2020, 1, 1))
    staff = login(alice)
    with committed():
        page = staff.post(extend_page(grant), {"ends_on": "2099-12-31"}, follow=True)
    assert status(bob) == "active"
    assert not mailoutbox
    assert "Last day Dec. 31, 2099" in page.content.decode()
    assert "as it was before" in undo(staff, page)
    grant.refresh_from_db()
    assert grant.ends_on == date(2020, 1, 1)


def test_undo_leaves_alone_what_was_changed_again(alice, bob, login, school):
    grant = make.grant(contact=bob)
    staff = login(alice)
    page = staff.post(extend_page(grant), {"ends_on": "2099-12-31"}, follow=True)
    grant.extend(until=date(2098, 1, 1))
    assert "Nothing to undo" in undo(staff, page)
    grant.refresh_from_db()
    assert grant.ends_on == date(2098, 1, 1)


def test_undo_moves_no_grant_of_somebody_else_and_takes_no_nonsense(
    alice, bob, charlie, login, school
):
    grant = make.grant(contact=charlie, ends_on=date(2099, 12, 31))
    page = reverse("enrollments:end_undo", args=[bob.pk])
    for word in (f"{grant.pk}:2020-01-01:2099-12-31", "x", "1:2:3", "::", f"{grant.pk}:a:b"):
        answer = login(alice).post(page, {"end": word}, follow=True)
        assert "Nothing to undo" in answer.content.decode()
    grant.refresh_from_db()
    assert grant.ends_on == date(2099, 12, 31)


def test_days_are_added_to_the_last_day_or_from_today_if_that_is_over(alice, bob, login, school):
    staff, today = login(alice), school.today()
    for ends_on, expected in [
        (today + timedelta(days=10), today + timedelta(days=40)),
        (date(2020, 1, 1), today + timedelta(days=29)),
    ]:
        grant = make.grant(contact=bob, offer=make.offer(), ends_on=ends_on)
        staff.post(extend_page(grant), {"days": "30"})
        grant.refresh_from_db()
        assert grant.ends_on == expected


def test_an_empty_day_is_no_end_and_then_there_are_no_days_to_add(alice, bob, login, school):
    grant = make.grant(contact=bob, ends_on=date(2099, 1, 1))
    staff = login(alice)
    staff.post(extend_page(grant), {"ends_on": ""})
    grant.refresh_from_db()
    assert grant.ends_on is None
    assert "no end" in staff.post(extend_page(grant), {"days": "30"}).content.decode()


@pytest.mark.parametrize(
    ("day", "complaint"),
    [("1999-01-01", "before the first"), ("31/31/2020", "valid date"), ("9999-12-31", "less than")],
)
def test_a_day_that_makes_no_sense_comes_back_with_a_sentence(
    alice, bob, login, school, day, complaint
):
    grant = make.grant(contact=bob)
    answer = login(alice).post(extend_page(grant), {"ends_on": day})
    assert complaint in answer.content.decode()
    grant.refresh_from_db()
    assert grant.ends_on is None


def test_the_dates_of_a_subscription_belong_to_stripe(alice, bob, login, school):
    grant = make.grant(contact=bob, source="subscription:sub_1")
    staff = login(alice)
    assert "belongs to the subscription" in staff.get(extend_page(grant)).content.decode()
    staff.post(extend_page(grant), {"ends_on": "2099-12-31"})
    grant.refresh_from_db()
    assert grant.ends_on is None


# Suspend and resume


def test_suspending_says_what_it_closes_and_resuming_opens_it_again(alice, bob, login, school):
    course = make.course("Bread")
    grant = make.grant(contact=bob, offer=make.offer(courses=[course]), ends_on=date(2099, 1, 1))
    staff, student = login(alice), login(bob)
    page = reverse("enrollments:grant_suspend", args=[grant.pk])
    told = staff.get(page).content.decode()
    assert "Closes 1 course until it is resumed: Bread." in told
    assert student.get(f"/courses/{course.slug}/").status_code == 200, "looking does nothing"
    staff.post(page, {"reason": "unpaid"})
    assert student.get(f"/courses/{course.slug}/").status_code == 404
    assert Event.objects.get(name="offer.suspended").data["reason"] == "unpaid"
    assert "suspended already" in staff.get(page).content.decode()
    staff.post(reverse("enrollments:grant_resume", args=[grant.pk]))
    assert student.get(f"/courses/{course.slug}/").status_code == 200
    grant.refresh_from_db()
    assert grant.ends_on == date(2099, 1, 1)
    assert Event.objects.filter(name="offer.granted").count() == 1


def test_what_has_ended_is_not_suspended(alice, bob, login, school):
    grant = make.grant(contact=bob, ends_on=date(2020, 1, 1))
    page = reverse("enrollments:grant_suspend", args=[grant.pk])
    answer = login(alice).post(page, follow=True)
    assert "has ended already" in answer.content.decode()
    assert not Event.objects.filter(name="offer.suspended").exists()


# Register a member


def test_one_form_registers_name_contents_dates_and_mails_once(
    alice, login, school, committed, mailoutbox
):
    bread, cheese = make.offer("Bread"), make.offer("Cheese")
    with committed():
        answer = login(alice).post(
            REGISTER,
            {
                "name": "Ana Alves",
                "email": " Ana@X.com ",
                f"offer_{bread.pk}": "on",
                f"ends_on_{bread.pk}": "2099-12-31",
                f"offer_{cheese.pk}": "on",
                "status": "active",
                "notify": "on",
            },
        )
    ana = Contact.objects.get(email="ana@x.com")
    assert answer["Location"] == reverse("portal:contact_detail", args=[ana.pk])
    assert ana.name == "Ana Alves"
    ends = dict(ana.grants.values_list("offer__title", "ends_on"))
    assert ends == {"Bread": date(2099, 12, 31), "Cheese": None}
    [mail] = mailoutbox
    assert mail.to == ["ana@x.com"]


def test_inactive_is_enrolled_but_shut_and_tells_nobody(
    alice, login, school, committed, mailoutbox
):
    course = make.course()
    bread = make.offer("Bread", courses=[course])
    words = {"name": "Ana", "email": "ana@x.com", f"offer_{bread.pk}": "on", "notify": "on"}
    with committed():
        login(alice).post(REGISTER, words | {"status": "inactive"})
    ana = Contact.objects.get(email="ana@x.com")
    assert status(ana) == "inactive"
    assert login(ana).get(f"/courses/{course.slug}/").status_code == 404
    assert not mailoutbox
    ana.enrollments.get().switch(on=True)
    assert status(ana) == "active"


def test_a_start_date_makes_it_pending(alice, login, school):
    bread = make.offer("Bread")
    start = school.today() + timedelta(days=5)
    words = {"name": "Ana", "email": "ana@x.com", f"offer_{bread.pk}": "on", "status": "active"}
    login(alice).post(REGISTER, words | {"starts_on": start.isoformat()})
    assert status(Contact.objects.get(email="ana@x.com")) == "pending"


def test_a_known_address_asks_once_and_then_adds_and_wipes_nothing(alice, bob, login, school):
    course = make.course()
    make.grant(contact=bob, offer=make.offer("Old", courses=[course]), ends_on=date(2099, 1, 1))
    both = make.offer("Both", courses=[course, make.course("Cheese")])
    staff = login(alice)
    words = {
        "name": "Robert",
        "email": "BOB@example.com",
        f"offer_{both.pk}": "on",
        "status": "inactive",
    }
    asked = staff.post(REGISTER, words)
    assert "Add to Bob Baker" in asked.content.decode()
    assert bob.grants.count() == 1
    staff.post(REGISTER, words | {"known": bob.pk})
    bob.refresh_from_db()
    assert bob.name == "Bob Baker"
    assert set(bob.grants.values_list("offer__title", "ends_on")) == {
        ("Old", date(2099, 1, 1)),
        ("Both", None),
    }
    off = bob.enrollments.filter(inactive_at__isnull=False)
    assert [each.course.title for each in off] == ["Cheese"], "what was open stays open"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"name": ""}, "required"),
        ({"email": "nobody"}, "valid email"),
        ({"offer": ""}, "Choose at least one offer"),
        ({"ends": "2020-01-01"}, "before the first"),
    ],
)
def test_a_registration_that_is_not_whole_makes_nobody(alice, login, school, words, complaint):
    bread = make.offer("Bread")
    data = {
        "name": words.get("name", "Ana"),
        "email": words.get("email", "ana@x.com"),
        f"offer_{bread.pk}": words.get("offer", "on"),
        f"ends_on_{bread.pk}": words.get("ends", ""),
        "status": "active",
    }
    if not data[f"offer_{bread.pk}"]:
        del data[f"offer_{bread.pk}"]
    answer = login(alice).post(REGISTER, data)
    assert complaint in answer.content.decode()
    assert not Contact.objects.exists()


# The edit page


def edit_page(contact):
    return reverse("enrollments:enrollment_list", args=[contact.pk])


def shown(page) -> dict[str, str]:
    """What a browser would send back: each field, and what it showed at first."""
    form = page.context["form"]
    words = {}
    for field in form:
        value = field.value()
        words[field.html_name] = words[field.html_initial_name] = "" if value is None else value
    return words


def test_an_expiration_date_is_changed_on_the_members_page(alice, bob, login, school):
    both = make.offer("Both", courses=[make.course("Bread"), make.course("Cheese")])
    grant = make.grant(contact=bob, offer=both)
    staff = login(alice)
    page = staff.get(edit_page(bob))
    assert "Moves with it: Cheese." in page.content.decode()
    bread = bob.enrollments.get(course__title="Bread")
    page = staff.post(
        edit_page(bob),
        shown(page) | {f"ends_on_{bread.pk}_{grant.pk}": "2099-12-31"},
        follow=True,
    )
    grant.refresh_from_db()
    assert grant.ends_on == date(2099, 12, 31)
    assert not Event.objects.filter(name="enrollment.changed").exists()
    assert "as it was before" in undo(staff, page)
    grant.refresh_from_db()
    assert grant.ends_on is None


def test_status_learning_and_start_are_saved_and_told(alice, bob, login, school):
    course = make.course("Bread")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    mine, staff, student = bob.enrollments.get(), login(alice), login(bob)
    page = reverse("enrollments:enrollment_update", args=[mine.pk])
    words = {
        f"status_{mine.pk}": "inactive",
        f"learning_{mine.pk}": "returned",
        f"enrolled_on_{mine.pk}": "2020-02-03",
    }
    told = staff.post(page, shown(staff.get(page)) | words, follow=True).content.decode()
    mine.refresh_from_db()
    assert (mine.learning_status, mine.enrolled_on) == ("returned", date(2020, 2, 3))
    assert student.get(f"/courses/{course.slug}/").status_code == 404
    assert "A learning status closes nothing" in told
    assert reverse("enrollments:grant_revoke", args=[bob.grants.get().pk]) in told
    staff.post(page, shown(staff.get(page)) | {f"status_{mine.pk}": "active"})
    assert student.get(f"/courses/{course.slug}/").status_code == 200


@pytest.mark.parametrize("far", [date(2999, 1, 1), date(1989, 12, 31)])
def test_nobody_is_enrolled_far_from_now(alice, bob, login, school, far):
    make.grant(contact=bob)
    mine, staff, page = bob.enrollments.get(), login(alice), edit_page(bob)
    before = mine.enrolled_on
    answer = staff.post(page, shown(staff.get(page)) | {f"enrolled_on_{mine.pk}": str(far)})
    assert (
        "Nobody is enrolled on that day. Choose one from 01/01/1990 to" in answer.content.decode()
    )
    mine.refresh_from_db()
    assert mine.enrolled_on == before
    near = before + timedelta(days=360)
    staff.post(page, shown(staff.get(page)) | {f"enrolled_on_{mine.pk}": str(near)})
    mine.refresh_from_db()
    assert mine.enrolled_on == near


def test_saving_an_old_page_does_not_undo_what_somebody_else_changed(alice, bob, login, school):
    grant = make.grant(contact=bob)
    mine, staff = bob.enrollments.get(), login(alice)
    old = shown(staff.get(edit_page(bob)))
    grant.extend(until=date(2099, 12, 31))
    staff.post(edit_page(bob), old | {f"learning_{mine.pk}": "completed"})
    grant.refresh_from_db()
    mine.refresh_from_db()
    assert grant.ends_on == date(2099, 12, 31)
    assert mine.learning_status == "completed"


def test_one_offer_has_one_end(alice, bob, login, school):
    both = make.offer("Both", courses=[make.course("Bread"), make.course("Cheese")])
    grant = make.grant(contact=bob, offer=both)
    staff = login(alice)
    words = shown(staff.get(edit_page(bob)))
    for mine, day in zip(bob.enrollments.all(), ("2098-01-01", "2099-01-01"), strict=True):
        words[f"ends_on_{mine.pk}_{grant.pk}"] = day
    assert "here are two" in staff.post(edit_page(bob), words).content.decode()
    grant.refresh_from_db()
    assert grant.ends_on is None


def test_the_edit_page_takes_as_many_statements_for_many_courses_as_for_few(
    alice, bob, login, school, django_assert_max_num_queries
):
    staff = login(alice)
    for n in range(15):
        make.grant(contact=bob, offer=make.offer(f"Offer {n}"))
        if n in (1, 14):
            with django_assert_max_num_queries(8):
                staff.get(edit_page(bob))


# Granting again


def test_granting_again_continues_or_starts_a_new_attempt(alice, bob, login, school):
    course = make.course(lessons=2)
    bread = make.offer("Bread", courses=[course])
    make.grant(contact=bob, offer=bread).revoke()
    mine = bob.enrollments.get()
    lesson = course.modules.get().lessons.first()
    mine.open_lesson(lesson)
    mine.complete(lesson)
    staff, page = login(alice), reverse("enrollments:grant_create", args=[bob.pk])
    assert "Start a new attempt" in staff.get(page).content.decode()
    staff.post(page, {f"offer_{bread.pk}": "on", "restart": ""})
    mine.refresh_from_db()
    assert (mine.attempt, mine.last_lesson) == (1, lesson)
    Grant.objects.get(revoked_at=None).revoke()
    staff.post(page, {f"offer_{bread.pk}": "on", "restart": "yes"})
    mine.refresh_from_db()
    assert (mine.attempt, mine.last_lesson) == (2, None)
    assert mine.progress.count() == 1, "what was done before is kept"


def test_nobody_is_asked_about_progress_that_is_not_there(alice, bob, login, school):
    make.offer("Bread")
    page = login(alice).get(reverse("enrollments:grant_create", args=[bob.pk]))
    assert "Start a new attempt" not in page.content.decode()


# Pages that are sent twice, or by somebody who writes addresses by hand


def test_a_button_that_is_pressed_twice_extends_once(alice, bob, login, school):
    grant = make.grant(contact=bob, ends_on=school.today() + timedelta(days=10))
    words = {"days": "30", "was": grant.ends_on.isoformat()}
    browser = login(alice)
    browser.post(extend_page(grant), words)
    again = browser.post(extend_page(grant), words)
    assert "changed meanwhile" in again.content.decode()
    grant.refresh_from_db()
    assert grant.ends_on == school.today() + timedelta(days=40)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "31/12/2030"])
def test_undo_takes_no_day_a_form_would_not_take(alice, bob, login, school, day):
    grant = make.grant(contact=bob)
    address = reverse("enrollments:end_undo", args=[bob.pk])
    answer = login(alice).post(address, {"end": f"{grant.pk}:{day}:"})
    assert answer.status_code == 302
    grant.refresh_from_db()
    assert grant.ends_on is None


def test_a_link_and_a_note_that_are_sent_twice_are_sent_once(
    alice, bob, login, committed, mailoutbox
):
    browser = login(alice)
    for _ in range(2):
        with committed():
            browser.post(
                reverse("accounts:link_create", args=[bob.pk]), {"section": "home", "once": "x"}
            )
        browser.post(reverse("accounts:note_create", args=[bob.pk]), {"text": "Call her."})
    assert len(mailoutbox) == 1
    assert bob.notes.count() == 1


def test_inactive_shuts_what_a_revoked_grant_left_behind(alice, bob, login, school):
    offer = make.offer(courses=[make.course()])
    make.grant(contact=bob, offer=offer).revoke()
    words = {"name": "Bob", "email": bob.email, "known": bob.pk, "status": "inactive"}
    login(alice).post(REGISTER, words | {f"offer_{offer.pk}": "on"})
    assert status(bob) == "inactive"
    assert bob.grants.live().exists()


def test_an_address_longer_than_any_is_refused_with_a_sentence(alice, login, school):
    make.offer()
    words = {"name": "Long", "email": "a" * 250 + "@ex.example", "status": "active"}
    answer = login(alice).post(REGISTER, words)
    assert answer.status_code == 200
    assert "254" in answer.content.decode()


def test_a_new_attempt_is_not_asked_about_a_course_they_are_in(alice, bob, login, school):
    course = make.course()
    make.grant(contact=bob, offer=make.offer("One", courses=[course]))
    enrollment = bob.enrollments.get()
    enrollment.open_lesson(course.modules.get().lessons.all()[0])
    other = make.offer("Two", courses=[course])
    address = reverse("enrollments:grant_create", args=[bob.pk])
    browser = login(alice)
    assert "Start a new attempt" not in browser.get(address).content.decode()
    browser.post(address, {f"offer_{other.pk}": "on", "restart": "yes"})
    enrollment.refresh_from_db()
    assert enrollment.attempt == 1


def test_staff_choose_their_own_language(alice, login, school):
    browser = login(alice)
    browser.post(reverse("accounts:staff_profile"), {"name": "Alice", "language": "it"})
    assert "Contatti" in browser.get("/dashboard/contacts/").content.decode()
