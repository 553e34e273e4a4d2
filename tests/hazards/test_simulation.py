"""Hazards 26–30: staff who look through a student's eyes: who, at whom, for how long, and why."""

from __future__ import annotations

from datetime import timedelta

import make
import pytest
import time_machine
from django import forms
from django.db import connection
from django.test import Client
from racing import RACERS, race
from simulating import END, REASON, begin, browser, contact_url, looking, of

from accounts import simulation
from accounts.forms.simulation import SimulationForm
from accounts.models import Contact, Role, Simulation, User
from accounts.models.simulation import End, Running
from portal.events import Name
from portal.models import School

__all__ = ["browser", "looking"]


# 26: who simulates whom


def make_staff(contact: Contact) -> None:
    User.objects.filter(contact=contact).update(role=Role.MODERATOR)


def make_owner(contact: Contact) -> None:
    User.objects.filter(contact=contact).update(role=Role.OWNER)


def close(contact: Contact) -> None:
    User.objects.filter(contact=contact).update(is_active=False)


def take_over(contact: Contact) -> None:
    """Bob's login becomes Alice's: the contact is she herself."""
    User.objects.filter(contact=contact).update(contact=None)
    User.objects.filter(role=Role.OWNER).update(contact=contact)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (make_staff, "staff"),
        (make_owner, "staff"),
        (close, "inactive"),
        (Contact.block, "blocked"),
        (lambda bob: Contact.objects.filter(pk=bob.pk).archive(), "archived"),
        (take_over, "self"),
    ],
)
def test_h26_nobody_but_a_plain_student_is_simulated(browser, alice, bob, spoil, why):
    spoil(bob)
    assert begin(browser, bob).status_code == 403
    assert not Simulation.objects.exists()
    [refused] = of(Name.SIMULATION_REFUSED)
    assert (refused.actor, refused.contact, refused.data) == (alice, bob, {"why": why})


def test_h26_nobody_without_the_permission_simulates(login, bob, charlie, client):
    moderator, support = make.staff(Role.MODERATOR), make.staff(Role.SUPPORT)
    User.objects.filter(pk=support.pk).update(withheld=["simulate"])
    for actor in (moderator, support):
        assert begin(login(actor), bob).status_code == 403
    assert [event.actor for event in of(Name.SIMULATION_REFUSED)] == [moderator, support]
    assert begin(login(charlie), bob).status_code == 403
    assert begin(client, bob)["Location"].startswith("/account/login/")
    assert not Simulation.objects.exists()


def test_h26_looking_or_a_form_from_elsewhere_starts_nothing(browser, alice, bob):
    url = f"/dashboard/contacts/{bob.pk}/simulate/?reason={REASON}"
    assert browser.get(url).status_code == 200
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(alice)
    assert begin(foreign, bob).status_code == 403
    assert not Simulation.objects.exists()


def test_h26_control_without_the_rule_an_owner_is_simulated(login, alice, bob, monkeypatch):
    monkeypatch.setattr(simulation, "refusal", lambda actor, contact: "")
    make_owner(bob)
    support = login(make.staff(Role.SUPPORT))
    assert begin(support, bob).status_code == 302
    assert "Bob Baker" in support.get("/profile/").content.decode()


# 27: one within another


def test_h27_a_second_one_says_to_end_the_first(browser, looking, login, alice, charlie):
    for tab in (browser, login(alice)):
        answer = begin(tab, charlie)
        assert answer.status_code == 409
        assert "End the current session first" in answer.content.decode()
    assert "<strong>Bob Baker</strong>" in browser.get("/").content.decode()
    login(alice).post(END)
    assert begin(browser, charlie).status_code == 302
    assert "<strong>Charlie Cook</strong>" in browser.get("/").content.decode()


def starts() -> list[bool]:
    """Of twenty that one member of staff starts at once, which began."""
    School.current()
    actor, people = make.staff(), [make.contact() for _ in range(RACERS)]

    def start(contact: Contact) -> bool:
        try:
            Simulation.objects.start(actor=actor, contact=contact, reason=REASON)
        except Running:
            return False
        return True

    return race(*[lambda contact=contact: start(contact) for contact in people])


@pytest.mark.django_db(transaction=True)
def test_h27_of_many_that_start_at_once_one_does():
    assert sum(starts()) == 1
    assert Simulation.objects.live().count() == 1
    assert len(of(Name.SIMULATION_STARTED)) == 1


