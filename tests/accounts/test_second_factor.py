"""The second factor: set up, asked for, lost; and the dashboard that stays shut without one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Iterator
from datetime import timedelta

import make
import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Contact, Link, Role, Session, User
from portal.models import Event, School

INDEX = "/account/2fa/"
APP = "/account/2fa/app/add/"
ASKED = "/account/2fa/login/"
CODES = "/account/2fa/codes/"


def code(secret: str, *, at: float | None = None) -> str:
    """What an authenticator app shows. Source: RFC 6238, with its defaults (SHA-1, 30 s, 6 digits)."""
    counter = int((time.time() if at is None else at) // 30)
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = mac[-1] & 15
    number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    """A clock that stands: a code is good for half a minute, and once."""
    with time_machine.travel(now(), tick=False) as traveller:
        yield traveller


def set_up(browser: Client) -> tuple[str, list[str]]:
    """Set up an authenticator app as a person does; its key and the recovery codes."""
    page = browser.get(APP).content.decode()
    [secret] = re.findall(r'value="([A-Z2-7]{32})" aria-label', page)
    answer = browser.post(APP, {"code": code(secret)}, follow=True)
    return secret, re.findall(r"<li>(\d{8})</li>", answer.content.decode())


def enter(person: User | Contact, browser: Client | None = None) -> Client:
    """A browser in which they gave their password, and nothing more."""
    browser = browser or Client()
    browser.post("/account/login/", {"login": person.email, "password": make.PASSWORD})
    return browser


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


@pytest.fixture
def strict(school: School) -> School:
    """The school asks its staff for a second factor."""
    School.objects.update(needs_second_factor=True)
    return school


def test_after_the_password_the_code_is_asked_for(alice, clock):
    secret, _codes = set_up(enter(alice))
    clock.shift(60)
    browser = Client()
    answer = browser.post("/account/login/", {"login": alice.email, "password": make.PASSWORD})
    assert answer["Location"] == ASKED
    assert not is_in(browser)
    assert browser.get("/dashboard/")["Location"].startswith("/account/login/")
    assert browser.post(ASKED, {"code": "000000"}).status_code == 200
    assert not is_in(browser)
    failed = Event.objects.get(name="login.failed")
    assert (failed.data["user"], failed.data["way"]) == (alice.pk, "second_factor")
    assert browser.post(ASKED, {"code": code(secret)})["Location"] == "/dashboard/"
    assert browser.get("/dashboard/").status_code == 200


def test_a_code_is_good_once_and_for_half_a_minute(alice, clock):
    secret, _codes = set_up(enter(alice))
    clock.shift(60)
    first, second = enter(alice), enter(alice)
    first.post(ASKED, {"code": code(secret)})
    second.post(ASKED, {"code": code(secret)})
    assert (is_in(first), is_in(second)) == (True, False)
    old = code(secret, at=time.time() - 60)
    second.post(ASKED, {"code": old})
    assert not is_in(second)


def test_however_much_is_remembered_a_used_code_stays_used(alice, clock):
    secret, _codes = set_up(enter(alice))
    clock.shift(60)
    first, second = enter(alice), enter(alice)
    first.post(ASKED, {"code": code(secret)})
    cache.set_many({f"zz:{number}": 1 for number in range(400)}, timeout=300)
    second.post(ASKED, {"code": code(secret)})
    assert (is_in(first), is_in(second)) == (True, False)


def test_a_mailed_link_asks_for_the_second_factor_too(bob, clock):
    secret, _codes = set_up(enter(bob))
    clock.shift(60)
    browser = Client()
    link = make.link(bob.user)
    answer = browser.post(f"/l/{link.token}/")
    assert answer["Location"] == ASKED
    assert not is_in(browser)
    browser.post(ASKED, {"code": code(secret)})
    assert is_in(browser)


def test_a_recovery_code_lets_in_once(bob, clock):
    _secret, codes = set_up(enter(bob))
    assert len(set(codes)) == 10
    first, second = enter(bob), enter(bob)
    first.post(ASKED, {"code": codes[3]})
    second.post(ASKED, {"code": codes[3]})
    assert (is_in(first), is_in(second)) == (True, False)
    second.post(ASKED, {"code": codes[4]})
    assert is_in(second)
    assert "8 codes are left" in first.get(INDEX).content.decode()


def test_recovery_codes_are_downloaded_and_made_anew(bob, clock):
    browser = enter(bob)
    _secret, codes = set_up(browser)
    file = browser.get(f"{CODES}download/")
    assert file["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert file.content.decode().split() == codes
    browser.post(f"{CODES}new/")
    fresh = re.findall(r"<li>(\d{8})</li>", browser.get(CODES).content.decode())
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)
    other = enter(bob)
    other.post(ASKED, {"code": codes[0]})
    assert not is_in(other)


def test_guessing_is_limited(bob, clock):
    secret, codes = set_up(enter(bob))
    clock.shift(60)
    wrong = f"{(int(code(secret)) + 1) % 10**6:06}"
    browser = enter(bob)
    answers = [browser.post(ASKED, {"code": wrong}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    for right in (code(secret), codes[0]):
        assert browser.post(ASKED, {"code": right}).status_code == 429
    assert not is_in(browser)
    clock.shift(301)
    browser = enter(bob)
    browser.post(ASKED, {"code": code(secret)})
    assert is_in(browser)


def test_keys_and_codes_lie_sealed(bob, clock):
    browser = enter(bob)
    page = browser.get(APP).content.decode()
    [waiting] = re.findall(r'value="([A-Z2-7]{32})" aria-label', page)
    assert waiting not in str(browser.session.items()), "not even while it is set up"
    secret, codes = set_up(browser)
    stored = str([*Authenticator.objects.values_list("data", flat=True)])
    sessions = str([row.get_decoded() for row in Session.objects.all()])
    for known in (secret, *codes):
        assert known not in stored + sessions
    totp = Authenticator.objects.get(type="totp")
    assert secret not in totp.data["secret"]


def test_a_wrong_first_code_sets_up_nothing_and_keeps_the_key(bob, clock):
    browser = enter(bob)
    page = browser.get(APP).content.decode()
    [secret] = re.findall(r'value="([A-Z2-7]{32})" aria-label', page)
    assert "data:image/svg+xml;base64," in page
    answer = browser.post(APP, {"code": "000000" if code(secret) != "000000" else "1"})
    assert secret in answer.content.decode()
    assert not Authenticator.objects.exists()
    browser.post(APP, {"code": code(secret)})
    assert Authenticator.objects.filter(user=bob.user, type="totp").exists()


def test_they_are_told_of_every_change(bob, clock, committed, mailoutbox, school):
    browser = enter(bob)
    with committed():
        set_up(browser)
    with committed():
        browser.post(f"{CODES}new/")
    with committed():
        browser.post("/account/2fa/app/remove/")
    assert [mail.to for mail in mailoutbox] == [[bob.email]] * 3
    assert "Authenticator app added" in mailoutbox[0].body
    assert "new recovery codes" in mailoutbox[1].body
    assert "Authenticator app removed" in mailoutbox[2].body
    events = Event.objects.filter(name="second_factor.changed", contact=bob).order_by("pk")
    assert [event.data["what"] for event in events] == ["added", "renewed", "removed"]
    assert not Authenticator.objects.exists(), "the codes go with it"
    fresh = enter(bob)
    assert is_in(fresh)


def test_whoever_logged_in_long_ago_is_asked_before_they_change_it(bob, clock):
    browser = enter(bob)
    clock.shift(timedelta(minutes=11))
    asked = browser.get(APP)["Location"]
    assert asked.startswith("/account/reauthenticate/?next=")
    browser.post(asked, {"password": make.PASSWORD})
    secret, _codes = set_up(browser)
    clock.shift(timedelta(minutes=11))
    for address in ("app/remove/", "codes/", "codes/new/", "codes/download/", "passkeys/add/"):
        for method in (browser.get, browser.post):
            assert method(f"{INDEX}{address}")["Location"].startswith("/account/reauthenticate/")
    assert Authenticator.objects.filter(type="totp").exists()
    alternatives = browser.get("/account/reauthenticate/").content.decode()
    assert "/account/2fa/reauthenticate/" in alternatives
    page = f"{INDEX}reauthenticate/?next={CODES}"
    assert browser.post(page, {"code": code(secret)})["Location"] == CODES
    assert browser.get(CODES).status_code == 200


def test_who_has_no_password_proves_it_by_mail_before_they_add_one(bob, clock):
    bob.user.set_unusable_password()
    bob.user.save()
    link = make.link(bob.user)
    Link.objects.filter(pk=link.pk).update(delivery="mail")
    browser = Client()
    browser.post(f"/l/{link.token}/")
    assert browser.get(APP).status_code == 200
    clock.shift(timedelta(minutes=11))
    assert browser.get(APP)["Location"] == "/profile/security/renew/"
    assert browser.get(f"{INDEX}passkeys/add/")["Location"] == "/profile/security/renew/"


def test_a_link_that_staff_copied_proves_nothing(bob):
    """Or else they could set a factor up, or change the address, in a student's name."""
    browser = Client()
    browser.post(f"/l/{make.link(bob.user).token}/")
    assert is_in(browser)
    for address in (APP, "/profile/security/email/"):
        assert browser.get(address)["Location"].startswith("/account/reauthenticate/")


