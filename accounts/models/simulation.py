"""Simulation: a member of staff sees the portal as one student does, for a while, for a reason."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact
from accounts.models.user import User


class End(models.TextChoices):
    """Why a simulation is over."""

    ENDED = "ended", _("Ended by staff")
    EXPIRED = "expired", _("Its time was up")
    ACTOR_INVALID = "actor_invalid", _("Who simulated may not any more")
    STUDENT_INVALID = "student_invalid", _("The student may not be simulated any more")


class SimulationQuerySet(models.QuerySet["Simulation"]):
    def live(self) -> Self:
        """Not ended yet, be its time up or not: whoever meets one whose time is up ends it."""
        return self.filter(ended_at=None)


class Simulation(models.Model):
    """One look through a student's eyes. accounts.simulation starts, checks and ends it."""

    actor = models.ForeignKey(User, models.PROTECT, related_name="simulations")
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="simulations", db_index=False)
    reason = models.TextField()
    # The actor's, when it began: a new password or "log out everywhere" ends it.
    auth_epoch = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=20, choices=End, blank=True)

    objects = SimulationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["actor"], condition=Q(ended_at=None), name="one_live_simulation_per_actor"
            )
        ]
        indexes = [models.Index(fields=["contact", "-id"], name="simulation_of_contact")]

    def __str__(self) -> str:
        return f"simulation #{self.pk}"
