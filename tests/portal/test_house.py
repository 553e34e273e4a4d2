"""The front page of staff, settings, probes, errors, logs, the caught mail."""

from __future__ import annotations

import threading

import make
import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import Role
from portal.clock import Crew
from portal.models import Event, Heartbeat, Job, Outbox, School


def test_the_dashboard_says_what_needs_a_person_and_lets_it_be_tried_again(alice, bob, login):
    staff = login(alice)
    calm = staff.get("/dashboard/").content.decode()
    event = Event.objects.first()
    Outbox.objects.update_or_create(event=event, defaults={"dead_at": now(), "attempts": 8})
    job = Job.objects.create(kind="move_ends", key="x", state="dead", last_error="boom")
    alarmed = staff.get("/dashboard/").content.decode()
    for address in (f"/dashboard/events/{event.pk}/replay/", f"/dashboard/jobs/{job.pk}/replay/"):
        assert address not in calm
        assert address in alarmed
        assert staff.post(address).status_code == 302
        assert staff.get(address).status_code == 405
    assert Outbox.objects.due().filter(pk=event.pk).exists()
    assert Job.objects.due().filter(pk=job.pk).exists()


def test_the_front_page_shows_moderators_nothing_but_their_own_work(login, school):
    page = login(make.staff(Role.MODERATOR)).get("/dashboard/").content.decode()
    assert page.count("Read the comments") == 1
    for other in ("What needs a person", "The last four weeks", "How many contacts there are"):
        assert other not in page
        assert other in login(make.staff(Role.SUPPORT)).get("/dashboard/").content.decode()


def test_the_menu_keeps_its_place_in_rooms_without_an_entry(alice, bob, login, school):
    lesson = make.lesson(make.course())
    places = {
        "/dashboard/": "Home",
        f"/dashboard/lessons/{lesson.pk}/": "Courses",
        f"/dashboard/modules/{lesson.module_id}/": "Courses",
        "/dashboard/quiz-attempts/": "Courses",
        f"/dashboard/grants/{make.grant(contact=bob).pk}/extend/": "Contacts",
        "/dashboard/imports/": "Contacts",
        "/dashboard/bulk/": "Contacts",
        "/dashboard/portal-users/": "Portal users",
    }
    for url, label in places.items():
        menu = login(alice).get(url).context["menu"]
        assert [str(item.label) for item in menu if item.is_current] == [label], url


def test_settings_show_everywhere_at_once_and_the_log_knows(alice, bob, login):
    staff = login(alice)
    words = {
        "name": "Mill Street",
        "accent": "#0a7f5a",
        "time_zone": "Europe/Rome",
        "language": "pt-br",
        "support_email": "help@mill.example",
        "mails_access": "on",
    }
    assert staff.post("/dashboard/settings/", words).status_code == 302
    page = login(bob).get("/").content.decode()
    assert "Mill Street" in page
    assert "#0a7f5a" in page
    assert 'lang="pt-br"' in page.lower()
    assert "name" in Event.objects.get(name="settings.changed").data["fields"]
    for wrong in ({"accent": "red"}, {"time_zone": "Rome"}, {"name": ""}):
        assert staff.post("/dashboard/settings/", words | wrong).status_code == 200
    assert School.current().name == "Mill Street"


@pytest.mark.parametrize(
    ("accent", "ink"), [("#ffee00", "#000"), ("#102040", "#fff"), ("#ffffff", "#000")]
)
def test_the_ink_on_the_accent_can_be_read(accent, ink):
    assert School(accent=accent).accent_ink == ink


def test_probes_answer_without_a_login(client, db):
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"database": "up", "clock": "down", "redis": "none"}
    Heartbeat.objects.create(name="clock", beat_at=now())
    assert client.get("/readyz").json()["clock"] == "up"


def test_probes_answer_by_any_host_name(client, db):
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_the_process_lives_though_the_database_does_not(client):
    assert client.get("/healthz").content == b"ok\n"


