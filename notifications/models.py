"""Message: one mail that waits, was sent, or was not, and why."""

from __future__ import annotations

import uuid

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, User
from portal.events import Name, record
from portal.waiting import Waiting, WaitingQuerySet


class State(models.TextChoices):
    """What became of a message."""

    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    SUPPRESSED = "suppressed", _("Suppressed")  # held back for a reason; staff may send it
    CANCELED = "canceled", _("Canceled")  # its occasion is gone
    FAILED = "failed", _("Failed")  # refused for good by the mail server
    DEAD = "dead", _("Given up")  # failed too often


class Kind(models.TextChoices):
    """What a message is about. `emails/<kind>/…` are its words."""

    ACCESS = "access", _("Access to the portal")
    LINK = "link", _("Link")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    REMINDER = "reminder", _("Access ends soon")
    IMPORT_FINISHED = "import_finished", _("Import finished")
    REPLY = "reply", _("Answer to a comment")
    EMAIL_CHANGED = "email_changed", _("E-mail address changed")
    ERASURE_ASKED = "erasure_asked", _("Erasure asked for")
    TEMPORARY_PASSWORD = "temporary_password", _("Temporary password")
    LINK_COPIED = "link_copied", _("Login link made by staff")
    SECOND_FACTOR = "second_factor", _("Second factor changed")
    SIMULATION = "simulation", _("Session simulated")


class Message(Waiting):
    """One mail to one person, from the moment it is owed."""

    task = "notifications.tasks.deliver"

    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    key = models.CharField(max_length=200, unique=True)  # its purpose and cause: owed once
    kind = models.CharField(max_length=20, choices=Kind)
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, related_name="messages", db_index=False
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="messages")
    cause = models.CharField(max_length=80)
    data = models.JSONField(default=dict)  # ids; what it says is looked up when it is sent
    reason = models.CharField(max_length=40, blank=True)  # one of letters.REASONS

    header_id = models.UUIDField(default=uuid.uuid4)  # of the Message-ID: the same on every attempt
    # Where it went; until then, where it is to go if not to the recipient's own address.
    address = models.EmailField(blank=True)
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True)  # the plain text as sent, its links rubbed out
    sent_at = models.DateTimeField(null=True)

    objects = WaitingQuerySet["Message"].as_manager()

    class Meta(Waiting.Meta):
        indexes = [
            *Waiting.Meta.indexes,
            models.Index(fields=["contact", "-id"], name="message_timeline"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def recipient(self) -> User | Contact:
        """The person it goes to."""
        person = self.contact or self.user
        if person is None:
            raise ValueError(f"{self} has nobody to go to")
        return person

    @transaction.atomic
    def end(self, state: str, *, error: str = "", reason: str = "") -> None:
        """Say what became of it, for good. Credentials it would have carried are free again."""
        super().end(state, error=error)
        self.reason = reason
        self.save(update_fields=["reason"])
        Contact.release_credentials(by=self.key)

    @transaction.atomic
    def mark_sent(self, *, address: str, subject: str, body: str) -> None:
        """It is at the mail server, word for word as kept here."""
        self.state, self.sent_at, self.reason, self.last_error = State.SENT, now(), "", ""
        self.address, self.subject, self.body, self.lease_until = address, subject[:300], body, None
        fields = [
            "state",
            "sent_at",
            "reason",
            "last_error",
            "address",
            "subject",
            "body",
            "lease_until",
        ]
        self.save(update_fields=fields)
        self._note_invitation()  # by a grant that started later: only now

    @transaction.atomic
    def replay(self) -> bool:
        """A person decided: send it, held back or given up as it was; False if it was neither.

        It goes out whatever held it back, with links of its own. Records `message.replayed`.
        """
        if is_awake := self.wake(State.SUPPRESSED, State.FAILED, State.DEAD):
            self.data |= {"by_hand": True, "round": self.data.get("round", 0) + 1}
            self.save(update_fields=["data"])
            record(Name.MESSAGE_REPLAYED, contact=self.contact_id, message=self.pk, kind=self.kind)
            self._note_invitation()
            transaction.on_commit(Message.objects.filter(pk=self.pk).hand_over, robust=True)
        self.refresh_from_db()
        return is_awake

    def _note_invitation(self) -> None:
        """Whom it tells of what they hold, it invites. Help to get in says nothing of that."""
        if self.kind != Kind.ACCESS or self.data.get("help"):
            return
        if self.contact and self.contact.invited_at is None:
            Contact.objects.invite([self.contact.pk])
