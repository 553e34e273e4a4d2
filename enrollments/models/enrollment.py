"""Enrollment: one contact's record in one course. It remembers; it opens nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Self

from django.db import connection, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact
from enrollments.played import Parts, is_enough, united
from offers.models import Cohort, Course, Lesson, Offer
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
        today = School.current().today()
        mine, _is_new = self.get_or_create(
            contact=contact, course=course, defaults={"enrolled_on": today}
        )
        return mine

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
    course = models.ForeignKey(Course, models.PROTECT, related_name="enrollments", db_index=False)
    enrolled_on = models.DateField()  # in the school's zone; drip counts from it
    inactive_at = models.DateTimeField(null=True)  # switched off by staff
    # The cohort they are in. Its days count instead of their own.
    cohort = models.ForeignKey(
        Cohort,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="enrollments",
        db_index=False,
    )
    # Since when no rule of the course shuts a lesson for them; courses and grants still do.
    unlocked_at = models.DateTimeField(null=True)
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
        indexes = [
            # Who is in a course, the latest first; and of them who is in a cohort, or in none.
            models.Index(fields=["course", "id"], name="enrollment_by_course"),
            models.Index(
                fields=["cohort", "course", "id"], include=["contact"], name="enrollment_by_cohort"
            ),
            # The few whose learning is over or not begun, and who were switched off, for the list.
            models.Index(
                fields=["learning_status", "contact"],
                condition=~Q(learning_status="active"),
                name="enrollment_by_learning",
            ),
            models.Index(
                fields=["contact"], condition=Q(inactive_at__isnull=False), name="enrollment_off"
            ),
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
        """Edit the day, the learning status, the switches; records `enrollment.changed` if any differs.

        Of several who change it to the same at once, one does. Cohorts are changed by `cohorts.set_cohorts()`.
        """
        mine = self._lock()
        changed = [name for name, value in fields.items() if getattr(mine, name) != value]
        for name, value in fields.items():
            setattr(self, name, value)
        if not changed:
            return
        self.save(update_fields=changed)
        facts = {name: str(fields[name] or "") for name in changed}
        record(
            Name.ENROLLMENT_CHANGED,
            contact=self.contact_id,
            course=self.course_id,
            fields=changed,
            **facts,
        )

    @transaction.atomic
    def switch(self, *, on: bool) -> None:
        """The staff's own switch: off closes the course whatever the grants say. Twice is harmless."""
        self.change(inactive_at=None if on else self._lock().inactive_at or now())

    @transaction.atomic
    def restart(self) -> None:
        """Begin a new attempt: nothing is done in it yet, and what was done before is kept.

        Records `enrollment.changed`. One that was never begun has nothing to start anew.
        """
        mine = self._lock()
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
        """Mark a lesson of this course done; the last one that counts completes the course. Twice is harmless.

        `course.started`, `lesson.completed` and `course.completed` are recorded once in an
        attempt, whatever is unmarked and marked again.
        """
        mine = self._lock()
        mine._mark(mine._progress(lesson))

    @transaction.atomic
    def play(
        self, lesson: Lesson, *, position: int, parts: Parts, duration: float, completes: bool
    ) -> bool:
        """Note where in a recording the student is and which parts were played, in seconds.

        With `completes`, having played nearly all of it marks the lesson done; whether it did so
        now. What several devices report adds up, and a repeat changes nothing.
        """
        mine = self._lock()
        mark = mine._progress(lesson)
        mark.position, mark.played = position, united([*mark.played, *parts])
        mark.save()
        if not completes or mark.completed_at or not is_enough(mark.played, of=duration):
            return False
        mine._mark(mark)
        return True

    def _lock(self) -> Enrollment:
        """This row, held until the end of the transaction: two devices, or two lessons, wait for each other."""
        return Enrollment.objects.select_for_update(no_key=True).get(pk=self.pk)

    def _progress(self, lesson: Lesson) -> LessonProgress:
        """The row of a lesson in this attempt, made or not. The caller holds the lock: nobody else makes it."""
        key = {"enrollment": self, "attempt": self.attempt, "lesson": lesson}
        return LessonProgress.objects.filter(**key).first() or LessonProgress(**key)

    def _mark(self, mark: LessonProgress) -> None:
        """Write that a lesson is done, and what follows from it. The caller holds the lock."""
        if mark.completed_at is not None:
            return
        if self.started_at is None:
            self._start()
        mark.completed_at = now()
        is_first = mark.announced_at is None
        mark.announced_at = mark.announced_at or mark.completed_at
        mark.save()
        if is_first:
            record(
                Name.LESSON_COMPLETED,
                contact=self.contact_id,
                lesson=mark.lesson_id,
                course=self.course_id,
            )
        self._complete_course()

    def _complete_course(self) -> None:
        """Note that every lesson that counts is done, if it is so. The caller holds the lock."""
        if self.completed_at is not None:
            return
        done = LessonProgress.objects.done().filter(enrollment=self, attempt=self.attempt)
        counted = Lesson.objects.filter(module__course=self.course_id).counted()
        left = counted.exclude(pk__in=done.values("lesson"))
        if not left.exists() and counted.exists():
            self.completed_at, self.learning_status = now(), LearningStatus.COMPLETED
            self.save(update_fields=["completed_at", "learning_status"])
            record(Name.COURSE_COMPLETED, contact=self.contact_id, course=self.course_id)

    @transaction.atomic
    def uncomplete(self, lesson: Lesson) -> None:
        """Take the mark back, and what was played of it. That the course was completed once stays true."""
        mine = self._lock()
        marks = LessonProgress.objects.filter(enrollment=mine, attempt=mine.attempt, lesson=lesson)
        marks.update(completed_at=None, played=[])

    @transaction.atomic
    def unlock_all(self, *, on: bool = True) -> None:
        """Open every lesson whatever the rules of the course say, or let them hold again. Twice is harmless."""
        self.change(unlocked_at=(self._lock().unlocked_at or now()) if on else None)

    @transaction.atomic
    def unlock(self, lesson: Lesson) -> None:
        """Open one lesson to this person before its rules do. Records `enrollment.changed`; twice is harmless."""
        _row, is_new = Unlock.objects.get_or_create(enrollment=self, lesson=lesson)
        if is_new:
            self._tell_lock(lesson, "unlocked")

    @transaction.atomic
    def lock(self, lesson: Lesson) -> None:
        """Take one unlock back. Records `enrollment.changed`; twice is harmless."""
        gone, _by_model = Unlock.objects.filter(enrollment=self, lesson=lesson).delete()
        if gone:
            self._tell_lock(lesson, "locked")

    def _tell_lock(self, lesson: Lesson, field: str) -> None:
        record(
            Name.ENROLLMENT_CHANGED,
            contact=self.contact_id,
            course=self.course_id,
            lesson=lesson.pk,
            fields=[field],
        )


