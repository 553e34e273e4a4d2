"""Two segments of one name at the same moment: one is kept, the other is told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import make
import pytest
from django.db import IntegrityError
from django.test import Client
from racing import race

from accounts.forms import SegmentForm
from accounts.models import Segment
from portal.models import School
from portal.views import contacts

pytestmark = pytest.mark.django_db(transaction=True)

SENT = {"name": "Our best", "query": "q=bread"}


@pytest.fixture
def create(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Send the form, and look whether the name is free before anybody writes; what the page says then."""
    School.current()
    alice = make.staff(email="alice@example.com")
    look, gate = SegmentForm.validate_unique, threading.Barrier(2)

    def look_together(form: SegmentForm) -> None:
        look(form)
        if not form.errors:
            gate.wait(timeout=10)

    def send() -> str:
        browser = Client()
        browser.force_login(alice)
        return browser.post("/dashboard/contacts/segments/new/", SENT, follow=True).text

    monkeypatch.setattr(SegmentForm, "validate_unique", look_together)
    return send


def test_of_two_of_one_name_one_is_kept_and_the_other_is_told(create):
    pages = sorted(race(create, create), key=lambda page: "is saved" in page)
    assert "Segment with this Name already exists." in pages[0]
    assert "is saved" in pages[1]
    assert Segment.objects.get().name == "Our best"


def test_control_who_only_looks_breaks(create, monkeypatch):
    monkeypatch.setattr(
        contacts, "_save", lambda form, *, query, by: form.save(query=query, user=by)
    )
    with pytest.raises(IntegrityError):
        race(create, create)
