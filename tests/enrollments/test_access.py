"""Why somebody can, or cannot, open a course: in words, each with the button that mends it."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape

import make
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Contact, Role, User
from enrollments import access
from enrollments.models import Enrollment, Grant
from enrollments.shelf import shelf
from notifications.models import Kind, Message, State
from offers.models import Offer


def page(contact, course):
    return reverse("enrollments:access_detail", args=[contact.pk, course.pk])


def told(browser, contact, course):
    """The words of the page, as they are read."""
    html = browser.get(page(contact, course)).content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def suspend(bob, offer, course):
    bob.grants.all().suspend()


def start_later(bob, offer, course):
    bob.grants.update(starts_at=now() + timedelta(days=2))


def end(bob, offer, course):
    yesterday = now().date() - timedelta(days=1)
    bob.grants.update(ends_on=yesterday, ends_at=now() - timedelta(hours=1))


def switch_off(bob, offer, course):
    bob.enrollments.get(course=course).switch(on=False)


def back_to_draft(bob, offer, course):
    Offer.objects.filter(pk=offer.pk).update(status="draft")


# What is done to a person who holds one live grant of “Bread”
#   -> the code, the sentence, what mends it, and the words with which the button's page is sent.
WHYS = {
    "blocked": (
        lambda bob, offer, course: bob.block(reason="shared the password"),
        r"The contact is blocked since .+: shared the password",
        "Unblock the contact.",
        {},
    ),
    "course_unpublished": (
        lambda bob, offer, course: course.archive(),
        r"The course is archived\.",
        "Publish the course.",
        None,
    ),
    "enrollment_inactive": (
        switch_off,
        r"The enrollment is switched off since .+\.",
        "Switch the enrollment on.",
        None,
    ),
    "grant_revoked": (
        lambda bob, offer, course: bob.grants.all().revoke(reason="refunded"),
        r"“Bread” was revoked on .+ by the system\. refunded",
        "Grant the offer again.",
        lambda offer: {f"offer_{offer.pk}": "on"},
    ),
    "grant_expired": (
        end,
        r"“Bread” ended on .+\.",
        "Set a later end date.",
        lambda offer: {"ends_on": "2099-12-31"},
    ),
    "grant_suspended": (suspend, r"“Bread” is suspended since .+\.", "Resume the grant.", {}),
    "grant_not_started": (
        start_later,
        r"“Bread” starts on .+\.",
        "Wait, or revoke it and grant the offer from today.",
        None,
    ),
    "offer_draft": (
        back_to_draft,
        "“Bread” is granted, but the offer is a draft.",
        "Publish the offer.",
        None,
    ),
    "no_grant": (
        lambda bob, offer, course: offer.exclude(course),
        "No offer with this course was ever granted.",
        "No offer that can be granted holds it: put it into one, then grant that.",
        None,
    ),
}


@pytest.fixture
def bread(bob):
    """The course of an offer that Bob holds."""
    course = make.course("Bread")
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]))
    return course


@pytest.mark.parametrize("code", WHYS)
def test_each_reason_says_what_it_is_and_what_mends_it(alice, bob, bread, login, code):
    act, sentence, mend, _words = WHYS[code]
    student, staff = login(bob), login(alice)
    assert told(staff, bob, bread).count("Yes: Bob Baker can open “Bread”.") == 1
    act(bob, Offer.objects.get(), bread)
    words = told(staff, bob, bread)
    assert "No: Bob Baker cannot open “Bread”." in words
    assert re.search(sentence, words)
    assert mend in words
    assert student.get(f"/courses/{bread.slug}/").status_code != 200
    assert not shelf(Contact.objects.get(pk=bob.pk))


@pytest.mark.parametrize("code", [code for code in WHYS if WHYS[code][3] is not None])
def test_pressing_the_button_opens_the_course(alice, bob, bread, login, code):
    """By its form, or by the form on the page it leads to."""
    act, _sentence, _mend, words = WHYS[code]
    offer, staff = Offer.objects.get(), login(alice)
    act(bob, offer, bread)
    html = staff.get(page(bob, bread)).content.decode()
    [reason] = access.verdict(Contact.objects.get(pk=bob.pk), bread).deciding
    assert reason.code == code
    assert reason.button.url in html
    assert staff.post(reason.button.url, words(offer) if words else {}).status_code == 302
    assert login(bob).get(f"/courses/{bread.slug}/").status_code == 200


@pytest.mark.parametrize("code", [code for code in WHYS if WHYS[code][3] is None])
def test_the_other_buttons_lead_to_the_page_that_mends(alice, bob, bread, login, code):
    act, _sentence, _mend, _words = WHYS[code]
    staff = login(alice)
    act(bob, Offer.objects.get(), bread)
    [reason] = access.verdict(bob, bread).deciding
    assert (reason.code, reason.button.method) == (code, "get")
    assert reason.button.url in staff.get(page(bob, bread)).content.decode()
    assert staff.get(reason.button.url).status_code == 200


def test_every_obstacle_is_told_at_once_and_the_deciding_ones_first(bob, bread, charlie):
    offer = Offer.objects.get()
    for act in (suspend, switch_off, back_to_draft):
        act(bob, offer, bread)
    bob.block(reason="late")
    bread.archive()
    codes = [reason.code for reason in access.verdict(bob, bread).reasons]
    assert codes[:5] == [
        *("blocked", "course_unpublished", "enrollment_inactive"),
        *("grant_suspended", "offer_draft"),
    ]
    assert set(codes[5:]) == {"never_logged_in", "no_mail"}


def test_what_is_over_is_history_once_the_offer_is_held_again(bob, bread, alice, login):
    offer = Offer.objects.get()
    Grant.objects.all().revoke(reason="a mistake")
    make.grant(contact=bob, offer=offer)
    verdict = access.verdict(bob, bread)
    assert [(reason.code, reason.mend) for reason in verdict.deciding] == [("grant_live", "")]
    assert ("grant_revoked", "") in [(reason.code, reason.mend) for reason in verdict.others]
    # Held, but paused: granting it again would change nothing, so only resuming is offered.
    suspend(bob, offer, bread)
    assert [reason.code for reason in access.verdict(bob, bread).deciding] == ["grant_suspended"]


def test_another_way_in_needs_no_mending(alice, bob, bread, login):
    """One offer ended, another opens the course: the answer is yes, and no button begs to be pressed."""
    end(bob, None, bread)
    make.grant(contact=bob, offer=make.offer("Both", courses=[bread]), ends_on=date(2099, 1, 31))
    words = told(login(alice), bob, bread)
    assert "“Both” is live until Jan. 31, 2099." in words
    assert "“Bread” ended on" in words
    assert "Set a later end" not in words


def test_who_revoked_is_called_by_name(alice, bob, bread, login):
    grant = Grant.objects.get()
    login(alice).post(reverse("enrollments:grant_revoke", args=[grant.pk]), {"reason": "refunded"})
    assert "by alice@example.com. refunded" in told(login(alice), bob, bread)


def test_an_archived_offer_is_not_granted_again(bob, bread):
    Grant.objects.all().revoke()
    Offer.objects.get().archive()
    [reason] = access.verdict(bob, bread).deciding
    assert reason.mend == "The offer is archived: grant another one with this course."


def test_a_subscription_that_ended_is_not_extended_by_hand(bob, bread):
    end(bob, None, bread)
    Grant.objects.update(source="subscription:sub_1")
    [reason] = access.verdict(bob, bread).deciding
    assert (reason.code, reason.mend) == ("grant_expired", "Grant the offer again.")
    assert reason.button.url == reverse("enrollments:grant_create", args=[bob.pk])


# What may keep somebody out of an open course


def logged_in(bob):
    bob.join()
    Contact.objects.filter(pk=bob.pk).update(last_seen_at=now())


WAYS = {
    "no_login": (lambda bob: bob.user.delete(), "There is no login yet"),
    "never_logged_in": (lambda bob: None, "They never logged in, and were never invited."),
    "last_login": (logged_in, "They were last in the portal on"),
}


@pytest.mark.parametrize("code", WAYS)
def test_how_they_get_in_is_told_with_a_login_mail_in_one_click(
    alice, bob, bread, login, committed, mailoutbox, code
):
    act, sentence = WAYS[code]
    act(bob)
    bob = Contact.objects.select_related("user").get(pk=bob.pk)
    staff = login(alice)
    words = told(staff, bob, bread)
    assert sentence in words
    assert "Yes: Bob Baker can open" in words, "it closes nothing"
    [reason] = [reason for reason in access.verdict(bob, bread).others if reason.code == code]
    with committed():
        staff.post(reason.button.url, reason.button.fields)
    assert [mail.to for mail in mailoutbox] == [["bob@example.com"]]


def test_an_invitation_that_was_never_used_says_since_when(bob, bread):
    Contact.objects.invite([bob.pk])
    reasons = access.verdict(Contact.objects.get(pk=bob.pk), bread).others
    assert any(reason.text.startswith("They were invited on") for reason in reasons)


def test_no_login_mail_is_offered_where_none_would_go_out(bob, bread):
    User.objects.filter(contact=bob).update(role=Role.ADMIN)
    [way] = access.verdict(Contact.objects.get(pk=bob.pk), bread).others[:1]
    assert (way.mend, way.button) == ("They are staff, who log in with their password.", None)
    bob.block()
    ways = access.verdict(Contact.objects.get(pk=bob.pk), bread).others
    assert [reason.button for reason in ways if reason.code == "never_logged_in"] == [None]


def test_an_archived_contact_is_told_to_be_hidden_and_nothing_else(alice, bob, bread, login):
    Contact.objects.filter(pk=bob.pk).archive()
    words = told(login(alice), bob, bread)
    assert "Yes: Bob Baker can open" in words
    assert "hidden from the lists, but shut out of nothing" in words
    assert (
        reverse("enrollments:contact_repair", args=[bob.pk])
        in login(alice).get(page(bob, bread)).content.decode()
    )


def write(bob, **fields):
    return Message.objects.create(
        key=f"test:{Message.objects.count()}", kind=Kind.ACCESS, contact=bob, cause="test", **fields
    )


MAILS = {
    State.FAILED: ({"reason": "refused"}, r"bounced: the mail server refused the address\."),
    State.SUPPRESSED: ({"reason": "course_unpublished"}, r"was held back: course unpublished\."),
    State.DEAD: ({"last_error": "timed out"}, r"given up after too many attempts: timed out\."),
    State.WAITING: ({"attempts": 2, "last_error": "timed out"}, r"not be sent so far: timed out\."),
}


@pytest.mark.parametrize("state", MAILS)
def test_a_mail_that_did_not_arrive_is_told_and_its_page_is_a_click_away(
    alice, bob, bread, login, state
):
    fields, sentence = MAILS[state]
    message = write(bob, state=state, **fields)
    staff = login(alice)
    words = told(staff, bob, bread)
    assert re.search(sentence, words)
    assert "Yes: Bob Baker can open" in words, "it closes nothing"
    [reason] = [r for r in access.verdict(bob, bread).others if r.code == f"mail_{state}"]
    assert reason.mend
    assert staff.get(reason.button.url).context["message"] == message


def test_mails_are_told_back_to_the_last_that_was_sent(bob, bread, charlie):
    write(bob, state=State.FAILED, reason="refused")
    write(bob, state=State.SENT, subject="Welcome", address=bob.email, sent_at=now())
    write(bob, state=State.CANCELED)
    write(bob, state=State.WAITING, next_attempt_at=now() + timedelta(days=3))
    write(bob, state=State.WAITING)
    write(charlie, state=State.DEAD)
    mails = [r for r in access.verdict(bob, bread).others if "mail" in r.code]
    assert [reason.code for reason in mails] == ["mail_waiting", "mail_waiting", "mail_sent"]
    assert "is about to be sent" in mails[0].text
    assert "goes out" in mails[1].text
    assert mails[2].text.startswith("The last mail, “Welcome”, went to bob@example.com on")


# Who may ask, and what it costs


def test_support_may_ask_but_a_moderator_and_students_may_not(bob, charlie, bread, login):
    addresses = [page(bob, bread), reverse("enrollments:access_explain")]
    for person in (bob, charlie, make.staff(Role.MODERATOR)):
        assert [login(person).get(url).status_code for url in addresses] == [403, 403]
    support = login(make.staff(Role.SUPPORT))
    assert [support.get(url).status_code for url in addresses] == [200, 200]


def test_nobody_sees_a_button_they_may_not_press(bob, bread, login):
    bread.archive()
    support = login(make.staff(Role.SUPPORT))
    assert "Publish the course." in told(support, bob, bread), "they know whom to ask"
    assert "Open the course" not in told(support, bob, bread)
    assert "Open the course" in told(login(make.staff(Role.ADMIN)), bob, bread)


def test_a_fragment_is_the_panel_alone(alice, bob, bread, login):
    html = login(alice).get(page(bob, bread), headers={"HX-Request": "true"}).content.decode()
    assert html.lstrip().startswith("<section")
    assert "Yes: Bob Baker can open" in html


def test_support_asks_by_address_or_name(bob, charlie, bread, login):
    make.contact("Bobby Miller")
    support, url = login(make.staff(Role.SUPPORT)), reverse("enrollments:access_explain")

    def ask(email, course=bread.pk):
        html = support.get(url, {"email": email, "course": course}).content.decode()
        return unescape(html)

    assert "can open “Bread”" not in unescape(support.get(url).content.decode())
    assert "Yes: Bob Baker can open “Bread”." in ask(" BOB@example.com ")
    assert "Yes: Bob Baker can open “Bread”." in ask("baker")
    assert "No: Charlie Cook cannot open “Bread”." in ask("charlie")
    several = ask("bob")
    assert "Several people fit" in several
    assert "?email=bob%40example.com&course=" in several
    assert "There is no contact with this address or name" in ask("nobody@example.com")
    assert "Select a valid choice" in ask("bob@example.com", "x")
    assert "Null characters are not allowed" in ask("bob\0")


def test_the_explanation_takes_four_statements_at_most(bob, bread, django_assert_max_num_queries):
    """With every kind of reason in it, mails included, and from a contact read without their login."""
    for number in range(5):
        make.grant(contact=bob, offer=make.offer(f"Offer {number}", courses=[bread]))
        write(bob, state=State.FAILED, reason="refused")
    Grant.objects.exclude(offer__title="Bread").revoke()
    Grant.objects.update(revoked_by=make.student("Somebody").user)
    switch_off(bob, None, bread)
    bob = Contact.objects.get(pk=bob.pk)
    with django_assert_max_num_queries(4):
        access.verdict(bob, bread)
    Grant.objects.all().delete()
    Enrollment.objects.all().delete()
    bob = Contact.objects.get(pk=bob.pk)
    with django_assert_max_num_queries(4):
        access.verdict(bob, bread)


def test_the_command_tells_programs_and_people(bob, school, capsys):
    course = make.course()
    make.grant(contact=bob, offer=make.offer("Bread", courses=[course]), ends_on=date(2099, 12, 31))
    call_command("explain_access", "BOB@example.com", course.slug, as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert data["allowed"] is True
    assert set(data["reasons"][0]) == {"code", "text", "mend"}
    Grant.objects.all().revoke(reason="asked")
    call_command("explain_access", "bob@example.com", course.slug)
    told = capsys.readouterr().out
    assert told.startswith("Closed.")
    assert "asked" in told
    with pytest.raises(CommandError, match="no contact"):
        call_command("explain_access", "nobody@example.com", course.slug)
    with pytest.raises(CommandError, match="no course"):
        call_command("explain_access", "bob@example.com", "nope")


def test_granting_and_revoking_from_the_shell(school, capsys, committed, mailoutbox):
    offer = make.offer("Bread")
    with committed():
        call_command("grant", "New@Example.com", offer.slug, ends="31/12/2099", name="Nia New")
    [grant] = Grant.objects.all()
    assert (grant.contact.email, grant.contact.name) == ("new@example.com", "Nia New")
    assert grant.ends_on == date(2099, 12, 31)
    assert len(mailoutbox) == 1
    call_command("grant", "new@example.com", offer.slug)
    assert "nothing changed" in capsys.readouterr().out
    call_command("revoke", "new@example.com", offer.slug, reason="over")
    grant.refresh_from_db()
    assert grant.reason == "over"
    with pytest.raises(CommandError, match="nothing was revoked"):
        call_command("revoke", "new@example.com", offer.slug)
    for wrong in (("not-an-address", offer.slug), ("a@example.com", "nope")):
        with pytest.raises(CommandError):
            call_command("grant", *wrong)
    with pytest.raises(CommandError, match="dd/mm/yyyy"):
        call_command("grant", "a@example.com", offer.slug, ends="12/31/2099")
