"""Staff see the portal as one student does: who may, whom, and how it begins and ends."""

from __future__ import annotations

from datetime import timedelta

import make
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Role, Simulation, User
from accounts.models.simulation import End
from accounts.simulation import KEY, end_overdue
from portal.clock import Clock
from portal.events import Name
from portal.models import Event

REASON = "She cannot see lesson two."


def staffed(contact: Contact) -> Contact:
    User.objects.filter(contact=contact).update(role=Role.MODERATOR)
    return contact


def start_url(contact: Contact) -> str:
    return reverse("accounts:simulation_start", args=[contact.pk])


def begin(browser: Client, contact: Contact, **fields: str):
    return browser.post(start_url(contact), {"reason": REASON, **fields})


def contact_url(contact: Contact) -> str:
    return reverse("portal:contact_detail", args=[contact.pk])


def of(name: Name) -> list[Event]:
    return list(Event.objects.filter(name=name).order_by("pk"))


@pytest.fixture
def browser(login, alice) -> Client:
    """Alice's, fresh from the login."""
    return login(alice)


@pytest.fixture
def looking(browser, bob) -> Simulation:
    """Alice sees the portal as Bob does."""
    make.grant(contact=bob)
    begin(browser, bob)
    return Simulation.objects.get()


# Who may, and whom


def test_staff_see_the_home_of_the_student(browser, bob, alice, school):
    make.grant(contact=bob)
    answer = begin(browser, bob)
    assert answer["Location"] == "/"
    page = browser.get("/")
    text = page.content.decode()
    assert page.status_code == 200
    assert page["X-Impersonating"] == "1"
    assert "no-store" in page["Cache-Control"]
    assert "Sourdough" in text
    assert "You see the portal as <strong>Bob Baker</strong>" in text
    assert "30 minutes" in text
    assert reverse("accounts:simulation_end") in text
    [started] = of(Name.SIMULATION_STARTED)
    assert (started.actor, started.contact) == (alice, bob)
    assert started.data == {"simulation": Simulation.objects.get().pk, "reason": REASON}


def test_the_button_is_on_the_page_of_a_student(browser, bob):
    assert start_url(bob) in browser.get(contact_url(bob)).content.decode()
    staffed(bob)
    assert start_url(bob) not in browser.get(contact_url(bob)).content.decode()


def test_the_form_says_what_it_does(browser, bob):
    page = browser.get(start_url(bob))
    assert page.status_code == 200
    text = page.content.decode()
    for words in ("nothing is saved", "30 minutes", "They are told by mail", "in the audit"):
        assert words in text
    assert not Simulation.objects.exists()


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.SUPPORT])
def test_who_has_the_permission_may(login, bob, role):
    assert begin(login(make.staff(role)), bob).status_code == 302
    assert Simulation.objects.live().count() == 1


def test_a_contact_who_does_not_exist_is_not_found(browser, bob):
    assert browser.post("/dashboard/contacts/999999/simulate/", {}).status_code == 404


def test_a_login_of_an_hour_ago_is_proved_first(browser, bob):
    with time_machine.travel(now() + timedelta(hours=1)):
        answer = begin(browser, bob)
        assert answer["Location"].startswith(
            "/account/reauthenticate/?next=%2Fdashboard%2Fcontacts"
        )
    assert not Simulation.objects.exists()


def test_from_another_browser_it_is_ended_too(browser, looking, login, alice, bob, charlie):
    other = login(alice)
    assert other.get("/")["Location"] == "/dashboard/"  # it lives where it was started
    assert begin(other, charlie).status_code == 409
    other.post(reverse("accounts:simulation_end"))
    assert begin(other, charlie).status_code == 302
    answer = browser.get("/courses/", follow=True)
    assert answer.redirect_chain == [(contact_url(bob), 302)]
    assert "it was ended" in answer.content.decode()


