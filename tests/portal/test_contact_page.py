"""The contact page: who somebody is, what they hold and why, notes, tags, and their story."""

from __future__ import annotations

import re
from datetime import date, timedelta

import make
import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape
from django.utils.timezone import now

from accounts.models import Contact, Note, Role, User
from enrollments.access import with_portal_status
from enrollments.models import Enrollment, Grant
from enrollments.status import with_access_status
from notifications.models import Message
from offers.models import Lesson
from portal.events import Name, record_many
from portal.models import Event


def page_of(contact: Contact) -> str:
    return reverse("portal:contact_detail", args=[contact.pk])


def read(browser, contact: Contact) -> str:
    answer = browser.get(page_of(contact))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_takes_as_many_statements_for_much_as_for_little(alice, bob, login, school):
    staff = login(make.staff(Role.ADMIN))

    def fill(grants: int, events: int) -> int:
        for n in range(grants):
            make.grant(contact=bob, offer=make.offer(f"Offer {n}"))
        with transaction.atomic():
            record_many(Name.PORTAL_LOGIN, [(bob.pk, {"user": bob.user.pk})] * events)
            record_many(Name.LESSON_COMPLETED, [(bob.pk, {"lesson": 1, "course": 1})])
        Note.objects.create(contact=bob, author=alice, text="Likes rye.")
        make.link(bob.user)
        with CaptureQueriesContext(connection) as found:
            assert "Offer 0" in read(staff, bob)
        return len(found)

    read(staff, bob)
    few = fill(1, 20)
    assert fill(20, 500) == few <= 15


def test_each_course_names_the_grants_that_open_it_each_with_its_own_end(alice, bob, login, school):
    course = make.course("Bread")
    make.grant(
        contact=bob, offer=make.offer("Basics", courses=[course]), ends_on=date(2099, 12, 31)
    )
    both = make.offer("Both", courses=[course, make.course("Cheese")])
    make.grant(contact=bob, offer=both, source="import:7")
    rows = login(alice).get(page_of(bob)).context["courses"]
    assert [
        (
            row.mine.course,
            row.status,
            [(held.offer, held.ends_on) for held in row.grants],
        )
        for row in rows
    ] == [
        ("Bread", "active", [("Basics", date(2099, 12, 31)), ("Both", None)]),
        ("Cheese", "active", [("Both", None)]),
    ]
    text = read(login(alice), bob)
    assert "import 7" in text
    assert "Dec. 31, 2099" in text


@pytest.mark.parametrize("is_off", [False, True])
@pytest.mark.parametrize("status", ["active", "draft"])
@pytest.mark.parametrize(
    "happens",
    [
        lambda grant: None,
        lambda grant: grant.suspend(),
        lambda grant: grant.revoke(),
        lambda grant: grant.extend(until=date(2020, 1, 1)),
        lambda grant: (grant.suspend(), grant.extend(until=date(2020, 1, 1))),
        lambda grant: type(grant).objects.update(starts_at=now() + timedelta(days=2)),
        lambda grant: (
            type(grant).objects.update(starts_at=now() + timedelta(days=2)),
            grant.suspend(),
        ),
    ],
)
def test_the_page_and_the_lists_say_the_same_access_status(
    alice, bob, login, school, happens, status, is_off
):
    grant = make.grant(contact=bob, offer=make.offer(status=status))
    happens(grant)
    mine = bob.enrollments.get()
    mine.switch(on=not is_off)
    page = login(alice).get(page_of(bob)).context
    [listed] = with_access_status(Enrollment.objects.all())
    [shown] = page["courses"]
    assert shown.status == listed.access_status
    [held] = [*page["grants"], *page["past_grants"]]
    assert held.state == bob.grants.get().state


@pytest.mark.parametrize(
    "happens",
    [
        lambda bob: None,
        lambda bob: make.grant(contact=bob),
        lambda bob: make.grant(contact=bob).revoke(),
        lambda bob: make.grant(contact=bob).extend(until=date(2020, 1, 1)),
        lambda bob: make.grant(contact=bob).extend(until=date(2099, 1, 1)),
        lambda bob: Contact.objects.update(invited_at=now()),
        lambda bob: Contact.objects.update(invited_at=now(), joined_at=now()),
        lambda bob: bob.block(reason="x"),
    ],
)
def test_the_page_and_the_lists_say_the_same_portal_status(alice, bob, login, school, happens):
    happens(bob)
    listed = with_portal_status(Contact.objects.all()).get(pk=bob.pk).portal_status
    shown = login(alice).get(page_of(bob)).context["contact"].portal_status
    assert shown == listed


