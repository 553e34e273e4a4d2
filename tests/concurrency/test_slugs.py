"""Two courses of one title at the same moment: both stand, each at an address of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import make
import pytest
from django.db import IntegrityError
from django.test import Client
from racing import race

from accounts.models import User
from offers import duplicating, slugs
from offers.models import Course, Offer
from portal.models import School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> User:
    School.current()
    return make.staff(email="alice@example.com")


def create(alice: User, noun: str, **words: str) -> Callable[[], int]:
    """Send the form of a new one; its answer's status."""
    browser = Client()
    browser.force_login(alice)
    sent = {"title": "Bread", "completion": "button", "kind": "single", "slug": ""} | words
    return lambda: browser.post(f"/dashboard/{noun}/new/", sent).status_code


@pytest.mark.parametrize(("noun", "model"), [("courses", Course), ("offers", Offer)])
def test_both_get_an_address_of_their_own(alice, noun, model):
    sent = {"kind": model._meta.get_field("kind").default} if model is Offer else {}
    assert race(*(create(alice, noun, **sent) for _ in range(4))) == [302] * 4
    found = set(model.objects.values_list("slug", flat=True))
    assert found == {"bread", "bread-2", "bread-3", "bread-4"}


def test_of_two_that_ask_for_one_address_the_second_is_told(alice):
    answers = race(create(alice, "courses", slug="mine"), create(alice, "courses", slug="mine"))
    assert sorted(answers) == [200, 302]
    assert Course.objects.get().slug == "mine"


def test_copies_made_at_once_stand_beside_each_other():
    School.current()
    course = make.course("Bread")
    made = race(*[lambda: duplicating.duplicate(course)] * 4)
    assert len({copy.slug for copy in made}) == 4


def test_control_who_looks_without_the_lock_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    School.current()
    course, gate = make.course("Bread"), threading.Barrier(2)

    def free_slug(*words: Any, **among: Any) -> str:
        found = slugs.free_slug(*words, **among)
        gate.wait(timeout=10)
        return found

    monkeypatch.setattr(duplicating, "free_slug", free_slug)
    monkeypatch.setattr(duplicating, "lock_slugs", lambda: None)
    with pytest.raises(IntegrityError):
        race(*[lambda: duplicating.duplicate(course)] * 2)
