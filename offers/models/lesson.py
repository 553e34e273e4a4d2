"""Lesson: one sitting of a course, of one of several kinds."""

from __future__ import annotations

from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from offers.models.course import Module, Released, Versioned
from offers.video import validate_video
from portal.events import Name, record
from portal.models import File


class LessonKind(models.TextChoices):
    """What stands at the head of a lesson. A text may stand below any of them."""

    TEXT = "text", _("Text")
    VIDEO = "video", _("Video")
    AUDIO = "audio", _("Audio")
    FILE = "file", _("File to download")
    EMBED = "embed", _("Page of another service")
    QUIZ = "quiz", _("Quiz")
    LIVE = "live", _("Live class")

    @property
    def icon(self) -> str:
        """Its drawing in static/img/icons.svg."""
        return {"video": "play", "file": "download"}.get(self.value, self.value)


# LessonQuerySet.counted() for statements written by hand, of tables that are called `lesson` and `course`.
IS_COUNTED = (
    "lesson.published_at IS NOT NULL AND (course.completion <> 'quiz' OR lesson.kind = 'quiz')"
)


class LessonQuerySet(models.QuerySet["Lesson"]):
    def in_order(self) -> Self:
        """As a student goes through them."""
        return self.order_by("module__position", "module_id", "position", "pk")

    def published(self) -> Self:
        """What students see of a course."""
        return self.filter(published_at__isnull=False)

    def counted(self) -> Self:
        """published(), and needed to complete the course: where only quizzes count, the quizzes."""
        return self.published().filter(
            ~Q(module__course__completion="quiz") | Q(kind=LessonKind.QUIZ)
        )


class Lesson(Versioned, Released):
    """One sitting: what its kind says, and a text in Markdown."""

    module = models.ForeignKey(
        Module, models.PROTECT, related_name="lessons", verbose_name=_("module")
    )
    title = models.CharField(_("title"), max_length=160)
    kind = models.CharField(
        _("kind"),
        max_length=8,
        choices=LessonKind,
        default=LessonKind.TEXT,
        db_default=LessonKind.TEXT,
    )
    body = models.TextField(_("text"), blank=True, help_text=_("Markdown."))
    # A video elsewhere, or the recording of a live class.
    video_url = models.URLField(
        _("video address"),
        blank=True,
        validators=[validate_video],
        help_text=_("YouTube, Vimeo or Bunny."),
    )
    embed_url = models.URLField(_("address"), blank=True, db_default="", max_length=500)
    # The video, the audio, the download, or the recording of a live class.
    file = models.ForeignKey(
        File, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("file")
    )
    captions = models.ForeignKey(
        File, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("captions")
    )
    attachments = models.ManyToManyField(File, through="Attachment", related_name="+")
    live_at = models.DateTimeField(_("begins"), null=True, blank=True)
    live_minutes = models.PositiveSmallIntegerField(
        _("length in minutes"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1_440)],
    )
    join_url = models.URLField(_("link to join"), blank=True, db_default="", max_length=500)
    requires = models.ManyToManyField(
        "self",
        through="Requirement",
        through_fields=("lesson", "required"),
        symmetrical=False,
        related_name="required_by",
        verbose_name=_("opens after lessons"),
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True, default=now)
    position = models.PositiveIntegerField(_("position"), default=0)

    objects = LessonQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title

    def facts(self) -> dict[str, Any]:
        """What the log says of it, by its name: it may be deleted later."""
        return {
            "lesson": self.pk,
            "course": self.module.course_id,
            "title": self.title,
            "published": self.is_published,
        }

    @transaction.atomic
    def publish(self, *, on: bool = True) -> None:
        """Let students see it, or make it a draft again. Whoever edits it meanwhile is told; twice is harmless."""
        mine = Lesson.objects.filter(pk=self.pk, published_at__isnull=on)
        self.published_at = now() if on else None
        if mine.update(published_at=self.published_at, version=F("version") + 1):
            record(Name.LESSON_UPDATED, **self.facts(), fields=["published_at"])

    @transaction.atomic
    def detach(self, key: int) -> None:
        """Take the attachment with this key off it, if it has it. The file goes where nothing else has it."""
        gone, _by_model = self.attached.filter(pk=key).delete()
        if gone:
            record(Name.LESSON_UPDATED, **self.facts(), fields=["attachments"])

    @property
    def is_published(self) -> bool:
        return self.published_at is not None


class Attachment(models.Model):
    """A file that belongs to a lesson: to download below it, or a picture in its text."""

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="attached")
    file = models.ForeignKey(File, models.CASCADE, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["lesson", "file"], name="a_file_is_attached_once")
        ]

    def __str__(self) -> str:
        return f"{self.file_id} of {self.lesson_id}"


class Requirement(models.Model):
    """That a lesson stays shut until another of the course is done; of a quiz: passed."""

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="requirements")
    required = models.ForeignKey(Lesson, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "required"], name="a_lesson_requires_it_once"
            ),
            models.CheckConstraint(
                condition=~Q(lesson=F("required")), name="a_lesson_does_not_require_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lesson_id} after {self.required_id}"