def test_of_an_offer_held_twice_the_page_offers_to_remove_it_at_once(alice, bob, login, school):
    bread, staff = make.offer("Bread"), login(alice)
    make.grant(contact=bob, offer=bread)
    remove = reverse("enrollments:offer_revoke", args=[bob.pk, bread.pk])
    assert remove not in read(staff, bob)
    second = Grant.objects.create(contact=bob, offer=bread, source="purchase:7")
    assert read(staff, bob).count(remove) == 1
    second.revoke(reason="Twice.")
    text = read(staff, bob)
    assert remove not in text
    assert "1 revoked grant" in text
    assert "Twice." in text


def test_what_happened_follows_the_page_in_its_slot(alice, bob, login):
    with transaction.atomic():
        record_many(Name.PORTAL_LOGIN, [(bob.pk, {})] * 20)
    staff, story = login(alice), reverse("portal:contact_timeline", args=[bob.pk])
    text = read(staff, bob)
    assert f'hx-get="{story}?recent"' in text
    assert f'href="{story}?recent"' in text, "without scripts it is a link"
    assert len(staff.get(f"{story}?recent").context["entries"]) > 15, "to all of it"
    answer = staff.get(f"{story}?recent", headers={"HX-Request": "true"})
    assert answer.content.decode().count("Logged in") == 15
    assert "Show earlier" in answer.content.decode()


def test_numbers_that_take_long_have_addresses_of_their_own(alice, bob, login, school):
    make.grant(contact=bob)
    Contact.objects.filter(pk=bob.pk).update(invited_at=now(), last_seen_at=now())
    staff = login(alice)
    for page, slot, told in (
        ("dashboard", "contact_numbers", "not logged in yet"),
        ("portal_user_list", "portal_user_numbers", "In the portal this week"),
        ("dashboard", "activity", "Show the numbers"),
    ):
        url = reverse(f"portal:{slot}")
        assert f'hx-get="{url}"' in staff.get(reverse(f"portal:{page}")).content.decode()
        assert told in staff.get(url).content.decode()
        fragment = staff.get(url, headers={"HX-Request": "true"}).content.decode()
        assert told in fragment
        assert "<html" not in fragment
    assert staff.get(reverse("portal:contact_numbers")).context["numbers"]["invited"] == 1
    assert staff.get(reverse("portal:portal_user_numbers")).context["numbers"]["seen"] == 1
    assert staff.get(reverse("portal:activity")).context["grants"][-1] == (school.today(), 1)


def test_each_reader_reads_days_and_states_in_their_own_language(alice, bob, login, school):
    make.grant(contact=bob, ends_on=date(2099, 12, 31))
    staff = login(alice)
    assert "Dec. 31, 2099" in read(staff, bob)
    type(alice).objects.filter(pk=alice.pk).update(language="it")
    text = read(staff, bob)
    assert "Dec. 31, 2099" not in text
    assert "31 Dicembre 2099" in text
    assert ">Live<" not in text


def test_a_blocked_person_or_a_course_in_the_works_is_not_called_open(alice, bob, login, school):
    course = make.course("Soon", status="draft")
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    staff = login(alice)
    assert "t they see it?" in read(staff, bob)
    course.publish()
    assert "Why is it open?" in read(staff, bob)
    bob.block(reason="x")
    assert "t they see it?" in read(staff, bob)


def test_who_granted_it_is_named_as_they_are_called(bob, login, school):
    support = make.staff(Role.SUPPORT, email="bea@example.com")
    bread = make.offer("Bread")
    login(support).post(
        reverse("enrollments:grant_create", args=[bob.pk]), {f"offer_{bread.pk}": "on"}
    )
    assert "granted by bea@example.com" in read(login(support), bob)
    type(support).objects.update(name="Bea Brown")
    assert "granted by Bea Brown" in read(login(support), bob)


def test_staff_who_are_students_are_called_what_they_call_themselves(bob, charlie, login, school):
    """Whatever a colleague writes into their contact."""
    granter = User.objects.appoint(email=charlie.email, role=Role.SUPPORT)
    for own, called in (("", "Charlie Cook"), ("Carla", "Carla")):
        User.objects.filter(pk=granter.pk).update(name=own)
        granter = User.objects.select_related("contact").get(pk=granter.pk)
        assert str(granter) == called
        note = {"text": f"Written by {called}."}
        login(granter).post(reverse("accounts:note_create", args=[bob.pk]), note)
        assert f"· {called}</p>" in read(login(granter), bob)


def test_the_last_mail_and_what_became_of_it_stand_beside_the_address(
    alice, bob, login, committed, school
):
    staff = login(alice)
    assert "No mail yet" in read(staff, bob)
    with committed():
        make.grant(contact=bob, notify=True)
    assert 'badge--good">Sent' in read(staff, bob)
    Message.objects.update(state="failed")
    assert 'badge--bad">Failed' in read(staff, bob)


