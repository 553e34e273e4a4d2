"""Simulation: a member of staff sees the portal as one student does, for a while, for a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact
from accounts.models.user import User
from portal.events import Name, record, record_many


class Running(Exception):
    """They look through somebody's eyes already: one at a time."""


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

    def seen(self) -> Self:
        """As the student is told of them: the latest first, with who it was."""
        return self.select_related("actor__contact").order_by("-pk")

    @transaction.atomic
    def start(self, *, actor: User, contact: Contact, reason: str) -> Simulation:
        """Begin to see the portal as `contact`; records `simulation.started`.

        The caller knows that `actor` may. Raises Running if they do it already: a unique
        index decides, so of any number of callers one wins.
        """
        at = now()
        self.filter(actor=actor, expires_at__lte=at).finish(End.EXPIRED)
        try:
            with transaction.atomic():
                made = self.create(
                    actor=actor,
                    contact=contact,
                    reason=reason,
                    auth_epoch=actor.auth_epoch,
                    started_at=at,
                    expires_at=at + timedelta(seconds=settings.SIMULATION_SECONDS),
                )
        except IntegrityError as error:
            raise Running from error
        record(Name.SIMULATION_STARTED, contact=contact, simulation=made.pk, reason=reason)
        return made

    @transaction.atomic
    def finish(self, end: str) -> int:
        """End those of this set that are live, for one reason of End, and record `simulation.ended`; returns how many."""
        rows = list(self.live().select_for_update(of=["self"], no_key=True).order_by("pk"))
        Simulation.objects.filter(pk__in=[row.pk for row in rows]).update(ended_at=now(), end=end)
        record_many(
            Name.SIMULATION_ENDED,
            [(row.contact_id, {"simulation": row.pk, "end": str(end)}) for row in rows],
        )
        return len(rows)


class Simulation(models.Model):
    """One look through a student's eyes. accounts.simulation checks it on every request."""

    actor = models.ForeignKey(User, models.PROTECT, related_name="simulations")
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="simulations", db_index=False)
    reason = models.TextField()
    # The actor's, when it began: a new password or "log out everywhere" ends it.
    auth_epoch = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=20, choices=End, blank=True)

    # Of the page that is shown: whose words the banner is in, and whether the page is the student's.
    language = ""
    leaves = False

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

    @property
    def is_live(self) -> bool:
        """Whether it goes on at this moment."""
        return self.ended_at is None and self.expires_at > now()

    @property
    def minutes(self) -> int:
        """How long it lasted, or how long it has to go: minutes, begun ones counted."""
        since, until = self.started_at, self.ended_at or self.expires_at
        if self.is_live:
            since, until = now(), self.expires_at
        return max(1, -int((until - since).total_seconds() // -60))

    @property
    def seconds_left(self) -> int:
        return max(0, int((self.expires_at - now()).total_seconds()))