@pytest.mark.django_db(transaction=True)
def test_h27_control_without_the_index_all_of_them_start():
    [constraint] = Simulation._meta.constraints
    with connection.schema_editor() as editor:
        editor.remove_constraint(Simulation, constraint)
    try:
        assert sum(starts()) == RACERS
    finally:
        Simulation.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Simulation, constraint)


# 28: who simulates is not who they were


def demote(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(role=Role.MODERATOR)


def withhold(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(withheld=["simulate"])


def deactivate(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def change_password(alice: User) -> None:
    alice.change_password("another long password")


def raise_epoch(alice: User) -> None:
    """As if the password had been changed in this very browser, which stays logged in."""
    Simulation.objects.update(auth_epoch=alice.auth_epoch + 1)


def ask_second_factor(alice: User) -> None:
    School.objects.update(needs_second_factor=True)


@pytest.mark.parametrize(
    "spoil",
    [
        demote,
        withhold,
        deactivate,
        change_password,
        User.end_access,
        raise_epoch,
        ask_second_factor,
        lambda alice: alice.sessions.all().delete(),
    ],
)
def test_h28_whoever_may_not_any_more_is_out_with_the_next_click(browser, looking, alice, spoil):
    spoil(alice)
    answer = browser.get("/courses/")
    assert answer["Location"].startswith("/account/login/")
    simulation.end_overdue()  # the clock, for whom the session was gone with the click
    looking.refresh_from_db()
    assert looking.end == End.ACTOR_INVALID
    assert [event.data["end"] for event in of(Name.SIMULATION_ENDED)] == ["actor_invalid"]
    assert "Bob" not in browser.get("/", follow=True).content.decode()


def test_h28_logging_out_ends_it_in_whichever_browser(browser, looking, login, alice):
    login(alice).post("/account/logout/")
    assert browser.get("/", follow=True).redirect_chain[0][0] != "/"
    looking.refresh_from_db()
    assert looking.end == End.ACTOR_INVALID


def test_h28_control_judged_once_it_goes_on(browser, looking, alice, monkeypatch):
    monkeypatch.setattr(simulation, "judge", lambda row, actor: None)
    demote(alice)
    assert "<strong>Bob Baker</strong>" in browser.get("/").content.decode()


# 29: it has no end


def test_h29_after_half_an_hour_it_is_over_however_often_one_clicks(browser, looking, bob):
    assert looking.expires_at - looking.started_at == timedelta(minutes=30)
    for minutes in (10, 20, 29):
        with time_machine.travel(looking.started_at + timedelta(minutes=minutes)):
            assert browser.get("/").status_code == 200
    with time_machine.travel(looking.started_at + timedelta(minutes=30, seconds=1)):
        answer = browser.get("/profile/", follow=True)
        assert answer.redirect_chain == [(contact_url(bob), 302)]
        assert "its time was up" in answer.content.decode()
        assert browser.get("/")["Location"] == "/dashboard/"
    looking.refresh_from_db()
    assert looking.end == End.EXPIRED
    assert of(Name.SIMULATION_ENDED)[0].data["end"] == "expired"


def test_h29_control_with_a_clock_that_stands_it_lasts(browser, looking, monkeypatch):
    monkeypatch.setattr(simulation, "now", lambda: looking.started_at)
    with time_machine.travel(looking.started_at + timedelta(hours=2)):
        assert "<strong>Bob Baker</strong>" in browser.get("/").content.decode()


# 30: nobody knows why


@pytest.mark.parametrize("reason", ["", "because", "   short   ", "\n\n\n\n\n\n\n\n\n\n\n"])
def test_h30_without_a_reason_nothing_starts(browser, bob, reason):
    answer = begin(browser, bob, reason)
    assert answer.status_code == 200
    assert "of 10 characters or more" in answer.content.decode()
    assert not Simulation.objects.exists()


def test_h30_the_reason_is_in_the_audit(browser, looking):
    assert of(Name.SIMULATION_STARTED)[0].data["reason"] == REASON


def test_h30_control_a_reason_that_may_be_blank_is(browser, bob, monkeypatch):
    monkeypatch.setitem(SimulationForm.base_fields, "reason", forms.CharField(required=False))
    assert begin(browser, bob, "").status_code == 302
    assert Simulation.objects.get().reason == ""
