"""Bulk actions: what they will do is said, done in the background, told row by row, and taken back."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle

import make
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.bulk import ACTIONS
from accounts.models import BulkRun, Contact, Link, Role, User
from enrollments.access import open_courses
from enrollments.models import Grant
from notifications.models import Message
from portal import context, events, jobs
from portal.events import Name
from portal.models import Event, Job, School

NEW = "/dashboard/bulk/new/"


@pytest.fixture
def staff(login, alice):
    return login(alice)


@pytest.fixture
def act(staff, committed):
    """Do an action in bulk as staff would, and let it be carried out; the page that shows the result."""

    def do(action, contacts=(), *, sure=True, browser=staff, **terms):
        words = {"action": action, "terms": "1"} | terms
        words |= {"sure": "1"} if sure else {}
        if contacts:
            words["ids"] = [contact.pk for contact in contacts]
        with committed():
            answer = browser.post(NEW, words)
        return browser.get(answer.headers["Location"]) if answer.status_code == 302 else answer

    return do


def outcomes(run):
    return dict(run.rows.values_list("contact__name", "outcome"))


def test_chosen_contacts_are_asked_about_terms_first(staff, bob):
    page = staff.post(NEW, {"action": "tag", "ids": [bob.pk]})
    assert "For 1 contact." in page.content.decode()
    assert not BulkRun.objects.exists()
    empty = staff.post(NEW, {"action": "tag", "ids": [bob.pk], "terms": "1", "tag": ""})
    assert "This field is required" in empty.content.decode()


def test_what_it_will_do_is_said_in_numbers_before_it_is_done(staff, act, bob, charlie):
    base = make.offer("Base")
    make.grant(contact=bob, offer=base)
    page = act("grant", [bob, charlie], sure=False, offer=base.pk, mode="default", if_held="leave")
    text = page.content.decode()
    assert "1 person gets “Base”." in text
    assert "1 holds it already and keeps what they have." in text
    assert not BulkRun.objects.exists()
    page = act("revoke", [bob, charlie], sure=False, offer=base.pk)
    assert "Ends “Base” for 1 person at once." in page.content.decode()


def test_granting_in_bulk_tells_each_once_and_is_undone(
    act, staff, committed, mailoutbox, bob, charlie
):
    base = make.offer("Base")
    make.grant(contact=bob, offer=base)
    terms = {"offer": base.pk, "mode": "default", "if_held": "leave", "notify": "on"}
    page = act("grant", [bob, charlie], **terms)
    run = BulkRun.objects.get()
    assert outcomes(run) == {"Bob Baker": "unchanged", "Charlie Cook": "changed"}
    assert "Grant “Base”" in page.content.decode()
    assert [mail.to for mail in mailoutbox] == [[charlie.email]]
    assert Event.objects.get(name=Name.OFFER_GRANTED, contact=charlie).actor == run.started_by

    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert not open_courses(charlie).exists()
    assert open_courses(bob).exists()
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert Event.objects.filter(name=Name.OFFER_REVOKED).count() == 1


def test_all_that_match_are_those_the_filters_find(act, bob, charlie):
    bob.tag(["vip"])
    act("tag", tag="met", all="1", where=f"tag:is:{bob.tags.get().pk}", ids=charlie.pk)
    assert set(bob.tags.values_list("name", flat=True)) == {"vip", "met"}
    assert not charlie.tags.exists()


def test_nobody_chosen_is_nobody_meant(staff, act, bob):
    for words in ({}, {"where": "tag:is:999", "all": "1"}, {"ids": "x"}):
        answer = staff.post(
            NEW, {"action": "block", "terms": "1", "sure": "1", "reason": "x"} | words
        )
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/dashboard/contacts/"
    assert not BulkRun.objects.exists()


def test_a_tag_is_written_as_it_is_known(act, bob, charlie):
    bob.tag(["VIP"])
    act("tag", [charlie], tag=" vip ")
    assert list(charlie.tags.values_list("name", flat=True)) == ["VIP"]


def test_tags_go_on_and_off_and_back(act, staff, committed, bob, charlie):
    bob.tag(["vip"])
    act("tag", [bob, charlie], tag="vip")
    run = BulkRun.objects.get()
    assert outcomes(run) == {"Bob Baker": "unchanged", "Charlie Cook": "changed"}
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert bob.tags.exists()
    assert not charlie.tags.exists()
    act("untag", [bob, charlie], tag="vip")
    assert not bob.tags.exists()
    last = BulkRun.objects.latest("pk")
    assert outcomes(last) == {"Bob Baker": "changed", "Charlie Cook": "unchanged"}


def test_an_end_date_moves_and_moves_back_where_nobody_moved_it_since(
    act, staff, committed, school, bob, charlie
):
    base, day = make.offer("Base"), school.today() + timedelta(days=10)
    grants = [make.grant(contact=who, offer=base, ends_on=day) for who in (bob, charlie)]
    stranger = make.contact("Stranger")
    act("set_end", [bob, charlie, stranger], offer=base.pk, mode="extend", days="5")
    run = BulkRun.objects.get()
    assert outcomes(run)["Stranger"] == "refused"
    assert {grant.ends_on for grant in Grant.objects.all()} == {day + timedelta(days=5)}
    by_hand = day + timedelta(days=99)
    grants[0].extend(until=by_hand)
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    ends = dict(Grant.objects.values_list("contact__name", "ends_on"))
    assert ends == {"Bob Baker": by_hand, "Charlie Cook": day}


def test_a_new_day_opens_again_what_had_ended(act, staff, committed, school, bob, mailoutbox):
    base, over = make.offer("Base"), school.today() - timedelta(days=3)
    make.grant(contact=bob, offer=base, ends_on=over)
    assert not open_courses(bob).exists()
    until = school.today() + timedelta(days=30)
    act("set_end", [bob], offer=base.pk, mode="set", day=until.isoformat())
    assert open_courses(bob).exists()
    with committed():
        staff.post(f"/dashboard/bulk/{BulkRun.objects.get().pk}/undo/")
    assert Grant.objects.get().ends_on == over
    assert not mailoutbox


def test_invitations_and_login_mails_say_who_got_none_and_why(act, mailoutbox, bob, charlie):
    charlie.join()
    blocked = make.contact("Blocked")
    blocked.block(reason="x")
    act("invite", [bob, charlie, blocked])
    rows = dict(BulkRun.objects.get().rows.values_list("contact__name", "reason"))
    assert rows["Bob Baker"] == ""
    assert rows["Charlie Cook"].startswith("Was in the portal before")
    assert rows["Blocked"] == "The contact is blocked."
    assert [mail.to for mail in mailoutbox] == [[bob.email]]
    mailoutbox.clear()
    act("login", [bob, charlie, blocked], section="courses")
    assert sorted(mail.to for mail in mailoutbox) == [[bob.email], [charlie.email]]


def test_blocking_in_bulk_shuts_out_and_is_undone(act, staff, committed, login, bob, charlie):
    browser = login(bob)
    act("block", [bob, charlie], reason="Unpaid")
    assert browser.get("/courses/").status_code == 302
    with committed():
        staff.post(f"/dashboard/bulk/{BulkRun.objects.get().pk}/undo/")
    assert not Contact.objects.exclude(blocked_at=None).exists()
    act("block", [bob], reason="Unpaid")
    act("unblock", [bob, charlie])
    last = BulkRun.objects.latest("pk")
    assert outcomes(last) == {"Bob Baker": "changed", "Charlie Cook": "unchanged"}


def test_of_staff_blocking_says_what_it_closes_and_that_they_stay(act, login, bob, charlie):
    plain = act("block", [bob, charlie], sure=False, reason="Unpaid").content.decode()
    assert "Shuts 2 people out at once" in plain
    assert "staff:" not in plain
    User.objects.filter(contact=charlie).update(role=Role.MODERATOR)
    page = act("block", [bob, charlie], sure=False, reason="Unpaid").content.decode()
    assert "Shuts 1 person out at once" in page
    assert "1 is staff: what they have as a student closes" in page
    browser = login(charlie)
    act("block", [bob, charlie], reason="Unpaid")
    assert browser.get("/dashboard/").status_code == 200
    assert browser.get("/courses/").status_code == 302


def test_the_page_tells_how_far_it_is_and_then_what_became_of_whom(staff, act, bob):
    staff.post(NEW, {"action": "tag", "terms": "1", "tag": "vip", "ids": [bob.pk]})
    run = BulkRun.objects.get()
    page = staff.get(f"/dashboard/bulk/{run.pk}/").content.decode()
    assert "At work." in page
    assert "0 of 1" in page
    act("tag", [bob], tag="met")  # works off what waits, too
    done = staff.get(f"/dashboard/bulk/{run.pk}/", headers={"HX-Request": "true"})
    assert done.headers["HX-Refresh"] == "true"
    page = staff.get(f"/dashboard/bulk/{run.pk}/?outcome=changed").content.decode()
    assert "bob@example.com" in page
    assert "Add the tag “vip”" in staff.get("/dashboard/bulk/").content.decode()


def test_a_page_that_is_sent_twice_starts_one_run(staff, act, mailoutbox, bob):
    words = {"action": "invite", "sure": "1", "ids": [bob.pk], "once": "of this page"}
    assert staff.post(NEW, words).headers["Location"] == staff.post(NEW, words).headers["Location"]
    act("tag", [bob], tag="x")  # works off what waits
    assert BulkRun.objects.filter(action="invite").count() == 1
    assert len(mailoutbox) == 1
    shown = staff.post(NEW, {"action": "invite", "ids": [bob.pk]}).content.decode()
    assert 'name="once" value="' in shown


def test_going_back_and_asking_for_something_else_is_another_run(act, bob):
    for tag in ("vip", "met"):
        act("tag", [bob], tag=tag, once="of this page")
    assert set(bob.tags.values_list("name", flat=True)) == {"vip", "met"}


def test_the_default_length_is_an_end_like_any_other_for_who_holds_the_offer(act, school, bob):
    base = make.offer("Base", default_days=10)
    make.grant(contact=bob, offer=base, ends_on=school.today() + timedelta(days=300))
    act("grant", [bob], offer=base.pk, mode="default", if_held="set")
    assert Grant.objects.get().ends_on == school.today() + timedelta(days=9)


def test_what_is_promised_counts_those_it_is_true_of(act, school, bob, charlie):
    base, over = make.offer("Base"), school.today() - timedelta(days=3)
    make.grant(contact=bob, offer=base)
    text = act("grant", [bob], sure=False, offer=base.pk, mode="default", if_held="leave")
    assert "one mail with the way in" not in text.content.decode()
    charlie.block(reason="x")
    text = act(
        "grant", [charlie], sure=False, offer=base.pk, mode="default", if_held="leave", notify="on"
    )
    assert "1 is blocked" in text.content.decode()
    welcome = {"offer": make.offer("New").pk, "mode": "default", "if_held": "leave", "notify": "on"}
    assert "one mail with the way in" in act("grant", [bob], sure=False, **welcome).content.decode()
    School.objects.update(mails_access=False)
    text = act("grant", [bob], sure=False, **welcome).content.decode()
    assert "one mail with the way in" not in text
    assert "Nobody is told by mail." in text
    make.grant(contact=charlie, offer=base, ends_on=over)
    text = act("revoke", [bob, charlie], sure=False, offer=base.pk).content.decode()
    assert "Ends “Base” for 1 person at once." in text
    assert "For 1 it had ended already" in text


def test_no_end_comes_before_its_beginning(act, school, bob):
    base, long_ago = make.offer("Base"), "2020-01-01"
    page = act("grant", [bob], offer=base.pk, mode="set", day=long_ago, if_held="leave")
    assert "That day is over" in page.content.decode()
    make.grant(contact=bob, offer=base)
    page = act("set_end", [bob], sure=False, offer=base.pk, mode="set", day=long_ago)
    assert "for 0 people" in page.content.decode()
    page = act("set_end", [bob], offer=base.pk, mode="set", day=long_ago)
    assert "The last day is before the first." in page.content.decode()
    assert Grant.objects.get().ends_on is None


def test_what_somebody_else_did_since_stays_and_is_told(act, staff, committed, bob, charlie):
    act("block", [bob, charlie], reason="spam")
    bob.unblock()
    bob.block(reason="spam")
    run = BulkRun.objects.get()
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    bob.refresh_from_db()
    charlie.refresh_from_db()
    assert (bob.is_blocked, charlie.is_blocked) == (True, False)
    page = staff.get(f"/dashboard/bulk/{run.pk}/").content.decode()
    assert "Undone for 1 contact." in page
    assert "1 was changed since, and stays as it is." in page

    act("tag", [charlie], tag="vip")
    charlie.tag([])
    charlie.tag(["vip"])
    with committed():
        staff.post(f"/dashboard/bulk/{BulkRun.objects.latest('pk').pk}/undo/")
    assert charlie.tags.exists()


def test_a_bulk_grant_whose_end_somebody_moved_since_is_left(
    act, staff, committed, school, bob, charlie
):
    base, later = make.offer("Base"), school.today() + timedelta(days=100)
    make.grant(contact=bob, offer=base, ends_on=school.today() - timedelta(days=3))
    act("grant", [bob, charlie], offer=base.pk, mode="none", if_held="leave")
    for grant in Grant.objects.live():
        grant.extend(until=later)
    run = BulkRun.objects.get()
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert {grant.contact: grant.ends_on for grant in Grant.objects.live()} == {
        bob: later,
        charlie: later,
    }
    page = staff.get(f"/dashboard/bulk/{run.pk}/").content.decode()
    assert "2 were changed since, and stay as they are." in page


def test_undoing_a_grant_that_was_opened_again_gives_back_its_end(
    act, staff, committed, school, bob
):
    base, over = make.offer("Base"), school.today() - timedelta(days=3)
    make.grant(contact=bob, offer=base, ends_on=over)
    act("grant", [bob], offer=base.pk, mode="none", if_held="leave")
    assert open_courses(bob).exists()
    with committed():
        staff.post(f"/dashboard/bulk/{BulkRun.objects.get().pk}/undo/")
    grant = Grant.objects.get()
    assert (grant.ends_on, grant.revoked_at) == (over, None)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_moderators_and_students_do_nothing_in_bulk(login, bob, action):
    words = {"action": action, "terms": "1", "sure": "1", "ids": [bob.pk]}
    for person in (make.staff(Role.MODERATOR), bob):
        assert login(person).post(NEW, words).status_code == 403
    assert not BulkRun.objects.exists()


def test_ways_in_are_opened_in_bulk_and_each_refusal_has_its_reason(
    act, mailoutbox, bob, charlie, client
):
    make.grant(contact=charlie, offer=make.offer("Base"))
    officer, blocked = make.student("Officer"), make.contact("Blocked")
    User.objects.appoint(email=officer.email, role=Role.SUPPORT)
    blocked.block(reason="Unpaid")
    everybody = [bob, charlie, officer, blocked]
    staff_only, shut = "Staff log in with their password.", "The contact is blocked."
    for action, terms, whom, why_not in (
        ("login", {"section": "courses", "hours": "1"}, [bob, charlie], {}),
        ("temporary_password", {}, [bob, charlie], {}),
        ("help", {}, [bob, charlie], {}),
        (
            "resend",
            {},
            [charlie],
            {"Bob Baker": "Holds nothing now: invite them, or send a login link."},
        ),
        ("reset", {}, [bob, charlie, officer], {"Officer": ""}),
        ("invite", {}, [bob, charlie], {}),
    ):
        mailoutbox.clear()
        act(action, everybody, **terms)
        rows = dict(BulkRun.objects.latest("pk").rows.values_list("contact__name", "reason"))
        assert (
            rows
            == {
                "Bob Baker": "",
                "Charlie Cook": "",
                "Officer": staff_only,
                "Blocked": shut,
            }
            | why_not
        ), action
        assert sorted(mail.to[0] for mail in mailoutbox) == sorted(who.email for who in whom), (
            action
        )


def test_links_and_sessions_end_in_bulk(act, login, bob, charlie):
    browsers, links = [login(bob), login(charlie)], [make.link(bob.user), make.link(charlie.user)]
    act("revoke_links", [bob])
    states = [Link.objects.get(pk=link.pk).state for link in links]
    assert states == ["revoked", "created"]
    act("end_sessions", [bob, charlie, make.contact("Stranger")])
    assert [browser.get("/profile/").status_code for browser in browsers] == [302, 302]
    assert Link.objects.get(pk=links[1].pk).state == "superseded"
    assert outcomes(BulkRun.objects.latest("pk"))["Stranger"] == "unchanged"
    assert Event.objects.filter(name=Name.SESSION_ENDED).count() == 2


def test_a_login_link_for_one_waits_behind_no_thousand(act, staff, bob):
    words = {"action": "login", "terms": "1", "sure": "1", "section": "home", "ids": [bob.pk]}
    staff.post(NEW, words)
    run = BulkRun.objects.get()
    jobs.run(Job.objects.get(key=f"bulk_run:{run.pk}").pk)
    staff.post(reverse("accounts:link_create", args=[bob.pk]), {"section": "home"})
    events.dispatch()
    many, one = Message.objects.order_by("pk")
    assert many.priority > one.priority


WAYS = {
    "login": {"section": "home"},
    "invite": {},
    "reset": {},
    "temporary_password": {},
    "help": {},
    "resend": {},
    "revoke_links": {},
    "end_sessions": {},
}


@pytest.mark.parametrize(("action", "terms"), [*WAYS.items(), ("block", {"reason": "Unpaid"})])
def test_a_batch_of_ways_takes_as_many_statements_as_one(alice, school, action, terms):
    offer, counts = make.offer("Base"), []
    for many in (1, 40):
        contacts = [make.student() for _ in range(many)]
        for contact in contacts:
            make.grant(contact=contact, offer=offer)
            make.link(contact.user)
        ids = [contact.pk for contact in contacts]
        chosen = Contact.objects.filter(pk__in=ids)
        with context.acting(cause=f"test:{many}", user=alice), transaction.atomic():
            run = BulkRun.objects.start(action=action, terms=terms, contacts=chosen)
            with CaptureQueriesContext(connection) as statements:
                results = ACTIONS[action].run(ids, terms, run)
        assert {result.outcome for result in results.values()} == {"changed"}
        assert len(results) == many
        counts.append(len(statements))
    assert counts[0] == counts[1] < 20


@pytest.mark.parametrize(
    ("action", "terms"),
    [
        ("grant", {"mode": "default", "if_held": "leave"}),
        ("set_end", {"mode": "set", "day": "2099-01-01"}),
        ("revoke", {}),
        ("tag", {"tag": "vip"}),
    ],
)
def test_statements_do_not_grow_with_contacts(act, action, terms):
    base, counts = make.offer("Base"), []
    for many in (1, 3, 40):  # the first also works off what making the offer left to do
        contacts = [make.contact() for _ in range(many)]
        if action != "grant":
            for contact in contacts:
                make.grant(contact=contact, offer=base)
        with CaptureQueriesContext(connection) as statements:
            act(action, contacts, offer=base.pk, **terms)
        counts.append(len(statements))
    assert counts[1] == counts[2]


@pytest.mark.parametrize("role", [Role.MODERATOR, ""])
def test_a_run_stops_where_its_starter_may_no_more(alice, login, school, monkeypatch, role):
    contacts = [make.contact() for _ in range(4)]
    monkeypatch.setattr(type(ACTIONS["tag"]), "batch", 2)
    monkeypatch.setattr("accounts.jobs.monotonic", cycle([0, 0, 99]).__next__)  # a batch a slice
    sam = make.staff(Role.SUPPORT)
    with context.acting(user=sam):
        run = BulkRun.objects.start(
            action="tag", terms={"tag": "vip"}, contacts=Contact.objects.all()
        )
    job = Job.objects.get(key=f"bulk_run:{run.pk}")
    jobs.run(job.pk)
    assert Contact.objects.filter(tags__name="vip").count() == 2
    with context.acting(user=alice):
        User.objects.get(pk=sam.pk).change_role(role)
    for _ in range(3):
        jobs.run(job.pk)
    assert Contact.objects.filter(tags__name="vip").count() == 2
    page = login(alice).get(reverse("portal:bulk_detail", args=[run.pk])).content.decode()
    assert page.count("Whoever started it may not do this any more.") == len(contacts) - 2
    assert "At work" not in page


def test_undoing_stops_where_whoever_asked_for_it_may_no_more(
    act, staff, alice, school, monkeypatch
):
    act("tag", [make.contact() for _ in range(4)], tag="vip")
    run = BulkRun.objects.get()
    monkeypatch.setattr(type(ACTIONS["tag"]), "batch", 2)
    monkeypatch.setattr("accounts.jobs.monotonic", cycle([0, 0, 99]).__next__)  # a batch a slice
    sam = make.staff(Role.SUPPORT)
    with context.acting(user=sam):
        run.undo()
    job = Job.objects.get(key=f"bulk_undo:{run.pk}")
    jobs.run(job.pk)
    with context.acting(user=alice):
        User.objects.get(pk=sam.pk).change_role(Role.MODERATOR)
    for _ in range(3):
        jobs.run(job.pk)
    assert Contact.objects.filter(tags__name="vip").count() == 2
    page = staff.get(reverse("portal:bulk_detail", args=[run.pk])).content.decode()
    assert "Undone for 2 contacts." in page
    assert "Whoever started it may not do this any more." in page
    assert "changed since" not in page
    assert "Taking it back" not in page
