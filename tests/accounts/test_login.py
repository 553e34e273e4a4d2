"""Passwords, logging out, blocking: who is in, and from when on they are out."""

from __future__ import annotations

import make
import pytest
from django.test import Client

from accounts.models import Contact, Role, Session, User
from portal.models import Event

LOGIN = "/account/login/"


def enter(client: Client, email: str, password: str = make.PASSWORD):
    return client.post(LOGIN, {"login": email, "password": password})


def test_a_student_comes_in_and_is_known_to_have_joined(client, bob):
    assert enter(client, "bob@example.com")["Location"] == "/"
    assert client.get("/").status_code == 200
    bob.refresh_from_db()
    assert bob.joined_at
    assert bob.last_seen_at
    names = Event.objects.filter(contact=bob).values_list("name", flat=True)
    assert {"portal.joined", "portal.login"} <= set(names)
    client.post("/account/logout/")
    enter(client, "bob@example.com")
    assert Event.objects.filter(contact=bob, name="portal.joined").count() == 1


@pytest.mark.parametrize("email", ["BOB@Example.com", " bob@example.com "])
def test_case_and_spaces_make_no_second_person(client, bob, email):
    assert enter(client, email)["Location"] == "/"


def test_staff_land_on_the_dashboard(client, alice):
    assert enter(client, "alice@example.com")["Location"] == "/dashboard/"
    assert client.get("/dashboard/").status_code == 200


def test_a_wrong_password_and_an_unknown_address_get_one_answer(client, bob):
    wrong = enter(client, "bob@example.com", "nope")
    unknown = enter(client, "nobody@example.com", "nope")
    assert wrong.status_code == unknown.status_code == 200
    assert wrong.context["form"].errors == unknown.context["form"].errors


def test_nobody_can_sign_up_or_change_their_address_behind_our_back(client, login, bob):
    for browser in (client, login(bob)):
        assert browser.get("/account/signup/").status_code == 404
        assert browser.get("/account/email/").status_code == 404


def test_logging_out_ends_the_session(client, bob):
    enter(client, "bob@example.com")
    assert Session.objects.filter(user=bob.user).count() == 1
    client.post("/account/logout/")
    assert client.get("/").status_code == 302
    assert not Session.objects.filter(user=bob.user).exists()


def test_a_session_knows_whose_and_where_it_is(client, bob):
    client.post(
        LOGIN,
        {"login": "bob@example.com", "password": make.PASSWORD},
        headers={"User-Agent": "Oven/1.0"},
    )
    session = Session.objects.get(user=bob.user)
    assert (session.address, session.agent) == ("127.0.0.1", "Oven/1.0")


def test_forgotten_passwords_look_the_same_for_known_and_unknown(
    client, bob, committed, mailoutbox
):
    with committed():
        known = client.post("/account/password/reset/", {"email": "BOB@example.com"})
        unknown = client.post("/account/password/reset/", {"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 200
    assert known.content.count(b"bob") == unknown.content.count(b"nobody") == 0
    [mail] = mailoutbox
    assert mail.to == ["bob@example.com"]


def test_create_staff_makes_and_changes_a_login(db, capsys, monkeypatch):
    import io

    from django.core.management import CommandError, call_command

    monkeypatch.setattr("sys.stdin", io.StringIO(make.PASSWORD + "\n"))
    call_command("create_staff", "Ada@Example.com", role="support", password_stdin=True)
    user = User.objects.get(email="ada@example.com")
    assert (user.role, user.check_password(make.PASSWORD)) == (Role.SUPPORT, True)
    call_command("create_staff", "ada@example.com", role="admin")
    user.refresh_from_db()
    assert (user.role, user.check_password(make.PASSWORD)) == (Role.ADMIN, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="too short"):
        call_command("create_staff", "eve@example.com", role="owner", password_stdin=True)
    assert not User.objects.filter(email="eve@example.com").exists()


def test_the_magic_link_command_prints_a_link_that_works_and_tells_its_owner(
    bob, client, capsys, committed, last_mail, school
):
    from django.core.management import CommandError, call_command

    with committed():
        call_command("magic_link", "bob@example.com", section="courses")
    assert last_mail().to == ["bob@example.com"]
    assert "The staff of Mill Street made a login link to your account" in last_mail().body
    url = capsys.readouterr().out.strip()
    assert client.post(url.removeprefix("http://localhost:8000"))["Location"] == "/courses/"
    Contact.objects.get(pk=bob.pk).block()
    with pytest.raises(CommandError, match="blocked"):
        call_command("magic_link", "bob@example.com")


def test_passwords_are_hashed_with_argon2(bob):
    from django.test import override_settings

    from portal import settings as ours

    with override_settings(PASSWORD_HASHERS=ours.PASSWORD_HASHERS):
        bob.user.change_password("flour and water")
        assert bob.user.password.startswith("argon2$argon2id$")
