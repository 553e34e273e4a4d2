"""The ground: what happened (Event, Outbox), what takes long (Job), what was uploaded (File), whose school it is."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from functools import cache
from typing import Self
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from portal import context
from portal.waiting import MAX_ATTEMPTS, Waiting, WaitingQuerySet, retry_at


class Event(models.Model):
    """Something that happened. Never changed or deleted: a trigger in the database holds that."""

    name = models.CharField(max_length=40)  # one of events.Name
    occurred_at = models.DateTimeField()
    contact = models.ForeignKey(
        "accounts.Contact", models.PROTECT, null=True, related_name="events", db_index=False
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    address = models.GenericIPAddressField(null=True)
    cause = models.CharField(max_length=80)
    depth = models.PositiveSmallIntegerField(default=0)
    data = models.JSONField(default=dict)  # ids and plain facts; never a secret

    class Meta:
        indexes = [
            models.Index(fields=["contact", "-id"], name="event_timeline"),
            models.Index(fields=["name", "-occurred_at"], name="event_by_name"),
            models.Index(
                fields=["actor", "-id"], condition=Q(actor__isnull=False), name="event_by_actor"
            ),
            # The audit begins with what staff did one by one: an import alone is 200,000 events.
            models.Index(
                fields=["actor", "-id"],
                condition=Q(actor__isnull=False)
                & ~Q(cause__startswith="import:")
                & ~Q(cause__startswith="bulk:"),
                name="event_by_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"


class OutboxQuerySet(models.QuerySet["Outbox"]):
    def due(self) -> Self:
        """Waiting for their first dispatch, or for the next try after a failure."""
        return self.filter(dead_at=None, next_attempt_at__lte=now())


class Outbox(models.Model):
    """An event whose consequences are not queued yet. The row goes when they are."""

    event = models.OneToOneField(Event, models.CASCADE, primary_key=True, related_name="outbox")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=now)
    dead_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(dead_at=None), name="outbox_due")
        ]

    def __str__(self) -> str:
        return f"outbox of {self.event_id}"

    def fail(self, error: str) -> None:
        """Count one more failure: try again later, or after eight give up and show it to staff."""
        attempts = self.attempts + 1
        # The row may be gone: dispatched by somebody who came right after.
        Outbox.objects.filter(pk=self.pk).update(
            attempts=attempts,
            last_error=error[:2000],
            next_attempt_at=retry_at(attempts),
            dead_at=now() if attempts >= MAX_ATTEMPTS else None,
        )

    def replay(self) -> None:
        """A person decided: start over."""
        Outbox.objects.filter(pk=self.pk).update(attempts=0, dead_at=None, next_attempt_at=now())


class Job(Waiting):
    """Long work in short slices: what, and how far it is."""

    task = "portal.tasks.run_job"
    queue = "jobs"

    kind = models.CharField(max_length=40)  # a name registered with portal.jobs
    key = models.CharField(max_length=120, unique=True)  # what makes asking twice harmless
    data = models.JSONField(default=dict)
    cursor = models.BigIntegerField(default=0)

    objects = WaitingQuerySet["Job"].as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    def advance(self, *, cursor: int) -> None:
        """Remember how far the work is. Call it in the transaction of the slice itself."""
        self.cursor = cursor
        self.save(update_fields=["cursor"])

    def release(self) -> None:
        """A slice went well and more is to come: due again at once, earlier failures forgotten."""
        self.lease_until, self.handed_until, self.attempts = None, None, 0
        self.save(update_fields=["lease_until", "handed_until", "attempts"])

    def replay(self) -> None:
        """A person decided: go on from where it stood."""
        self.wake("dead")


class Heartbeat(models.Model):
    """When a process that must run last said so."""

    name = models.CharField(max_length=20, primary_key=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class FileKind(models.TextChoices):
    """What an uploaded file is, and so how it may be shown."""

    IMAGE = "image", _("Image")
    VIDEO = "video", _("Video")
    AUDIO = "audio", _("Audio")
    CAPTIONS = "captions", _("Captions")
    DOCUMENT = "document", _("File")  # anything: it is downloaded, never shown


def stored_under(file: File, filename: str) -> str:
    """Where a file lies in the storage: a random name that tells nothing of what was uploaded."""
    return f"{file.pk.hex[:2]}/{file.pk.hex}"


class File(models.Model):
    """Something that was uploaded. Never changed: another upload is another file.

    It is nobody's by itself: whoever points at it (a lesson, a cover, a picture) opens it to those who may see that.
    What nothing points at any more is deleted by the hourly sweep.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=FileKind)
    name = models.CharField(max_length=200)  # as it was uploaded, for the download
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()  # bytes
    content = models.FileField(upload_to=stored_under, max_length=100)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Its address in the portal. Knowing it opens nothing."""
        return reverse("enrollments:file_detail", args=[self.pk])


@cache
def time_zones() -> list[str]:
    """All there are, in order. Looked up once: it reads the names of hundreds of files."""
    return sorted(available_timezones())


def validate_zone(value: str) -> None:
    """Raise ValidationError unless `value` is a zone of the tz database."""
    if value not in time_zones():
        raise ValidationError(_("Choose a time zone like Europe/Rome."))


def second_factor_by_default() -> bool:
    """What a new school begins with: STAFF_SECOND_FACTOR, which is on outside the demo."""
    return bool(settings.STAFF_SECOND_FACTOR)


validate_color = RegexValidator(r"^#[0-9a-fA-F]{6}\Z", _("Enter a color like #4f46e5."))


class Tally(models.Model):
    """How often somebody tried something since a moment: what portal.limits counts. Swept when it is over."""

    key = models.CharField(max_length=100, primary_key=True)  # what, and a digest of who
    began_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["began_at"], name="tally_swept")]

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class Credentials(models.TextChoices):
    """What the welcome mail carries for somebody who was never in."""

    LINK = "link", _("A link to choose a password")
    PROVISIONAL = "provisional", _("A provisional password")
    DEFAULT = "default", _("The default password for new members")


class SimulationNotice(models.TextChoices):
    """When a student is told that staff saw the portal as them. They always are."""

    START = "start", _("When it starts")
    END = "end", _("When it ends")
    DAY_AFTER = "day_after", _("A day later")


class School(models.Model):
    """The settings of the place: one row, made by the migrations."""

    name = models.CharField(_("name"), max_length=80, default="Portal")
    logo_url = models.URLField(_("logo address"), blank=True)
    accent = models.CharField(
        _("accent color"), max_length=7, default="#4f46e5", validators=[validate_color]
    )
    support_email = models.EmailField(_("support address"), blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=40, default="UTC", validators=[validate_zone]
    )
    language = models.CharField(
        _("language"), max_length=10, default="en", choices=settings.LANGUAGES
    )
    mails_access = models.BooleanField(
        _("send the access mail"),
        default=True,
        help_text=_("Tell people by e-mail when they are given an offer."),
    )

    # The ways in
    credentials = models.CharField(
        _("welcome mail carries"),
        max_length=12,
        choices=Credentials,
        default=Credentials.LINK,
        db_default=Credentials.LINK,
    )
    default_password = models.TextField(blank=True, db_default="")  # sealed, see portal.sealing
    # How long a password that somebody else chose works, in hours.
    temporary_hours = models.PositiveSmallIntegerField(
        _("hours a temporary password works"),
        default=72,
        db_default=72,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
    )
    max_sessions = models.PositiveSmallIntegerField(
        _("browsers a student may be logged in with"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("One more logs the oldest out. Empty: any number."),
    )
    needs_second_factor = models.BooleanField(
        _("staff need a second factor"),
        default=second_factor_by_default,
        db_default=True,
        help_text=_("Until they have set one up, the dashboard stays shut for them."),
    )
    simulation_notice = models.CharField(
        _("students are told of a simulated session"),
        max_length=12,
        choices=SimulationNotice,
        default=SimulationNotice.START,
        db_default=SimulationNotice.START,
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="there_is_one_school")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> School:
        """The settings as they were when this act (a request, a command, a task) first asked.

        Should the row be gone, it is made again.
        """
        memo = context.act().memo
        if "school" not in memo:
            defaults = {"time_zone": settings.TIME_ZONE}
            found = cls.objects.filter(pk=1).first()
            memo["school"] = found or cls.objects.get_or_create(pk=1, defaults=defaults)[0]
        school: School = memo["school"]
        return school

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def today(self) -> date:
        """The date on the school's wall."""
        return now().astimezone(self.zone).date()

    def end_of(self, day: date | None) -> datetime | None:
        """The first instant after `day` in the school's zone; None for no end.

        Midnight itself may not exist where clocks jump at that hour: then the first instant that does.
        """
        if day is None:
            return None
        return self.start_of(day + timedelta(days=1))

    def start_of(self, day: date) -> datetime:
        """The first instant of `day` in the school's zone."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    @property
    def accent_ink(self) -> str:
        """The color of text on the accent, black or white, whichever contrasts more (WCAG 2.2)."""
        channels = [int(self.accent[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        return "#fff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000"
