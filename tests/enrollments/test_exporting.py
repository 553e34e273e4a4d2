"""Exports hold what the portal knows, run nothing in a spreadsheet, and come back through the import unchanged."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from itertools import product
from zipfile import ZipFile

import make
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.timezone import now
from openpyxl import load_workbook

from accounts.models import Contact, Role
from accounts.selection import Selection
from enrollments import access
from enrollments.exporting import CONTACTS, ENROLLMENTS, EXPORTS, SUBSCRIPTIONS
from enrollments.importing import import_members
from enrollments.members_file import FIELDS, _key, open_sheet
from enrollments.models import Enrollment, Grant, LessonProgress
from enrollments.models.enrollment import LearningStatus
from enrollments.status import AccessStatus, with_access_status
from notifications.models import Message
from offers.models import Lesson
from offers.models.offer import Status as OfferStatus
from portal import spreadsheets
from portal.models import Event
from portal.ui.states import state_label

EVERYBODY = Selection()
LANGUAGES = [code for code, _name in settings.LANGUAGES]
# What people are called, or call themselves to do harm.
NAMES = [
    "José d'Ávila “Zé”",
    'Anna "Annina" Rossi; Bianchi, Verdi',
    "Zoë 🥐 Müller",
    '=HYPERLINK("http://evil.example","x")',
    "'=1+1",
    "''@SUM(A1)",
    "-1",
    "+39 Jane",
    "＝1",
    "'quoted'",
    "O'Brien",
    "<b>&amp;</b>",
    "0012",
    "1e5",
    "–",
]


def table(export, selection=EVERYBODY) -> list[dict[str, str]]:
    """The rows of the CSV, by header."""
    text = b"".join(export.csv(selection)).decode("utf-8-sig")
    header = text.partition("\r\n")[0]
    delimiter = ";" if ";" in header else ","
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def workbook(export, selection=EVERYBODY) -> io.BytesIO:
    file = io.BytesIO()
    export.write_xlsx(file, selection)
    file.seek(0)
    return file


def sheet(export, selection=EVERYBODY):
    return load_workbook(workbook(export, selection)).worksheets[0]


def test_an_enrollment_is_a_row_with_all_that_is_asked_for(school, bob):
    course = make.course("Bread", lessons=3)
    offer = make.offer("Bakery", courses=[course])
    make.grant(contact=bob, offer=offer, ends_on=date(2031, 12, 31), source="import:5")
    enrollment = Enrollment.objects.get()
    enrollment.change(enrolled_on=date(2026, 3, 4))
    enrollment.complete(Lesson.objects.first())
    seen = datetime(2026, 5, 6, 22, 30, tzinfo=timezone.get_fixed_timezone(0))
    Contact.objects.filter(pk=bob.pk).update(last_seen_at=seen)

    assert table(ENROLLMENTS) == [
        {
            "Name": "Bob Baker",
            "Email": "bob@example.com",
            "Course": "Bread",
            "Offer": "Bakery",
            "Cohort": "",
            "Access status": "Active",
            "Learning status": "Active",
            "Progress": "33%",
            "Enrollment date": "2026-03-04",
            "Expiration date": "2031-12-31",
            "Source": "import 5",
            "Last access": "2026-05-07 00:30",  # in Rome
        }
    ]


def test_the_widest_of_the_grants_that_are_held_gives_the_last_day(school, bob):
    course = make.course()
    one, other = (make.offer(title, courses=[course]) for title in ("One", "Other"))
    make.grant(contact=bob, offer=one, ends_on=date(2030, 1, 1))
    make.grant(contact=bob, offer=other, ends_on=date(2031, 1, 1), source="import:1")
    [row] = table(ENROLLMENTS)
    assert (row["Expiration date"], row["Offer"]) == ("2031-01-01", "One, Other")
    assert row["Source"] == "import 1, by hand"

    Grant.objects.get(offer=one).extend(until=None)
    assert table(ENROLLMENTS)[0]["Expiration date"] == "–"

    Grant.objects.get(offer=one).extend(until=date(2020, 1, 1))
    [row] = table(ENROLLMENTS)
    assert (row["Expiration date"], row["Offer"]) == ("2031-01-01", "Other")

    Grant.objects.get(offer=other).revoke()
    [row] = table(ENROLLMENTS)
    assert (row["Access status"], row["Expiration date"], row["Offer"]) == (
        "Expired",
        "2020-01-01",
        "One",
    )

    Grant.objects.get(offer=one).revoke()
    [row] = table(ENROLLMENTS)
    assert (row["Access status"], row["Expiration date"], row["Offer"]) == ("Inactive", "", "Other")


def give(contact, offer, turn, terms) -> None:
    """A grant that has taken this turn."""
    grant = make.grant(contact=contact, offer=offer, **terms)
    if "suspended" in turn:
        Grant.objects.filter(pk=grant.pk).update(suspended_at=now())
    if turn == "revoked":
        grant.revoke()


def test_the_statement_says_of_access_and_progress_what_the_rules_say(school):
    """Every state a grant can be in, alone and beside another, under every kind of offer and switch."""
    today = school.today()
    turns = {
        "live": {},
        "endless": {"ends_on": None},
        "pending": {"starts_at": now() + timedelta(days=5)},
        "ended": {"ends_on": today - timedelta(days=2)},
        "suspended": {},
        "ended while suspended": {"ends_on": today - timedelta(days=2)},
        "suspended before its start": {"starts_at": now() + timedelta(days=5)},
        "revoked": {},
    }
    courses = [make.course(f"{lessons} lessons", lessons=lessons) for lessons in range(4)]
    offers = {
        (course, status): make.offer(
            courses=[course], status=status if status in OfferStatus.values else "active"
        )
        for course, status in product(courses, [*OfferStatus, "another"])
    }
    every = product(turns, ["nothing", *turns], OfferStatus)
    for number, (first, second, status) in enumerate(every, 1):
        course = courses[number % 4]
        contact = make.contact()
        give(contact, offers[course, status], first, turns[first])
        if second != "nothing":
            give(contact, offers[course, "another"], second, turns[second])
        enrollment = Enrollment.objects.get(contact=contact)
        for lesson in Lesson.objects.filter(module__course=course)[: number % 3]:
            LessonProgress.objects.create(
                enrollment=enrollment, attempt=1, lesson=lesson, completed_at=now()
            )
        enrollment.switch(on=number % 10 != 0)
        if number % 7 == 0:
            Enrollment.objects.filter(pk=enrollment.pk).update(started_at=now())
            enrollment.restart()
    labels = {str(status.label): status.value for status in AccessStatus}
    rows = {row["Email"]: row for row in table(ENROLLMENTS)}
    enrollments = with_access_status(Enrollment.objects.select_related("contact", "course"))
    assert len(rows) == enrollments.count() == number
    for enrollment in enrollments:
        row = rows[enrollment.contact.email]
        assert labels[row["Access status"]] == enrollment.access_status, row
        total = courses.index(enrollment.course)
        done = enrollment.progress.filter(attempt=enrollment.attempt).count()
        assert row["Progress"] == f"{100 * done // total if total else 0}%"
        is_open = access.open_courses(enrollment.contact).filter(pk=enrollment.course_id).exists()
        assert is_open == (row["Access status"] == "Active")
    assert {labels[row["Access status"]] for row in rows.values()} == set(AccessStatus.values)


def test_only_grants_of_subscriptions_are_exported_as_subscriptions(school, bob):
    make.grant(contact=bob, offer=make.offer("Base"))
    club = make.offer("Club", kind="subscription")
    granted = make.grant(contact=bob, offer=club, ends_on=date(2031, 1, 31))
    at = datetime(2026, 2, 3, 23, 30, tzinfo=timezone.get_fixed_timezone(0))
    Grant.objects.filter(pk=granted.pk).update(granted_at=at)
    [row] = table(SUBSCRIPTIONS)
    assert row == {
        "Name": "Bob Baker",
        "Email": "bob@example.com",
        "Subscription": "Club",
        "Status": "Live",
        "Creation date": "2026-02-04",  # in Rome
        "Expiration date": "2031-01-31",
        "Source": "by hand",
        "Last access": "",
    }
    granted.suspend()
    assert table(SUBSCRIPTIONS)[0]["Status"] == "Suspended"
    granted.revoke()
    assert table(SUBSCRIPTIONS)[0]["Status"] == "Revoked"


def test_contacts_are_exported_with_every_field(school):
    ana = make.contact(
        "Ana", email="ana@example.com", phone="+39 06 1", language="it", external_id="A-1"
    )
    ana.tag(["vip", "2026"])
    ana.block(reason="Asked for it.")
    day = datetime(2026, 2, 3, 12, 0, tzinfo=timezone.get_fixed_timezone(0))
    Contact.objects.filter(pk=ana.pk).update(
        newsletter_at=day, promotions_at=day, created_at=day, blocked_at=day, last_seen_at=day
    )
    assert table(CONTACTS) == [
        {
            "Name": "Ana",
            "Email": "ana@example.com",
            "Phone": "'+39 06 1",
            "External ID": "A-1",
            "Language": "it",
            "Tags": "2026, vip",
            "Portal status": "Blocked",
            "Created": "2026-02-03 13:00",
            "Last access": "2026-02-03 13:00",
            "Newsletter since": "2026-02-03",
            "Promotions since": "2026-02-03",
            "Blocked since": "2026-02-03",
            "Reason for blocking": "Asked for it.",
        }
    ]


def test_the_portal_status_of_contacts_is_that_of_their_page(school):
    make.contact("nobody yet")
    make.grant(contact=make.contact("holder"))
    make.grant(contact=make.contact("was holder"), ends_on=school.today() - timedelta(days=3))
    Contact.objects.invite([make.contact("invited").pk])
    make.contact("joined").join()
    make.contact("blocked").block()
    statuses = access.with_portal_status(Contact.objects.all())
    rows = {row["Name"]: row["Portal status"] for row in table(CONTACTS)}
    assert rows == {contact.name: str(state_label(contact.portal_status)) for contact in statuses}
    assert len(set(rows.values())) == 5


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@pytest.mark.parametrize("kind", ["enrollments", "contacts"])
def test_a_round_trip_changes_nothing(school, committed, mailoutbox, language, file_format, kind):
    offer = make.offer("Bakery; bread, cakes")
    ends = [None, date(2031, 12, 1), school.today(), date(2020, 2, 29)]
    if (
        kind == "contacts"
    ):  # it tells no dates, so that importing it would grant what has ended anew
        ends.pop()
    for number, name in enumerate(NAMES):
        contact = make.contact(
            name, email=f"o'{number}@example.com", phone="+39 06 1", language="pt-br"
        )
        contact.tag(["=tag", "due parole"])
        make.grant(contact=contact, offer=offer, ends_on=ends[number % len(ends)])
    Enrollment.objects.update(enrolled_on=date(2024, 2, 1))
    revoked = make.contact("Taken back")
    with committed():
        pass
    before = dump()
    file = io.BytesIO()
    with translation.override(language):
        export = EXPORTS[kind]
        if file_format == "csv":
            file.writelines(export.csv(EVERYBODY))
        else:
            export.write_xlsx(file, EVERYBODY)
    rows = len(NAMES) + (kind == "contacts")
    if kind == "contacts":
        make.grant(contact=revoked, offer=offer)
        before = dump()

    with committed():
        report = import_members(open_sheet(file), offers=[offer], file_name="again")

    assert not report.failed
    assert {outcome: n for outcome, n in report.counts.items() if n} == {"unchanged": rows}
    assert dump() == before
    assert not mailoutbox
    assert not Message.objects.exists()


def dump() -> list[object]:
    """All that an import could change."""
    events = Event.objects.exclude(name="import.finished").order_by("pk")
    return [
        *Contact.objects.order_by("pk").values(),
        *Contact.tags.through.objects.order_by("pk").values(),
        *Grant.objects.order_by("pk").values(),
        *Enrollment.objects.order_by("pk").values(),
        *events.values(),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_import_reads_has_headers_it_knows(language):
    wanted = {
        "enrollments": {"name", "email", "enrolled_on", "ends_on"},
        "subscriptions": {"name", "email", "ends_on"},
        "contacts": {"name", "email", "phone", "external_id", "language", "tags"},
    }
    with translation.override(language):
        for name, export in EXPORTS.items():
            headers = [str(column.header) for column in export.columns]
            assert len(set(headers)) == len(headers)
            known = [FIELDS[_key(header)] for header in headers if _key(header) in FIELDS]
            assert sorted(known) == sorted(wanted[name])


@pytest.mark.parametrize("start", [*"=+-@\t\r\n＝＋－＠", "'=", "''+", "'\t"])
def test_no_cell_of_a_csv_begins_like_a_formula(start):
    text = f"{start}1+1"
    assert spreadsheets.defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["O'Brien", "'quoted'", "a=b", "1-1", "–", "", "'"])
def test_other_cells_are_left_as_they_are(text):
    assert spreadsheets.defused(text) == text


def test_a_workbook_holds_texts_dates_and_numbers_and_no_formula(school):
    contact = make.contact("=1+1", phone="+39 06")
    make.grant(contact=contact, offer=make.offer("@SUM(1)"), ends_on=date(2031, 1, 2))
    Contact.objects.update(last_seen_at=now())
    header, row = sheet(ENROLLMENTS).iter_rows()
    assert header[0].font.bold
    cells = {title.value: cell for title, cell in zip(header, row, strict=True)}
    assert (cells["Name"].value, cells["Name"].data_type) == ("=1+1", "s")
    assert (cells["Offer"].value, cells["Offer"].data_type) == ("@SUM(1)", "s")
    assert (cells["Expiration date"].value, cells["Expiration date"].is_date) == (
        datetime(2031, 1, 2),
        True,
    )
    assert cells["Last access"].is_date
    assert cells["Progress"].value == 0
    text = ZipFile(workbook(ENROLLMENTS)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in text
    assert "hyperlink" not in text


def test_a_workbook_bears_what_xml_does_not():
    column = spreadsheets.Column("Text")
    file = io.BytesIO()
    spreadsheets.write_xlsx(file, [column], [[("a\x01b",), ("a\rb\nc\td",), ("é" * 40_000,)]])
    values = [row[0].value for row in load_workbook(file).worksheets[0].iter_rows(min_row=2)]
    assert values == ["a\N{REPLACEMENT CHARACTER}b", "a\nb\nc\td", "é" * 32_767]


def test_more_rows_than_a_sheet_has_go_on_on_the_next(monkeypatch):
    monkeypatch.setattr(spreadsheets, "ROWS_A_SHEET", 2)
    file = io.BytesIO()
    batches = [[(f"{number}",)] for number in range(5)]
    spreadsheets.write_xlsx(file, [spreadsheets.Column("Text")], iter(batches))
    sheets = [
        [row[0].value for row in sheet.iter_rows()] for sheet in load_workbook(file).worksheets
    ]
    assert sheets == [["Text", "0", "1"], ["Text", "2", "3"], ["Text", "4"]]


def test_an_empty_export_is_a_header(school):
    assert table(ENROLLMENTS) == []
    assert [cell.value for cell in next(sheet(ENROLLMENTS).iter_rows())][:2] == ["Name", "Email"]


@pytest.mark.parametrize(
    ("language", "delimiter", "day"), [("en", ",", "2031-01-02"), ("it", ";", "02/01/2031")]
)
def test_a_csv_is_as_the_readers_excel_expects_it(school, bob, language, delimiter, day):
    make.grant(contact=bob, ends_on=date(2031, 1, 2))
    with translation.override(language):
        data = b"".join(ENROLLMENTS.csv(EVERYBODY))
    assert data.startswith(b"\xef\xbb\xbf")
    assert day in data.decode().splitlines()[1].split(delimiter)


@pytest.mark.parametrize("kind", ["enrollment", "subscription", "contact"])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_staff_download_what_is_selected(alice, login, bob, charlie, kind, file_format):
    offer = make.offer(kind="subscription")
    for contact in (bob, charlie):
        make.grant(contact=contact, offer=offer)
    url = reverse(f"enrollments:{kind}_export")
    response = login(alice).post(url, {"q": "baker", "format": file_format})
    assert response.status_code == 200
    assert f'.{file_format}"' in response["Content-Disposition"]
    rows = [row.email for row in open_sheet(io.BytesIO(response.getvalue())).rows()]
    assert rows == ["bob@example.com"]
    chosen = login(alice).post(url, {"ids": [charlie.pk], "format": file_format})
    rows = [row.email for row in open_sheet(io.BytesIO(chosen.getvalue())).rows()]
    assert rows == ["charlie@example.com"]
    first, second = Event.objects.filter(name="export.made").order_by("pk")
    assert (first.actor, first.contact, first.data) == (
        alice,
        None,
        {"what": f"{kind}s", "format": file_format, "query": "q=baker", "chosen": 0},
    )
    assert (second.data["query"], second.data["chosen"]) == ("", 1)


def test_archived_contacts_stay_out(school, bob):
    make.grant(contact=bob)
    Contact.objects.filter(pk=bob.pk).archive()
    assert table(ENROLLMENTS) == table(CONTACTS) == []


def test_a_selection_that_cannot_be_read_exports_nobody_and_says_so(alice, login, bob):
    browser = login(alice)
    url = reverse("enrollments:contact_export")
    response = browser.post(url, {"where": "color:is:red"}, follow=True)
    assert "color" in response.text
    assert not Event.objects.filter(name="export.made").exists()


def test_an_export_is_asked_for_by_post_alone(alice, login):
    assert login(alice).get(reverse("enrollments:contact_export")).status_code == 405


@pytest.mark.parametrize("kind", ["enrollment", "subscription", "contact"])
def test_who_may_export(login, bob, db, kind):
    url = reverse(f"enrollments:{kind}_export")
    assert login(bob).post(url).status_code == 403
    assert login(make.staff(Role.MODERATOR)).post(url).status_code == 403
    assert login(make.staff(Role.SUPPORT)).post(url).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_browser_that_hangs_up_leaves_nothing_open(monkeypatch):
    """Neither a cursor nor a transaction, though the connection lives on."""
    monkeypatch.setattr("enrollments.exporting.BATCH", 1)
    for _n in range(3):
        make.grant(contact=make.contact())
    stream = ENROLLMENTS.csv(EVERYBODY)
    next(stream), next(stream)
    assert open_cursors() == 1
    assert not connection.in_atomic_block
    stream.close()
    assert open_cursors() == 0


def open_cursors() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''")
        return cursor.fetchone()[0]


def test_an_export_is_one_statement_however_many_rows(school, django_assert_num_queries):
    for _n in range(3):
        make.grant(contact=make.contact())
    for export in EXPORTS.values():
        with django_assert_num_queries(2):  # and the school
            list(export.batches(EVERYBODY))


def test_the_command_writes_to_the_shell_or_a_file(school, bob, tmp_path):
    make.grant(contact=bob)
    out = io.StringIO()
    call_command("export_enrollments", stdout=out)
    assert out.getvalue().startswith("\ufeffName,Email,")
    assert "bob@example.com" in out.getvalue()
    for file_format in ("csv", "xlsx"):
        path = tmp_path / f"all.{file_format}"
        call_command("export_enrollments", "--format", file_format, "-o", str(path))
        assert [row.email for row in open_sheet(path).rows()] == ["bob@example.com"]
    assert Event.objects.filter(name="export.made", actor=None).count() == 3


def test_a_workbook_is_not_written_to_the_shell(db):
    with pytest.raises(CommandError) as error:
        call_command("export_enrollments", "--format", "xlsx")
    assert error.value.returncode == 2


def test_a_file_that_cannot_be_written_is_said(school, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_enrollments", "-o", str(tmp_path / "no" / "where.csv"))


def test_learning_status_is_told_in_words(school, bob):
    make.grant(contact=bob)
    Enrollment.objects.get().change(learning_status=LearningStatus.RETURNED)
    assert table(ENROLLMENTS)[0]["Learning status"] == "Returned"
