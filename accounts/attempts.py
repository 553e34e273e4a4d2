"""Attempts to log in: counted before anything is looked at, for the account and for where they come from."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from accounts import cookies
from accounts.models import Link, User
from accounts.models.session import Entered
from portal import limits
from portal.events import Name, record


def begin(request: HttpRequest, email: str) -> None:
    """Count one more password for the account of `email`, known or not. Raises TooMany.

    A browser in which this account was logged in before is counted by itself: whoever fails
    elsewhere in somebody's name does not shut them out of their own.
    """
    limits.FAILED_LOGINS_FROM.spend(limits.origin())
    limits.FAILED_LOGINS.spend(_account(request, email))


def succeed(request: HttpRequest, email: str) -> None:
    """It was right: only what fails counts, and the account starts over."""
    limits.FAILED_LOGINS_FROM.give_back(limits.origin())
    limits.FAILED_LOGINS.forget(_account(request, email))


def _account(request: HttpRequest, email: str) -> str:
    return f"{email} {cookies.device(request, email)}"


def fail(email: str) -> None:
    """A wrong password for `email`."""
    user = User.objects.select_related("contact").filter(email=email).first()
    _record(user, way=Entered.PASSWORD)


def enter_code(code: str, *, browser: str) -> Link | None:
    """The link whose code this is, spent; None if it is not right. Wrong ones count like passwords. Raises TooMany."""
    limits.FAILED_LOGINS_FROM.spend(limits.origin())
    if link := Link.objects.consume_code(code, browser=browser):
        limits.FAILED_LOGINS_FROM.give_back(limits.origin())
        return link
    asked = Link.objects.filter(browser=browser).exclude(browser="").order_by("pk")
    meant = asked.select_related("user__contact").last()
    _record(meant.user if meant else None, way=Entered.CODE)
    return None


@transaction.atomic
def _record(user: User | None, *, way: Entered) -> None:
    """Log `login.failed`. What was typed is not kept: some people type passwords into the wrong field."""
    if user is None:
        record(Name.LOGIN_FAILED, way=way.value)
    else:
        record(Name.LOGIN_FAILED, contact=user.contact, user=user.pk, way=way.value)
