"""Staff: who gives which role to whom, and what becomes of somebody whose role changes."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import make
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose
from accounts.models.role import PERMISSIONS, SEPARATE, WORDS
from accounts.models.user import LastOwner
from accounts.views import staff
from portal.models import Event

LIST = "/dashboard/settings/staff/"
NEW = "/dashboard/settings/staff/new/"
KEPT = list(SEPARATE)


def page(person: User) -> str:
    return f"{LIST}{person.pk}/"


def role_of(person: User) -> str:
    return User.objects.values_list("role", flat=True).get(pk=person.pk)


def now(person: User) -> User:
    """As they are by now: a role that changed ends what was logged in before."""
    return User.objects.get(pk=person.pk)


def sentences(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_somebody_new_is_added_and_chooses_a_password_by_mail(
    login, alice, committed, last_mail, client
):
    with committed():
        login(alice).post(
            NEW, {"email": "Sam@Example.com", "name": "Sam", "role": "support", "kept": KEPT}
        )
    mail = last_mail()
    assert mail.to == ["sam@example.com"]
    [address] = re.findall(r"http://\S+(/l/\w+/)", mail.body)
    client.get(address)
    answer = client.post(address, {"password": make.PASSWORD})
    assert answer["Location"] == "/dashboard/"
    assert client.get("/dashboard/contacts/").status_code == 200
    assert client.get(LIST).status_code == 403
    [event] = Event.objects.filter(name="role.changed", actor=alice)
    assert (event.data["before"], event.data["after"], event.data["withheld"]) == (
        "",
        "support",
        [],
    )


def test_a_link_for_staff_is_good_for_a_password_and_for_nothing_else(login, alice, committed):
    with committed():
        login(alice).post(NEW, {"email": "sam@example.com", "role": "support", "kept": KEPT})
    sam = User.objects.get(email="sam@example.com")
    assert not sam.may_use("login")
    assert sam.may_use("set_password")
    sam.change_password(make.PASSWORD)
    assert not sam.may_use("set_password")


def test_a_student_who_is_added_stays_one_and_logs_in_anew(login, alice, bob):
    browser = login(bob)
    assert browser.get("/").status_code == 200
    link = make.link(bob.user)
    login(alice).post(NEW, {"email": bob.email, "role": "moderator", "kept": []})
    assert browser.get("/")["Location"].startswith("/account/login/"), "logged out"
    assert not Link.objects.usable().filter(pk=link.pk).exists()
    assert login(now(bob.user)).get("/").status_code == 200
    assert login(now(bob.user)).get("/dashboard/comments/").status_code == 200
    event = Event.objects.get(name="role.changed", contact=bob)
    assert event.data["after"] == "moderator"


def test_a_contact_without_a_login_gets_one_with_the_role(login, alice, db, committed, last_mail):
    dora = make.contact("Dora")
    with committed():
        login(alice).post(
            reverse("accounts:contact_role", args=[dora.pk]), {"role": "support", "kept": KEPT}
        )
    assert User.objects.get(contact=dora).role == Role.SUPPORT
    assert last_mail().to == [dora.email]


def test_no_role_on_the_form_of_a_person_is_a_student(login, alice, bob):
    User.objects.appoint(email=bob.email, role=Role.SUPPORT)
    address = reverse("accounts:contact_role", args=[bob.pk])
    assert "Support" in login(alice).get(address).content.decode()
    answer = login(alice).post(address, {"role": "", "kept": KEPT})
    assert answer["Location"] == f"/dashboard/contacts/{bob.pk}/"
    assert role_of(bob.user) == ""
    assert login(now(bob.user)).get("/").status_code == 200
    assert login(now(bob.user)).get("/dashboard/").status_code == 403


def test_the_form_of_a_contact_leads_to_the_role_for_who_may_give_one(login, alice, bob):
    address = reverse("accounts:contact_role", args=[bob.pk])
    for start in (f"/dashboard/contacts/{bob.pk}/", f"/dashboard/contacts/{bob.pk}/edit/"):
        assert address in login(alice).get(start).content.decode()
        assert address not in login(make.staff(Role.SUPPORT)).get(start).content.decode()


def test_a_change_ends_what_was_open(login, alice, db):
    sam = make.staff(Role.ADMIN)
    browser = login(sam)
    assert browser.get("/dashboard/offers/").status_code == 200
    link = make.link(sam, Purpose.RESET)
    login(alice).post(page(sam), {"role": "support", "kept": ["simulate", "export"]})
    assert browser.get("/dashboard/")["Location"].startswith("/account/login/")
    assert not Link.objects.usable().filter(pk=link.pk).exists()
    sam.refresh_from_db()
    assert sam.role == Role.SUPPORT
    assert sam.withheld == ["copy_links"]
    event = Event.objects.filter(name="role.changed").latest("pk")
    assert event.data == {
        "user": sam.pk,
        "before": "admin",
        "after": "support",
        "withheld": ["copy_links"],
    }
    assert sam.may("simulate")
    assert not sam.may("copy_links")


def test_saving_without_a_change_logs_nobody_out(login, alice, db):
    sam = make.staff(Role.SUPPORT)
    browser = login(sam)
    login(alice).post(page(sam), {"role": "support", "kept": KEPT})
    assert browser.get("/dashboard/").status_code == 200
    assert not Event.objects.filter(name="role.changed", actor=alice).exists()


def test_what_is_withheld_is_shut(login, alice, bob):
    sam = make.staff(Role.SUPPORT)
    export = reverse("enrollments:contact_export")
    assert login(now(sam)).post(export, {"format": "csv"}).status_code != 403
    login(alice).post(page(sam), {"role": "support", "kept": ["simulate", "copy_links"]})
    assert login(now(sam)).post(export, {"format": "csv"}).status_code == 403
    assert "Export contacts" in login(alice).get(LIST).content.decode()


def test_removed_staff_who_are_no_student_have_no_login_any_more(login, alice, db, client):
    sam = make.staff(Role.SUPPORT)
    browser = login(sam)
    asked = login(alice).get(f"{page(sam)}remove/").content.decode()
    assert "Their login is closed" in asked
    login(alice).post(f"{page(sam)}remove/")
    assert browser.get("/dashboard/")["Location"].startswith("/account/login/")
    client.post("/account/login/", {"login": sam.email, "password": make.PASSWORD})
    assert "_auth_user_id" not in client.session
    assert sam.email not in login(alice).get(LIST).content.decode()
    login(alice).post(NEW, {"email": sam.email, "role": "moderator", "kept": []})
    client.post("/account/login/", {"login": sam.email, "password": make.PASSWORD})
    assert client.get("/dashboard/comments/").status_code == 200


def test_removed_staff_who_are_students_stay_students(login, alice, bob):
    User.objects.appoint(email=bob.email, role=Role.SUPPORT)
    asked = login(alice).get(f"{page(bob.user)}remove/").content.decode()
    assert "They stay a student" in asked
    login(alice).post(f"{page(bob.user)}remove/")
    assert login(now(bob.user)).get("/").status_code == 200
    assert login(now(bob.user)).get("/dashboard/").status_code == 403


def test_who_rose_above_them_meanwhile_is_not_removed(login, alice, monkeypatch):
    admin, sam = make.staff(Role.ADMIN), make.staff(Role.SUPPORT)
    asked = staff._changeable

    def looked_before(request, pk):
        person = asked(request, pk)
        User.objects.filter(pk=pk).update(role=Role.OWNER)
        return person

    monkeypatch.setattr(staff, "_changeable", looked_before)
    assert login(admin).post(f"{page(sam)}remove/").status_code == 403
    assert role_of(sam) == Role.OWNER


def test_an_administrator_neither_makes_nor_touches_owners(login, alice):
    role, admin = Role.OWNER, make.staff(Role.ADMIN)
    browser = login(admin)
    answer = browser.post(NEW, {"email": "eve@example.com", "role": role, "kept": KEPT})
    assert answer.status_code == 200
    assert not User.objects.filter(email="eve@example.com").exists()
    for address in (page(alice), f"{page(alice)}remove/"):
        assert browser.get(address).status_code == 403
        assert browser.post(address, {"role": "support"}).status_code == 403
    other = make.staff(Role.ADMIN)
    assert browser.post(page(other), {"role": role, "kept": KEPT}).status_code == 200
    assert (role_of(alice), role_of(other)) == (Role.OWNER, Role.ADMIN)
    browser.post(page(other), {"role": "support", "kept": KEPT})
    assert role_of(other) == Role.SUPPORT


def test_an_administrator_does_not_touch_an_owner_who_is_a_contact(login, bob):
    make.staff(Role.OWNER)
    User.objects.appoint(email=bob.email, role=Role.OWNER)
    address = reverse("accounts:contact_role", args=[bob.pk])
    assert login(make.staff(Role.ADMIN)).post(address, {"role": ""}).status_code == 403
    assert role_of(bob.user) == Role.OWNER


def test_nobody_changes_or_removes_themself(login, alice):
    make.staff(Role.OWNER)
    for address in (page(alice), f"{page(alice)}remove/"):
        assert login(alice).post(address, {"role": "admin", "kept": KEPT}).status_code == 403
    assert role_of(alice) == Role.OWNER


def test_what_somebody_may_not_do_they_do_not_give(login, alice):
    admin = make.staff(Role.ADMIN)
    login(alice).post(page(admin), {"role": "admin", "kept": ["simulate", "copy_links"]})
    browser = login(now(admin))
    assert 'value="export"' not in browser.get(NEW).content.decode()
    browser.post(NEW, {"email": "eve@example.com", "role": "support", "kept": ["simulate"]})
    eve = User.objects.get(email="eve@example.com")
    assert eve.withheld == ["copy_links", "export"]
    trusted = make.staff(Role.SUPPORT)
    browser.post(page(trusted), {"role": "support", "kept": ["simulate"]})
    trusted.refresh_from_db()
    assert trusted.withheld == ["copy_links"], "what an owner gave is not theirs to take"


def test_the_last_owner_stays(login, alice, monkeypatch):
    other = make.staff(Role.OWNER)
    login(alice).post(page(other), {"role": "admin", "kept": KEPT})
    assert role_of(other) == Role.ADMIN
    with pytest.raises(LastOwner):
        alice.change_role("admin")
    with pytest.raises(LastOwner):
        alice.change_role("")
    assert role_of(alice) == Role.OWNER


def test_an_owner_who_has_no_login_any_more_does_not_count(alice):
    gone = make.staff(Role.OWNER)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    with pytest.raises(LastOwner):
        alice.change_role("admin")


def test_support_and_moderators_do_not_see_who_is_staff(login, db):
    for role in (Role.SUPPORT, Role.MODERATOR):
        browser = login(make.staff(role))
        assert browser.get(LIST).status_code == 403
        assert LIST not in browser.get("/dashboard/").content.decode()
    assert LIST in login(make.staff(Role.ADMIN)).get("/dashboard/").content.decode()


def test_moderators_see_no_contacts(login, bob):
    browser = login(make.staff(Role.MODERATOR))
    for address in ("/dashboard/contacts/", f"/dashboard/contacts/{bob.pk}/", "/dashboard/search/"):
        assert browser.get(address).status_code == 403
    assert bob.email not in browser.get("/dashboard/").content.decode()


def cells(page: str, word: str) -> list[bool]:
    """What each role may of one line of the table."""
    [row] = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if word in row]
    return [answer == "Yes" for answer in re.findall(r">(Yes|No)<", row)]


def test_the_table_says_what_each_role_may(login, alice):
    shown = login(alice).get(f"{LIST}permissions/").content.decode()
    assert set(WORDS) == PERMISSIONS[Role.OWNER], "every permission has its words"
    for name, word in WORDS.items():
        assert cells(shown, str(word)) == [name in PERMISSIONS[role] for role in Role]


def test_support_never_sees_money_or_settings(login, alice):
    shown = login(alice).get(f"{LIST}permissions/").content.decode()
    assert "Support never sees money or settings" in shown
    support = list(Role).index(Role.SUPPORT)
    for name in ("see_payments", "manage_settings", "manage_staff"):
        assert not cells(shown, str(WORDS[name]))[support]
    browser = login(make.staff(Role.SUPPORT))
    for address in ("/dashboard/settings/", LIST, f"{LIST}permissions/"):
        assert browser.get(address).status_code == 403
        assert browser.post(address).status_code == 403


def test_whoever_logged_in_long_ago_is_asked_before_they_change_staff(login, alice, db):
    sam = make.staff(Role.SUPPORT)
    browser = login(alice)
    age(browser)
    for address in (NEW, page(sam), f"{page(sam)}remove/"):
        assert browser.get(address)["Location"].startswith("/account/reauthenticate/?next=")
    assert browser.get(LIST).status_code == 200, "looking is free"
    asked = browser.post(page(sam), {"role": "moderator", "kept": []})["Location"]
    assert role_of(sam) == Role.SUPPORT
    back = browser.post(asked, {"password": make.PASSWORD, "next": page(sam)}, follow=True)
    assert back.redirect_chain[-1][0] == page(sam)
    assert any("Nothing was changed" in text for text in sentences(back))
    browser.post(page(sam), {"role": "moderator", "kept": []})
    assert role_of(sam) == Role.MODERATOR


def test_a_wrong_password_proves_nothing(login, alice, db):
    browser = login(alice)
    age(browser)
    browser.post("/account/reauthenticate/", {"password": "nope", "next": NEW})
    assert browser.get(NEW).status_code == 302


def age(browser: Client) -> None:
    """Let the login of this browser be half an hour old."""
    session = browser.session
    session["proved_at"] -= 1800
    session.save()


def test_the_link_to_a_password_can_be_sent_again(login, alice, committed, mailoutbox):
    sam = User.objects.appoint(email="sam@example.com", role=Role.SUPPORT)
    with committed():
        login(alice).post(f"{page(sam)}link/")
    assert [mail.to for mail in mailoutbox] == [["sam@example.com"]]
    sam.change_password(make.PASSWORD)
    with committed():
        login(alice).post(f"{page(sam)}link/")
    assert Link.objects.filter(user=sam, purpose="set_password").count() == 1


def test_a_double_click_mails_one_link(login, alice, committed, mailoutbox):
    browser = login(alice)
    with committed():
        browser.post(NEW, {"email": "sam@example.com", "role": "support", "kept": KEPT})
        sam = User.objects.get(email="sam@example.com")
        for _ in range(2):
            answer = browser.post(f"{page(sam)}link/", follow=True)
    assert "is on its way to sam@example.com" in answer.content.decode()
    assert [mail.to for mail in mailoutbox] == [["sam@example.com"]]
    Link.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    with committed():
        browser.post(f"{page(sam)}link/")
    assert len(mailoutbox) == 2, "later it is meant anew"


def test_a_role_that_is_saved_as_it_was_mails_nothing(login, alice, committed, mailoutbox):
    sam = User.objects.appoint(email="sam@example.com", role=Role.SUPPORT)
    with committed():
        answer = login(alice).post(page(sam), {"role": "support", "kept": KEPT}, follow=True)
    assert not mailoutbox
    assert sentences(answer) == ["Saved."]
    for role in ("moderator", "support"):
        with committed():
            login(alice).post(page(sam), {"role": role, "kept": KEPT})
    assert len(mailoutbox) == 2, "each change ends the link before"


def test_the_number_of_staff_costs_no_statements(login, alice, db, django_assert_max_num_queries):
    browser = login(alice)
    browser.get(LIST)
    for _ in range(15):
        make.staff(Role.SUPPORT)
    with django_assert_max_num_queries(5):
        browser.get(LIST)


def test_the_shell_changes_roles_but_leaves_an_owner(alice):
    call_command("create_staff", "sam@example.com", role="support", stdout=StringIO())
    assert User.objects.get(email="sam@example.com").role == Role.SUPPORT
    with pytest.raises(CommandError, match="last owner"):
        call_command("create_staff", alice.email, role="support", stdout=StringIO())
    call_command("create_staff", "sam@example.com", role="owner", stdout=StringIO())
    call_command("create_staff", alice.email, role="support", stdout=StringIO())
    assert role_of(alice) == Role.SUPPORT


def test_a_person_who_is_appointed_by_the_shell_is_one_person(bob):
    call_command("create_staff", bob.email, role="support", stdout=StringIO())
    assert Contact.objects.get(pk=bob.pk).login == User.objects.get(email=bob.email)


def test_a_name_of_ones_own_is_one_line_of_what_can_be_seen(login, alice):
    login(alice).post("/dashboard/profile/", {"name": "Al\u202eice\r\nOwner", "language": ""})
    assert now(alice).name == "Alice Owner"
