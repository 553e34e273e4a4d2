"""The contact list: searched, filtered, sorted, paged, kept as segments; and who the portal's users are."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import make
import pytest
from django.utils.timezone import now

from accounts.models import Contact, Link, Segment
from accounts.models.link import Purpose
from accounts.models.user import Role
from enrollments.access import with_portal_status
from enrollments.models import Enrollment
from enrollments.status import with_access_status
from notifications.models import Kind, Message, State
from offers.models import Offer

LIST = "/dashboard/contacts/"


@pytest.fixture
def staff(login, alice):
    return login(alice)


def names(answer):
    """Who is on the page, in order."""
    return re.findall(
        r'class="person"\s+href="[^"]+">.*?</span>([^<]+)</a>', answer.content.decode()
    )


def found(browser, *where, **query):
    return names(browser.get(LIST, {"where": list(where)} | query))


def test_filters_read_like_a_sentence_and_stay_in_the_address(staff, bob, charlie):
    course = make.course("Base")
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    answer = staff.get(LIST, {"add": "course", "operator": "is", "value": course.pk})
    assert answer.status_code == 302
    page = staff.get(answer.headers["Location"])
    assert names(page) == ["Bob Baker"]
    assert "Course is <strong>Base</strong>" in page.content.decode()
    assert urlsplit(answer.headers["Location"]).query == f"where=course%3Ais%3A{course.pk}"


def test_a_status_is_that_of_the_course_that_is_asked_for(staff, school):
    base, other = make.course("Base"), make.course("Other")
    yesterday = school.today() - timedelta(days=1)
    lapsed = make.student("Lapsed")
    make.grant(contact=lapsed, offer=make.offer(courses=[base]), ends_on=yesterday)
    elsewhere = make.student("Elsewhere")
    make.grant(contact=elsewhere, offer=make.offer(courses=[base]))
    make.grant(contact=elsewhere, offer=make.offer(courses=[other]), ends_on=yesterday)
    assert found(staff, f"course:is:{base.pk}", "status:is:expired") == ["Lapsed"]
    assert found(staff, "status:is:expired") == ["Elsewhere", "Lapsed"]


def test_a_status_is_that_of_the_offer_that_is_asked_for(staff, school, bob, charlie):
    base, other = make.offer("Base"), make.offer("Other")
    yesterday = school.today() - timedelta(days=1)
    make.grant(contact=bob, offer=base, ends_on=yesterday)
    make.grant(contact=charlie, offer=base)
    make.grant(contact=charlie, offer=other, ends_on=yesterday)
    assert found(staff, f"offer:is:{base.pk}", "status:is:expired") == ["Bob Baker"]
    assert found(staff, f"offer:is:{base.pk}", "status:is:active") == ["Charlie Cook"]


def test_conditions_combine_with_and_or_with_or(staff, bob, charlie):
    bob.tag(["vip"])
    charlie.tag(["late"])
    vip, late = (tag.pk for tag in (bob.tags.get(), charlie.tags.get()))
    both = [f"tag:is:{vip}", f"tag:is:{late}"]
    assert found(staff, *both) == []
    assert found(staff, *both, match="any") == ["Charlie Cook", "Bob Baker"]
    assert found(staff, f"tag:is:{vip},{late}") == ["Charlie Cook", "Bob Baker"]
    assert found(staff, f"tag:is_not:{vip}") == ["Charlie Cook"]


@pytest.mark.parametrize("status", ["active", "inactive", "pending", "expired"])
def test_the_status_filter_says_what_the_enrollment_says(staff, school, status):
    """Each person in one way, and every status once more read off the enrollments themselves."""
    offer = make.offer(courses=[make.course()])
    today = school.today()
    make.grant(contact=make.student("Live"), offer=offer)
    make.grant(contact=make.student("Over"), offer=offer, ends_on=today - timedelta(days=1))
    make.grant(contact=make.student("Soon"), offer=offer, starts_at=now() + timedelta(days=2))
    make.grant(contact=make.student("Revoked"), offer=offer).revoke()
    make.grant(contact=make.student("Paused"), offer=offer).suspend()
    off = make.grant(contact=make.student("Off"), offer=offer).contact
    off.enrollments.get().switch(on=False)
    make.grant(contact=make.student("Unready"), offer=make.offer(courses=[make.course()]))
    Offer.objects.filter(grants__contact__name="Unready").update(status="draft")
    smaller, gone = make.offer(courses=[make.course()]), make.course()
    smaller.include(gone)
    make.grant(contact=make.student("Given up"), offer=smaller)
    smaller.exclude(gone)
    again = make.grant(
        contact=make.student("Twice"), offer=offer, ends_on=today - timedelta(days=3)
    )
    make.grant(contact=again.contact, offer=offer, source="import:1").suspend()
    rows = with_access_status(Enrollment.objects.all()).filter(access_status=status)
    expected = sorted(str(row.contact) for row in rows.select_related("contact"))
    assert sorted(found(staff, f"status:is:{status}")) == sorted(set(expected))
    assert expected
    others = ["active", "inactive", "pending", "expired"]
    others.remove(status)
    wider = rows.model.objects.values_list("contact__name", flat=True)
    not_so = set(wider) - set(expected)
    assert set(found(staff, f"status:is_not:{status}")) == not_so
    three = with_access_status(Enrollment.objects.all()).filter(access_status__in=others)
    mixed = {str(row.contact) for row in three.select_related("contact")}
    assert set(found(staff, f"status:is:{','.join(others)}")) == mixed


@pytest.mark.parametrize("status", ["none", "active", "invited", "joined", "blocked"])
def test_the_portal_filter_says_what_the_badge_says(staff, status):
    make.contact("Nobody")
    make.grant(contact=make.contact("Holder"))
    Contact.objects.invite([make.contact("Invited").pk])
    make.student("Joined").join()
    make.student("Blocked").block(reason="Trouble")
    rows = with_portal_status(Contact.objects.all()).filter(portal_status=status)
    assert found(staff, f"portal:is:{status}") == [str(row) for row in rows]
    assert len(rows) == 1


def test_other_filters_find_whom_they_name(staff, school, bob, charlie):
    Contact.objects.filter(pk=bob.pk).update(last_seen_at=now() - timedelta(days=40))
    today = school.today()
    make.grant(contact=charlie, ends_on=today + timedelta(days=5), source="import:7")
    Message.objects.create(
        key="m", kind=Kind.ACCESS, contact=charlie, cause="x", state=State.FAILED
    )
    Contact.objects.filter(pk=charlie.pk).update(newsletter_at=now())
    for where, who in {
        "inactive:days:30": ["Bob Baker"],
        "inactive:days:60": [],
        "last_access:never:": ["Charlie Cook"],
        f"last_access:before:{today}": ["Bob Baker"],
        f"last_access:after:{today - timedelta(days=50)}": ["Bob Baker"],
        f"ends:before:{today + timedelta(days=6)}": ["Charlie Cook"],
        f"ends:before:{today + timedelta(days=5)}": [],
        f"ends:after:{today + timedelta(days=4)}": ["Charlie Cook"],
        "ends:never:": [],
        "source:is:import": ["Charlie Cook"],
        "source:is:import.7": ["Charlie Cook"],
        "source:is:import.8": [],
        "mail:is:bounced": ["Charlie Cook"],
        "list:is:newsletter": ["Charlie Cook"],
        "learning:is:active": ["Charlie Cook"],
        "learning:is:completed": [],
        f"created:after:{today}": [],
    }.items():
        assert found(staff, where) == who, where


def test_open_invitations_are_those_that_can_be_accepted_still(staff, school, bob, charlie):
    make.contact("Never invited")
    for person in (bob, charlie, spent := make.student("Spent"), late := make.student("Late")):
        make.link(person.user, Purpose.INVITATION)
    make.link(Contact.objects.get(name="Bob Baker").user, Purpose.LOGIN)
    Link.objects.filter(user__contact=spent).update(used_at=now())
    Link.objects.filter(user__contact=late).update(
        created_at=now() - timedelta(days=9), expires_at=now() - timedelta(days=2)
    )
    Link.objects.filter(user__contact=charlie).revoke()
    login_only = make.student("Login only")
    make.link(login_only.user, Purpose.LOGIN)
    assert found(staff, "invitation:is:open") == ["Bob Baker"]
    without = {"Never invited", "Charlie Cook", "Spent", "Late", "Login only"}
    assert set(found(staff, "invitation:is_not:open")) == without
    assert "Invitation is <strong>open</strong>" in (
        staff.get("/dashboard/portal-users/?where=invitation:is:open").content.decode()
    )


def test_a_filter_nobody_knows_finds_nobody_and_says_so(staff, bob):
    for where in (
        "course:is:999",
        "color:is:red",
        "ends:before:31/02/2026",
        "tag",
        "last_access:is:",
    ):
        answer = staff.get(LIST, {"where": where})
        assert names(answer) == []
        assert "notice--bad" in answer.content.decode(), where
    answer = staff.get(LIST, {"add": "ends", "operator": "before", "value": ""}, follow=True)
    assert "is no date" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"ids": "9" * 19},
        {"ids": "-1"},
        {"q": "\0"},
        {"q": "a" * 300},
        {"among": "portl"},
        {"match": "ANY"},
        {"where": "inactive:days:000001999999999"},
        {"where": "tag:is:" + ",".join(["1"] * 300)},
    ],
)
def test_what_cannot_be_read_widens_nothing(staff, bob, query):
    assert names(staff.get(LIST, query)) == []
    answer = staff.post("/dashboard/exports/contacts/", query | {"format": "csv"})
    assert answer.status_code == 302


def test_the_archived_are_in_no_list(staff, bob, charlie):
    Contact.objects.filter(pk=bob.pk).archive()
    assert found(staff) == ["Charlie Cook"]
    assert "1 contact<" in staff.get(f"{LIST}count/").content.decode()


@pytest.mark.parametrize(
    "sort", ["name", "-name", "email", "last_access", "-last_access", "created"]
)
def test_every_sort_pages_there_and_back(staff, sort):
    for number in range(120):
        contact = make.contact(f"Person {number % 7}", email=f"p{number:03}@example.com")
        if number % 3:
            seen = now() - timedelta(days=number % 5)
            Contact.objects.filter(pk=contact.pk).update(last_seen_at=seen)
    first = staff.get(LIST, {"sort": sort})
    seen, page = list[str](), first
    while True:
        listing = page.context["listing"]
        seen += [contact.email for contact in listing.page]
        if not listing.next_url:
            break
        page = staff.get(LIST + listing.next_url)
    assert len(seen) == len(set(seen)) == 120
    back = staff.get(LIST + page.context["listing"].previous_url).context["listing"]
    assert [contact.email for contact in back.page] == seen[50:100]
    if sort.lstrip("-") in {"name", "email"}:
        column = "search_text" if sort.endswith("name") else "email"
        ordered = list(Contact.objects.order_by(column).values_list("email", flat=True))
        assert seen == (ordered[::-1] if sort.startswith("-") else ordered)
    elif "last_access" in sort:
        never = [contact.email for contact in Contact.objects.filter(last_seen_at=None)]
        ends = seen[-len(never) :] if sort.startswith("-") else seen[: len(never)]
        assert sorted(ends) == sorted(never)


def test_columns_are_chosen(staff, bob):
    bob.tag(["vip"])
    make.grant(contact=bob, offer=make.offer("Base"))
    page = staff.get(LIST, {"columns": ["tags", "offers", "ends", "courses"]}).content.decode()
    assert ">vip<" in page
    assert 'data-label="Active offers">Base<' in page
    assert 'data-label="Access ends">No end<' in page
    assert 'data-label="Portal"' not in page


@pytest.mark.parametrize("many", [5, 60])
def test_statements_do_not_grow_with_rows(staff, django_assert_max_num_queries, many):
    offer = make.offer()
    for number in range(many):
        contact = make.contact(f"Person {number}")
        contact.tag([f"tag {number % 3}"])
        make.grant(contact=contact, offer=offer)
    everything = {
        "columns": ["email", "tags", "portal", "offers", "ends", "courses", "last_access"]
    }
    with django_assert_max_num_queries(9):
        staff.get(LIST)
    with django_assert_max_num_queries(11):  # every kind of column, and the name of an offer
        staff.get(LIST, everything | {"where": ["status:is:active", f"offer:is:{offer.pk}"]})


def test_a_segment_is_kept_and_forgotten(staff, bob, charlie):
    bob.tag(["vip"])
    where = f"where=tag%3Ais%3A{bob.tags.get().pk}"
    answer = staff.post(f"{LIST}segments/new/", {"name": "Our best", "query": where}, follow=True)
    assert names(answer) == ["Bob Baker"]
    assert "Our best" in staff.get(LIST).content.decode()
    twice = staff.post(f"{LIST}segments/new/", {"name": "Our best", "query": where}, follow=True)
    assert "already exists" in twice.content.decode()
    empty = staff.post(f"{LIST}segments/new/", {"name": "All", "query": ""}, follow=True)
    assert "Search or filter first" in empty.content.decode()
    staff.post(f"{LIST}segments/{Segment.objects.get().pk}/delete/")
    assert not Segment.objects.exists()
    assert Contact.objects.filter(pk=bob.pk).exists()


def test_portal_users_are_those_with_a_login(staff, bob):
    make.contact("Stranger")
    make.grant(contact=make.contact("Holder"), offer=make.offer("Base"))
    Contact.objects.invite([make.student("Invited").pk])
    bob.join()
    page = staff.get("/dashboard/portal-users/")
    assert names(page) == ["Invited", "Holder", "Bob Baker"]
    assert 'data-label="Active offers">Base<' in page.content.decode()
    tabs = {tab.label: tab.url for tab in page.context["tabs"]}
    assert names(staff.get("/dashboard/portal-users/" + tabs["Joined"])) == ["Bob Baker"]
    invited = staff.get("/dashboard/portal-users/" + tabs["Invited, not joined"])
    assert names(invited) == ["Invited"]


def test_moderators_see_no_list(login, db):
    browser = login(make.staff(Role.MODERATOR))
    assert browser.get(LIST).status_code == 403