class Unlock(models.Model):
    """That one lesson is open to one person before its rules open it."""

    enrollment = models.ForeignKey(
        Enrollment, models.CASCADE, related_name="unlocks", db_index=False
    )
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "lesson"], name="a_lesson_is_unlocked_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.lesson_id} for {self.enrollment_id}"


class LessonProgressQuerySet(models.QuerySet["LessonProgress"]):
    def done(self) -> Self:
        """Of lessons that are done."""
        return self.filter(completed_at__isnull=False)


class LessonProgress(models.Model):
    """How far somebody is with a lesson, in one attempt at its course."""

    enrollment = models.ForeignKey(
        Enrollment, models.CASCADE, related_name="progress", db_index=False
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="progress")
    completed_at = models.DateTimeField(null=True)
    # When `lesson.completed` was recorded: once, though the mark may be taken back and set again.
    announced_at = models.DateTimeField(null=True)
    # Of an uploaded video or audio: where to go on, and which parts were played, in seconds.
    position = models.PositiveIntegerField(default=0, db_default=0)
    played = models.JSONField(default=list, db_default=[])  # [[from, to], …] in order, apart

    objects = LessonProgressQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "attempt", "lesson"], name="a_lesson_is_done_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.lesson_id} of {self.enrollment_id}"


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
