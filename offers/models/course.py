"""Course, module, lesson: the content, in its order."""

from __future__ import annotations

from typing import Any, Self

from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from offers.video import validate_video
from portal.events import Name, record


class Status(models.TextChoices):
    """Where an offer or a course stands in its life."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


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


class Course(models.Model):
    """Modules of lessons under one title. Students reach it through an offer that holds it."""

    title = models.CharField(_("title"), max_length=160)
    slug = models.SlugField(_("address"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    created_at = models.DateTimeField(default=now)

    objects = CourseQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title

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


class Module(models.Model):
    """A chapter of a course."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="modules")
    title = models.CharField(_("title"), max_length=160)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title


class LessonQuerySet(models.QuerySet["Lesson"]):
    def in_order(self) -> Self:
        """As a student goes through them."""
        return self.order_by("module__position", "module_id", "position", "pk")


class Lesson(models.Model):
    """One sitting: a text in Markdown, a video, or both."""

    module = models.ForeignKey(
        Module, models.PROTECT, related_name="lessons", verbose_name=_("module")
    )
    title = models.CharField(_("title"), max_length=160)
    body = models.TextField(_("text"), blank=True, help_text=_("Markdown."))
    video_url = models.URLField(
        _("video address"),
        blank=True,
        validators=[validate_video],
        help_text=_("YouTube or Vimeo."),
    )
    position = models.PositiveIntegerField(_("position"), default=0)

    objects = LessonQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title


def next_position(siblings: models.QuerySet[Module] | models.QuerySet[Lesson]) -> int:
    """The place after the last of `siblings`."""
    return int(siblings.aggregate(last=Max("position"))["last"] or 0) + 1
