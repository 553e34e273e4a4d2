"""The end of all holders of an offer at once: asked first, done in slices, taken back."""

from __future__ import annotations

import re
from datetime import date, timedelta

import make
import pytest
from django.urls import reverse

from accounts.models import BulkRun, Contact, Role
from enrollments.models import Grant
from offers.models import Offer
from portal.models import Event

JUNE, JULY = date(2099, 6, 30), date(2099, 7, 31)


@pytest.fixture
def staff(alice, login):
    """Alice's browser."""
    return login(alice)


@pytest.fixture
def bread(school) -> Offer:
    return make.offer("Bread", default_days=30)


def url(name: str, offer: Offer, query: str = "") -> str:
    return reverse(f"enrollments:{name}", args=[offer.pk]) + query


def ends() -> dict[str, date | None]:
    return dict(Grant.objects.values_list("contact__name", "ends_on"))


def hidden(page: str) -> dict[str, str]:
    """What the button of a question sends."""
    form = page[page.index('method="post"', page.index("confirm__title")) :]
    fields = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', form)
    return dict(fields[: 1 + [name for name, _ in fields[1:]].index("once") + 1])


def test_the_page_says_who_holds_it_until_when_and_from_where(staff, bob, charlie, bread):
    make.grant(contact=bob, offer=bread, ends_on=JUNE)
    make.grant(contact=charlie, offer=bread, source="import:7")
    charlie.block()
    make.grant(contact=make.contact("Gone Away"), offer=bread).revoke()
    make.grant(contact=make.contact("Long Ago"), offer=bread, ends_on=date(2020, 1, 1))
    make.grant(contact=make.contact("Put Aside"), offer=bread)
    Contact.objects.filter(name="Put Aside").archive()
    page = staff.get(url("holder_list", bread)).content.decode()
    for text in ("Bob Baker", "June 30, 2099", "Charlie Cook", "import 7", "Blocked", "2 people"):
        assert text in page
    for name in ("Gone Away", "Long Ago", "Put Aside"):
        assert name not in page


def test_many_holders_come_in_pages_and_cost_no_more(staff, bread, django_assert_max_num_queries):
    people = [make.contact(f"Person No{number:02}").pk for number in range(60)]
    Grant.objects.grant_many(contact_ids=people, offer=bread, source="manual")
    with django_assert_max_num_queries(6):
        page = staff.get(url("holder_list", bread)).content.decode()
    names = re.findall(r"Person No(\d\d)</a>", page)
    next_url = re.search(r'rel="next"\s+href="([^"]+)"', page)
    assert next_url
    names += re.findall(
        r"Person No(\d\d)</a>",
        staff.get(url("holder_list", bread, next_url[1])).content.decode(),
    )
    assert sorted(names) == [f"{number:02}" for number in range(60)]
    assert "Nobody holds it now" in staff.get(url("holder_list", make.offer())).content.decode()


