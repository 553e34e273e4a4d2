"""Offer: the permission that opens courses. What is granted is always an offer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Count, Func, OuterRef, Q, Subquery
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from offers.models.course import Course
from portal.events import Name, record

COUNTED = 1000  # holders; beyond, pages say "1,000+"
LONGEST = 36_500  # days a grant may last


class Status(models.TextChoices):
    """Draft: opens nothing yet. Active: can be granted. Archived: granted no more, but holders keep it."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    ARCHIVED = "archived", _("Archived")


class Kind(models.TextChoices):
    """What an offer is to the school. Both open their courses alike; they are exported apart."""

    STANDARD = "standard", _("Offer")
    SUBSCRIPTION = "subscription", _("Subscription")


class OfferQuerySet(models.QuerySet["Offer"]):
    def grantable(self) -> Self:
        """Staff may prepare grants of a draft; an archived offer is given to nobody new."""
        return self.exclude(status=Status.ARCHIVED)

    def with_counts(self) -> Self:
        """Adds `course_count`, and `holder_count`: how many people hold each offer now.

        Archived contacts aside. Beyond COUNTED it stops counting, so that a list of offers
        costs the same whoever holds them.
        """
        held = Q(grants__ends_at=None) | Q(grants__ends_at__gt=now())
        present = Q(grants__revoked_at=None, grants__contact__archived_at=None)
        same = Offer.objects.filter(pk=OuterRef("pk")).order_by()
        # Twice as many grants, for those who hold it from two sources.
        grants = same.filter(held & present).values("grants__contact")[: 2 * COUNTED + 1]
        return self.annotate(
            course_count=Subquery(same.annotate(number=Count("courses")).values("number")),
            holder_count=Func(
                ArraySubquery(grants),
                template="(SELECT COUNT(DISTINCT person) FROM UNNEST(%(expressions)s) AS person)",
                output_field=models.IntegerField(),
            ),
        )


class Offer(models.Model):
    """A bundle of courses under one name. Holding it opens all of them."""

    title = models.CharField(_("title"), max_length=160)
    slug = models.SlugField(_("address"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    kind = models.CharField(
        _("kind"),
        max_length=12,
        choices=Kind,
        default=Kind.STANDARD,
        help_text=_("A subscription is a package whose courses come and go; it is exported apart."),
    )
    holds_all_courses = models.BooleanField(
        _("all courses"),
        default=False,
        help_text=_("Holds every course there is, and each new one from the day it is made."),
    )
    is_internal = models.BooleanField(
        _("internal"),
        default=False,
        help_text=_("Free, given by hand: gifts, tests, the team. Never for sale."),
    )
    default_days = models.PositiveIntegerField(
        _("default length in days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST)],
        help_text=_("How long a new grant lasts. Empty: no end."),
    )
    # How many days before the end its holders are reminded, the earliest first. Empty: never.
    reminder_days = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    courses = models.ManyToManyField(Course, through="OfferCourse", related_name="offers")
    created_at = models.DateTimeField(default=now)

    objects = OfferQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title

    def facts(self) -> dict[str, Any]:
        """What the log says of it."""
        return {"offer": self.pk}

    @property
    def is_active(self) -> bool:
        return self.status == Status.ACTIVE

    def default_end(self, start: date) -> date | None:
        """The last day of a grant that starts on `start`: N days are N days, the first included."""
        return start + timedelta(days=self.default_days - 1) if self.default_days else None

    @transaction.atomic
    def publish(self) -> None:
        """Make it active: its grants open its courses. Publishing twice is harmless."""
        self._become(Status.ACTIVE, Name.OFFER_PUBLISHED)

    @transaction.atomic
    def archive(self) -> None:
        """Offer it to nobody new; who holds it keeps it. Archiving twice is harmless."""
        self._become(Status.ARCHIVED, Name.OFFER_ARCHIVED)

    def _become(self, status: Status, name: Name) -> None:
        if Offer.objects.filter(pk=self.pk).exclude(status=status).update(status=status):
            record(name, offer=self.pk)
        self.status = status

    @transaction.atomic
    def include(self, course: Course) -> None:
        """Open `course` to everybody who holds this offer, from now on."""
        _row, is_new = OfferCourse.objects.get_or_create(offer=self, course=course)
        if is_new:
            record(Name.OFFER_COURSE_ADDED, offer=self.pk, course=course.pk)

    @transaction.atomic
    def include_all(self) -> None:
        """Open every course there is, and each that is made from now on."""
        if not self.holds_all_courses:
            self.holds_all_courses = True
            self.save(update_fields=["holds_all_courses"])
        for course in Course.objects.exclude(inclusions__offer=self).order_by("pk"):
            self.include(course)

    @transaction.atomic
    def exclude(self, course: Course) -> None:
        """Take `course` out: whoever reached it through this offer alone loses it on the next request.

        An offer of all courses is then one no more: new courses do not join it.
        """
        gone, _by_model = OfferCourse.objects.filter(offer=self, course=course).delete()
        if gone:
            Offer.objects.filter(pk=self.pk).update(holds_all_courses=False)
            self.holds_all_courses = False
            record(Name.OFFER_COURSE_REMOVED, offer=self.pk, course=course.pk)


class OfferCourse(models.Model):
    """That an offer holds a course."""

    offer = models.ForeignKey(Offer, models.CASCADE, related_name="inclusions")
    course = models.ForeignKey(Course, models.PROTECT, related_name="inclusions")
    added_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint("offer", "course", name="a_course_is_in_an_offer_once")
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} holds {self.course_id}"
