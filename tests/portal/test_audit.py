"""The audit tells who did what to whom, when, and from where; it is filtered, exported, never changed."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import make
import pytest
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils.timezone import now

from accounts.models import Contact, Role
from enrollments.models import Enrollment, Grant
from enrollments.models.enrollment import LearningStatus
from notifications.models import Kind, Message, State
from portal import context
from portal.events import Name, record, record_many
from portal.models import Event
from portal.sentences import sentences

AUDIT = "/dashboard/audit/"


def texts(response) -> list[str]:
    return [line.said.text for line in response.context["lines"]]


def said(name: Name) -> str:
    """The only event of this name, as a sentence with its facts."""
    [sentence] = sentences([Event.objects.filter(name=name).latest("pk")])
    return f"{sentence.text} · {sentence.detail}" if sentence.detail else sentence.text


def test_an_act_of_staff_is_told_with_who_whom_when_and_from_where(alice, bob, login):
    offer = make.offer("Sourdough")
    grant = make.grant(contact=bob, offer=offer)
    browser = login(alice)
    url = reverse("enrollments:grant_revoke", args=[grant.pk])
    browser.post(url, {"reason": "Paid twice."}, REMOTE_ADDR="203.0.113.9")
    response = browser.get(AUDIT)
    assert texts(response) == ["Offer revoked: Sourdough"]
    for text in ("Paid twice.", "alice@example.com", "Bob Baker", "203.0.113.9", "just now"):
        assert text in response.text
    [line] = response.context["lines"]
    detail = browser.get(reverse("portal:audit_detail", args=[line.event.pk]))
    for text in ("Paid twice.", "bob@example.com", "203.0.113.9", line.event.cause):
        assert text in detail.text


@pytest.fixture
def story(alice, bob, charlie, db):
    """Something by everybody: by hand, in batches, by students, by nobody."""
    support = make.staff(Role.SUPPORT, email="support@example.com")
    Event.objects.all()
    acts = [
        (alice, "request:1", Name.CONTACT_BLOCKED, bob),
        (alice, "import:7", Name.CONTACT_CREATED, charlie),
        (alice, "bulk:3", Name.CONTACT_TAGGED, charlie),
        (support, "request:2", Name.OFFER_PUBLISHED, None),
        (bob.user, "request:3", Name.LESSON_COMPLETED, bob),
        (None, "clock:1", Name.OFFER_EXPIRED, charlie),
    ]
    for user, cause, name, contact in acts:
        with context.acting(cause=cause, user=user), transaction.atomic():
            data = {"ends_on": "2026-01-31"} if name == Name.OFFER_EXPIRED else {}
            record(name, contact=contact, **data)


BLOCKED, CREATED, TAGGED, PUBLISHED, COMPLETED, EXPIRED = (
    str(name.label)
    for name in (
        Name.CONTACT_BLOCKED,
        Name.CONTACT_CREATED,
        Name.CONTACT_TAGGED,
        Name.OFFER_PUBLISHED,
        Name.LESSON_COMPLETED,
        Name.OFFER_EXPIRED,
    )
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [PUBLISHED, BLOCKED]),
        ({"batches": "on"}, [PUBLISHED, TAGGED, CREATED, BLOCKED]),
        ({"who": "alice"}, [BLOCKED]),
        ({"who": "alice", "batches": "on"}, [TAGGED, CREATED, BLOCKED]),
        ({"who": "students"}, [COMPLETED]),
        ({"who": "system", "what": "access"}, [EXPIRED]),
        ({"who": "everybody", "whom": "bob@example.com", "what": "learning"}, [COMPLETED]),
        ({"who": "everybody", "whom": " BOB@example.com ", "what": "people"}, [BLOCKED, CREATED]),
        ({"what": "contact.blocked"}, [BLOCKED]),
        ({"what": "contact.unblocked"}, []),
        ({"who": "everybody", "what": "offer.expired"}, [EXPIRED]),
    ],
)
def test_filters_find_what_they_say(story, alice, login, query, found):
    if query.get("who") == "alice":
        query = query | {"who": str(alice.pk)}
    assert texts(login(alice).get(AUDIT, query)) == found


def test_whom_may_be_an_id(story, alice, bob, login):
    response = login(alice).get(AUDIT, {"whom": str(bob.pk)})
    assert texts(response) == [BLOCKED]


def test_days_are_days_of_the_school(school, alice, login):
    with context.acting(user=alice), transaction.atomic():
        record(Name.OFFER_PUBLISHED)
    browser, today = login(alice), school.today()
    for since, until, found in [
        (today, today, 1),
        (today - timedelta(days=1), today - timedelta(days=1), 0),
        (today + timedelta(days=1), "", 0),
        ("", today, 1),
        ("", today - timedelta(days=1), 0),
    ]:
        query = {"since": str(since), "until": str(until), "what": "offer.published"}
        assert len(texts(browser.get(AUDIT, query))) == found


@pytest.mark.parametrize(
    "query",
    [
        {"whom": "nobody@example.com"},
        {"whom": "\0"},
        {"since": "31/02/2026x"},
        {"what": "offer.eaten"},
        {"who": "god"},
        {"until": "9999-12-31"},
    ],
)
def test_a_filter_that_cannot_be_understood_shows_nothing_and_says_why(story, alice, login, query):
    response = login(alice).get(AUDIT, query)
    assert response.status_code == 200
    assert texts(response) == []
    assert response.context["form"].errors
    export = login(alice).post(reverse("portal:audit_export"), query)
    assert export.status_code == 302
    assert not Event.objects.filter(name="export.made").exists()


def test_a_page_takes_few_statements_however_many_lines(
    alice, login, django_assert_max_num_queries
):
    for number in range(30):
        offer = make.offer(f"Offer {number}")
        with context.acting(user=alice):
            grant = make.grant(contact=make.contact(), offer=offer)
            grant.revoke()
            Enrollment.objects.latest("pk").switch(on=False)
    browser = login(alice)
    browser.get(AUDIT)
    with django_assert_max_num_queries(10):
        assert len(texts(browser.get(AUDIT))) == 50


def test_the_export_holds_what_is_filtered_and_is_recorded(story, alice, bob, login):
    query = {"who": str(alice.pk), "what": "people"}
    response = login(alice).post(reverse("portal:audit_export"), query)
    text = response.getvalue().decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["Who"], row["What"], row["Name"], row["Email"], row["Event"], row["Cause"]) == (
        "alice@example.com",
        BLOCKED,
        "Bob Baker",
        "bob@example.com",
        "contact.blocked",
        "request:1",
    )
    made = Event.objects.get(name="export.made")
    assert (made.actor, made.data["what"]) == (alice, "audit")
    assert made.data["query"] == f"who={alice.pk}&what=people"


def test_the_export_goes_on_over_several_batches_and_runs_nothing(alice, login, monkeypatch, db):
    monkeypatch.setattr("portal.spreadsheets.BATCH", 3)
    with context.acting(user=alice), transaction.atomic():
        reasons = [(None, {"reason": f"=1+{n}"}) for n in range(8)]
        record_many(Name.CONTACT_BLOCKED, reasons)
    response = login(alice).post(reverse("portal:audit_export"), {"what": "contact.blocked"})
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"), newline="")))
    assert [row["Details"] for row in rows] == [f"'=1+{n}" for n in range(7, -1, -1)]


def test_nothing_is_exported_by_get(alice, login):
    assert login(alice).get(reverse("portal:audit_export")).status_code == 405


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.SUPPORT, 403), (Role.MODERATOR, 403)],
)
def test_who_may_read_the_audit(login, db, role, status):
    browser: Client = login(make.staff(role))
    with transaction.atomic():
        event = record(Name.OFFER_PUBLISHED)
    assert browser.get(AUDIT).status_code == status
    assert browser.get(reverse("portal:audit_detail", args=[event.pk])).status_code == status
    assert browser.post(reverse("portal:audit_export")).status_code == status


def test_students_do_not_see_it(bob, login):
    assert login(bob).get(AUDIT).status_code == 403


def test_nothing_about_it_can_be_edited(alice, login, bob):
    """No address but those of reading, and neither takes what is posted."""
    event = Event.objects.latest("pk")
    for name in ("audit_update", "audit_delete"):
        with pytest.raises(NoReverseMatch):
            reverse(f"portal:{name}", args=[event.pk])
    browser = login(alice)
    browser.post(reverse("portal:audit_detail", args=[event.pk]), {"name": "contact.blocked"})
    assert Event.objects.get(pk=event.pk).name == event.name


# Words


def test_a_moved_date_is_told_with_the_one_before(school, bob):
    grant = make.grant(contact=bob, offer=make.offer("Bread"), ends_on=date(2031, 1, 31))
    grant.extend(until=date(2032, 2, 29))
    assert said(Name.OFFER_EXTENDED).startswith(
        "End date changed: Bread · until Jan. 31, 2031 → until Feb. 29, 2032"
    )
    grant.extend(until=None)
    assert "until Feb. 29, 2032 → no end" in said(Name.OFFER_EXTENDED)


def test_pauses_and_ends_are_told(school, bob):
    grant = make.grant(contact=bob, offer=make.offer("Bread"))
    grant.suspend(reason="Chargeback.")
    assert said(Name.OFFER_SUSPENDED) == "Offer suspended: Bread · source: by hand · Chargeback."
    grant.resume()
    assert said(Name.OFFER_RESUMED) == "Offer resumed: Bread · source: by hand"
    with transaction.atomic():
        record(Name.OFFER_EXPIRED, contact=bob, offer=grant.offer_id, ends_on="2026-01-31")
    assert said(Name.OFFER_EXPIRED) == "Offer expired: Bread · ended on Jan. 31, 2026"


def test_a_changed_enrollment_is_told_with_its_values(school, bob):
    make.grant(contact=bob, offer=make.offer("Bread"))
    mine = Enrollment.objects.get()
    mine.change(enrolled_on=date(2026, 1, 2), learning_status=LearningStatus.CANCELED)
    assert said(Name.ENROLLMENT_CHANGED) == (
        "Enrollment changed: Bread · enrolled on Jan. 2, 2026 · learning status: Canceled"
    )
    mine.switch(on=False)
    assert said(Name.ENROLLMENT_CHANGED) == "Enrollment changed: Bread · switched off"
    mine.switch(on=True)
    assert said(Name.ENROLLMENT_CHANGED) == "Enrollment changed: Bread · switched on"
    Enrollment.objects.update(started_at=now())
    mine.restart()
    assert said(Name.ENROLLMENT_CHANGED) == "Enrollment changed: Bread · begun anew, attempt 2"


def test_imports_exports_roles_and_settings_are_told(alice, login, bob):
    with transaction.atomic():
        record(Name.IMPORT_FINISHED, batch=5, created=1200, updated=0, failed=3)
        record(Name.IMPORT_UNDONE, batch=5, revoked=7, archived=2)
        record(Name.EXPORT_MADE, what="contacts", format="xlsx", query="q=ana", chosen=4)
        record(Name.SETTINGS_CHANGED, fields=["name", "time_zone"])
        record(Name.CONTACT_REPAIRED, contact=bob, mended=["login_address"])
    assert said(Name.IMPORT_FINISHED) == "Import finished · 1,200 created · 3 failed"
    assert said(Name.IMPORT_UNDONE) == "Import undone · 7 grants revoked · 2 contacts archived"
    assert (
        said(Name.EXPORT_MADE)
        == "Export made · Contacts, XLSX · chosen contacts: 4 · filter: q=ana"
    )
    assert said(Name.SETTINGS_CHANGED) == "Settings changed · name · time zone"
    with transaction.atomic():
        fields = ["needs_second_factor", "credentials", "default_password", "max_sessions"]
        now_is = {"needs_second_factor": False, "credentials": "default", "max_sessions": None}
        record(Name.SETTINGS_CHANGED, fields=fields, **now_is)
    assert said(Name.SETTINGS_CHANGED) == (
        "Settings changed · staff need a second factor: No"
        " · welcome mail carries: The default password for new members"
        " · default password · browsers a student may be logged in with: —"
    )
    assert said(Name.CONTACT_REPAIRED) == "Contact repaired · login_address"
    member = make.staff(Role.SUPPORT, email="sue@example.com")
    type(member).objects.appoint(email=member.email, role=Role.ADMIN)
    assert said(Name.ROLE_CHANGED) == "Role changed: sue@example.com · Support → Administrator"
    member.refresh_from_db()
    member.change_role(Role.ADMIN, withheld=["export"])
    assert said(Name.ROLE_CHANGED) == (
        "Role changed: sue@example.com · Administrator · withheld: Export contacts and enrollments"
    )
    [finished] = sentences([Event.objects.get(name=Name.IMPORT_FINISHED)])
    assert finished.url == reverse("enrollments:import_detail", args=[5])


def test_a_mail_that_staff_send_by_hand_is_told_once(alice, login, bob):
    held = Message.objects.create(
        key="x", kind=Kind.REMINDER, cause="x", contact=bob, state=State.SUPPRESSED
    )
    for _press in range(2):
        login(alice).post(reverse("notifications:message_send", args=[held.pk]))
    assert said(Name.MESSAGE_REPLAYED) == "Mail sent by hand · Access ends soon"
    event = Event.objects.get(name=Name.MESSAGE_REPLAYED)
    assert (event.actor, event.contact) == (alice, bob)


def test_archiving_and_coming_back_are_told(bob):
    Contact.objects.filter(pk=bob.pk).archive()
    assert said(Name.CONTACT_ARCHIVED) == "Contact archived"
    Contact.objects.filter(pk=bob.pk).bring_back()
    assert said(Name.CONTACT_UPDATED) == "Contact updated · brought back"


def test_every_event_there_is_has_words_and_a_place_in_a_filter(db):
    from portal.views.audit import GROUPS, _names

    grouped = [name for group in GROUPS for name in _names(group)]
    assert sorted(grouped) == sorted(Name)


def test_a_grant_is_told_on_the_timeline_as_in_the_audit(alice, bob, login):
    with context.acting(user=alice):
        make.grant(contact=bob, offer=make.offer("Bread"), ends_on=date(2031, 1, 31))
    browser = login(alice)
    for url in (AUDIT, reverse("portal:contact_timeline", args=[bob.pk])):
        text = browser.get(url).text
        assert "Offer granted: Bread" in text
        assert "until Jan. 31, 2031" in text
    assert Grant.objects.count() == 1