def test_what_was_left_over_does_not_stand_in_the_way(browser, looking, charlie):
    Simulation.objects.update(expires_at=now())
    assert begin(browser, charlie).status_code == 302
    assert Simulation.objects.get(pk=looking.pk).end == End.EXPIRED


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/courses/", "/courses/"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/dashboard/", "/"),
        ("/account/logout/", "/"),
    ],
)
def test_it_begins_with_a_page_of_the_students(browser, bob, wanted, target):
    assert begin(browser, bob, next=wanted)["Location"] == target


def test_the_explanation_leads_there(browser, bob):
    course = make.course()
    make.grant(contact=bob, offer=make.offer(courses=[course]))
    url = reverse("enrollments:access_detail", args=[bob.pk, course.pk])
    text = browser.get(url).content.decode()
    assert f"{start_url(bob)}?next=/courses/{course.slug}/" in text
    form = browser.get(f"{start_url(bob)}?next=/courses/{course.slug}/").content.decode()
    assert f'name="next" value="/courses/{course.slug}/"' in form


def test_a_contact_with_no_login_gets_none_by_it(browser, school):
    someone = make.contact("Dora")
    course = make.course()
    begin(browser, someone)
    assert browser.get("/").status_code == 200
    assert browser.get("/profile/security/").status_code == 200
    assert browser.get(f"/courses/{course.slug}/").status_code == 404
    assert not User.objects.filter(contact=someone).exists()


# Their own session


