"""Note: what staff tell each other about a contact. The contact never sees it."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact
from accounts.models.user import User


class Note(models.Model):
    """One remark, by one member of staff."""

    contact = models.ForeignKey(Contact, models.PROTECT, related_name="notes")
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    text = models.TextField(_("note"), max_length=5000)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.text[:60]
