"""Where Django speaks first: somebody logged in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.utils.timezone import now

from accounts.models import User
from portal.events import Name, record


@receiver(user_logged_in)
@transaction.atomic
def note_login(sender: type[User], user: User, **_kwargs: Any) -> None:
    """Record the login, and the first of them as joining the portal."""
    if user.contact:
        user.contact.join()
        user.contact.note_visit(at=now())
    record(Name.PORTAL_LOGIN, contact=user.contact, user=user.pk)
