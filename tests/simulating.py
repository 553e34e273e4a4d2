"""Staff who look through a student's eyes: what the tests of it share."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import Contact, Simulation
from portal.events import Name
from portal.models import Event

REASON = "She cannot see lesson two."
END = "/dashboard/simulation/end/"


def begin(browser: Client, contact: Contact, reason: str = REASON) -> HttpResponse:
    return browser.post(f"/dashboard/contacts/{contact.pk}/simulate/", {"reason": reason})


def contact_url(contact: Contact) -> str:
    return reverse("portal:contact_detail", args=[contact.pk])


def of(name: Name) -> list[Event]:
    return list(Event.objects.filter(name=name).order_by("pk"))


@pytest.fixture
def browser(login, alice, school) -> Client:
    """Alice's, fresh from the login."""
    return login(alice)


@pytest.fixture
def looking(browser, bob) -> Simulation:
    """Alice sees the portal as Bob does."""
    assert begin(browser, bob).status_code == 302
    return Simulation.objects.get()
