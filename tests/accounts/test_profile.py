"""What students decide about themselves: name, picture, clock, mails, and that they want to go."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from accounts.models import Contact, Role, User
from enrollments.models import Enrollment
from notifications.models import Message
from portal.models import Event, File, School

PROFILE = "/profile/"
MAILS = "/profile/notifications/"


def picture(color: str = "red") -> SimpleUploadedFile:
    content = io.BytesIO()
    Image.new("RGB", (900, 600), color).save(content, "PNG")
    return SimpleUploadedFile("me.png", content.getvalue(), content_type="image/png")


def save(browser: Client, **data: object):
    return browser.post(PROFILE, {"name": "Bob Baker", "language": "", "time_zone": ""} | data)


def test_name_language_and_zone(bob, login):
    here = login(bob)
    answer = save(here, name="  Robert\n Baker ", language="it", time_zone="America/Sao_Paulo")
    assert answer.headers["Location"] == PROFILE
    bob.refresh_from_db()
    assert (bob.name, bob.language, bob.time_zone) == ("Robert Baker", "it", "America/Sao_Paulo")
    event = Event.objects.get(name="contact.updated")
    assert event.data["fields"] == ["name", "language", "time_zone"]
    assert 'lang="it"' in here.get(PROFILE).content.decode()
    save(here, name="Robert Baker", language="it", time_zone="America/Sao_Paulo")
    assert Event.objects.filter(name="contact.updated").count() == 1, "nothing differs"


def test_who_is_staff_no_more_reads_what_their_profile_says(bob, login):
    browser = login(User.objects.appoint(email=bob.email, role=Role.SUPPORT))
    browser.post("/dashboard/profile/", {"name": "Bob", "language": "it"})
    save(browser, language="pt-br")
    assert 'lang="it"' in browser.get(PROFILE).content.decode()
    User.objects.get(contact=bob).change_role("")
    browser = login(User.objects.get(contact=bob))
    assert 'lang="pt-br"' in browser.get(PROFILE).content.decode()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Bob\u202e \u200b Baker\x07", "Bob Baker"),
        ("\u200b\u2060\ufeff", ""),
        ("\u200d \u200c", ""),
        ("نیلوفر می\u200cخواهد", "نیلوفر می\u200cخواهد"),
    ],
)
def test_a_name_is_what_can_be_seen(bob, login, typed, kept):
    assert save(login(bob), name=typed).headers["Location"] == PROFILE
    bob.refresh_from_db()
    assert bob.name == kept


@pytest.mark.parametrize("typed", ["Mill Street", " mill  STREET ", "Mill\u200d Street\u200b"])
def test_a_student_does_not_take_the_name_of_the_school(bob, login, school, typed):
    answer = save(login(bob), name=typed)
    assert "This is the name of the school." in answer.content.decode()
    bob.refresh_from_db()
    assert bob.name == "Bob Baker"


def test_staff_who_study_too_may_speak_as_the_school(bob, login, school):
    here = login(bob)
    User.objects.filter(contact=bob).update(role=Role.OWNER)
    save(here, name="Mill Street")
    bob.refresh_from_db()
    assert bob.name == "Mill Street"


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", "x" * 50])
def test_a_zone_that_is_none_is_refused_with_a_sentence(bob, login, zone):
    answer = save(login(bob), name="Another", time_zone=zone)
    assert answer.status_code == 200
    assert answer.context["form"].errors["time_zone"]
    bob.refresh_from_db()
    assert (bob.name, bob.time_zone) == ("Bob Baker", "")
    assert "Another" not in re.sub(r"value=\"Another\"", "", answer.content.decode())


def test_a_picture_is_kept_replaced_and_removed(bob, login, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    here = login(bob)
    save(here, picture=picture())
    bob.refresh_from_db()
    first = bob.picture
    assert (first.kind, first.content_type) == ("image", "image/webp")
    assert first.url in here.get(PROFILE).content.decode()
    save(here, name="Rob")
    bob.refresh_from_db()
    assert bob.picture == first, "what is not chosen stays"
    save(here, picture=picture("blue"))
    bob.refresh_from_db()
    assert bob.picture != first
    save(here, **{"picture-clear": "on"})
    bob.refresh_from_db()
    assert bob.picture is None


def test_what_is_no_picture_is_refused(bob, login):
    svg = SimpleUploadedFile("me.png", b"<svg onload=alert(1)></svg>", content_type="image/png")
    answer = save(login(bob), picture=svg)
    assert answer.context["form"].errors["picture"]
    assert not File.objects.exists()


def test_times_of_day_are_in_their_clock_and_days_are_the_school_s(
    bob, login, school, time_machine
):
    """Half past midnight in Rome is still the day before in São Paulo."""
    time_machine.move_to(datetime(2026, 6, 8, 12, tzinfo=UTC))
    course = make.course()
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    Contact.objects.filter(pk=bob.pk).update(time_zone="America/Sao_Paulo")
    late = datetime(2026, 6, 9, 22, 30, tzinfo=UTC)
    Enrollment.objects.update(started_at=late, completed_at=late, learning_status="completed")
    time_machine.move_to(datetime(2026, 6, 12, 12, tzinfo=UTC))
    here = login(bob)
    page = here.get(reverse("enrollments:course_detail", args=[course.slug])).content.decode()
    assert "June 10, 2026" in page
    assert "June 9, 2026" not in page
    page = here.get("/profile/security/").content.decode()
    assert re.search(r'title="June 12, 2026,? 9 a\.m\. -03"', page)


def test_staff_pages_keep_the_school_s_clock(school, login, time_machine):
    make.staff(Role.OWNER, email="bob@example.com")
    bob = make.contact("Bob", email="bob@example.com", time_zone="America/Sao_Paulo")
    user = User.objects.for_contact(bob)
    time_machine.move_to(datetime(2026, 6, 12, 12, tzinfo=UTC))
    browser = login(user)
    page = browser.get(reverse("portal:contact_timeline", args=[bob.pk])).content.decode()
    assert re.search(r'title="June 12, 2026,? 2 p\.m\. CEST"', page)


def test_mails_are_chosen_and_the_moment_of_a_consent_is_kept(bob, login):
    here = login(bob)
    page = here.get(MAILS).content.decode()
    assert page.count(" checked") == 2
    assert "always come" in page
    here.post(MAILS, {"wants_replies": "on", "newsletter": "on"})
    bob.refresh_from_db()
    since = bob.newsletter_at
    assert since
    assert (bob.wants_reminders, bob.wants_replies, bob.promotions_at) == (False, True, None)
    here.post(MAILS, {"wants_replies": "on", "newsletter": "on", "promotions": "on"})
    bob.refresh_from_db()
    assert bob.newsletter_at == since, "they agreed then, not now"
    assert bob.promotions_at > since
    here.post(MAILS, {})
    bob.refresh_from_db()
    assert (bob.newsletter_at, bob.promotions_at, bob.wants_replies) == (None, None, False)


def test_asking_to_be_erased_can_be_withdrawn(bob, login, school):
    here = login(bob)
    assert "Nothing happens by itself" in here.get("/profile/erasure/").content.decode()
    bob.refresh_from_db()
    assert bob.erasure_asked_at is None, "looking asks for nothing"
    for _ in range(2):
        here.post("/profile/erasure/")
    bob.refresh_from_db()
    assert bob.erasure_asked_at
    page = here.get("/profile/data/").content.decode()
    assert "I want to stay" in page
    assert page.count("We were told.") == 1
    for _ in range(2):
        here.post("/profile/erasure/withdraw/")
    assert here.get("/profile/data/").content.decode().count("You stay.") == 1
    bob.refresh_from_db()
    assert bob.erasure_asked_at is None
    names = Event.objects.filter(name__startswith="contact.erasure").values_list("name", flat=True)
    assert list(names) == ["contact.erasure_asked", "contact.erasure_withdrawn"]


def test_the_school_hears_of_it_and_finds_it(
    alice, bob, charlie, login, school, committed, mailoutbox
):
    staff = login(alice)
    assert "asks to be erased" not in staff.get("/dashboard/").content.decode()
    with committed():
        login(bob).post("/profile/erasure/")
    [mail] = mailoutbox
    assert mail.to == ["help@example.com"]
    assert "Bob Baker" in mail.subject
    assert f"/dashboard/contacts/{bob.pk}/" in mail.body
    home = staff.get("/dashboard/").content.decode()
    assert "1 person asks to be erased" in home
    [address] = re.findall(r'href="([^"]*where=erasure[^"]*)"', home)
    found = staff.get(address).content.decode()
    assert "bob@example.com" in found
    assert "charlie@example.com" not in found
    page = staff.get(reverse("portal:contact_detail", args=[bob.pk])).content.decode()
    assert "Asked to be erased" in page
    assert "cannot erase a person by itself yet" in page
    page = staff.get(reverse("portal:contact_detail", args=[charlie.pk])).content.decode()
    assert "Asked to be erased" not in page


def test_the_school_is_told_once_a_day_however_often_they_change_their_mind(
    bob, login, school, committed, mailoutbox
):
    here = login(bob)
    for _ in range(3):
        with committed():
            here.post("/profile/erasure/")
        with committed():
            here.post("/profile/erasure/withdraw/")
    assert len(mailoutbox) == 1


def test_without_a_support_address_nobody_is_mailed(bob, login, committed, mailoutbox, db):
    School.current()
    with committed():
        login(bob).post("/profile/erasure/")
    assert not mailoutbox
    assert not Message.objects.exists()


def test_who_withdraws_first_is_not_announced(bob, login, school, committed, mailoutbox):
    here = login(bob)
    with committed():
        here.post("/profile/erasure/")
        here.post("/profile/erasure/withdraw/")
    assert not mailoutbox
    assert Message.objects.get().reason == "erasure_withdrawn"


@pytest.mark.parametrize(
    "url",
    [PROFILE, MAILS, "/profile/security/", "/profile/data/", "/profile/erasure/"],
)
def test_who_is_blocked_or_no_student_sees_none_of_it(alice, bob, login, url):
    assert login(alice).get(url).headers["Location"] == "/dashboard/"
    assert login(alice).post(url).status_code == 403
    browser = login(bob)
    bob.block()
    assert browser.get(url).headers["Location"].startswith("/account/login/")
    assert browser.post(url).headers["Location"].startswith("/account/login/")
