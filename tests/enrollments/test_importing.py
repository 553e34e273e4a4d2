"""A members file becomes contacts who hold an offer, and every row says what became of it."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from pathlib import Path

import make
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Tag
from enrollments.importing import Report, import_members
from enrollments.members_file import open_sheet
from enrollments.models import Enrollment, Grant, ImportBatch, ImportFile, ImportRow
from enrollments.models.import_batch import Overtaken, Told
from notifications.models import Message
from portal.clock import Clock
from portal.models import Event, Outbox

HEADER = "Nome;Email;Data de expiração\n"


def read(text: str, *offers, **options) -> Report:
    sheet = open_sheet(io.BytesIO((HEADER + text).encode("cp1252")))
    return import_members(sheet, offers=offers, file_name="members.csv", **options)


def counts(report: Report) -> dict[str, int]:
    return {outcome: number for outcome, number in report.counts.items() if number}


def test_people_become_contacts_with_access_until_the_end_of_that_day(school):
    offer = make.offer()
    assert counts(read("Conceição;Conce@Exemplo.com.br;31/12/2027\n", offer)) == {"created": 1}
    contact = Contact.objects.get(email="conce@exemplo.com.br")
    assert contact.name == "Conceição"
    [grant] = contact.grants.all()
    assert (grant.ends_on, grant.ends_at.isoformat()) == (
        date(2027, 12, 31),
        "2027-12-31T23:00:00+00:00",
    )
    assert grant.source == f"import:{ImportBatch.objects.get().pk}"


def test_the_same_file_again_changes_nothing_and_mails_nobody(school, committed, mailoutbox):
    offer, text = make.offer(), "Ana;ana@x.com;31/12/2027\nBia;bia@x.com;\nCai;cai@x.com;-\n"
    with committed():
        read(text, offer)
    assert len(mailoutbox) == 3
    before = (Grant.objects.count(), Message.objects.count())
    events = set(Event.objects.exclude(name="import.finished").values_list("pk", flat=True))
    with committed():
        assert counts(read(text, offer)) == {"unchanged": 3}
    assert len(mailoutbox) == 3
    assert (Grant.objects.count(), Message.objects.count()) == before
    assert set(Event.objects.exclude(name="import.finished").values_list("pk", flat=True)) == events


def test_a_file_with_a_past_date_twice_does_not_grant_again(school):
    offer, text = make.offer(), "Ana;ana@x.com;31/12/2020\n"
    assert counts(read(text, offer)) == {"created": 1}
    assert counts(read(text, offer)) == {"unchanged": 1}


def test_blank_keeps_and_dash_ends_the_end(school):
    offer = make.offer(default_days=10)
    read("Ana;ana@x.com;31/12/2027\nBia;bia@x.com;\n", offer)
    assert Grant.objects.get(contact__email="bia@x.com").ends_on is not None
    assert counts(read("Ana;ana@x.com;\n", offer)) == {"unchanged": 1}
    assert Grant.objects.get(contact__email="ana@x.com").ends_on == date(2027, 12, 31)
    assert counts(read("Ana;ana@x.com;-\n", offer)) == {"updated": 1}
    assert Grant.objects.get(contact__email="ana@x.com").ends_on is None


def test_who_holds_the_offer_from_elsewhere_has_the_date_set_and_gets_no_second_grant(bob, school):
    offer = make.offer()
    make.grant(contact=bob, offer=offer)
    assert counts(read("Bob Baker;BOB@example.com;31/12/2027\n", offer)) == {"updated": 1}
    [grant] = bob.grants.all()
    assert (grant.source, grant.ends_on) == ("manual", date(2027, 12, 31))


def test_known_people_keep_what_the_file_leaves_blank(bob, school):
    Contact.objects.filter(pk=bob.pk).update(phone="123")
    read(";bob@example.com;\n", make.offer())
    bob.refresh_from_db()
    assert (bob.name, bob.phone) == ("Bob Baker", "123")


def test_a_second_row_of_one_person_is_a_duplicate(school):
    report = read("Ana;ana@x.com;31/12/2027\nAna;ANA@x.com;31/12/2028\n", make.offer())
    assert counts(report) == {"created": 1, "duplicate": 1}
    assert Grant.objects.get().ends_on == date(2027, 12, 31)


def test_bad_rows_are_named_and_the_others_go_in(school):
    report = read("Ana;ana@x.com;31/02/2027\nBia;bia;\nCai;cai@x.com;\n", make.offer())
    assert counts(report) == {"created": 1, "failed": 2}
    assert [(row.number, row.problem.field, row.problem.value) for row in report.failed] == [
        (2, "ends_on", "31/02/2027"),
        (3, "email", "bia"),
    ]


def test_an_external_id_of_somebody_else_fails_its_row_alone(bob, school):
    Contact.objects.filter(pk=bob.pk).update(external_id="A1")
    text = "Email,External ID\nana@x.com,A1\nbia@x.com,B2\ncai@x.com,B2\nbob@example.com,A1\n"
    report = import_members(
        open_sheet(io.BytesIO(text.encode())), offers=[make.offer()], file_name="x"
    )
    assert counts(report) == {"created": 1, "failed": 2, "updated": 1}
    assert "bob@example.com has this id already" in report.failed[0].problem.reason


def test_tags_and_the_day_of_enrollment_come_along(school):
    text = 'Email,Tags,Enrollment date\nana@x.com,"vip, spring",01/02/2025\n'

    def again():
        return counts(
            import_members(open_sheet(io.BytesIO(text.encode())), offers=[offer], file_name="x")
        )

    offer = make.offer()
    assert again() == {"created": 1}
    assert set(Contact.objects.get().tags.values_list("name", flat=True)) == {"vip", "spring"}
    assert Enrollment.objects.get().enrolled_on == date(2025, 2, 1)
    assert again() == {"unchanged": 1}


def test_case_makes_no_second_tag(bob, school):
    bob.tag(["VIP"])
    offer = make.offer()

    def tags_after(rows: str) -> list[list[str]]:
        sheet = open_sheet(io.BytesIO(f"Email,Tags\n{rows}".encode()))
        import_members(sheet, offers=[offer], file_name="x")
        people = Contact.objects.exclude(pk=bob.pk).order_by("email")
        return [sorted(person.tags.values_list("name", flat=True)) for person in people]

    rows = "a@x.com,vip \nb@x.com,Vip;Rye\nc@x.com,rye;Vip;vip\n"
    assert tags_after(rows) == [["VIP"], ["Rye", "VIP"], ["Rye", "VIP"]]
    assert set(Tag.objects.values_list("name", flat=True)) == {"Rye", "VIP"}
    Tag.objects.create(name="vip")  # as an older version let it be
    assert tags_after("d@x.com,vip\n")[-1] == ["vip"]


def test_a_dry_run_tells_the_same_and_leaves_nothing(school):
    offer = make.offer()
    before = Event.objects.count()
    text = "Ana;ana@x.com;31/12/2027\nBia;bia;\n"
    assert counts(read(text, offer, dry_run=True)) == {"created": 1, "failed": 1}
    assert not Contact.objects.exists()
    assert not ImportBatch.objects.exists()
    assert Event.objects.count() == before
    assert counts(read(text, offer)) == {"created": 1, "failed": 1}


def test_several_offers_come_in_one_mail(school, committed, mailoutbox):
    with committed():
        read("Ana;ana@x.com;\n", make.offer("Bread"), make.offer("Cheese"))
    [message] = mailoutbox
    assert "Bread" in message.body
    assert "Cheese" in message.body


def test_without_notice_nobody_is_mailed(school, committed, mailoutbox):
    with committed():
        read("Ana;ana@x.com;\n", make.offer(), notify=False)
    assert not mailoutbox
    assert not Outbox.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_rows(
    school, django_assert_max_num_queries
):
    def rows(first: int, last: int) -> str:
        return "".join(f"N {n};n{n}@x.com;01/01/2028\n" for n in range(first, last))

    offer = make.offer()
    with django_assert_max_num_queries(32) as few:
        read(rows(0, 5), offer)
    with django_assert_max_num_queries(len(few)):
        read(rows(5, 500), offer)


def begun(ago: timedelta, **fields: object) -> ImportBatch:
    """An import from the shell of two rows, one of them done, that was last heard of so long ago."""
    offer = make.offer()
    batch = ImportBatch.objects.begin(file_name="m.csv", offers=[offer], total=2, **fields)
    ImportRow.objects.note(batch, [Told(2, "created", make.contact("Ana").pk)])
    batch.advance(rows=1, counts={"created": 1})
    at = now() - ago
    ImportBatch.objects.filter(pk=batch.pk).update(started_at=at, advanced_at=at)
    return batch


def test_an_import_that_was_killed_in_the_shell_is_called_so_by_the_clock(alice, login, school):
    killed, alive = begun(timedelta(minutes=61)), begun(timedelta(minutes=59))
    waiting = begun(timedelta(days=9))  # from a page: its job goes on
    ImportFile.objects.keep(waiting, b"Email")
    Clock().run_once()
    states = [ImportBatch.objects.get(pk=each.pk).state for each in (killed, alive, waiting)]
    assert states == ["interrupted", "running", "running"]
    staff, page = login(alice), reverse("enrollments:import_detail", args=[killed.pk])
    told = staff.get(page).content.decode()
    assert "This import was interrupted" in told
    assert "1 of 2 rows are done" in told
    assert 'id="import-progress"' not in told
    assert "Interrupted" in staff.get(reverse("enrollments:import_list")).content.decode()


def test_an_import_that_was_killed_can_be_undone(alice, login, school, committed):
    batch = begun(timedelta(hours=2))
    staff, undo = login(alice), reverse("enrollments:import_undo", args=[batch.pk])
    assert staff.post(undo).status_code == 404, "it may run still"
    Clock().run_once()
    assert undo in staff.get(reverse("enrollments:import_detail", args=[batch.pk])).content.decode()
    with committed():
        staff.post(undo)
    assert ImportBatch.objects.get(pk=batch.pk).state == "undone"
    with pytest.raises(Overtaken):  # a process that had slept all the while
        batch.advance(rows=1, counts={"created": 2})


def test_an_import_that_only_slept_goes_on(school):
    batch = begun(timedelta(hours=2))
    ImportBatch.objects.interrupt_silent()
    assert ImportBatch.objects.get(pk=batch.pk).state == "interrupted"
    batch.advance(rows=1, counts={"created": 2})
    assert ImportBatch.objects.get(pk=batch.pk).state == "running"
    ImportBatch.objects.interrupt_silent()
    batch.finish()
    assert ImportBatch.objects.get(pk=batch.pk).state == "done"


def test_the_command_reports_rows_and_ends_with_one(school, tmp_path: Path, capsys):
    make.offer()
    offer = make.offer("Base")
    file = tmp_path / "members.csv"
    file.write_bytes((HEADER + "Ana;ana@x.com;31/12/2027\nBia;bia;\n").encode("cp1252"))
    with pytest.raises(CommandError, match=r"Not imported: 1\. Rows: 3"):
        call_command("import_members", file, offers=[offer.slug], as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert data["counts"] == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "duplicate": 0,
        "failed": 1,
    }
    assert data["failed"][0]["row"] == 3
    with pytest.raises(CommandError, match="There is no offer “nope”"):
        call_command("import_members", file, offers=["nope"])
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_members", tmp_path / "none.csv", offers=[offer.slug])