def test_the_dashboard_opens_with_the_first_and_shuts_with_the_last(alice, strict, clock):
    browser = enter(alice)
    for open_page in ("/account/password/change/", APP, "/account/logout/", "/account/login/"):
        assert browser.get(open_page).headers.get("Location") != INDEX
    set_up(browser)
    assert browser.get("/dashboard/contacts/").status_code == 200
    browser.post("/account/2fa/app/remove/")
    assert browser.get("/dashboard/")["Location"] == INDEX, "and shut again without the last"


def test_recovery_codes_alone_are_no_second_factor(alice, strict, clock):
    browser = enter(alice)
    set_up(browser)
    Authenticator.objects.exclude(type="recovery_codes").delete()
    assert browser.get("/dashboard/")["Location"] == INDEX


def test_a_student_who_is_staff_too_stays_a_student_meanwhile(bob, strict):
    picture = make.cover(width=10, height=10)
    course = make.course()
    course.cover = picture
    course.save()
    User.objects.appoint(email=bob.email, role=Role.OWNER)
    browser = enter(bob)
    assert browser.get("/").status_code == 200
    assert browser.get("/dashboard/")["Location"] == INDEX
    assert browser.get(f"/files/{picture.pk}/").status_code == 404, "as staff they would have it"
    School.objects.update(needs_second_factor=False)
    assert browser.get(f"/files/{picture.pk}/").status_code == 200