def test_a_tag_is_added_and_removed_with_undo(alice, bob, login):
    staff, tags = login(alice), reverse("accounts:contact_tag", args=[bob.pk])
    make.contact().tag(["VIP"])
    told = staff.post(tags, {"add": "vip"}, follow=True).content.decode()
    assert list(bob.tags.values_list("name", flat=True)) == ["VIP"], "case makes no second tag"
    assert "Undo" in told
    told = staff.post(tags, {"remove": "VIP"}, follow=True).content.decode()
    assert not bob.tags.exists()
    assert 'name="add" value="VIP"' in told
    staff.post(tags, {"add": "VIP"})
    assert bob.tags.count() == 1
    for add, complaint in (
        ("x" * 61, "60 characters at most"),
        ("a, b", "A tag has no comma"),  # the form of the contact would make two of it
        ("", "one at least"),
    ):
        assert complaint in staff.post(tags, {"add": add}, follow=True).content.decode()
    assert bob.tags.count() == 1
    assert Event.objects.filter(contact=bob, name="contact.tagged").count() == 3


def test_notes_are_for_staff_and_each_deletes_their_own(alice, bob, login):
    support = make.staff(Role.SUPPORT)
    staff, other = login(alice), login(support)
    create = reverse("accounts:note_create", args=[bob.pk])
    staff.post(create, {"text": "Pays <b>late</b>."})
    staff.post(create, {"text": ""})
    note = Note.objects.get()
    assert "Pays &lt;b&gt;late&lt;/b&gt;." in read(other, bob)
    delete = reverse("accounts:note_delete", args=[note.pk])
    assert delete not in read(other, bob)
    assert other.post(delete).status_code == 404
    assert staff.get(delete).status_code == 200
    assert Note.objects.exists(), "looking does nothing"
    staff.post(delete)
    assert not Note.objects.exists()
    assert login(bob).post(create, {"text": "me"}).status_code == 403


def test_of_many_notes_the_first_page_shows_the_latest(alice, bob, login):
    for n in range(25):
        Note.objects.create(contact=bob, author=alice, text=f"Note number {n}.")
    staff = login(alice)
    text = read(staff, bob)
    assert "Note number 24." in text
    assert "Note number 3." not in text
    assert "Note number 3." in staff.get(page_of(bob), {"notes": "all"}).content.decode()


def test_pages_of_the_timeline_lose_and_repeat_nothing_of_one_instant(
    alice, bob, login, django_assert_max_num_queries
):
    with transaction.atomic():
        record_many(Name.PORTAL_LOGIN, [(bob.pk, {"user": bob.user.pk})] * 80)
    at = Event.objects.filter(contact=bob).latest("pk").occurred_at
    for number in range(60):
        Message.objects.create(key=f"m{number}", kind="access", contact=bob, created_at=at)
    staff, url = login(alice), reverse("portal:contact_timeline", args=[bob.pk])
    staff.get(url)
    told: list[tuple[str, int]] = []
    while url:
        with django_assert_max_num_queries(6):
            page = staff.get(url).context
        told += [entry.row for entry in page["entries"]]
        url = page["older_url"]
    events = Event.objects.filter(contact=bob).values_list("pk", flat=True)
    mails = Message.objects.filter(contact=bob).values_list("pk", flat=True)
    assert len(told) == len(set(told))
    assert set(told) == {("event", pk) for pk in events} | {("mail", pk) for pk in mails}


@pytest.mark.parametrize("before", ["?event=x&mail=", "?event=-1", "?mail=²", "?event=" + "9" * 30])
def test_a_page_of_the_timeline_that_cannot_be_is_the_first(alice, bob, login, before):
    staff, url = login(alice), reverse("portal:contact_timeline", args=[bob.pk])
    assert staff.get(url + before).context["entries"] == staff.get(url).context["entries"]


def test_the_timeline_is_narrowed_to_a_kind(alice, bob, login, committed, school):
    with committed():
        make.grant(contact=bob, offer=make.offer("Bread"), notify=True)
        bob.change(phone="1")
    staff, url = login(alice), reverse("portal:contact_timeline", args=[bob.pk])

    def told(kind: str) -> list[str]:
        return [entry.text for entry in staff.get(url, {"kind": kind}).context["entries"]]

    assert told("access") == ["Offer granted: Bread"]
    assert len(told("mails")) == 1
    assert "Contact updated" in told("account")
    assert not told("learning")
    assert len(told("")) == len(told("nonsense")) > 3
    with transaction.atomic():
        record_many(Name.OFFER_SUSPENDED, [(bob.pk, {})] * 60)
    assert "kind=access&" in staff.get(url, {"kind": "access"}).context["older_url"]


def test_blocking_is_said_in_numbers_first(alice, bob, login, school):
    both = make.offer("Both", courses=[make.course("Bread"), make.course("Cheese")])
    make.grant(contact=bob, offer=both)
    login(bob)
    told = login(alice).get(reverse("portal:contact_block", args=[bob.pk])).content.decode()
    assert "Closes all 2 courses at once." in told
    assert "Keeps their 1 grant" in told
    assert "Logs them out of 1 browser" in told