def test_the_dashboard_and_its_files_are_their_own(browser, looking, alice, bob):
    page = browser.get("/dashboard/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "X-Impersonating" not in page.headers
    assert "You simulate <strong>Bob Baker</strong>" in text
    assert browser.get(contact_url(bob)).status_code == 200
    picture = make.file("face.webp", kind="image", content_type="image/webp")
    charlie = make.contact("Charlie", picture=picture)
    assert browser.get(picture.url).status_code == 404
    own = browser.get(picture.url, headers={"Referer": f"http://testserver{contact_url(charlie)}"})
    assert own.status_code == 200


def test_the_login_page_leads_staff_to_their_own_side(browser, looking):
    assert browser.get("/account/login/")["Location"] == "/dashboard/"


# The end


def test_ending_leads_back_to_the_contact_and_leaves_nothing(browser, looking, alice, bob):
    answer = browser.post(reverse("accounts:simulation_end"))
    assert answer["Location"] == contact_url(bob)
    assert KEY not in browser.session
    assert browser.get("/courses/")["Location"] == "/dashboard/"
    assert "You simulate" not in browser.get("/dashboard/").content.decode()
    looking.refresh_from_db()
    assert looking.end == End.ENDED
    [ended] = of(Name.SIMULATION_ENDED)
    assert (ended.actor, ended.contact, ended.data) == (
        alice,
        bob,
        {"simulation": looking.pk, "end": "ended"},
    )
    assert browser.post(reverse("accounts:simulation_end"))["Location"] == contact_url(bob)
    assert len(of(Name.SIMULATION_ENDED)) == 1


def test_ending_takes_a_post(browser, looking):
    assert browser.get(reverse("accounts:simulation_end")).status_code == 405
    assert Simulation.objects.live().exists()


def test_a_fragment_leads_the_whole_page_away_when_it_is_over(browser, looking, bob):
    Simulation.objects.update(expires_at=now())
    answer = browser.get("/courses/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == contact_url(bob)


def test_on_the_dashboard_it_just_ends(browser, looking, bob):
    Simulation.objects.update(expires_at=now())
    text = browser.get("/dashboard/").content.decode()
    assert "The simulated session of Bob Baker is over" in text
    assert "<simulation-banner" not in text
    assert KEY not in browser.session


def test_without_its_row_it_is_over(browser, looking, alice, school):
    Simulation.objects.all().delete()
    page = browser.get("/courses/", follow=True)
    assert page.redirect_chain[-1] == ("/dashboard/", 302)
    assert KEY not in browser.session
    assert page.context["user"] == alice
    assert "<simulation-banner" not in page.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_its_row_nothing_of_the_students_is_shown_or_done(browser, looking, bob, method):
    Simulation.objects.all().delete()
    answer = getattr(browser, method)("/profile/", {"name": "Robert"})
    assert answer["Location"] == "/account/login/"
    bob.refresh_from_db()
    assert bob.name == "Bob Baker"


@pytest.fixture
def double(alice, bob, login) -> Client:
    """The browser of Alice, who is a student of the school herself. It minds where forms come from."""
    User.objects.filter(pk=alice.pk).update(contact=make.contact("Alice"))
    browser = login(alice)
    make.grant(contact=bob)
    begin(browser, bob)
    browser.handler.enforce_csrf_checks = True
    return browser


def token(browser: Client, url: str) -> str:
    """What the forms of a page carry."""
    return str(browser.get(url).context["csrf_token"])


@pytest.mark.parametrize("how", ["ended", "time", "time, met by a form"])
def test_a_form_left_open_in_another_tab_is_not_sent_as_ones_own(double, how):
    left_open = {"name": "Robert", "csrfmiddlewaretoken": token(double, "/profile/")}
    if how == "ended":
        end = {"csrfmiddlewaretoken": token(double, "/dashboard/")}
        assert double.post(reverse("accounts:simulation_end"), end).status_code == 302
    elif how == "time":
        Simulation.objects.update(expires_at=now())
        double.get("/courses/")
    else:
        own = {"csrfmiddlewaretoken": token(double, "/dashboard/profile/"), "name": "Alice"}
        Simulation.objects.update(expires_at=now())
        assert double.post("/dashboard/profile/", own).status_code == 302
    assert double.post("/profile/", left_open).status_code == 403
    assert Contact.objects.filter(name="Alice").exists()
    fresh = {"csrfmiddlewaretoken": token(double, "/dashboard/profile/"), "name": "Alice Smith"}
    assert double.post("/dashboard/profile/", fresh).status_code == 302


def test_what_is_done_on_the_dashboard_when_time_is_up_is_done(double, bob):
    words = {"add": "vip", "csrfmiddlewaretoken": token(double, contact_url(bob))}
    Simulation.objects.update(expires_at=now())
    double.post(reverse("accounts:contact_tag", args=[bob.pk]), words)
    assert bob.tags.get().name == "vip"


def demote(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(role=Role.MODERATOR)


def withhold(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(withheld=["simulate"])


def deactivate(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


@pytest.mark.parametrize(
    "spoil", [staffed, lambda bob: bob.block(), lambda bob: Contact.objects.all().archive()]
)
def test_who_is_no_plain_student_any_more_is_not_shown(browser, looking, bob, spoil):
    spoil(bob)
    answer = browser.get("/", follow=True)
    assert answer.redirect_chain == [(contact_url(bob), 302)]
    assert "cannot be simulated any more" in answer.content.decode()
    looking.refresh_from_db()
    assert looking.end == End.STUDENT_INVALID


def test_the_clock_ends_what_nobody_comes_back_to(browser, looking, alice, bob):
    assert end_overdue() == 0
    with time_machine.travel(looking.expires_at + timedelta(seconds=1)):
        assert end_overdue() == 1
        assert end_overdue() == 0
        looking.refresh_from_db()
        assert looking.end == End.EXPIRED
        assert looking.ended_at >= looking.expires_at
        answer = browser.get("/", follow=True)
        assert "its time was up" in answer.content.decode()
    assert len(of(Name.SIMULATION_ENDED)) == 1


@pytest.mark.parametrize(
    ("spoil", "end"),
    [
        (demote, End.ACTOR_INVALID),
        (withhold, End.ACTOR_INVALID),
        (deactivate, End.ACTOR_INVALID),
        (lambda alice: alice.sessions.all().delete(), End.ACTOR_INVALID),
        (lambda alice: Contact.objects.get().block(), End.STUDENT_INVALID),
    ],
)
def test_the_clock_ends_what_may_not_go_on(looking, alice, spoil, end):
    spoil(alice)
    assert end_overdue() == 1
    looking.refresh_from_db()
    assert looking.end == end


def test_the_clock_ends_it_in_its_round(looking):
    Simulation.objects.update(expires_at=now())
    Clock().run_once()
    looking.refresh_from_db()
    assert looking.end == End.EXPIRED
