"""Two presses of one button: a member of staff is mailed one link to choose a password."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import models
from racing import RACERS, race

from accounts.forms.staff import invite
from accounts.models import Link, Role, User
from accounts.models.link import LinkQuerySet
from portal.models import School

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sam() -> User:
    """A member of staff who has no password yet."""
    School.current()
    return User.objects.appoint(email="sam@example.com", role=Role.SUPPORT)


def test_asked_for_at_once_one_link_is_mailed(sam):
    assert race(*[lambda: invite(sam)] * RACERS) == [True] * RACERS
    assert Link.objects.count() == 1


def test_who_chose_a_password_meanwhile_is_mailed_nothing(sam):
    User.objects.get(pk=sam.pk).change_password("flour and water")
    assert not invite(sam)
    assert not Link.objects.exists()


def test_control_without_the_lock_both_are_mailed(sam, monkeypatch):
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    request, gate = LinkQuerySet.request, threading.Barrier(2)

    def request_together(*args: Any, **kwargs: Any) -> Link:
        gate.wait(timeout=10)
        return request(*args, **kwargs)

    monkeypatch.setattr(LinkQuerySet, "request", request_together)
    race(*[lambda: invite(sam)] * 2)
    assert Link.objects.count() == 2