def test_students_are_not_asked_for_one(bob, strict):
    assert enter(bob).get("/").status_code == 200


def test_who_is_sent_to_set_one_up_can_log_out_there(alice, strict, login):
    browser = login(alice)
    page = browser.get("/dashboard/", follow=True).content.decode()
    assert 'action="/account/logout/"' in page
    assert "Back to the portal" not in page, "that would lead back here"


def test_where_it_is_not_asked_for_staff_work_without(alice, school):
    assert enter(alice).get("/dashboard/").status_code == 200


def test_asking_costs_no_statement(login, alice, school, clock):
    def count(browser: Client) -> int:
        browser.get("/dashboard/profile/")
        with CaptureQueriesContext(connection) as seen:
            assert browser.get("/dashboard/profile/").status_code == 200
        return len(seen)

    browser = login(alice)
    before = count(browser)
    set_up(browser)
    School.objects.update(needs_second_factor=True)
    assert count(browser) == before


def test_an_owner_drops_the_factor_of_who_lost_it_and_they_are_told(
    login, alice, clock, committed, mailoutbox, school
):
    sam = make.staff(Role.SUPPORT)
    with committed():
        theirs = enter(sam)
        set_up(theirs)
    mailoutbox.clear()
    address = f"/dashboard/settings/staff/{sam.pk}/second-factor/"
    assert "Drop every second factor" in login(alice).get(address).content.decode()
    with committed():
        login(alice).post(address)
    assert theirs.get("/dashboard/")["Location"].startswith("/account/login/")
    assert is_in(enter(sam))
    [mail] = mailoutbox
    assert mail.to == [sam.email]
    assert "took your second factor" in mail.body
    event = Event.objects.filter(name="second_factor.changed").latest("pk")
    assert (event.data["what"], event.actor) == ("dropped", alice)


