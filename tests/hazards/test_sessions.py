"""Hazards 19–25: sessions that outlive their reason, guesses, dependencies that fail, addresses that look alike."""

from __future__ import annotations

import re
from datetime import timedelta

import make
import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from racing import RACERS, race
from redis import Redis
from test_doors import ROUTES

from accounts import middleware
from accounts.models import Contact, Link, User
from accounts.models import contact as contacts
from accounts.models.user import UserManager
from accounts.sessions import PROVED_AT, SessionStore
from portal import celery, context, limits
from portal.models import School, Tally

LOGIN = "/account/login/"
NEW = "bob@new.example"
LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")


def enter(
    email: str,
    password: str = make.PASSWORD,
    *,
    browser: Client | None = None,
    **headers: str,
) -> Client:
    """A browser in which somebody tried to log in."""
    browser = browser or Client()
    browser.answer = browser.post(LOGIN, {"login": email, "password": password}, headers=headers)
    return browser


def is_out(browser: Client, url: str = "/") -> bool:
    return browser.get(url).headers.get("Location", "").startswith(LOGIN)


def statuses(number: int, email: str, **headers: str) -> list[int]:
    """Of that many wrong passwords, each from a browser of its own."""
    return [enter(email, "wrong", **headers).answer.status_code for _ in range(number)]


# 19: a password is changed because somebody else knows it


def change_password(browser: Client) -> None:
    new = {"current": make.PASSWORD, "password": "flour and water"}
    assert browser.post("/account/password/change/", new).status_code == 302


def test_h19_a_new_password_logs_every_other_browser_out(bob, committed, mailoutbox):
    here, phone, tablet = (enter(bob.email) for _ in range(3))
    with committed():
        change_password(here)
    assert here.get("/").status_code == 200
    assert is_out(phone)
    assert is_out(tablet)
    assert [mail.to for mail in mailoutbox] == [[bob.email]], "and they are told"
    assert enter(bob.email).answer.status_code == 200, "the old one is worth nothing"
    assert "Location" in enter(bob.email, "flour and water").answer.headers


def test_h19_control_a_session_that_hangs_on_nothing_stays_open(bob, monkeypatch):
    monkeypatch.setattr(User, "_epoch_hash", lambda self, secret=None: "the same for ever")
    monkeypatch.setattr(UserManager, "end_access", lambda self, pks: None)
    here, phone = enter(bob.email), enter(bob.email)
    change_password(here)
    assert phone.get("/").status_code == 200


# 20: a member is blocked who is in with several browsers


def block(browser: Client, contact: Contact, reason: str = "shared the login") -> None:
    browser.post(reverse("portal:contact_block", args=[contact.pk]), {"reason": reason})


@pytest.fixture
def recording(bob) -> str:
    """The address of a recording that Bob may play."""
    course = make.course(lessons=0)
    make.lesson(course)
    file = make.file("talk.wav", make.wav(seconds=1), kind="audio", content_type="audio/wav")
    make.lesson(course, kind="audio", file=file)
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    return file.url


def test_h20_who_is_blocked_is_out_with_the_next_click_and_told_nothing(
    alice, bob, login, recording
):
    phone, laptop, link = login(bob), login(bob), make.link(bob.user)
    part = phone.get(recording, headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(b"".join(part.streaming_content))) == (206, 100)
    block(login(alice), bob)
    for browser in (phone, laptop):
        for url in ("/", "/courses/", "/profile/security/", recording):
            assert is_out(browser, url), url
    following = phone.get(recording, headers={"Range": "bytes=100-199"})
    assert following.status_code == 302, "a player gets no further part"
    refused, mistyped = enter(bob.email).answer, enter(bob.email, "wrong").answer
    assert refused.status_code == mistyped.status_code == 200
    said = [
        re.search(r'role="alert".*?</', page.content.decode(), re.DOTALL)[0]
        for page in (refused, mistyped)
    ]
    assert said[0] == said[1]
    assert Client().get(f"/l/{link.token}/").status_code == 410
    login(alice).post(reverse("accounts:contact_unblock", args=[bob.pk]))
    assert is_out(phone), "what was ended stays ended"
    assert enter(bob.email).answer.status_code == 302


def test_h20_control_a_block_that_is_only_a_mark_shuts_nobody_out(alice, bob, login, monkeypatch):
    monkeypatch.setattr(UserManager, "end_access", lambda self, pks: None)
    monkeypatch.setattr(Contact, "is_blocked", False)
    phone = login(bob)
    block(login(alice), bob)
    assert phone.get("/profile/security/").status_code == 200


# 21: whoever finds a browser logged in gives the account an address of their own

CHANGE = "/profile/security/email/"


def found(browser: Client) -> Client:
    """A browser somebody left logged in an hour ago."""
    session = browser.session
    session[PROVED_AT] -= 3600
    session.save()
    return browser


