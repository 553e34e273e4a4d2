"""Owners who demote each other at once: one always stays. Beside it the control, without the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import make
import pytest
from django.db import models
from racing import race

from accounts.models import Role, User
from accounts.models.user import LastOwner, NotAllowed
from portal import context
from portal.models import Event, School

OWNERS = 20

pytestmark = pytest.mark.django_db(transaction=True)


def demoting(actor: User, target: User) -> Callable[[], bool]:
    """`actor` takes the role of `target` away; whether it was taken."""

    def run() -> bool:
        with context.acting(user=actor):
            try:
                return target.change_role(Role.SUPPORT)
            except (LastOwner, NotAllowed):
                return False

    return run


def around(owners: list[User]) -> list[Callable[[], bool]]:
    """Everybody demotes the next one."""
    return [
        demoting(actor, target)
        for actor, target in zip(owners, [*owners[1:], owners[0]], strict=True)
    ]


def test_of_two_owners_who_demote_each_other_one_stays():
    School.current()
    for _ in range(5):
        User.objects.filter(role=Role.OWNER).update(role=Role.SUPPORT)
        pair = [make.staff(Role.OWNER), make.staff(Role.OWNER)]
        assert sum(race(*around(pair))) == 1
        assert User.objects.filter(role=Role.OWNER).count() == 1


def test_of_many_owners_who_demote_each_other_one_stays():
    School.current()
    owners = [make.staff(Role.OWNER) for _ in range(OWNERS)]
    demoted = sum(race(*around(owners)))
    left = User.objects.filter(role=Role.OWNER).count()
    assert left >= 1
    assert demoted == OWNERS - left
    told = Event.objects.filter(name="role.changed", data__before="owner")
    assert told.count() == demoted


def test_the_last_owner_stays_whoever_asks_from_the_shell():
    School.current()
    [first, second] = [make.staff(Role.OWNER), make.staff(Role.OWNER)]

    def dismiss(user: User) -> bool:
        try:
            return user.change_role("")
        except LastOwner:
            return False

    gone = race(*[lambda user=user: dismiss(user) for user in (first, second) * 10])
    assert sum(gone) == 1
    assert User.objects.filter(role=Role.OWNER).count() == 1


def test_control_without_the_lock_no_owner_is_left(monkeypatch):
    School.current()
    pair = [make.staff(Role.OWNER), make.staff(Role.OWNER)]
    gate, check = threading.Barrier(2), User.check_may_change

    def check_together(self: User, *args: Any) -> None:
        check(self, *args)
        gate.wait(timeout=30)  # both looked, neither wrote

    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, **_options: self)
    monkeypatch.setattr(User, "check_may_change", check_together)
    assert race(*around(pair)) == [True, True]
    assert not User.objects.filter(role=Role.OWNER).exists()
