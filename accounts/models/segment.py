"""Segment: a set of filters under a name, for everybody on the staff."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User


class Segment(models.Model):
    """What the contact list is asked for, to ask again. Who is in it is found anew each time."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    # As in the address of the list, in the form accounts.selection writes.
    query = models.TextField()
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
