"""Comment and rating: what students say about lessons and courses."""

from __future__ import annotations

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, User
from enrollments.models.enrollment import Enrollment
from offers.models import Lesson


class CommentQuerySet(models.QuerySet["Comment"]):
    def visible(self) -> Self:
        """Neither hidden by staff nor taken back by who wrote them."""
        return self.filter(hidden_at=None, deleted_at=None)


class Comment(models.Model):
    """What somebody wrote below a lesson, or as an answer to what another wrote there."""

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    # The author as a student; empty for staff.
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, related_name="comments", db_index=False
    )
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="replies")
    text = models.TextField(_("comment"), max_length=5_000)
    created_at = models.DateTimeField(default=now)
    hidden_at = models.DateTimeField(null=True)
    hidden_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    deleted_at = models.DateTimeField(null=True)  # by who wrote it

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["lesson", "-id"], name="comment_by_lesson"),
            models.Index(fields=["contact", "-id"], name="comment_by_contact"),
            models.Index(fields=["author", "-id"], name="comment_by_author"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Rating(models.Model):
    """What somebody thinks of a course: one to five stars, and why. One per person; it may be changed."""

    enrollment = models.OneToOneField(Enrollment, models.CASCADE, related_name="rating")
    stars = models.PositiveSmallIntegerField(
        _("stars"), validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    text = models.TextField(_("why"), blank=True, max_length=2_000)
    created_at = models.DateTimeField(default=now)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stars__gte=1, stars__lte=5), name="a_rating_is_one_to_five_stars"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stars} stars"