def test_every_answer_names_its_request_and_guards_the_browser(client, db):
    answer = client.get("/account/login/")
    assert len(answer["X-Request-ID"]) == 32
    policy = answer["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "no-store" in answer["Cache-Control"]
    assert "<style nonce=" in answer.content.decode()


def test_a_page_that_is_not_there_is_a_page_of_ours(login, bob):
    answer = login(bob).get("/nothing/here/")
    assert answer.status_code == 404
    assert "<html" in answer.content.decode()


def test_a_stale_form_says_what_to_do(bob):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob.user)
    answer = browser.post("/profile/", {"name": "x"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "open for too long" in page
    assert "permission" not in page


def test_what_cannot_be_read_is_answered_by_a_page_of_ours(db):
    browser = Client(enforce_csrf_checks=True)
    browser.get("/account/login/")
    kind = "application/x-www-form-urlencoded; charset=utf-16"
    answer = browser.post("/account/login/", b"a=b", content_type=kind)
    assert answer.status_code == 400
    assert "made no sense" in answer.content.decode()


def test_what_is_too_large_is_told_so(login, bob, settings):
    answer = login(bob).post("/profile/", {"name": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    assert answer.status_code == 413
    assert "too large" in answer.content.decode()


def test_the_mail_reader_exists_in_the_demo_alone(client, db, settings, tmp_path, monkeypatch):
    from portal.views import demo

    assert client.get("/demo/mail/").status_code == 404
    settings.DEMO = True
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    assert client.get("/demo/mail/").status_code == 200
    from django.core.mail import EmailMultiAlternatives

    from notifications.mailbox import Mailbox

    mail = EmailMultiAlternatives("Hello Zoë", "Plain words", to=["zoe@example.com"])
    mail.attach_alternative("<p>Rich words</p>", "text/html")
    Mailbox(folder=tmp_path, alias="default").send_messages([mail])
    [path] = tmp_path.glob("*.eml")
    assert "Hello Zoë" in client.get("/demo/mail/").content.decode()
    assert "Plain words" in client.get(f"/demo/mail/{path.stem}/").content.decode()
    assert client.get(f"/demo/mail/{path.stem}/html/").content == b"<p>Rich words</p>\n"
    assert client.get("/demo/mail/", REMOTE_ADDR="192.0.2.7").status_code == 404
    for wrong in ("..", "none", "a.b"):
        assert client.get(f"/demo/mail/{wrong}/").status_code == 404


def test_the_clock_does_what_is_due_once_and_returns(transactional_db, mailoutbox):
    from django.core.management import call_command

    from enrollments.models import Grant

    School.current()
    Grant.objects.grant(contact=make.contact(), offer=make.offer(), source="manual")
    call_command("clock", once=True)
    assert len(mailoutbox) == 1
    assert Heartbeat.objects.get().name == "clock"
    call_command("clock", once=True)
    assert len(mailoutbox) == 1


def test_the_clock_takes_over_what_no_worker_takes(db, settings):
    from notifications.models import Message
    from portal.clock import ours

    settings.CELERY_BROKER_URL = "redis://nobody.example:6379/0"
    fresh, stuck = (
        Message.objects.create(key=str(n), kind="access", cause="x", handovers=n) for n in (0, 3)
    )
    assert list(ours(Message.objects.due())) == [stuck]
    settings.CELERY_BROKER_URL = ""
    assert set(ours(Message.objects.due())) == {fresh, stuck}


@pytest.mark.parametrize(
    "address",
    [
        "/dashboard/contacts/?q=%00",
        "/dashboard/contacts/count/?q=a%00b",
        "/dashboard/search/?q=%00",
        "/dashboard/contacts/{pk}/timeline/?before=2026-02-31T00:00:00",
        "/dashboard/contacts/{pk}/timeline/?before=9999-12-31T23:59:59-23:59",
        "/dashboard/contacts/{pk}/timeline/?before=nonsense",
    ],
)
def test_what_somebody_types_into_the_address_bar_breaks_nothing(alice, bob, login, address):
    assert login(alice).get(address.format(pk=bob.pk)).status_code == 200


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("10.9.8.7, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:5678", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", None),
    ],
)
def test_the_address_is_what_our_own_proxy_saw(client, bob, settings, forwarded, address):
    settings.TRUSTED_PROXIES = 1
    client.post(
        "/account/login/",
        {"login": "bob@example.com", "password": make.PASSWORD},
        headers={"X-Forwarded-For": forwarded},
    )
    assert Event.objects.get(name="portal.login").address == address


def test_without_proxies_of_ours_nobody_is_believed(client, bob):
    client.post(
        "/account/login/",
        {"login": "bob@example.com", "password": make.PASSWORD},
        headers={"X-Forwarded-For": "192.0.2.7"},
    )
    assert Event.objects.get(name="portal.login").address == "127.0.0.1"


def test_a_name_of_two_lines_becomes_one(alice, login):
    words = {
        "name": "Mill\r\nBcc: x@y.z",
        "accent": "#112233",
        "time_zone": "UTC",
        "language": "en",
    }
    login(alice).post("/dashboard/settings/", words)
    assert School.current().name == "Mill Bcc: x@y.z"


def test_the_mail_reader_never_sees_a_mail_that_is_still_being_written(tmp_path, monkeypatch):
    from pathlib import Path

    from django.core.mail import EmailMessage

    from notifications import mailbox

    seen = []
    write = Path.write_bytes

    def write_and_look(self, data):
        write(self, data[:10])
        seen.append(mailbox.latest(tmp_path, limit=5))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_and_look)
    box = mailbox.Mailbox(folder=tmp_path, alias="default")
    box.send_messages([EmailMessage("Hello", "Words", to=["zoe@example.com"])])
    assert seen == [[]]
    assert [mail.subject for mail in mailbox.latest(tmp_path, limit=5)] == ["Hello"]


def test_a_crew_with_its_hands_full_takes_the_next_as_soon_as_one_is_done(db):
    Job.objects.bulk_create(Job(kind="x", key=str(n)) for n in range(20))
    due, turns = Job.objects.due().order_by("pk"), threading.Semaphore(0)
    crew = Crew("test", threads=1)

    def work(_pk):
        turns.acquire(timeout=30)

    assert crew.take(due, work)
    hands = len(crew.in_hand)
    assert not crew.take(due, work)
    done = list(crew.in_hand.items())[:2]
    turns.release(2)
    for (_model, pk), future in done:
        future.result()
        Job.objects.filter(pk=pk).delete()
    assert crew.take(due, work)
    assert len(crew.in_hand) == hands
    turns.release(100)
    crew.pool.shutdown()
