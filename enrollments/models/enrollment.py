"""Enrollment: one contact's record in one course. It remembers; it opens nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import connection, models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact
from offers.models import Course, Lesson, Offer
from portal.events import Name, record
from portal.models import School


class LearningStatus(models.TextChoices):
    """How the learning goes. Closes nothing: access is the grants' affair."""

    ACTIVE = "active", _("Active")
    PENDING = "pending", _("Pending")
    COMPLETED = "completed", _("Completed")
    CANCELED = "canceled", _("Canceled")
    RETURNED = "returned", _("Returned")


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def of(self, *, contact: Contact, course: Course) -> Enrollment:
        """The record of an open course. Made now if the job that makes it has not come to it yet."""
        mine = self.filter(contact=contact, course=course)
        if found := mine.first():
            return found
        today = School.current().today()
        return self.get_or_create(contact=contact, course=course, defaults={"enrolled_on": today})[
            0
        ]

    def enroll(self, *, contact_ids: Collection[int], offer: Offer, on: date) -> None:
        """Make the record of each contact in each course of the offer, where there is none. One statement."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO enrollments_enrollment (contact_id, course_id, enrolled_on, learning_status, attempt)
                SELECT contact_id, held.course_id, %(on)s, 'active', 1
                FROM unnest(%(contacts)s::bigint[]) AS contact_id
                CROSS JOIN offers_offercourse AS held
                WHERE held.offer_id = %(offer)s
                ORDER BY contact_id, held.course_id
                ON CONFLICT (contact_id, course_id) DO NOTHING
                """,
                {"contacts": list(contact_ids), "offer": offer.pk, "on": on},
            )


class Enrollment(models.Model):
    """The learner's record of one contact in one course. Survives revocation."""

    contact = models.ForeignKey(Contact, models.PROTECT, related_name="enrollments", db_index=False)
    course = models.ForeignKey(Course, models.PROTECT, related_name="enrollments")
    enrolled_on = models.DateField()  # in the school's zone; drip counts from it
    inactive_at = models.DateTimeField(null=True)  # switched off by staff
    learning_status = models.CharField(
        max_length=12, choices=LearningStatus, default=LearningStatus.ACTIVE
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    last_lesson = models.ForeignKey(Lesson, models.SET_NULL, null=True, related_name="+")
    last_lesson_at = models.DateTimeField(null=True)

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact", "course"], name="one_enrollment_per_course")
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.course_id}"

    def open_lesson(self, lesson: Lesson) -> None:
        """Note where the student is, so that they can continue there; the first time, that the course began."""
        if self.last_lesson_id != lesson.pk:
            Enrollment.objects.filter(pk=self.pk).update(last_lesson=lesson, last_lesson_at=now())
        if self.started_at is None:
            self._start()

    @transaction.atomic
    def _start(self) -> None:
        if Enrollment.objects.filter(pk=self.pk, started_at=None).update(started_at=now()):
            record(Name.COURSE_STARTED, contact=self.contact_id, course=self.course_id)

    @transaction.atomic
    def change(self, **fields: Any) -> None:
        """Edit `enrolled_on`, `learning_status`, `inactive_at`; records `enrollment.changed` if any differs."""
        changed = [name for name, value in fields.items() if getattr(self, name) != value]
        if not changed:
            return
        for name in changed:
            setattr(self, name, fields[name])
        self.save(update_fields=changed)
        facts = {name: str(fields[name] or "") for name in changed}
        record(
            Name.ENROLLMENT_CHANGED,
            contact=self.contact_id,
            course=self.course_id,
            fields=changed,
            **facts,
        )

    def switch(self, *, on: bool) -> None:
        """The staff's own switch: off closes the course whatever the grants say. Twice is harmless."""
        if on is not (self.inactive_at is None):
            self.change(inactive_at=None if on else now())

    @transaction.atomic
    def restart(self) -> None:
        """Begin a new attempt: nothing is done in it yet, and what was done before is kept.

        Records `enrollment.changed`. One that was never begun has nothing to start anew.
        """
        mine = Enrollment.objects.select_for_update(no_key=True).get(pk=self.pk)
        if mine.started_at is None:
            return
        begin = {
            "attempt": mine.attempt + 1,
            "learning_status": LearningStatus.ACTIVE,
            "started_at": None,
            "completed_at": None,
            "last_lesson": None,
            "last_lesson_at": None,
        }
        Enrollment.objects.filter(pk=self.pk).update(**begin)
        self.refresh_from_db()
        record(
            Name.ENROLLMENT_CHANGED,
            contact=self.contact_id,
            course=self.course_id,
            fields=["attempt"],
            attempt=self.attempt,
        )

    @transaction.atomic
    def complete(self, lesson: Lesson) -> None:
        """Mark a lesson of this course done; the last one completes the course. Twice is harmless."""
        _row, is_new = LessonProgress.objects.get_or_create(
            enrollment=self, attempt=self.attempt, lesson=lesson
        )
        if not is_new:
            return
        record(
            Name.LESSON_COMPLETED, contact=self.contact_id, lesson=lesson.pk, course=self.course_id
        )
        # Two last lessons at once: each waits here for the other, so one of them sees both.
        mine = Enrollment.objects.select_for_update(no_key=True).get(pk=self.pk)
        done = LessonProgress.objects.filter(enrollment=mine, attempt=mine.attempt)
        lessons = Lesson.objects.filter(module__course=self.course_id)
        if mine.completed_at is None and not lessons.exclude(pk__in=done.values("lesson")).exists():
            mine.completed_at, mine.learning_status = now(), LearningStatus.COMPLETED
            mine.save(update_fields=["completed_at", "learning_status"])
            record(Name.COURSE_COMPLETED, contact=self.contact_id, course=self.course_id)

    def uncomplete(self, lesson: Lesson) -> None:
        """Take the mark back. That the course was completed once stays true."""
        LessonProgress.objects.filter(enrollment=self, attempt=self.attempt, lesson=lesson).delete()


class LessonProgress(models.Model):
    """That a lesson is done, in one attempt at its course."""

    enrollment = models.ForeignKey(
        Enrollment, models.CASCADE, related_name="progress", db_index=False
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="progress")
    completed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "attempt", "lesson"], name="a_lesson_is_done_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.lesson_id} done"


def enroll_holders(
    *, offer_id: int, course_id: int, joined_on: date, after: int, limit: int
) -> int | None:
    """Enroll `limit` holders of an offer, past contact `after`, in a course that joined it on `joined_on`.

    They count as enrolled on the later of that day and the start of their grant. Returns the
    last contact it looked at, None when none is left.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH holder AS (
                SELECT contact_id, min(starts_at) AS since FROM enrollments_grant
                WHERE offer_id = %(offer)s AND revoked_at IS NULL
                  AND (ends_at IS NULL OR ends_at > now()) AND contact_id > %(after)s
                GROUP BY contact_id ORDER BY contact_id LIMIT %(limit)s
            ), made AS (
                INSERT INTO enrollments_enrollment (contact_id, course_id, enrolled_on, learning_status, attempt)
                SELECT contact_id, %(course)s, greatest(%(joined_on)s, (since AT TIME ZONE %(zone)s)::date),
                       'active', 1
                FROM holder ORDER BY contact_id
                ON CONFLICT (contact_id, course_id) DO NOTHING
            )
            SELECT max(contact_id) FROM holder
            """,
            {
                "offer": offer_id,
                "course": course_id,
                "joined_on": joined_on,
                "after": after,
                "limit": limit,
                "zone": School.current().time_zone,
            },
        )
        row = cursor.fetchone()
    return row[0] if row else None
