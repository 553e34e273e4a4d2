"""One lesson as a student sits before it: what its kind shows, and how far they are with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils.timezone import now

from enrollments.locks import Standing
from enrollments.outline import Study
from offers.embeds import frame_url
from offers.models import Completion, LessonKind
from offers.video import player_url
from portal.models import FileKind

# The kinds of lesson that may have an uploaded recording, which is played here.
PLAYED = {LessonKind.VIDEO, LessonKind.AUDIO, LessonKind.LIVE}
JOINABLE = timedelta(minutes=15)  # before a live class begins, its button to join appears

SITTING = """
    SELECT lesson.body, lesson.video_url, lesson.embed_url, lesson.live_minutes,
           COALESCE(NULLIF(dated.join_url, ''), lesson.join_url),
           CASE WHEN file.id IS NOT NULL
                THEN jsonb_build_object('id', file.id, 'name', file.name, 'size', file.size, 'kind', file.kind,
                                        'content_type', file.content_type) END,
           lesson.captions_id, COALESCE(progress.position, 0),
           (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', shown.id, 'name', shown.name, 'size', shown.size,
                                                         'kind', shown.kind, 'content_type', shown.content_type)
                                      ORDER BY attached.id), '[]')
            FROM offers_attachment AS attached JOIN portal_file AS shown ON shown.id = attached.file_id
            WHERE attached.lesson_id = lesson.id)
    FROM offers_lesson AS lesson
    LEFT JOIN portal_file AS file ON file.id = lesson.file_id
    LEFT JOIN enrollments_enrollment AS mine ON mine.id = %(enrollment)s
    LEFT JOIN offers_cohortdate AS dated ON dated.cohort_id = mine.cohort_id AND dated.lesson_id = lesson.id
    LEFT JOIN enrollments_lessonprogress AS progress
        ON progress.enrollment_id = mine.id AND progress.attempt = mine.attempt AND progress.lesson_id = lesson.id
    WHERE lesson.id = %(lesson)s
"""


@dataclass(frozen=True)
class Download:
    """A file of a lesson."""

    id: str
    name: str
    size: int  # bytes
    kind: str
    content_type: str

    @property
    def url(self) -> str:
        return file_url(self.id)


@dataclass(frozen=True)
class Row:
    """A lesson as SITTING finds it."""

    body: str
    video_url: str
    embed_url: str
    live_minutes: int | None
    join_url: str  # of the student's cohort, if that has one
    file: Download | None
    captions_id: UUID | None
    position: int  # second at which the student stopped
    attached: list[Download]


def file_url(pk: UUID | str) -> str:
    """Where a file lies that belongs to a lesson."""
    return reverse("enrollments:file_detail", args=[pk])


@dataclass(frozen=True)
class Sitting:
    """An open lesson of a student."""

    study: Study
    standing: Standing
    row: Row

    @classmethod
    def find(cls, study: Study, standing: Standing) -> Sitting:
        """What the lesson shows. One statement. The caller knows that it is open."""
        with connection.cursor() as cursor:
            key = {"enrollment": study.enrollment.pk, "lesson": standing.id}
            cursor.execute(SITTING, key)
            body, video, embed, minutes, join, file, captions, position, attached = (
                cursor.fetchone()
            )
        return cls(
            study,
            standing,
            Row(
                *(body, video, embed, minutes, join),
                Download(**json.loads(file)) if file else None,
                captions,
                position,
                [Download(**each) for each in json.loads(attached)],
            ),
        )

    @property
    def kind(self) -> str:
        return self.standing.kind

    @property
    def player_url(self) -> str:
        """The page of another service's player, for a video or the recording of a live class."""
        return player_url(self.row.video_url) if not self.media else ""

    @property
    def frame_url(self) -> str:
        """The page of another service that is the lesson."""
        return frame_url(self.row.embed_url) if self.kind == LessonKind.EMBED else ""

    @cached_property
    def media(self) -> Download | None:
        """The uploaded video or audio that is played here, if there is one."""
        file = self.row.file
        plays = file and file.kind in {FileKind.VIDEO, FileKind.AUDIO}
        return file if plays and self.kind != LessonKind.FILE else None

    @property
    def has_recording(self) -> bool:
        """Whether there is something to play."""
        return bool(self.media or self.player_url)

    @property
    def shows_media(self) -> bool:
        """Whether to play it now: the recording of a live class is for when that is over."""
        return self.live is None or self.live.is_over or self.live.starts is None

    @property
    def download(self) -> Download | None:
        """The file that is the lesson."""
        return self.row.file if self.kind == LessonKind.FILE else None

    @property
    def captions_url(self) -> str:
        return file_url(self.row.captions_id) if self.row.captions_id else ""

    @property
    def attachments(self) -> list[Download]:
        """What is to be downloaded beside it. A picture that the text shows is none."""
        return [each for each in self.row.attached if each.id not in self.row.body]

    @property
    def is_watched(self) -> bool:
        """Whether playing it is what completes it, and no button."""
        return is_watched(self.study, self.standing) and self.media is not None

    @cached_property
    def live(self) -> Live | None:
        """The live class, if that is what the lesson is."""
        if self.kind != LessonKind.LIVE:
            return None
        starts = self.standing.live_at
        length = timedelta(minutes=self.row.live_minutes or 60)
        zone = self.study.contact.zone.key
        return Live(starts, starts and starts + length, self.row.join_url, zone)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there to see yet."""
        shown: tuple[Any, ...] = (
            *(self.row.body, self.player_url, self.frame_url, self.media, self.download),
            *(self.live, self.attachments),
        )
        return self.kind != LessonKind.QUIZ and not any(shown)


@dataclass(frozen=True)
class Live:
    """When a live class is, whose clock the page tells it in, and whether the student can join now."""

    starts: datetime | None  # None: nobody said yet
    ends: datetime | None
    join_url: str
    zone: str  # a name of the tz database

    @property
    def place(self) -> str:
        """Whose clock it is, for people: Rome for Europe/Rome."""
        return self.zone.rpartition("/")[2].replace("_", " ")

    @property
    def opens(self) -> datetime | None:
        """From when one can join."""
        return self.starts and self.starts - JOINABLE

    @property
    def is_over(self) -> bool:
        return self.ends is not None and self.ends <= now()

    @property
    def is_joinable(self) -> bool:
        """Whether the door is open at this moment, and leads somewhere."""
        return bool(self.join_url and self.opens and self.opens <= now() and not self.is_over)


def is_watched(study: Study, standing: Standing) -> bool:
    """Whether playing an upload of this lesson completes it, where it has one."""
    return study.course.completion == Completion.WATCH and standing.kind in {
        LessonKind.VIDEO,
        LessonKind.AUDIO,
    }