def test_h21_the_address_changes_once_its_owner_proved_who_they_are_and_it_is_confirmed(
    bob, login, committed, mailoutbox, school
):
    browser = found(login(bob))
    for answer in (browser.get(CHANGE), browser.post(CHANGE, {"email": NEW})):
        assert answer["Location"].startswith("/account/reauthenticate/")
    assert not Link.objects.exists()
    asking = f"/account/reauthenticate/?next={CHANGE}"
    assert browser.post(asking, {"password": "guessed"}).status_code == 200
    assert browser.get(CHANGE).status_code == 302
    assert browser.post(asking, {"password": make.PASSWORD}).status_code == 302

    elsewhere, open_link = login(bob), make.link(bob.user)
    with committed():
        browser.post(CHANGE, {"email": " Bob@NEW.example "})
    [mail] = mailoutbox
    assert mail.to == [NEW]
    assert "Bob" not in mail.body, "it may be a stranger's"
    [path] = LINK.findall(mail.body)
    for look in (browser.get, browser.head, browser.get):
        assert look(path).status_code == 200
    assert Contact.objects.get(pk=bob.pk).email == "bob@example.com", "looking confirms nothing"
    with committed():
        assert browser.post(path)["Location"] == "/profile/security/"
    assert (Contact.objects.get(pk=bob.pk).email, User.objects.get(contact=bob).email) == (NEW, NEW)
    [_mail, notice] = mailoutbox
    assert notice.to == ["bob@example.com"]
    assert "b•••@new.example" in notice.body
    assert "help@example.com" in notice.body
    assert browser.get("/profile/").status_code == 200, "who confirms it stays"
    assert is_out(elsewhere)
    assert enter(NEW).answer["Location"] == "/"
    assert Client().get(f"/l/{open_link.token}/").status_code == 410


def test_h21_control_without_the_proof_a_passer_by_has_the_mail_sent_to_themselves(
    bob, login, committed, mailoutbox, monkeypatch
):
    monkeypatch.setattr(SessionStore, "is_fresh", True)
    with committed():
        found(login(bob)).post(CHANGE, {"email": "passer-by@example.net"})
    [mail] = mailoutbox
    assert mail.to == ["passer-by@example.net"]
    assert LINK.search(mail.body)


# 22: passwords are guessed, from addresses that are claimed


def wait(seconds: int) -> None:
    for row in Tally.objects.all():
        Tally.objects.filter(pk=row.pk).update(began_at=row.began_at - timedelta(seconds=seconds))


@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_h22_after_five_wrong_passwords_even_the_right_one_waits_five_minutes(bob, email):
    assert statuses(5, email) == [200] * 5
    refused = enter(email).answer
    assert refused.status_code == 429
    assert 240 < int(refused["Retry-After"]) <= 300
    assert "Try again in 5 minutes" in refused.content.decode()
    wait(240)
    assert enter(email).answer.status_code == 429, "asking in vain makes nobody wait longer"
    wait(61)
    assert enter(email).answer.status_code == (302 if email == bob.email else 200)


def test_h22_nobody_keeps_the_owner_out_of_her_own_browser(alice):
    hers = enter(alice.email)
    hers.post("/account/logout/")
    assert statuses(6, alice.email) == [200] * 5 + [429]
    assert enter(alice.email, browser=hers).answer["Location"] == "/dashboard/"


CLAIMED = "10.0.0.{0}, 192.0.2.1"  # what the client says, and what our proxy saw


@pytest.mark.parametrize("proxies", [0, 1])
def test_h22_ten_a_minute_from_one_place_whatever_address_it_claims(db, settings, proxies):
    settings.TRUSTED_PROXIES = proxies
    answers = [
        statuses(1, f"p{n}@example.com", X_Forwarded_For=CLAIMED.format(n))[0] for n in range(11)
    ]
    assert answers == [200] * 10 + [429]


def test_h22_control_without_the_count_the_password_is_found(bob, monkeypatch):
    monkeypatch.setattr(limits.Limit, "spend", lambda self, who: None)
    assert statuses(30, bob.email) == [200] * 30
    assert enter(bob.email).answer["Location"] == "/"


def test_h22_control_who_believes_the_client_counts_nothing(db, monkeypatch):
    def believe(request: object) -> str:
        return request.headers["X-Forwarded-For"].partition(",")[0]

    monkeypatch.setattr(context, "client_address", believe)
    answers = [
        statuses(1, f"p{n}@example.com", X_Forwarded_For=CLAIMED.format(n))[0] for n in range(20)
    ]
    assert answers == [200] * 20


# 23: staff with nothing but a password

SET_UP = "/account/2fa/"
STAFFED = [re.sub("<[^>]+>", "1", route) for route in ROUTES if route.startswith("/dashboard/")]


@pytest.fixture
def strict(school) -> School:
    """The school asks its staff for a second factor."""
    School.objects.update(needs_second_factor=True)
    return school


