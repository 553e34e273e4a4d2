"""Why somebody can, or cannot, open a course: in words, and always in agreement with the gate."""

from __future__ import annotations

import json
from datetime import date, timedelta

import make
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.timezone import now

from enrollments import access
from enrollments.models import Enrollment, Grant
from enrollments.shelf import shelf


def switch_off(bob, course):
    Enrollment.objects.filter(contact=bob, course=course).update(inactive_at=now())


# What is done to a person who holds one live grant -> whether it opens, and a reason that is told
CASES = {
    "nothing": (lambda *_: None, True, "grant_live"),
    "revoked": (lambda bob, *_: bob.grants.all().revoke(reason="refund"), False, "grant_revoked"),
    "blocked": (lambda bob, *_: bob.block(reason="shared"), False, "blocked"),
    "offer back to draft": (
        lambda bob, offer, course: type(offer).objects.update(status="draft"),
        False,
        "offer_draft",
    ),
    "offer archived": (lambda bob, offer, course: offer.archive(), True, "grant_live"),
    "course archived": (lambda bob, offer, course: course.archive(), False, "course_unpublished"),
    "course taken out": (lambda bob, offer, course: offer.exclude(course), False, "no_grant"),
    "switched off": (
        lambda bob, offer, course: switch_off(bob, course),
        False,
        "enrollment_inactive",
    ),
    "suspended": (lambda bob, *_: bob.grants.update(suspended_at=now()), False, "grant_suspended"),
    "not started": (
        lambda bob, *_: bob.grants.update(starts_at=now() + timedelta(days=2)),
        False,
        "grant_not_started",
    ),
    "ended": (
        lambda bob, *_: bob.grants.update(
            ends_on=date(2026, 1, 1), ends_at=now() - timedelta(days=1)
        ),
        False,
        "grant_expired",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_explanation_agrees_with_the_gate_and_with_the_page(bob, alice, login, case):
    act, opens, code = CASES[case]
    course = make.course()
    offer = make.offer("Bread", courses=[course])
    make.grant(contact=bob, offer=offer)
    act(bob, offer, course)
    bob.refresh_from_db()
    course.refresh_from_db()
    verdict = access.verdict(bob, course)
    assert verdict.allowed is opens
    assert access.open_courses(bob).exists() is opens
    assert bool(shelf(bob)) is opens, "the shelf says by hand what the gate says"
    assert code in [reason.code for reason in verdict.reasons]
    assert all(
        reason.text.endswith(".") or "refund" in reason.text or "shared" in reason.text
        for reason in verdict.reasons
    )
    assert all(reason.mend for reason in verdict.reasons if reason.code != "grant_live")
    page = login(alice).get(reverse("enrollments:access_detail", args=[bob.pk, course.pk]))
    assert verdict.reasons[0].text[:12] in page.content.decode().replace("&#x27;", "'")
    answer = login(bob).get(f"/courses/{course.slug}/").status_code
    assert (answer == 200) is opens


def test_the_explanation_takes_four_statements_at_most(bob, django_assert_max_num_queries):
    course = make.course()
    for n in range(5):
        make.grant(contact=bob, offer=make.offer(f"Offer {n}", courses=[course]))
    with django_assert_max_num_queries(4):
        access.verdict(bob, course)


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
