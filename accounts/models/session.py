"""Session: a browser somebody is logged in with. One table for Django's sessions and for our list of them."""

from __future__ import annotations

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.timezone import now

from accounts.models.user import User


class Session(AbstractBaseSession):
    """Django's session row, with what a person needs to recognize it. Ending it is deleting it."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    created_at = models.DateTimeField(default=now)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=300, blank=True)

    @classmethod
    def get_session_store_class(cls) -> type:
        """What Django asks of a session model with a store of its own."""
        from accounts.sessions import SessionStore

        return SessionStore
