"""Rating: what a student thinks of a course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models, transaction
from django.db.models import Avg, Count, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from enrollments.models.enrollment import Enrollment
from offers.models import Course
from portal.events import Name, record

STARS = range(1, 6)


@dataclass(frozen=True)
class Distribution:
    """How a course is rated: how many gave so many stars."""

    votes: Mapping[int, int]

    @property
    def number(self) -> int:
        return sum(self.votes.values())

    @property
    def downwards(self) -> list[tuple[int, int]]:
        """(stars, votes), five stars first."""
        return sorted(self.votes.items(), reverse=True)

    @property
    def average(self) -> float | None:
        """In stars; None while nobody rated it."""
        total = sum(stars * votes for stars, votes in self.votes.items())
        return total / self.number if self.number else None


class RatingQuerySet(models.QuerySet["Rating"]):
    def of_course(self, course: Course) -> Self:
        """Everybody's of one course."""
        return self.filter(course=course)

    def distribution(self) -> Distribution:
        """How many gave so many stars. One statement."""
        found = self.order_by().values_list("stars").annotate(votes=Count("*"))
        return Distribution(dict.fromkeys(STARS, 0) | dict(found))

    def averages(self, courses: Iterable[int]) -> dict[int, tuple[float, int]]:
        """(average, number) by course, of those that are rated. One statement."""
        found = self.filter(course__in=courses).order_by()
        rows = found.values_list("course").annotate(average=Avg("stars"), number=Count("*"))
        return {course: (average, number) for course, average, number in rows}

    @transaction.atomic
    def rate(self, *, enrollment: Enrollment, stars: int, text: str = "") -> None:
        """Set what somebody thinks of their course; records `course.rated` if it is anything new.

        One statement decides, so a double click is one rating and one event.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO enrollments_rating AS mine
                    (enrollment_id, course_id, stars, text, created_at, changed_at)
                VALUES (%(enrollment)s, %(course)s, %(stars)s, %(text)s, %(now)s, %(now)s)
                ON CONFLICT (enrollment_id) DO UPDATE
                SET stars = EXCLUDED.stars, text = EXCLUDED.text, changed_at = EXCLUDED.changed_at
                WHERE (mine.stars, mine.text) <> (EXCLUDED.stars, EXCLUDED.text)
                RETURNING id
                """,
                {
                    "enrollment": enrollment.pk,
                    "course": enrollment.course_id,
                    "stars": stars,
                    "text": text,
                    "now": now(),
                },
            )
            is_new = cursor.fetchone() is not None
        if is_new:
            record(
                Name.COURSE_RATED,
                contact=enrollment.contact_id,
                course=enrollment.course_id,
                stars=stars,
            )


class Rating(models.Model):
    """What somebody thinks of a course: one to five stars, and why. One per person; it may be changed."""

    enrollment = models.OneToOneField(Enrollment, models.CASCADE, related_name="rating")
    # The enrollment's, which never changes: so that an index alone can count.
    course = models.ForeignKey(Course, models.PROTECT, related_name="ratings", db_index=False)
    stars = models.PositiveSmallIntegerField(
        _("stars"), validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    text = models.TextField(_("why"), blank=True, max_length=2_000)
    created_at = models.DateTimeField(default=now)
    changed_at = models.DateTimeField(default=now)

    objects = RatingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stars__gte=1, stars__lte=5), name="a_rating_is_one_to_five_stars"
            )
        ]
        indexes = [
            # How a course is rated; and what was written with it, the latest first.
            models.Index(fields=["course", "stars"], name="rating_by_course"),
            models.Index(fields=["course", "-id"], condition=~Q(text=""), name="rating_in_words"),
        ]

    def __str__(self) -> str:
        return f"{self.stars} stars"