def test_who_is_nobody_here_any_more_has_no_second_factor_to_drop(login, alice, school):
    sam = make.staff(Role.SUPPORT)
    sam.change_role("")
    address = f"/dashboard/settings/staff/{sam.pk}/second-factor/"
    assert login(alice).post(address).status_code == 404


def test_only_an_owner_drops_it_who_logged_in_just_now_and_not_their_own(login, alice, bob, clock):
    set_up(enter(bob))
    address = f"/dashboard/settings/staff/{bob.user.pk}/second-factor/"
    for role in (Role.ADMIN, Role.SUPPORT):
        assert login(make.staff(role)).post(address).status_code == 403
    own = f"/dashboard/settings/staff/{alice.pk}/second-factor/"
    assert login(alice).post(own).status_code == 403
    browser = login(alice)
    clock.shift(timedelta(minutes=11))
    assert browser.post(address)["Location"].startswith("/account/reauthenticate/")
    assert Authenticator.objects.filter(user=bob.user).exists()
    assert login(alice).post(address)["Location"] == f"/dashboard/contacts/{bob.pk}/"
    assert not Authenticator.objects.filter(user=bob.user).exists()


def test_the_profile_leads_to_it(login, alice, bob):
    for browser, page in (
        (login(alice), "/dashboard/profile/"),
        (login(bob), "/profile/security/"),
    ):
        assert f'href="{INDEX}"' in browser.get(page).content.decode()


def test_the_pages_about_passkeys_stand(bob, client):
    browser = enter(bob)
    page = browser.get(f"{INDEX}passkeys/add/").content.decode()
    assert "<passkey-form" in page
    assert '"challenge"' in page
    assert "This browser cannot use passkeys" in page
    options = client.get(f"{INDEX}passkeys/login/", headers={"Accept": "application/json"}).json()
    assert options["request_options"]["publicKey"]["challenge"]
    assert browser.get(f"{INDEX}passkeys/")["Location"] == INDEX


@pytest.mark.parametrize(
    "garbage", ["", "x", "{}", "[]", "5", '{"response": {}}', '{"response": 5}']
)
def test_a_forged_passkey_lets_nobody_in(client, bob, garbage):
    page = f"{INDEX}passkeys/login/"
    client.get(page, headers={"Accept": "application/json"})
    assert client.post(page, {"credential": garbage})["Location"] == "/account/login/"
    assert not is_in(client)


def test_of_a_strangers_passkey_nothing_is_seen(bob, charlie):
    key = Authenticator.objects.create(
        user=bob.user, type="webauthn", data={"name": "Bob's", "credential": {}}
    )
    for verb in ("edit", "remove"):
        for method in (enter(charlie).get, enter(charlie).post):
            assert method(f"{INDEX}passkeys/{key.pk}/{verb}/").status_code == 404
    assert Authenticator.objects.filter(pk=key.pk).exists()