@pytest.mark.parametrize(
    ("query", "words", "after"),
    [
        ("mode=set&day=2099-07-31", "to July 31, 2099?", {"Bob Baker": JULY, "Charlie Cook": JULY}),
        (
            "mode=extend&days=31",
            "by 31 days?",
            {"Bob Baker": JULY, "Charlie Cook": None},
        ),
        ("mode=none", "have no end?", {"Bob Baker": None, "Charlie Cook": None}),
    ],
)
def test_it_asks_with_numbers_does_it_and_takes_it_back(
    staff, bob, charlie, bread, committed, query, words, after
):
    make.grant(contact=bob, offer=bread, ends_on=JUNE)
    make.grant(contact=charlie, offer=bread, ends_on=JUNE)
    Grant.objects.filter(contact=charlie).update(ends_on=None, ends_at=None)
    paid = make.contact("Paid Monthly")
    make.grant(contact=paid, offer=bread, ends_on=JUNE, source="subscription:1")
    other = make.grant(contact=bob, offer=make.offer("Cheese"), ends_on=JUNE)
    before = dict(Grant.objects.filter(offer=bread).values_list("pk", "ends_on"))

    page = staff.get(url("holder_move", bread, f"?{query}")).content.decode()
    moved = sum(after[name] != end for name, end in [("Bob Baker", JUNE), ("Charlie Cook", None)])
    assert words in page
    assert f"The end moves for {moved} of 3 people." in page
    assert "1 holds it by a subscription" in page
    assert dict(Grant.objects.filter(offer=bread).values_list("pk", "ends_on")) == before

    with committed():
        answer = staff.post(url("holder_move", bread), hidden(page))
    run = BulkRun.objects.get()
    assert answer["Location"] == reverse("portal:bulk_detail", args=[run.pk])
    now = dict(Grant.objects.filter(offer=bread).values_list("contact__name", "ends_on"))
    assert now == after | {"Paid Monthly": JUNE}
    other.refresh_from_db()
    assert other.ends_on == JUNE
    changed = Event.objects.filter(cause=run.cause, name="offer.extended")
    assert changed.count() == moved

    with committed():
        staff.post(reverse("portal:bulk_undo", args=[run.pk]))
    assert dict(Grant.objects.filter(offer=bread).values_list("pk", "ends_on")) == before


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("mode=set", "Choose the last day."),
        ("mode=set&day=0026-01-01", "field__help"),
        ("mode=extend", "By how many days?"),
        ("mode=extend&days=0", "greater than or equal to 1"),
        ("mode=extend&days=x", "Enter a whole number."),
        ("mode=nonsense", "nonsense is not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(staff, bob, bread, query, error):
    make.grant(contact=bob, offer=bread)
    for answer in (
        staff.get(url("holder_move", bread, f"?{query}")),
        staff.post(url("holder_move", bread), dict(pair.split("=") for pair in query.split("&"))),
    ):
        assert answer.status_code == 200
        assert error in answer.content.decode()
        assert "errorlist" in answer.content.decode()
    assert not BulkRun.objects.exists()


def test_a_day_that_is_over_is_warned_of(staff, bob, bread):
    make.grant(contact=bob, offer=bread, ends_on=JUNE)
    page = staff.get(url("holder_move", bread, "?mode=set&day=2020-01-01")).content.decode()
    assert "For 1 of them that day is over: access ends at once." in page
    assert "button--danger" in page


def test_two_clicks_move_the_end_once(staff, bob, bread, committed):
    make.grant(contact=bob, offer=bread, ends_on=JUNE)
    page = staff.get(url("holder_move", bread, "?mode=extend&days=31")).content.decode()
    with committed():
        first = staff.post(url("holder_move", bread), hidden(page))
    with committed():
        second = staff.post(url("holder_move", bread), hidden(page))
    assert first["Location"] == second["Location"]
    assert ends() == {"Bob Baker": JULY}
    again = staff.get(url("holder_move", bread, "?mode=extend&days=31")).content.decode()
    with committed():
        staff.post(url("holder_move", bread), hidden(again))
    assert ends() == {"Bob Baker": JULY + timedelta(days=31)}


def test_a_tab_that_was_left_open_for_long_moves_the_end_anew(staff, bob, bread, committed):
    """Somebody else did the same since, and more: it is another wish than theirs."""
    make.grant(contact=bob, offer=bread, ends_on=JUNE)
    old = staff.get(url("holder_move", bread, "?mode=set&day=2099-07-31")).content.decode()
    for query in ("mode=set&day=2099-07-31", "mode=set&day=2099-06-30"):
        page = staff.get(url("holder_move", bread, f"?{query}")).content.decode()
        with committed():
            staff.post(url("holder_move", bread), hidden(page))
    assert ends() == {"Bob Baker": JUNE}
    with committed():
        staff.post(url("holder_move", bread), hidden(old))
    assert ends() == {"Bob Baker": JULY}


def change_length(staff, offer: Offer, days: str):
    fields = {"title": offer.title, "slug": offer.slug, "kind": offer.kind, "default_days": days}
    courses = [*offer.courses.values_list("pk", flat=True)]
    return staff.post(
        reverse("offers:offer_update", args=[offer.pk]), fields | {"courses": courses}
    )


@pytest.mark.parametrize(("days", "last"), [("60", "2026-12-30"), ("7", "2026-11-07"), ("", None)])
def test_a_new_default_length_asks_whether_present_holders_follow(
    staff, bob, charlie, bread, committed, time_machine, days, last
):
    time_machine.move_to("2026-10-31T23:30:00Z", tick=False)  # November 1 in Rome
    make.grant(contact=bob, offer=bread)
    make.grant(contact=charlie, offer=bread, ends_on=JUNE)
    time_machine.move_to("2026-11-05T12:00:00Z", tick=False)
    assert ends() == {"Bob Baker": date(2026, 11, 30), "Charlie Cook": JUNE}

    answer = change_length(staff, bread, days)
    page = staff.get(answer["Location"]).content.decode()
    assert "2 people hold this offer. Should their end dates follow?" in page
    assert "Leave them as they are" in page
    assert "Let those with the former length follow (1)" in page
    assert "Let all follow (2)" in page
    assert ends() == {"Bob Baker": date(2026, 11, 30), "Charlie Cook": JUNE}, "asking moves nothing"
    with committed():
        staff.post(url("holder_move", bread), hidden(page))
    expected = date.fromisoformat(last) if last else None
    assert ends() == {"Bob Baker": expected, "Charlie Cook": JUNE}

    with committed():
        staff.post(url("holder_move", bread), {"mode": "default"})
    assert ends() == {"Bob Baker": expected, "Charlie Cook": expected}


def test_with_nobody_to_ask_about_it_asks_nothing(staff, bob, bread):
    answer = change_length(staff, bread, "60")
    assert staff.get(answer["Location"])["Location"] == reverse(
        "offers:offer_update", args=[bread.pk]
    )
    bread.refresh_from_db()
    make.grant(contact=bob, offer=bread)
    assert change_length(staff, bread, "60")["Location"].endswith(f"/offers/{bread.pk}/")
    assert staff.get(url("holder_follow", bread, "?was=nonsense")).status_code == 302


def test_who_may_not_manage_access_is_not_shown_the_holders(login, bob, bread):
    make.grant(contact=bob, offer=bread)
    reader = login(make.staff(Role.MODERATOR))
    support = login(make.staff(Role.SUPPORT))
    assert "Bob Baker" in support.get(url("holder_list", bread)).content.decode()
    assert support.get(url("holder_follow", bread)).status_code == 403, "a matter of the offer"
    for name in ("holder_list", "holder_move", "holder_follow"):
        assert reader.get(url(name, bread)).status_code == 403
        assert reader.post(url(name, bread)).status_code == 403
        assert login(bob).get(url(name, bread)).status_code == 403