def test_consents_are_kept_with_their_day(alice, bob, login):
    staff, page = login(alice), reverse("accounts:contact_update", args=[bob.pk])
    words = {"name": "Bob Baker", "email": "bob@example.com", "newsletter": "on"}
    staff.post(page, words)
    bob.refresh_from_db()
    since = bob.newsletter_at
    assert since is not None
    assert bob.promotions_at is None
    staff.post(page, words | {"phone": "1"})
    bob.refresh_from_db()
    assert bob.newsletter_at == since, "the day they agreed stays"
    assert "Agreed on" in read(staff, bob)
    del words["newsletter"]
    staff.post(page, words)
    bob.refresh_from_db()
    assert bob.newsletter_at is None


def test_staff_mail_a_link_to_choose_a_new_password(alice, bob, login, committed, last_mail):
    with committed():
        login(alice).post(reverse("accounts:contact_way", args=[bob.pk, "reset"]))
    assert bob.user.links.get().purpose == "reset"
    assert last_mail().to == ["bob@example.com"]


def test_a_moderator_sees_no_contact_and_support_no_dead_buttons(bob, login, school):
    make.grant(contact=bob)
    assert login(make.staff(Role.MODERATOR)).get(page_of(bob)).status_code == 403
    text = read(login(make.staff(Role.SUPPORT)), bob)
    grant = bob.grants.get()
    for verb in ("extend", "suspend", "revoke"):
        assert reverse(f"enrollments:grant_{verb}", args=[grant.pk]) in text


def test_grants_that_look_alike_say_each_its_own(alice, bob, charlie, login, school):
    staff = login(alice)
    rye = make.grant(contact=bob, offer=make.offer("<i>Rye</i>"), note="As a <b>gift</b>.")
    spelt = make.grant(contact=bob, offer=make.offer("Spelt"))
    other = make.grant(contact=charlie, offer=make.offer("Oat & Barley"))
    for contact, mine, notes in ((bob, [rye, spelt], 1), (charlie, [other], 0)):
        text = read(staff, contact)
        for grant in (rye, spelt, other):
            revoke = reverse("enrollments:grant_revoke", args=[grant.pk])
            assert text.count(revoke) == (grant in mine)
            assert (f"<strong>{escape(grant.offer.title)}</strong>" in text) == (grant in mine)
        assert text.count("As a &lt;b&gt;gift&lt;/b&gt;.") == notes
        assert "<i>Rye" not in text
        assert "\0" not in text


def test_what_a_row_offers_depends_on_who_reads(alice, bob, login, school):
    grant = make.grant(contact=bob)
    link = f'href="{reverse("offers:offer_update", args=[grant.offer_id])}"'
    assert link in read(login(alice), bob)
    assert link not in read(login(make.staff(Role.SUPPORT)), bob)
    assert link in read(login(alice), bob)


def test_a_suspended_grant_is_resumed_by_its_own_form(alice, bob, school):
    grant = make.grant(contact=bob)
    resume = reverse("enrollments:grant_resume", args=[grant.pk])
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert resume not in read(browser, bob)
    grant.suspend()
    for _visit in range(2):  # the second finds the row's template rendered already
        form = read(browser, bob).partition(f'action="{resume}"')[2]
        [token] = re.findall(
            r'name="csrfmiddlewaretoken" value="(\w+)"', form.partition("</form>")[0]
        )
    browser.post(resume, {"csrfmiddlewaretoken": token})
    grant.refresh_from_db()
    assert grant.state == "live"


def test_a_revoked_grant_is_told_with_who_and_why_and_offers_nothing(alice, bob, login, school):
    grant = make.grant(contact=bob, offer=make.offer("Bread"))
    staff = login(alice)
    staff.post(reverse("enrollments:grant_revoke", args=[grant.pk]), {"reason": "Paid <back>."})
    text = read(staff, bob)
    assert "Paid &lt;back&gt;." in text
    assert f"by {alice.name or alice.email}" in text
    assert reverse("enrollments:grant_extend", args=[grant.pk]) not in text


def test_how_far_somebody_is_stands_beside_the_course(alice, bob, login, school):
    course = make.course("Bread")
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    staff, mine = login(alice), bob.enrollments.get()
    first = Lesson.objects.filter(module__course=course).first()
    total = Lesson.objects.filter(module__course=course).count()
    assert first
    assert f"0 of {total}" in read(staff, bob)
    mine.complete(first)
    assert f"1 of {total}" in read(staff, bob)
    Lesson.objects.filter(module__course=course).delete()
    assert "No lesson yet." in read(staff, bob)
