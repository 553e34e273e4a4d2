"""Session: a browser somebody is logged in with. One table for Django's sessions and for our list of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.utils.crypto import salted_hmac
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts import browsers
from accounts.models.user import User
from portal.events import Fact, Name, record

USE = timedelta(minutes=5)  # the last use is written at most this often


class Entered(models.TextChoices):
    """How somebody came in."""

    PASSWORD = "password", _("Password")
    LINK = "link", _("Mailed link")
    COPIED = "copied", _("Link copied by staff")
    CODE = "code", _("Mailed code")
    PASSKEY = "passkey", _("Passkey")


class Session(AbstractBaseSession):
    """Django's session row, with what a person needs to recognize it. Ending it is deleting it."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    created_at = models.DateTimeField(default=now)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField(null=True)  # last used in the portal; None: since it began
    entered_by = models.CharField(max_length=10, choices=Entered, blank=True, db_default="")

    @classmethod
    def get_session_store_class(cls) -> type:
        """What Django asks of a session model with a store of its own."""
        from accounts.sessions import SessionStore

        return SessionStore

    @property
    def handle(self) -> str:
        """What a page may call it: the key itself would let its reader in."""
        return salted_hmac("accounts.Session", self.session_key, algorithm="sha256").hexdigest()[
            :32
        ]

    @property
    def browser(self) -> str:
        """The browser in words."""
        return browsers.say(self.agent)

    @property
    def used_at(self) -> datetime:
        """When it was last used, to a few minutes."""
        return self.seen_at or self.created_at

    def note_use(self, *, at: datetime) -> None:
        """Write down that it is used, unless that is known to the minute or so."""
        if at - self.used_at > USE:
            Session.objects.filter(pk=self.pk).update(seen_at=at)

    @classmethod
    @transaction.atomic
    def keep_newest(cls, user: User, *, number: int) -> None:
        """End the browsers of `user` but the `number` that logged in last; records `session.ended` for each.

        Of any number that log in at once the same ones stay, whoever of them asks.
        """
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        for session in user.live_sessions().order_by("-created_at", "-pk")[number:]:
            session.end()

    @transaction.atomic
    def end(self) -> bool:
        """Log this browser out and record `session.ended`; whether it was logged in."""
        ended, _rows = Session.objects.filter(pk=self.pk).delete()
        if ended and self.user:
            told: dict[str, Fact] = {"user": self.user.pk, "agent": self.agent}
            record(Name.SESSION_ENDED, contact=self.user.contact_id, **told)
        return bool(ended)