def test_h23_staff_without_a_second_factor_get_no_further_than_setting_one_up(alice, strict):
    browser = enter(alice.email)
    assert len(STAFFED) > 100
    asked = {url: browser.get(url) for url in [*STAFFED, "/dashboard/no-such-page/"]}
    assert {url for url, got in asked.items() if got.headers.get("Location") != SET_UP} == set()
    for ask in (browser.post, browser.put, browser.head, browser.options):
        assert ask("/dashboard/contacts/new/")["Location"] == SET_UP
    fragment = browser.get("/dashboard/contacts/count/", headers={"HX-Request": "true"})
    assert fragment["HX-Redirect"] == SET_UP
    assert "asks its staff for a second factor" in browser.get(SET_UP).content.decode()


@pytest.mark.parametrize(
    ("path", "under"),
    [
        ("//dashboard/", ""),
        ("/dashboard", ""),
        ("/./dashboard/", ""),
        ("/courses/../dashboard/", ""),
        ("/%2Fdashboard/", ""),
        ("/DASHBOARD/", ""),
        ("/dashboard/", "/under"),
        ("/dashboard/profile/", "/under"),
    ],
)
def test_h23_no_other_spelling_of_the_address_leads_in(alice, strict, path, under):
    """`under`: a prefix that whoever asks makes the server believe in."""
    answer = enter(alice.email).get(path, SCRIPT_NAME=under, follow=True)
    where = answer.redirect_chain[-1][0] if answer.redirect_chain else ""
    assert answer.status_code == 404 or where.endswith(SET_UP)
    assert "Contacts" not in answer.content.decode()


def test_h23_control_without_the_guard_a_password_is_enough(alice, strict, monkeypatch):
    def pass_on(self: middleware.SecondFactorMiddleware, request: object) -> object:
        return self.get_response(request)

    monkeypatch.setattr(middleware.SecondFactorMiddleware, "__call__", pass_on)
    assert enter(alice.email).get("/dashboard/contacts/").status_code == 200


# 24: Redis is away while people log in


@pytest.fixture
def no_redis(settings, monkeypatch) -> None:
    """A broker is configured, and nothing listens there."""
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setenv("CELERY_BROKER_URL", settings.CELERY_BROKER_URL)
    monkeypatch.setattr(celery.circuit, "open_until", 0.0)


def test_h24_without_redis_people_get_in_and_guesses_are_counted(
    bob, no_redis, committed, mailoutbox, client
):
    with committed():
        assert enter(bob.email).answer.status_code == 302
        assert client.post("/account/login/mail/", {"login": bob.email}).status_code == 302
    assert [mail.to for mail in mailoutbox] == [[bob.email]]
    assert statuses(6, bob.email) == [200] * 5 + [429]
    ready = Client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["redis"] == "down"


def test_h24_control_a_limit_that_is_counted_in_redis_shuts_everybody_out(
    bob, no_redis, settings, monkeypatch
):
    def count(self: limits.Limit, who: str) -> None:
        Redis.from_url(settings.CELERY_BROKER_URL, socket_connect_timeout=1).incr(who)

    monkeypatch.setattr(limits.Limit, "spend", count)
    browser = Client(raise_request_exception=False)
    assert enter(bob.email, browser=browser).answer.status_code == 500


# 25: one address in several spellings, and several that look like one

SPELLINGS = ["dora@example.com", "DORA@example.com", " Dora@Example.COM ", "ｄｏｒａ@example.com"]


@pytest.mark.django_db(transaction=True)
def test_h25_however_many_add_an_address_at_once_it_is_one_person():
    School.current()
    session = enter(make.staff().email).cookies

    def add(email: str) -> int:
        browser = Client()
        browser.cookies = session
        words = {"name": "Dora", "email": email}
        return browser.post(reverse("accounts:contact_create"), words).status_code

    answers = race(*[lambda email=SPELLINGS[n % 4]: add(email) for n in range(RACERS)])
    assert Contact.objects.filter(name="Dora").count() == 1
    assert sorted(answers) == [200] * (RACERS - 1) + [302], "the others are told that it is there"


@pytest.fixture
def dora(db) -> Contact:
    return make.student("Dora", email="dora@example.com")


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_h25_every_spelling_is_the_same_account(dora, spelled):
    assert enter(spelled).answer["Location"] == "/"


LOOKALIKES = ["dоra@example.com", "dora@examplе.com", "dorà@example.com", "dora@exampłe.com"]


@pytest.mark.parametrize("typed", LOOKALIKES)
def test_h25_what_only_looks_like_it_is_somebody_else_and_gets_no_mail(
    dora, committed, mailoutbox: list[EmailMessage], client, typed
):
    with committed():
        answer = client.post("/account/password/reset/", {"email": typed})
    assert answer.status_code == 200
    assert not mailoutbox
    assert "Location" not in enter(typed).answer.headers


def test_h25_control_who_only_lowers_letters_makes_two_of_one(dora, monkeypatch):
    monkeypatch.setattr(contacts, "normalize_email", lambda value: value.strip().lower())
    Contact.objects.add(email=SPELLINGS[-1], name="Dora")
    assert Contact.objects.filter(name="Dora").count() == 2
