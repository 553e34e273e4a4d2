"""Where libraries speak first: somebody logged in, or gave their password once more."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.signals import authentication_step_completed
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.timezone import now

from accounts.http import PortalRequest
from accounts.models import User
from portal.events import Name, record


@receiver(user_logged_in)
@transaction.atomic
def note_login(
    sender: type[User], user: User, request: HttpRequest | None = None, **_kwargs: Any
) -> None:
    """Record the login, and the first of them as joining the portal."""
    if request is not None:
        cast(PortalRequest, request).session.note_proof()
    if user.contact:
        user.contact.join()
        user.contact.note_visit(at=now())
    record(Name.PORTAL_LOGIN, contact=user.contact, user=user.pk)


@receiver(authentication_step_completed)
def note_proof(sender: type[User], request: HttpRequest, **told: Any) -> None:
    """Remember that they gave their password once more, within a session."""
    if told.get("reauthenticated"):
        cast(PortalRequest, request).session.note_proof()
