"""Staff find, make, edit and block contacts."""

from __future__ import annotations

from itertools import chain

import make
import pytest
from django.urls import reverse

from accounts.models import Contact, Role, User
from enrollments.access import with_portal_status
from portal.models import Event

LIST = "/dashboard/contacts/"


def found(browser, **query) -> list[str]:
    return [contact.name for contact in browser.get(LIST, query).context["listing"].page]


def test_search_knows_no_accents_and_no_case(alice, login):
    make.contact("José Conceição", email="jose@x.com", phone="+39 055 123")
    make.contact("Zoë Müller", email="zoe@y.com", external_id="CRM-7")
    staff = login(alice)
    for words in ("jose", "CONCEICAO", "conceição jo", "jose@x", "055 123"):
        assert found(staff, q=words) == ["José Conceição"], words
    for words in ("zoe", "muller", "crm-7"):
        assert found(staff, q=words) == ["Zoë Müller"], words
    assert found(staff, q="100%") == []
    assert len(found(staff)) == 2


def test_pages_go_back_and_forth_without_a_gap(alice, login):
    for n in range(120):
        make.contact(f"Person {n:03}", email=f"p{n}@x.com")
    staff = login(alice)
    pages, url = [], LIST
    while url:
        listing = staff.get(url).context["listing"]
        pages.append([contact.pk for contact in listing.page])
        back = listing.previous_url
        url = LIST + listing.next_url if listing.next_url else ""
    assert [len(page) for page in pages] == [50, 50, 20]
    everybody = [*chain.from_iterable(pages)]
    assert everybody == sorted(set(everybody), reverse=True)
    again = staff.get(LIST + back).context["listing"]
    assert [contact.pk for contact in again.page] == pages[1]
    for absurd in ("?before=x", "?after=99999999999999999999", "?before=-1"):
        assert staff.get(LIST + absurd).status_code == 200


def test_the_list_takes_as_many_statements_for_many_as_for_few(
    alice, login, school, django_assert_max_num_queries
):
    staff = login(alice)
    for n in range(60):
        make.contact(f"Person {n}")
        if n in (2, 59):
            with django_assert_max_num_queries(9):
                staff.get(LIST)


def test_a_new_contact_needs_a_name_and_a_free_address(alice, bob, login):
    staff, page = login(alice), reverse("accounts:contact_create")
    answer = staff.post(
        page,
        {"name": "Ana", "email": " Ana@X.com ", "phone": "1", "tag_names": "vip, spring, vip"},
    )
    ana = Contact.objects.get(email="ana@x.com")
    assert answer["Location"] == reverse("portal:contact_detail", args=[ana.pk])
    assert set(ana.tags.values_list("name", flat=True)) == {"vip", "spring"}
    assert Event.objects.filter(contact=ana, name="contact.created", actor=alice).exists()
    assert ana.phone == "1"
    assert not Event.objects.filter(contact=ana, name="contact.updated").exists()
    for words, complaint in [
        ({"name": "Ana", "email": "ANA@x.com"}, "already"),
        ({"name": "", "email": "b@x.com"}, "required"),
        ({"name": "B", "email": "b"}, "valid email"),
    ]:
        answer = staff.post(page, words)
        assert answer.status_code == 200
        assert complaint in answer.content.decode()
    assert Contact.objects.count() == 2


def test_tags_are_written_as_they_are_known(alice, bob, charlie, login):
    charlie.tag(["VIP", "Late", "late"])
    words = {"name": "Bob", "email": "bob@example.com", "tag_names": "vip,  first   class, late"}
    login(alice).post(reverse("accounts:contact_update", args=[bob.pk]), words)
    assert set(bob.tags.values_list("name", flat=True)) == {"VIP", "first class", "late"}


def test_a_new_tag_is_written_as_it_came_first(alice, bob, login):
    words = {"name": "Bob", "email": "bob@example.com", "tag_names": "Foo, foo, bar, FOO"}
    login(alice).post(reverse("accounts:contact_update", args=[bob.pk]), words)
    assert set(bob.tags.values_list("name", flat=True)) == {"Foo", "bar"}


def test_editing_records_what_differs(alice, bob, login):
    staff, page = login(alice), reverse("accounts:contact_update", args=[bob.pk])
    words = {"name": "Bobby", "email": "bob@example.com", "phone": "1", "tag_names": ""}
    for _ in range(2):
        staff.post(page, words)
    bob.refresh_from_db()
    assert (bob.name, bob.phone) == ("Bobby", "1")
    event = Event.objects.get(contact=bob, name="contact.updated")
    assert event.data["fields"] == ["name", "phone"]


