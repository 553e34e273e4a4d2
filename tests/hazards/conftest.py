"""What the hazards of getting in share."""

from __future__ import annotations

import re
from collections.abc import Callable

import make
import pytest
from django.test import Client

from accounts.models import Contact, Link

LINK = re.compile(r"http://localhost:8000(/l/[0-9a-f]{64}/)")
SHOWN = re.compile(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b")


@pytest.fixture
def link(bob: Contact) -> Link:
    return make.link(bob.user)


@pytest.fixture
def ask(committed, mailoutbox) -> Callable[..., tuple[str, str]]:
    """`ask(browser)`: Bob asks for a mail there; the link and the code that he gets."""

    def asked(browser: Client, **more: str) -> tuple[str, str]:
        with committed():
            browser.post("/account/login/mail/", {"login": "bob@example.com", **more})
        body = mailoutbox[-1].body
        return LINK.findall(body)[0], SHOWN.findall(body)[0]

    return asked
