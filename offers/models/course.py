"""Course and module: the content, in its order."""

from __future__ import annotations

import hashlib
from typing import Any, Self

from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models import Exists, F, Max, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from portal.events import Name, record
from portal.models import File


class Status(models.TextChoices):
    """Where a course stands in its life."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


class Completion(models.TextChoices):
    """What makes a lesson of the course done. A quiz is always done by passing it."""

    BUTTON = "button", _("The student says so, by a button")
    WATCH = (
        "watch",
        _("Uploaded video and audio by playing 90 percent of it, the rest by the button"),
    )
    QUIZ = "quiz", _("Only the quizzes count; other lessons are marked as the student likes")


class Versioned(models.Model):
    """A text that two people may edit at once: a save says which version it began with."""

    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        abstract = True

    def claim_version(self, version: int) -> bool:
        """Whether `version` is still the present one; if so it is now one more, and the caller may write.

        The conditional UPDATE is the lock: of two saves that began with the same version one wins.
        """
        rows = type(self)._default_manager.filter(pk=self.pk, version=version)
        if not rows.update(version=F("version") + 1):
            return False
        self.version = version + 1
        return True


class Compared(models.Model):
    """A text that two people may edit at once, without a number: its version is a digest of its words."""

    class Meta:
        abstract = True

    def words(self) -> object:
        """What an edit may change."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        """The same as long as nobody changes a word; empty for what is not saved yet."""
        told = repr(self.words()) if self.pk else ""
        return told and hashlib.sha256(told.encode()).hexdigest()[:16]

    def claim_version(self, version: str) -> bool:
        """Whether `version` is still the present one. Until the transaction ends nobody else may claim it."""
        rows = type(self)._default_manager.select_for_update(no_key=True)
        present = rows.filter(pk=self.pk).first()
        return present is not None and present.version == version


class Released(models.Model):
    """What may open later than the course: so many days after enrollment, on a day, or the later of both.

    Days are the school's. With a cohort, days are counted from its start instead.
    """

    opens_after = models.PositiveSmallIntegerField(
        _("opens after days"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(3_650)],
        help_text=_("So many days after the day of enrollment, or the start of the cohort."),
    )
    opens_on = models.DateField(
        _("opens on"), null=True, blank=True, help_text=_("For everybody, on this day.")
    )

    class Meta:
        abstract = True


class CourseQuerySet(models.QuerySet["Course"]):
    def published(self) -> Self:
        """What students may see, if a grant opens it for them."""
        return self.filter(status=Status.PUBLISHED)

    def without_offer(self) -> Self:
        """Courses nobody can be given, since no offer that can be granted holds them."""
        holding = self.model.offers.through.objects.filter(course=OuterRef("pk"))
        return self.exclude(status=Status.ARCHIVED).exclude(
            Exists(holding.exclude(offer__status=Status.ARCHIVED))
        )


class Course(Versioned):
    """Modules of lessons under one title. Students reach it through an offer that holds it."""

    title = models.CharField(_("title"), max_length=160)
    slug = models.SlugField(_("address"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    cover = models.ForeignKey(
        File, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("cover")
    )
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    completion = models.CharField(
        _("what completes a lesson"),
        max_length=8,
        choices=Completion,
        default=Completion.BUTTON,
        db_default=Completion.BUTTON,
    )
    enforces_order = models.BooleanField(
        _("in order"),
        default=False,
        db_default=False,
        help_text=_("A lesson opens when every lesson before it is done."),
    )
    created_at = models.DateTimeField(default=now)

    objects = CourseQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title

    def facts(self) -> dict[str, Any]:
        """What the log says of it."""
        return {"course": self.pk}

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write it; a new course joins every offer that holds all courses."""
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if is_new:
            for offer in self.offers.model.objects.filter(holds_all_courses=True):
                offer.include(self)

    @transaction.atomic
    def publish(self) -> None:
        """Let those see it who hold an offer with it. Publishing twice is harmless."""
        self._become(Status.PUBLISHED, Name.COURSE_PUBLISHED)

    @transaction.atomic
    def archive(self) -> None:
        """Take it away from everybody, with nothing lost. Archiving twice is harmless."""
        self._become(Status.ARCHIVED, Name.COURSE_ARCHIVED)

    def _become(self, status: Status, name: Name) -> None:
        if Course.objects.filter(pk=self.pk).exclude(status=status).update(status=status):
            record(name, course=self.pk)
        self.status = status

    @property
    def is_published(self) -> bool:
        return self.status == Status.PUBLISHED


class Module(Compared, Released):
    """A chapter of a course."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="modules")
    title = models.CharField(_("title"), max_length=160)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title

    def facts(self) -> dict[str, Any]:
        """What the log says of it, by its name: it may be deleted later."""
        return {"module": self.pk, "course": self.course_id, "title": self.title}

    def words(self) -> object:
        return self.title, self.opens_after, self.opens_on


def next_position(siblings: models.QuerySet[Any]) -> int:
    """The place after the last of `siblings`."""
    return int(siblings.aggregate(last=Max("position"))["last"] or 0) + 1