def test_nobody_renames_staff_by_their_contact(alice, login):
    owner = make.contact("Person", email=alice.email)
    User.objects.for_contact(owner)
    support = login(make.staff(Role.SUPPORT))
    page = reverse("accounts:contact_update", args=[owner.pk])
    words = {"name": "Mallory", "email": "mallory@example.com", "phone": "12", "tag_names": ""}
    assert support.post(page, words)["Location"] == reverse(
        "portal:contact_detail", args=[owner.pk]
    )
    owner.refresh_from_db()
    assert (owner.name, owner.email, owner.phone) == ("Person", alice.email, "12")


def test_staff_are_called_what_they_call_themselves(alice, login):
    owner = make.contact("Mallory", email=alice.email)
    User.objects.for_contact(owner)
    User.objects.filter(pk=alice.pk).update(name="Alice Almond")
    page = login(alice).get("/dashboard/settings/staff/").content.decode()
    assert "Alice Almond" in page
    assert "Mallory" not in page


def test_a_new_address_moves_the_login_and_ends_what_the_old_one_could_open(
    alice, bob, charlie, login, client
):
    staff, page = login(alice), reverse("accounts:contact_update", args=[bob.pk])
    student, link = login(bob), make.link(bob.user)
    for taken in ("charlie@example.com", "alice@example.com", "ALICE@example.com"):
        answer = staff.post(page, {"name": "Bob", "email": taken})
        assert "already" in answer.content.decode()
    staff.post(page, {"name": "Bob", "email": "Robert@Example.com"})
    bob.refresh_from_db()
    assert bob.email == "robert@example.com"
    assert User.objects.get(contact=bob).email == "robert@example.com"
    assert student.get("/").status_code == 302
    assert client.post(reverse("accounts:link_consume", args=[link.token])).status_code == 410
    new = {"login": "robert@example.com", "password": make.PASSWORD}
    assert client.post("/account/login/", new)["Location"] == "/"
    assert Event.objects.filter(contact=bob, name="contact.email_changed").count() == 1


def test_support_cannot_lock_out_or_move_the_owner(alice, login):
    support = login(make.staff(Role.SUPPORT))
    contact = make.contact(email="alice@example.com")
    answer = support.post(reverse("accounts:link_create", args=[contact.pk]), {"section": "home"})
    assert answer.status_code == 403
    assert "Staff log in with their password." in answer.content.decode()
    owner = login(alice)
    support.post(reverse("portal:contact_block", args=[contact.pk]), {"reason": "mischief"})
    assert owner.get("/dashboard/").status_code == 200
    assert owner.get("/courses/").headers["Location"] == "/dashboard/"
    support.post(
        reverse("accounts:contact_update", args=[contact.pk]),
        {"name": "Alice", "email": "mine@example.com"},
    )
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (lambda bob: None, "none"),
        (lambda bob: make.grant(contact=bob), "active"),
        (lambda bob: make.grant(contact=bob).revoke(), "none"),
        (lambda bob: Contact.objects.invite([bob.pk]), "invited"),
        (lambda bob: bob.join(), "joined"),
        (lambda bob: bob.block(), "blocked"),
    ],
)
def test_portal_status(db, happens, status):
    bob = make.contact()
    happens(bob)
    assert with_portal_status(Contact.objects.all()).get(pk=bob.pk).portal_status == status


def test_the_contact_page_tells_everything_in_few_statements(
    alice, bob, login, school, django_assert_max_num_queries
):
    staff, page = login(alice), reverse("portal:contact_detail", args=[bob.pk])
    for n in range(20):
        make.grant(contact=bob, offer=make.offer(f"Offer {n}"))
    staff.get(page)
    with django_assert_max_num_queries(15):
        answer = staff.get(page)
    text = answer.content.decode()
    assert "Offer 19" in text
    assert "bob@example.com" in text


def test_blocking_says_what_it_does_and_needs_a_reason(alice, bob, login):
    staff, page = login(alice), reverse("portal:contact_block", args=[bob.pk])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"reason": ""}).status_code == 200
    assert not Contact.objects.get(pk=bob.pk).is_blocked
    staff.post(page, {"reason": "disagreement"})
    assert Contact.objects.get(pk=bob.pk).block_reason == "disagreement"


def test_the_search_at_the_top_opens_one_exact_person_and_lists_others(alice, bob, login):
    staff = login(alice)
    make.offer("Bobbin lace")
    assert staff.get("/dashboard/search/", {"q": "ＢＯＢ@example.com"})["Location"].endswith(
        f"/{bob.pk}/"
    )
    assert staff.get("/dashboard/search/", {"q": str(bob.pk)})["Location"].endswith(f"/{bob.pk}/")
    page = staff.get("/dashboard/search/", {"q": "bob"}).content.decode()
    assert "Bob Baker" in page
    assert "Bobbin lace" in page
    assert staff.get("/dashboard/search/").status_code == 200


def test_a_name_is_text_and_never_markup(alice, login):
    make.contact("<script>alert(1)</script>")
    assert "<script>alert" not in login(alice).get(LIST).content.decode()
