"""Importing in the browser: upload, see what it would do, let it run, mend, take it back."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.timezone import now

from accounts.models import Contact, Note, Role
from enrollments import importing, undoing
from enrollments.members_file import look_at
from enrollments.models import Enrollment, Grant, ImportBatch, ImportFile, ImportRow
from enrollments.models.import_batch import Overtaken
from notifications.models import Kind, Message
from offers.models.offer import Kind as OfferKind
from offers.models.offer import Status as OfferStatus
from portal import context, jobs
from portal.clock import Clock
from portal.models import Event, Job, School

HEADER = "Nome;Email;Data de expiração\n"
NEW = "/dashboard/imports/new/"


def file(text: str, name: str = "members.csv", header: str = HEADER) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, (header + text).encode())


@pytest.fixture
def staff(alice, school, login) -> Client:
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def upload(staff, committed):
    """Upload a file for some contents, as the form sends it; the dry run follows. Returns the batch."""

    def send(text: str, *contents, header: str = HEADER, **fields) -> ImportBatch:
        chosen = [f"{type(content).__name__.lower()}:{content.pk}" for content in contents]
        fields = {"if_held": "set", "notify": "on"} | fields
        fields = {name: value for name, value in fields.items() if value}
        with committed():
            answer = staff.post(
                NEW, {"file": file(text, header=header), "contents": chosen} | fields
            )
        assert answer.status_code == 302, re.findall("errorlist.*", answer.content.decode())
        return ImportBatch.objects.latest("pk")

    return send


@pytest.fixture
def start(staff, committed):
    """Press "Start import", and let it run to its end."""

    def press(batch: ImportBatch) -> ImportBatch:
        with committed():
            staff.post(reverse("enrollments:import_start", args=[batch.pk]))
        with committed():
            pass  # what the rows themselves set off
        batch.refresh_from_db()
        return batch

    return press


@pytest.fixture
def undo(staff, committed):
    """Confirm the undoing, and let it run to its end."""

    def press(batch: ImportBatch) -> ImportBatch:
        with committed():
            staff.post(reverse("enrollments:import_undo", args=[batch.pk]))
        batch.refresh_from_db()
        return batch

    return press


def page(staff: Client, batch: ImportBatch, query: str = "") -> str:
    text = staff.get(reverse("enrollments:import_detail", args=[batch.pk]) + query).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def counts(batch: ImportBatch) -> dict[str, int]:
    return {outcome: number for outcome, number in batch.counts.items() if number}


# From the file to the access


def test_a_file_is_understood_checked_started_and_told(staff, upload, start, mailoutbox):
    offer = make.offer("Base")
    batch = upload(
        "Ana;ana@x.com;03/04/2027\nBia;bia;\nAna;ANA@x.com;\n",
        offer,
    )
    text = page(staff, batch)
    assert batch.state == "checked"
    assert "UTF-8, separated by semicolons" in text
    assert "3 April 2027" in text.replace("April 3, 2027", "3 April 2027")
    assert "“bia” in “Email” is no e-mail address" in text
    assert counts(batch) == {"created": 1, "duplicate": 1, "failed": 1}
    assert not Contact.objects.filter(email="ana@x.com").exists()
    assert not mailoutbox

    batch = start(batch)

    assert batch.state == "done"
    assert counts(batch) == {"created": 1, "duplicate": 1, "failed": 1}
    grant = Grant.objects.get(contact__email="ana@x.com", offer=offer)
    assert (grant.ends_on, grant.source) == (date(2027, 4, 3), batch.source)
    rows = batch.rows.order_by("number").values_list("number", "outcome", "contact__email")
    assert list(rows) == [(2, "created", "ana@x.com"), (3, "failed", None), (4, "duplicate", None)]
    assert "Ana ana@x.com" in page(staff, batch, "?outcome=created")
    assert "Ana ana@x.com" not in page(staff, batch, "?outcome=failed")


def test_one_mail_tells_whoever_started_it(upload, start, alice, mailoutbox, committed):
    batch = start(upload("Ana;ana@x.com;\nBia;bia;\n", make.offer("Base")))
    told = [mail for mail in mailoutbox if mail.to == [alice.email]]
    assert len(mailoutbox) == 2, "hers, and the one Ana gets"
    [mail] = told
    assert mail.subject == "Import finished: members.csv"
    assert "Created: 1" in mail.body
    assert "1 row was not imported" in mail.body
    assert reverse("enrollments:import_detail", args=[batch.pk]) in mail.body
    start(batch)
    assert len(mailoutbox) == 2
    assert Message.objects.get(kind=Kind.IMPORT_FINISHED).user == alice


def test_the_same_file_again_changes_nothing_and_mails_only_the_result(upload, start, mailoutbox):
    offer, text = make.offer(), "Ana;ana@x.com;31/12/2027\nBia;bia@x.com;\n"
    start(upload(text, offer))
    mailoutbox.clear()
    batch = start(upload(text, offer))
    assert counts(batch) == {"unchanged": 2}
    assert [mail.subject for mail in mailoutbox] == ["Import finished: members.csv"]
    assert not Event.objects.filter(cause=batch.source).exclude(name="import.finished").exists()


def test_who_imported_what_is_in_the_log(upload, start, undo, alice):
    batch = undo(start(upload("Ana;ana@x.com;\n", make.offer())))
    finished, undone = Event.objects.filter(name__startswith="import.").order_by("pk")
    assert (finished.name, finished.actor, finished.data["batch"]) == (
        "import.finished",
        alice,
        batch.pk,
    )
    assert finished.data["created"] == 1
    assert (undone.name, undone.actor, undone.data["revoked"]) == ("import.undone", alice, 1)


def test_without_the_tick_nobody_is_mailed(upload, start, alice, mailoutbox):
    start(upload("Ana;ana@x.com;\n", make.offer(), notify=""))
    assert [mail.to for mail in mailoutbox] == [[alice.email]]


@pytest.mark.parametrize(
    ("if_held", "expected"),
    [
        ("set", [date(2026, 12, 1), date(2028, 1, 1)]),
        ("extend", [date(2027, 6, 1), date(2028, 1, 1)]),
        ("leave", [date(2027, 6, 1), date(2027, 6, 1)]),
    ],
)
def test_who_holds_it_is_left_extended_or_set(upload, start, bob, charlie, if_held, expected):
    offer = make.offer()
    for person in (bob, charlie):
        make.grant(contact=person, offer=offer, ends_on=date(2027, 6, 1))
    start(
        upload(
            ";bob@example.com;01/12/2026\n;charlie@example.com;01/01/2028\n", offer, if_held=if_held
        )
    )
    assert [person.grants.get().ends_on for person in (bob, charlie)] == expected


def test_only_dates_moves_those_of_holders_and_names_the_others(
    upload, start, staff, bob, charlie, mailoutbox
):
    offer = make.offer("Base")
    held = make.grant(contact=bob, offer=offer, ends_on=date(2027, 6, 1))
    batch = start(
        upload(
            "X;bob@example.com;01/12/2027\n;charlie@example.com;01/12/2027\n;new@x.com;01/12/2027\n",
            offer,
            only_dates="on",
        )
    )
    held.refresh_from_db()
    assert held.ends_on == date(2027, 12, 1)
    assert counts(batch) == {"updated": 1, "failed": 2}
    assert "charlie@example.com does not hold “Base”" in page(staff, batch)
    assert Grant.objects.count() == 1
    assert not Contact.objects.filter(email="new@x.com").exists()
    assert Contact.objects.get(pk=bob.pk).name == "Bob Baker"
    assert len(mailoutbox) == 1


def test_only_dates_opens_what_had_ended_again(upload, start, bob):
    offer = make.offer()
    ended = make.grant(contact=bob, offer=offer, ends_on=date(2020, 1, 1))
    batch = start(upload(";bob@example.com;01/12/2027\n", offer, only_dates="on"))
    ended.refresh_from_db()
    assert (ended.ends_on, ended.is_live) == (date(2027, 12, 1), True)
    assert counts(batch) == {"updated": 1}


def test_only_dates_and_leaving_them_is_a_contradiction(staff):
    offer = make.offer()
    answer = staff.post(
        NEW,
        {
            "file": file("A;a@x.com;\n"),
            "contents": f"offer:{offer.pk}",
            "only_dates": "on",
            "if_held": "leave",
        },
    )
    assert (answer.status_code, "would do nothing" in answer.content.decode()) == (200, True)
    assert not ImportBatch.objects.exists()


# For which contents


def test_a_course_of_one_offer_is_given_through_it(upload, start):
    offer = make.offer("Base")
    batch = start(upload("Ana;ana@x.com;\n", offer.courses.get()))
    assert list(batch.offers.all()) == [offer]
    assert Enrollment.objects.get().course == offer.courses.get()


def test_a_course_of_several_offers_asks_which(staff, upload, committed):
    course = make.course("Sourdough")
    one, two = (make.offer(title, courses=[course]) for title in ("One", "Two"))
    make.offer("Old", courses=[course], status=OfferStatus.ARCHIVED)
    batch = upload("Ana;ana@x.com;\n", course)
    assert batch.state == "uploaded"
    text = page(staff, batch)
    assert "Through which offer do they get “Sourdough”?" in text
    assert "Old" not in text
    url = reverse("enrollments:import_detail", args=[batch.pk])
    assert staff.post(url).status_code == 200
    with committed():
        staff.post(url, {f"course_{course.pk}": two.pk})
    batch.refresh_from_db()
    assert (batch.state, list(batch.offers.all())) == ("checked", [two])
    assert one not in batch.offers.all()


def test_a_course_and_one_of_its_offers_ask_nothing(upload):
    course = make.course()
    one, _two = (make.offer(title, courses=[course]) for title in ("One", "Two"))
    batch = upload("Ana;ana@x.com;\n", course, one)
    assert (batch.state, list(batch.offers.all())) == ("checked", [one])


def test_a_course_of_no_offer_says_the_way_out(staff):
    course = make.course("Lonely")
    answer = staff.post(
        NEW, {"file": file(""), "contents": f"course:{course.pk}", "if_held": "set"}
    ).content.decode()
    assert "“Lonely” is in no offer that can be given." in answer
    assert f"{reverse('offers:offer_create')}?course={course.pk}" in answer


def test_subscriptions_courses_and_offers_are_listed_apart(staff):
    make.course("Sourdough")
    make.offer("Bread", courses=[])
    make.offer("Club", courses=[], kind=OfferKind.SUBSCRIPTION)
    page = staff.get(NEW).content.decode()
    text = re.sub(r"<[^>]+>", " ", page[page.index("For which contents?") :])
    assert re.search(r"Courses\s+Sourdough\s+Subscriptions\s+Club\s+Offers\s+Bread", text)


# Refused files


def test_a_refused_file_leaves_nothing(staff):
    offer = make.offer()
    answer = staff.post(
        NEW,
        {"file": file("x", header="Foo\n"), "contents": f"offer:{offer.pk}", "if_held": "set"},
    )
    assert answer.status_code == 200
    assert "no column for the e-mail address" in answer.content.decode()
    assert not ImportBatch.objects.exists()


def test_a_large_file_is_refused_with_one_sentence(staff, settings):
    settings.IMPORT_MAX_BYTES = 1000
    offer = make.offer()
    answer = staff.post(
        NEW,
        {"file": file("x" * 1000), "contents": f"offer:{offer.pk}", "if_held": "set"},
    )
    assert answer.status_code == 200
    assert "The file is larger than 1000" in answer.content.decode()
    assert not ImportFile.objects.exists()


def test_too_many_rows_are_found_by_the_check_and_the_file_is_forgotten(staff, upload, settings):
    settings.IMPORT_MAX_ROWS = 2
    batch = upload("A;a@x.com;\nB;b@x.com;\nC;c@x.com;\n", make.offer())
    assert batch.state == "refused"
    assert "The file has more than 2 rows" in page(staff, batch)
    assert not ImportFile.objects.exists()
    staff.post(reverse("enrollments:import_start", args=[batch.pk]))
    batch.refresh_from_db()
    assert batch.state == "refused"


def test_a_check_that_was_killed_once_it_had_refused_the_file_is_over(upload, settings):
    settings.IMPORT_MAX_ROWS = 2
    upload("A;a@x.com;\nB;b@x.com;\nC;c@x.com;\n", make.offer())
    job = Job.objects.get(kind="check_import")
    Job.objects.filter(pk=job.pk).update(state="waiting", lease_until=None, next_attempt_at=now())
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.last_error) == ("done", "")


def test_dates_cannot_be_changed_by_a_file_without_any(staff):
    offer = make.offer()
    answer = staff.post(
        NEW,
        {
            "file": file("a@x.com", header="Email\n"),
            "contents": f"offer:{offer.pk}",
            "only_dates": "on",
            "if_held": "set",
        },
    )
    assert "no column with a date" in answer.content.decode()


# While it runs


def test_the_bar_moves_and_the_page_comes_back_when_it_is_done(staff, upload, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    batch = upload("".join(f"N;n{n}@x.com;\n" for n in range(5)), make.offer())
    batch.start()
    url = reverse("enrollments:import_detail", args=[batch.pk])
    htmx = {"HX-Request": "true"}
    waiting = staff.get(url, headers=htmx)
    assert "0 of 5" in waiting.content.decode()
    assert "<html" not in waiting.content.decode()
    assert 'hx-trigger="every 1s"' in staff.get(url).content.decode()
    ImportBatch.objects.update(done=4)
    assert "4 of 5" in staff.get(url, headers=htmx).content.decode()
    ImportBatch.objects.update(finished_at=batch.started_at)
    assert staff.get(url, headers=htmx).headers["HX-Refresh"] == "true"


def test_work_that_was_given_up_says_so(staff, upload):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    batch.start()
    Job.objects.filter(key=f"run_import:{batch.pk}").update(state="dead")
    assert "stands still" in page(staff, batch)


def test_a_batch_goes_on_where_it_stood_and_knows_the_rows_before(upload, monkeypatch, school):
    monkeypatch.setattr(importing, "BATCH", 2)
    monkeypatch.setattr(
        "enrollments.jobs._until_tired", lambda step: not step()
    )  # one step a slice
    batch = upload("".join(f"N;n{n % 3}@x.com;\n" for n in range(7)), make.offer())
    assert counts(batch) == {"created": 3, "duplicate": 4}


def test_an_import_stops_where_its_starter_may_no_more(staff, alice, upload, monkeypatch, school):
    monkeypatch.setattr(importing, "BATCH", 2)
    monkeypatch.setattr("enrollments.jobs._until_tired", lambda step: not step())
    batch = upload("".join(f"N;n{n}@x.com;\n" for n in range(7)), make.offer())
    sam = make.staff(Role.SUPPORT)
    with context.acting(user=sam):
        batch.start()
    job = Job.objects.get(key=f"run_import:{batch.pk}")
    jobs.run(job.pk)
    with context.acting(user=alice):
        sam.change_role(Role.MODERATOR)
    for _ in range(5):
        jobs.run(job.pk)
    assert Grant.objects.count() == 2
    text = page(staff, batch)
    assert "This import was interrupted" in text
    assert "Whoever started it may not do this any more. 2 of 7 rows are done. Import the" in text
    assert "in the shell" not in text


DAYS = ("uploaded", "check_started", "checked", "started", "finished", "interrupted", "undone")


@pytest.mark.parametrize(
    ("last", "ago", "is_kept"),
    [
        ("uploaded", 91, False),  # the question was never answered
        ("uploaded", 89, True),
        ("checked", 91, False),
        ("checked", 89, True),
        ("started", 91, True),  # it is not over
        ("finished", 91, False),
        ("finished", 89, True),
        ("interrupted", 91, False),
        ("interrupted", 89, True),
        ("undone", 91, False),
        ("undone", 89, True),
    ],
)
def test_a_file_is_kept_for_90_days_from_the_last_that_was_done_with_it(upload, last, ago, is_kept):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    days = list(DAYS[: DAYS.index(last) + 1])
    if last == "interrupted":
        days.remove("finished")
    times = {f"{day}_at": now() - timedelta(days=99) for day in days}
    times |= {f"{last}_at": now() - timedelta(days=ago)}
    nothing = {f"{day}_at": None for day in DAYS[1:]}
    ImportBatch.objects.filter(pk=batch.pk).update(**nothing | times)
    Clock().beat()
    assert ImportFile.objects.exists() is is_kept


def test_what_was_checked_cannot_be_started_once_its_file_is_gone(staff, upload, start):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    assert "Start import" in page(staff, batch)
    ImportFile.objects.all().delete()
    assert "Start import" not in page(staff, batch)
    assert start(batch).state == "checked"


def test_a_second_worker_on_the_same_rows_does_nothing(upload, school):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    batch.start()
    late = ImportBatch.objects.get(pk=batch.pk)
    ImportBatch.objects.update(done=1)
    sheet = look_at(io.BytesIO(bytes(late.file.content)))
    with pytest.raises(Overtaken):
        importing.Importer(late, sheet).step()
    assert not Contact.objects.filter(email="ana@x.com").exists()
    assert not ImportRow.objects.exists()


# Mending


def test_failed_rows_are_downloaded_mended_and_uploaded_again(staff, upload, start):
    offer = make.offer()
    batch = start(upload("Ana;ana@x.com;\nBia;bia;31/12/2027\n=Cai;cai@x.com;31/02/2027\n", offer))
    answer = staff.get(reverse("enrollments:import_failed_rows", args=[batch.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    header, first, second = csv.reader(io.StringIO(text), delimiter=";")
    assert header == ["Nome", "Email", "Data de expiração", "Why it was not imported"]
    assert first[:3] == ["Bia", "bia", "31/12/2027"]
    assert "no e-mail address" in first[3]
    assert second[0] == "'=Cai", "no spreadsheet runs it"

    mended = text.replace(";bia;", ";bia@x.com;").replace("31/02/2027", "28/02/2027")
    again = start(upload(mended, offer, header=""))
    assert counts(again) == {"created": 2}
    assert Grant.objects.get(contact__email="bia@x.com").ends_on == date(2027, 12, 31)
    assert Contact.objects.get(email="cai@x.com").name == "=Cai"


def test_the_reason_of_an_earlier_round_is_replaced(staff, upload, committed):
    offer = make.offer()
    text = "Nome;Email;Why it was not imported\nBia;bia;old words\n"
    with committed():
        staff.post(
            NEW,
            {"file": file("", header=text), "contents": f"offer:{offer.pk}", "if_held": "set"},
        )
    batch = ImportBatch.objects.get()
    answer = staff.get(reverse("enrollments:import_failed_rows", args=[batch.pk]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "Nome;Email;Why it was not imported"
    assert "old words" not in lines[1]


@pytest.mark.parametrize(
    ("language", "header"),
    [
        ("en", "Name,Email,Expiration date"),
        ("it", "Nome;Email;Data di scadenza"),
        ("pt-br", "Nome;Email;Data de expiração"),
    ],
)
def test_the_template_speaks_the_readers_language(staff, alice, language, header):
    type(alice).objects.filter(pk=alice.pk).update(language=language)
    answer = staff.get(reverse("enrollments:import_template"))
    assert b"".join(answer.streaming_content).decode("utf-8-sig").strip() == header


def test_reasons_are_told_in_the_language_of_the_uploader(staff, alice, upload):
    type(alice).objects.filter(pk=alice.pk).update(language="it")
    batch = upload("Bia;bia;\n", make.offer())
    assert batch.language == "it"
    with translation.override("it"):
        expected = translation.gettext(
            "“%(value)s” in “%(column)s” is no e-mail address. Write it like anna@example.com."
        ) % {"value": "bia", "column": "Email"}
    assert batch.rows.get().reason == expected


# Undoing


def test_it_is_offered_on_whatever_page_of_the_rows_one_is(staff, upload, start):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    assert "Undo…" not in page(staff, batch)
    batch = start(batch)
    for query in ("", "?outcome=created", "?outcome=failed", "?after=2"):
        assert "Undo…" in page(staff, batch, query), query
    assert "No row has this outcome." in page(staff, batch, "?outcome=failed")
    past = page(staff, batch, "?after=2")
    assert "Nothing more here First page" in past
    assert "No row has this outcome." not in past


def test_nothing_is_not_undone(staff, upload):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    batch.start()
    batch.interrupt()
    assert "This import was interrupted" in page(staff, batch)
    assert "Undo…" not in page(staff, batch)


def test_undoing_revokes_and_archives_and_the_next_import_brings_back(staff, upload, start, undo):
    offer, text = make.offer(), "Ana;ana@x.com;\n"
    batch = start(upload(text, offer))
    question = staff.get(reverse("enrollments:import_undo", args=[batch.pk])).content.decode()
    assert "Revokes 1 grant." in question
    assert "Archives 1 contact it created who has nothing else." in question
    batch = undo(batch)
    assert batch.state == "undone"
    assert batch.undo_counts == {
        "revoked": 1,
        "reset": 0,
        "dates_left": 0,
        "archived": 1,
        "contacts_left": 0,
    }
    ana = Contact.objects.get(email="ana@x.com")
    assert ana.archived_at is not None
    assert not ana.grants.live().exists()
    assert "Contacts archived 1" in page(staff, batch)
    assert undo(batch).undo_counts["revoked"] == 1

    again = start(upload(text, offer))
    assert counts(again) == {"updated": 1}
    ana.refresh_from_db()
    assert ana.archived_at is None
    assert ana.grants.live().count() == 1


def test_a_temporary_password_is_no_reason_to_keep_a_contact(upload, start, undo):
    School.objects.update(credentials="provisional")
    batch = start(upload("Ana;ana@x.com;\n", make.offer()))
    ana = Contact.objects.get(email="ana@x.com")
    assert ana.user.temporary_until
    undo(batch)
    ana.refresh_from_db()
    assert ana.archived_at


def test_undoing_resets_a_date_only_where_it_still_is_what_the_import_set(
    upload, start, undo, staff, bob, charlie
):
    offer = make.offer()
    kept = make.grant(contact=bob, offer=offer, ends_on=date(2027, 6, 1))
    moved = make.grant(contact=charlie, offer=offer)
    batch = start(upload(";bob@example.com;01/12/2027\n;charlie@example.com;01/12/2027\n", offer))
    moved.extend(until=date(2029, 1, 1))
    question = staff.get(reverse("enrollments:import_undo", args=[batch.pk])).content.decode()
    assert "Sets 1 end date back" in question
    assert "Leaves 1 end date that somebody changed since." in question
    batch = undo(batch)
    for grant in (kept, moved):
        grant.refresh_from_db()
    assert (kept.ends_on, moved.ends_on) == (date(2027, 6, 1), date(2029, 1, 1))
    assert kept.is_live
    assert (batch.undo_counts["reset"], batch.undo_counts["dates_left"]) == (1, 1)


def test_undoing_stops_where_whoever_asked_for_it_may_no_more(
    staff, alice, upload, start, monkeypatch, school
):
    batch = start(upload("".join(f"N;n{n}@x.com;\n" for n in range(3)), make.offer()))
    monkeypatch.setattr(undoing, "SLICE", 1)
    monkeypatch.setattr("enrollments.jobs._until_tired", lambda step: not step())
    sam = make.staff(Role.SUPPORT)
    with context.acting(user=sam):
        batch.undo()
    job = Job.objects.get(key=f"undo_import:{batch.pk}")
    jobs.run(job.pk)
    with context.acting(user=alice):
        sam.change_role(Role.MODERATOR)
    for _ in range(3):
        jobs.run(job.pk)
    assert Grant.objects.filter(revoked_at=None).count() == 2
    batch.refresh_from_db()
    assert (batch.state, batch.undo_counts["revoked"]) == ("undone", 1)
    assert "Whoever started it may not do this any more." in page(staff, batch)


def test_an_undoing_that_came_to_its_end_does_not_say_it_stopped(staff, upload, start, undo):
    batch = undo(start(upload("Ana;ana@x.com;\n", make.offer())))
    assert "may not do this any more" not in page(staff, batch)


def test_undoing_closes_again_what_the_import_had_opened_anew(upload, start, undo, bob):
    offer = make.offer()
    grant = make.grant(contact=bob, offer=offer, ends_on=date(2020, 1, 1))
    undo(start(upload(";bob@example.com;01/12/2027\n", offer)))
    grant.refresh_from_db()
    assert (grant.ends_on, grant.state) == (date(2020, 1, 1), "ended")


@pytest.mark.parametrize(
    "deed", ["another grant", "a login", "a password", "an edit", "a tag", "a note", "a block"]
)
def test_undoing_keeps_a_contact_who_has_become_more(upload, start, undo, deed):
    batch = start(upload("Ana;ana@x.com;\nBia;bia@x.com;\n", make.offer()))
    ana = Contact.objects.get(email="ana@x.com")
    match deed:
        case "another grant":
            make.grant(contact=ana)
        case "a login":
            ana.join()
        case "a password":
            ana.user.set_password(make.PASSWORD)
            ana.user.save()
        case "an edit":
            ana.change(phone="123")
        case "a tag":
            ana.tag(["vip"])
        case "a note":
            Note.objects.create(contact=ana, text="Called.")
        case "a block":
            ana.block()
    batch = undo(batch)
    assert (batch.undo_counts["archived"], batch.undo_counts["contacts_left"]) == (1, 1)
    assert Contact.objects.present().filter(email="ana@x.com").exists()
    assert not Contact.objects.present().filter(email="bia@x.com").exists()
    assert not Grant.objects.live().filter(source=batch.source).exists()


def test_undoing_leaves_people_it_did_not_create(upload, start, undo, bob):
    undo(start(upload("Bob;bob@example.com;\n", make.offer())))
    assert Contact.objects.present().filter(pk=bob.pk).exists()


def test_undoing_goes_on_where_it_stood(upload, start, undo, monkeypatch):
    monkeypatch.setattr(undoing, "SLICE", 2)
    monkeypatch.setattr("enrollments.jobs._until_tired", lambda step: not step())
    batch = undo(start(upload("".join(f"N;n{n}@x.com;\n" for n in range(5)), make.offer())))
    assert (batch.undo_counts["revoked"], batch.undo_counts["archived"]) == (5, 5)
    assert batch.done == 5


def test_what_is_not_done_cannot_be_undone(staff, upload):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    assert staff.post(reverse("enrollments:import_undo", args=[batch.pk])).status_code == 404


# Who, and how much it costs


@pytest.mark.parametrize(
    ("role", "status"), [(Role.OWNER, 200), (Role.SUPPORT, 200), (Role.MODERATOR, 403)]
)
def test_whoever_may_manage_access_may_import(upload, login, role, status):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    browser = login(make.staff(role))
    for url in (
        NEW,
        reverse("enrollments:import_list"),
        reverse("enrollments:import_template"),
        reverse("enrollments:import_detail", args=[batch.pk]),
        reverse("enrollments:import_failed_rows", args=[batch.pk]),
    ):
        assert browser.get(url).status_code == status
    start = browser.post(reverse("enrollments:import_start", args=[batch.pk]))
    assert start.status_code == (302 if status == 200 else 403)


def test_students_and_strangers_may_not(upload, login, client, bob):
    batch = upload("Ana;ana@x.com;\n", make.offer())
    url = reverse("enrollments:import_start", args=[batch.pk])
    assert login(bob).post(url).status_code == 403
    assert client.post(url).headers["Location"].startswith("/account/login/")
    batch.refresh_from_db()
    assert batch.state == "checked"


def test_the_history_names_file_person_and_numbers_and_is_paged(staff, upload, start, monkeypatch):
    monkeypatch.setattr("enrollments.views.imports.PAGE", 1)
    first = start(upload("Ana;ana@x.com;\n", make.offer("Base")))
    second = upload("Ana;ana@x.com;\n", make.offer("Gift"))
    newest = staff.get(reverse("enrollments:import_list")).content.decode()
    assert "Gift" in newest
    assert "Base" not in newest
    older = staff.get(reverse("enrollments:import_list"), {"before": second.pk}).content.decode()
    assert "alice@example.com" in older
    assert reverse("enrollments:import_detail", args=[first.pk]) in older


def test_no_page_asks_more_for_more_rows(
    staff, upload, start, django_assert_max_num_queries, monkeypatch
):
    offer = make.offer()
    few = start(upload("Ana;ana0@x.com;01/01/2028\nB;b;\n", offer))
    many = start(upload("".join(f"N;n{n}@x.com;01/01/2028\nB;b{n};\n" for n in range(60)), offer))
    for name in ("import_detail", "import_undo", "import_failed_rows"):
        with django_assert_max_num_queries(25) as asked:
            b"".join(staff.get(reverse(f"enrollments:{name}", args=[few.pk])))
        with django_assert_max_num_queries(len(asked)):
            b"".join(staff.get(reverse(f"enrollments:{name}", args=[many.pk])))
    with django_assert_max_num_queries(12):
        staff.get(reverse("enrollments:import_list"))


def test_rows_are_paged_by_number(staff, upload, start):
    batch = start(upload("".join(f"N;n{n}@x.com;\n" for n in range(60)), make.offer()))
    first = page(staff, batch)
    assert "n48@x.com" in first.replace("n49@x.com", "n48@x.com")
    assert "n55@x.com" not in first
    later = page(staff, batch, "?after=51")
    assert "n55@x.com" in later
    assert "n10@x.com" not in later
    assert "n10@x.com" in page(staff, batch, "?before=52")
