"""What staff do about somebody's way in: links, invitations, passwords, and what each of them refuses."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import make
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose
from notifications.models import Kind, Message
from portal.events import Name
from portal.models import Event

HOUR = timedelta(hours=1)


def way_of(contact, key):
    return reverse("accounts:contact_way", args=[contact.pk, key])


def new_link(contact):
    return reverse("accounts:link_create", args=[contact.pk])


def links_of(contact):
    return reverse("portal:link_list", args=[contact.pk])


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture
def staff(login, alice):
    return login(alice)


@pytest.fixture
def do(staff, committed):
    """Press one of the buttons of the contact page; what the page says then."""

    def press(contact, key, *, browser=staff, **words):
        with committed():
            answer = browser.post(way_of(contact, key), words)
        return text_of(browser.get(answer.headers["Location"]))

    return press


def open_link(mail):
    """The path of the link that a mail carries."""
    found = re.search(r"(/l/[0-9a-f]+/)", mail.body)
    assert found, mail.body
    return found.group(1)


# Login links


def test_a_mailed_link_leads_to_its_section_for_as_long_as_staff_chose(
    staff, bob, committed, last_mail, client
):
    with committed():
        staff.post(new_link(bob), {"section": "profile", "hours": "72", "once": "a"})
    link = Link.objects.get()
    assert 71 * HOUR < link.expires_at - now() <= 72 * HOUR
    mail = last_mail()
    assert mail.to == ["bob@example.com"]
    assert link.url in mail.body
    assert client.post(open_link(mail)).headers["Location"] == "/profile/"


@pytest.mark.parametrize("hours", ["0", "-1", "169", "8760", "x"])
def test_no_link_lives_longer_than_a_week(staff, bob, hours):
    answer = staff.post(new_link(bob), {"section": "home", "hours": hours})
    assert answer.status_code == 200
    assert "Select a valid choice" in text_of(answer)
    assert not Link.objects.exists()


def test_a_double_click_mails_one_link(staff, bob, committed, mailoutbox):
    words = {"section": "home", "once": "of this page"}
    for _ in range(2):
        with committed():
            answer = staff.post(new_link(bob), words)
    assert "is on its way to bob@example.com" in text_of(staff.get(answer.headers["Location"]))
    assert len(mailoutbox) == Link.objects.count() == 1


def test_a_copied_link_is_shown_once_and_its_owner_is_told_who_made_it(
    staff, alice, bob, committed, last_mail, client
):
    words = {"section": "courses", "delivery": "copy", "once": "of this page"}
    with committed():
        answer = staff.post(new_link(bob), words)
    link = Link.objects.get()
    assert link.url in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "strict-origin"
    mail = last_mail()
    assert mail.to == ["bob@example.com"]
    assert str(alice) in mail.body
    assert link.token not in mail.body

    again = staff.post(new_link(bob), words)
    assert link.token not in again.content.decode()
    assert "It was shown once" in text_of(again)
    assert Link.objects.count() == 1
    for page in (staff.get(new_link(bob)), staff.get(links_of(bob))):
        assert link.token not in page.content.decode()
    assert client.post(f"/l/{link.token}/").headers["Location"] == "/courses/"


def test_copying_is_a_permission_of_its_own(bob, login, alice):
    support = make.staff(Role.SUPPORT)
    support.withheld = ["copy_links"]
    support.save(update_fields=["withheld"])
    browser = login(support)
    assert "copy" not in text_of(browser.get(new_link(bob))).lower()
    assert browser.post(new_link(bob), {"section": "home", "delivery": "copy"}).status_code == 403
    assert not Link.objects.exists()
    assert browser.post(new_link(bob), {"section": "home"}).status_code == 302


@pytest.mark.parametrize("delivery", ["mail", "copy"])
def test_nobody_gets_a_login_link_for_staff_or_for_who_is_blocked(
    staff, bob, charlie, delivery, mailoutbox, committed
):
    User.objects.appoint(email=bob.email, role=Role.MODERATOR)
    charlie.block(reason="Unpaid")
    with committed():
        for contact, why in ((bob, "Staff log in with"), (charlie, "The contact is blocked.")):
            assert why in text_of(staff.get(new_link(contact)))
            answer = staff.post(new_link(contact), {"section": "home", "delivery": delivery})
            assert answer.status_code == 403
            assert why in text_of(answer)
    assert not Link.objects.exists()
    assert not mailoutbox


# The list of links


def ended(link, how):
    match how:
        case "Opened":
            Client().get(f"/l/{link.token}/")
        case "Used":
            Client().post(f"/l/{link.token}/")
        case "Expired":
            Link.objects.filter(pk=link.pk).update(
                created_at=now() - 2 * HOUR, expires_at=now() - HOUR
            )
        case "Replaced":
            link.user.end_access()
        case "Revoked":
            Link.objects.filter(pk=link.pk).revoke()


@pytest.mark.parametrize(
    "how", ["Not opened yet", "Opened", "Used", "Expired", "Replaced", "Revoked"]
)
def test_the_list_tells_what_became_of_a_link(staff, bob, how):
    link = make.link(bob.user)
    ended(link, how)
    page = staff.get(links_of(bob)).content.decode()
    row = page[page.index("<tbody>") : page.index("</tbody>")]
    assert how in row
    is_open = how in ("Not opened yet", "Opened")
    assert (reverse("accounts:link_revoke", args=[link.pk]) in row) == is_open


def test_the_list_shows_whether_the_mail_of_a_link_went_out(staff, bob, committed):
    with committed():
        staff.post(new_link(bob), {"section": "home"})
    page = staff.get(links_of(bob)).content.decode()
    mail = Message.objects.get(kind=Kind.LINK)
    assert reverse("notifications:message_detail", args=[mail.pk]) in page
    assert "Sent" in page
    assert "alice@example.com" in page, "who made it"


def test_the_list_knows_the_mail_a_link_was_written_into(staff, bob, committed):
    with committed():
        make.grant(contact=bob, notify=True)
    page = staff.get(links_of(bob)).content.decode()
    mail = Message.objects.get(kind=Kind.ACCESS)
    assert reverse("notifications:message_detail", args=[mail.pk]) in page


def test_a_revoked_link_lets_nobody_in_and_that_is_recorded_once(staff, alice, bob):
    link = make.link(bob.user)
    for said in ("The link is worthless now.", "used or over already"):
        answer = staff.post(reverse("accounts:link_revoke", args=[link.pk]), follow=True)
        assert said in text_of(answer)
    assert Client().post(f"/l/{link.token}/").status_code == 410
    [event] = Event.objects.filter(name=Name.MAGIC_LINK_REVOKED)
    assert (event.contact_id, event.actor, event.data["link"]) == (bob.pk, alice, link.pk)
    assert "Magic link revoked" in text_of(
        staff.get(reverse("portal:contact_timeline", args=[bob.pk]))
    )


def test_the_list_is_paged_and_its_statements_do_not_grow(school, staff, bob, alice):
    counts = []
    for many in (1, 60):
        for _ in range(many):
            make.link(bob.user)
        with CaptureQueriesContext(connection) as statements:
            page = staff.get(links_of(bob))
        counts.append(len(statements))
    assert counts[0] == counts[1]
    oldest = Link.objects.earliest("pk")
    revoke = reverse("accounts:link_revoke", args=[oldest.pk])
    assert revoke not in page.content.decode()
    older = re.search(r'rel="next"\s+href="([^"]+)"', page.content.decode())
    assert older
    assert revoke in staff.get(links_of(bob) + older.group(1)).content.decode()


# Invitations


def invite(staff, committed, **words):
    words = {"email": "dora@example.com", "name": "Dora Dough", "once": "a"} | words
    with committed():
        return staff.post(reverse("enrollments:portal_user_create"), words, follow=True)


def test_somebody_new_is_invited_by_their_address_and_joins(staff, committed, last_mail, client):
    offer = make.offer("Sourdough")
    page = invite(staff, committed, offers=[offer.pk], language="it")
    assert "An invitation is on its way to dora@example.com." in text_of(page)
    assert "Invited" in text_of(page)
    dora = Contact.objects.get(email="dora@example.com")
    assert (dora.name, dora.language, dora.joined_at) == ("Dora Dough", "it", None)
    mail = last_mail()
    assert mail.to == ["dora@example.com"]
    assert "Sourdough" in mail.body

    path = open_link(mail)
    assert client.post(path).status_code == 200, "it asks for a password first"
    assert client.post(path, {"password": "flour and water"}).status_code == 302
    assert client.get("/courses/").status_code == 200
    dora.refresh_from_db()
    assert dora.joined_at
    assert Event.objects.filter(name=Name.PORTAL_JOINED, contact=dora).count() == 1


def test_somebody_is_added_without_an_invitation(staff, committed, mailoutbox):
    offer = make.offer()
    page = invite(staff, committed, quiet="1", offers=[offer.pk], email=" DORA@Example.com ")
    assert "Nobody was written to." in text_of(page)
    dora = Contact.objects.get(email="dora@example.com")
    assert dora.grants.live().count() == 1
    assert not dora.user.has_usable_password()
    assert not mailoutbox
    assert "dora@example.com" in text_of(staff.get("/dashboard/portal-users/"))


def test_a_known_address_is_the_contact_who_has_it(staff, committed, last_mail):
    known = make.contact("Dora the First", email="dora@example.com", language="pt-br")
    known_pk = known.pk
    Contact.objects.filter(pk=known_pk).archive()
    invite(staff, committed, language="it")
    dora = Contact.objects.get(email="dora@example.com")
    assert (dora.pk, dora.name, dora.language) == (known_pk, "Dora the First", "pt-br")
    assert dora.archived_at is None
    assert last_mail().to == ["dora@example.com"]


def test_who_cannot_be_invited_is_said_in_the_form(staff, committed, bob, charlie, mailoutbox):
    bob.join()
    charlie.block(reason="Unpaid")
    for email, why in (
        (bob.email, "Was in the portal before"),
        (charlie.email, "The contact is blocked."),
        ("alice@example.com", "Staff log in with their password."),
        ("nonsense", "Enter a valid email address."),
    ):
        assert why in text_of(invite(staff, committed, email=email))
    assert "Staff log in" in text_of(invite(staff, committed, email="alice@example.com", quiet="1"))
    assert not mailoutbox
    assert not Link.objects.exists()


def test_an_invitation_sent_again_ends_the_earlier_one_and_no_other_link(
    staff, do, bob, client, mailoutbox
):
    other = make.link(bob.user)
    do(bob, "invite", once="a")
    do(bob, "invite", once="a")
    assert len(mailoutbox) == 1, "a double click"
    do(bob, "invite", once="b")
    first, second = (open_link(mail) for mail in mailoutbox)
    assert client.get(first).status_code == 410
    assert client.get(second).status_code == 200
    other.refresh_from_db()
    assert other.is_usable
    assert Event.objects.filter(name=Name.PORTAL_INVITED, contact=bob).count() == 1
    assert Event.objects.filter(name=Name.MAGIC_LINK_REVOKED).count() == 1


def test_whoever_has_a_password_joins_by_one_press(do, bob, client, last_mail):
    do(bob, "invite")
    assert client.post(open_link(last_mail())).status_code == 302
    bob.user.refresh_from_db()
    assert bob.user.check_password(make.PASSWORD), "it stays"


def test_an_invitation_can_be_revoked(staff, do, bob, client, last_mail):
    do(bob, "invite")
    staff.post(reverse("accounts:link_revoke", args=[Link.objects.get().pk]))
    assert client.post(open_link(last_mail())).status_code == 410


# Passwords, access, help


def test_a_reset_link_lives_as_long_as_what_staff_send(do, bob, client, last_mail):
    assert "A link to choose a new password is on its way" in do(bob, "reset")
    link = Link.objects.get()
    assert link.purpose == Purpose.RESET
    assert link.expires_at - now() > 23 * HOUR
    assert client.post(open_link(last_mail()), {"password": "flour and water"}).status_code == 302


def test_a_temporary_password_is_mailed_and_shown_to_nobody(do, bob, client, last_mail):
    said = do(bob, "temporary_password")
    mail = last_mail()
    assert mail.to == ["bob@example.com"]
    found = re.search(r"\b(?:[a-z2-9]{4}-){4}[a-z2-9]{4}\b", mail.body)
    assert found, mail.body
    assert found.group() not in said
    words = {"login": "bob@example.com", "password": found.group()}
    assert client.post("/account/login/", words).status_code == 302


def test_access_is_sent_again_with_credentials_to_who_was_never_in(
    staff, do, committed, mailoutbox, client
):
    with committed():
        dora = make.contact("Dora", email="dora@example.com")
        make.grant(contact=dora, offer=make.offer("Sourdough"), notify=True)
    do(dora, "resend", once="a")
    do(dora, "resend", once="a")
    first, second = mailoutbox
    assert (first.subject, first.to) == (second.subject, second.to)
    assert "Sourdough" in second.body
    paths = set(re.findall(r"/l/[0-9a-f]+/", second.body))
    assert not paths & set(re.findall(r"/l/[0-9a-f]+/", first.body))
    purposes = {Link.objects.by_token(path.split("/")[2]).get().purpose for path in paths}
    assert purposes == {Purpose.LOGIN, Purpose.SET_PASSWORD}


def test_access_is_sent_again_without_credentials_to_who_was_in(do, bob, last_mail):
    bob.join()
    make.grant(contact=bob, offer=make.offer("Sourdough"))
    do(bob, "resend")
    assert "Sourdough" in last_mail().body
    assert {link.purpose for link in Link.objects.all()} == {Purpose.LOGIN}


def test_nothing_is_sent_again_to_who_holds_nothing(do, bob, mailoutbox):
    assert "Holds nothing now" in do(bob, "resend")
    assert not mailoutbox


def test_access_help_says_how_to_get_in_and_holds_no_key(do, bob, last_mail):
    do(bob, "help", once="a")
    do(bob, "help", once="a")
    mail = last_mail()
    assert reverse("account_login") in mail.body
    assert "/l/" not in mail.body
    assert "bob@example.com" in mail.body
    assert not Link.objects.exists()
    bob.refresh_from_db()
    assert bob.invited_at is None, "it tells of nothing that is theirs"


def test_open_links_end_and_the_browser_stays_logged_in(do, bob, login):
    browser, link = login(bob), make.link(bob.user)
    do(bob, "revoke_links")
    assert Client().post(f"/l/{link.token}/").status_code == 410
    assert browser.get("/profile/").status_code == 200
    assert "There was nothing to do." in do(bob, "revoke_links")


# Whom it may be done to, and by whom

WAYS = [
    "invite",
    "reset",
    "temporary_password",
    "help",
    "resend",
    "revoke_links",
    "end_sessions",
]


@pytest.mark.parametrize("key", WAYS)
def test_each_way_asks_first_and_says_what_it_will_do(staff, bob, key):
    make.grant(contact=bob)
    make.link(bob.user)
    before = Event.objects.count()
    page = staff.get(way_of(bob, key))
    assert page.status_code == 200
    assert 'class="confirm"' in page.content.decode()
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("invite", "Was in the portal before: send a login link instead."),
        ("resend", "Holds nothing now: invite them, or send a login link."),
        ("revoke_links", "No link of theirs is open."),
    ],
)
def test_where_there_is_nothing_to_do_no_button_offers_it(staff, bob, key, why):
    bob.join()
    page = staff.get(way_of(bob, key))
    assert why in text_of(page)
    assert 'class="confirm"' not in page.content.decode()


@pytest.mark.parametrize("key", WAYS)
def test_of_staff_above_them_nobody_is_offered_anything(login, bob, key):
    make.grant(contact=bob)
    make.link(bob.user)
    User.objects.appoint(email=bob.email, role=Role.OWNER)
    page = login(make.staff(Role.SUPPORT)).get(way_of(bob, key))
    assert "A member of staff: not yours to do." in text_of(page)


def test_a_preview_counts_nobody_who_gets_no_mail(staff, bob, charlie):
    User.objects.appoint(email=charlie.email, role=Role.MODERATOR)
    everybody = {"ids": [bob.pk, charlie.pk]}
    for key in ("invite", "temporary_password", "help"):
        page = staff.post(reverse("portal:bulk_create"), everybody | {"action": key})
        assert "Mails 1 person" in text_of(page)


@pytest.mark.parametrize("key", ["invite", "reset", "temporary_password", "help", "resend"])
def test_whoever_is_blocked_gets_no_mail(do, bob, key, mailoutbox):
    make.grant(contact=bob)
    bob.block(reason="Unpaid")
    assert "The contact is blocked." in do(bob, key)
    assert not mailoutbox
    assert not Link.objects.exists()


@pytest.mark.parametrize("key", ["invite", "temporary_password", "help", "resend"])
def test_staff_get_nothing_that_lets_them_in_from_anybody(do, bob, key, mailoutbox):
    make.grant(contact=bob)
    User.objects.appoint(email=bob.email, role=Role.MODERATOR)
    assert "Staff log in with their password." in do(bob, key)
    assert not mailoutbox
    assert not Link.objects.exists()


@pytest.mark.parametrize(
    ("by", "to", "is_done"),
    [
        (Role.SUPPORT, Role.MODERATOR, False),
        (Role.ADMIN, Role.SUPPORT, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.OWNER, Role.OWNER, True),
    ],
)
@pytest.mark.parametrize("key", ["reset", "revoke_links", "end_sessions"])
def test_only_who_manages_staff_tends_staff_and_nobody_above_them(
    do, bob, login, alice, by, to, is_done, key
):
    elsewhere = make.staff(to, email="bob@example.com")
    browser, reset = login(elsewhere), make.link(elsewhere, purpose=Purpose.RESET)
    said = do(bob, key, browser=login(make.staff(by)))
    assert ("not yours to do" in said) != is_done
    if key == "end_sessions":
        assert (browser.get("/dashboard/").status_code == 302) == is_done
    if key == "revoke_links":
        reset.refresh_from_db()
        assert (reset.revoked_at is not None) == is_done
    if key == "reset":
        assert Link.objects.count() == 1 + is_done


def test_moderators_students_and_strangers_find_every_door_shut(bob, charlie, login, client):
    link = make.link(bob.user)
    pages = [
        new_link(bob),
        links_of(bob),
        *(way_of(bob, key) for key in WAYS),
        reverse("accounts:link_revoke", args=[link.pk]),
        reverse("accounts:contact_session_list", args=[bob.pk]),
        reverse("enrollments:portal_user_create"),
    ]
    for page in pages:
        for person in (make.staff(Role.MODERATOR), charlie, bob):
            assert login(person).post(page).status_code == 403
        assert client.post(page).headers["Location"].startswith("/account/login/")
    link.refresh_from_db()
    assert link.is_usable


def test_a_way_that_is_none_is_not_found(staff, bob):
    for key in ("login", "block", "tag", "nonsense"):
        assert staff.post(way_of(bob, key)).status_code == 404
    assert staff.post(way_of(bob, "invite").replace(f"/{bob.pk}/", "/0/")).status_code == 404


# Blocked, and where mails come from


def test_whoever_is_blocked_reads_nothing_but_what_strangers_read(
    bob, login, committed, mailoutbox, client
):
    browser, link = login(bob), make.link(bob.user)
    bob.block(reason="Shared the login")
    assert browser.get("/courses/").headers["Location"].startswith("/account/login/")

    def says(path, **words):
        answer = Client().post(path, words, follow=True)
        text = text_of(answer).replace(words.get("login", words.get("email", "-")), "…")
        return answer.status_code, text

    asking = reverse("account_reset_password")
    with committed():
        for mine, strangers in (
            (
                says("/account/login/", login=bob.email, password=make.PASSWORD),
                says("/account/login/", login="nobody@example.com", password=make.PASSWORD),
            ),
            (says(asking, email=bob.email), says(asking, email="nobody@example.com")),
            (says(f"/l/{link.token}/"), says(f"/l/{'0' * 64}/")),
            (says(f"/l/{link.token}/renew/"), says(f"/l/{'0' * 64}/renew/")),
        ):
            assert mine == strangers
            assert "block" not in mine[1].lower()
    assert not mailoutbox


def test_the_dialog_says_what_blocking_means_and_keeps_the_reason_for_staff(staff, bob):
    page = reverse("portal:contact_block", args=[bob.pk])
    assert "no password, no link and no code lets them in" in text_of(staff.get(page))
    assert "This field is required." in text_of(staff.post(page, {"reason": ""}))
    staff.post(page, {"reason": "Shared the login"})
    assert "Shared the login" in text_of(staff.get(f"/dashboard/contacts/{bob.pk}/"))


def test_the_dialog_does_not_claim_to_shut_staff_out(staff, login, bob):
    colleague = User.objects.appoint(email=bob.email, role=Role.MODERATOR)
    browser = login(colleague)
    page = reverse("portal:contact_block", args=[bob.pk])
    asked = text_of(staff.get(page))
    assert "They stay staff, and log in as before." in asked
    assert "No mail goes to them any more" not in asked
    assert "no password" not in asked
    assert "browser" not in asked
    staff.post(page, {"reason": "Wants no courses"})
    assert browser.get("/dashboard/").status_code == 200


def test_the_portals_address_can_be_copied_and_mails_come_from_it(
    staff, bob, committed, last_mail, settings
):
    for page in ("/dashboard/", "/dashboard/portal-users/"):
        assert f'<copy-button value="{settings.PORTAL_URL}"' in staff.get(page).content.decode()
    with committed():
        staff.post(new_link(bob), {"section": "home"})
    host = urlsplit(settings.PORTAL_URL).hostname
    assert f"<portal@{host}>" in last_mail().from_email
    assert f"portal@{host}" in text_of(staff.get("/dashboard/portal-users/"))
