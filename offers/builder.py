"""The builder's view of a course: its modules and lessons as rows, each with its rules and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, F, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offers import rules
from offers.models import Course, Lesson, LessonKind, Module, Requirement


@dataclass(frozen=True)
class Kind:
    """A kind of lesson, to choose it by."""

    key: str
    label: str
    icon: str
    text: str


@dataclass(frozen=True)
class Row:
    """One lesson."""

    lesson: Lesson
    rules: list[str]
    lacks: str  # in words; "" if there is something to see

    @property
    def icon(self) -> str:
        return LessonKind(self.lesson.kind).icon


@dataclass(frozen=True)
class Chapter:
    """One module with its lessons."""

    module: Module
    rules: list[str]
    rows: list[Row]

    @property
    def menu(self) -> str:
        """The id of its menu of kinds."""
        return f"add-{self.module.pk}"


@dataclass(frozen=True)
class Outline:
    """One course, every lesson of it. Four statements, however many there are."""

    course: Course

    @cached_property
    def modules(self) -> list[Module]:
        return list(self.course.modules.all())

    @cached_property
    def lessons(self) -> list[Lesson]:
        """In order, each with `has_text`, `attachment_count` and `question_count`."""
        counted = Lesson.objects.filter(module__course=self.course).annotate(
            has_text=~Q(body=""),
            attachment_count=Count("attached", distinct=True),
            question_count=Count("quiz__questions", distinct=True),
        )
        return list(counted.defer("body").in_order())

    @cached_property
    def needs(self) -> rules.Needs:
        rows = Requirement.objects.filter(lesson__module__course=self.course)
        found: rules.Needs = {}
        for lesson, required in rows.values_list("lesson_id", "required_id"):
            found.setdefault(lesson, set()).add(required)
        return found

    def chapters(self) -> Iterator[Chapter]:
        """The modules as the page shows them."""
        inside: dict[int, list[Row]] = {module.pk: [] for module in self.modules}
        for lesson in self.lessons:
            inside[lesson.module_id].append(self._row(lesson))
        for module in self.modules:
            yield Chapter(module, rules.in_words(module), inside[module.pk])

    def _row(self, lesson: Lesson) -> Row:
        needed = self.needs.get(lesson.pk)
        required = [other for other in self.lessons if other.pk in needed] if needed else []
        return Row(lesson, rules.in_words(lesson, required), _lacks(lesson))

    @property
    def draft_count(self) -> int:
        return sum(not lesson.is_published for lesson in self.lessons)

    def consequences(self) -> list[str]:
        """What the rules lead to, where that is hardly meant."""
        return list(rules.consequences(self.course, self.lessons, self.needs))


def _lacks(lesson: Lesson) -> str:
    has_file = lesson.file_id is not None
    missing = {
        LessonKind.TEXT: (not getattr(lesson, "has_text", True), _("No text yet")),
        LessonKind.VIDEO: (not lesson.video_url and not has_file, _("No video yet")),
        LessonKind.AUDIO: (not has_file, _("No audio yet")),
        LessonKind.FILE: (not has_file, _("No file yet")),
        LessonKind.EMBED: (not lesson.embed_url, _("No address yet")),
        LessonKind.QUIZ: (not getattr(lesson, "question_count", 1), _("No questions yet")),
        LessonKind.LIVE: (lesson.live_at is None, _("No date yet")),
    }
    is_missing, words = missing[LessonKind(lesson.kind)]
    return words if is_missing else ""


def kinds() -> list[Kind]:
    """Every kind of lesson with a sentence about it."""
    texts = {
        LessonKind.TEXT: _("An article, with pictures and files."),
        LessonKind.VIDEO: _("From YouTube, Vimeo or Bunny, or uploaded here."),
        LessonKind.AUDIO: _("A recording to listen to, uploaded here."),
        LessonKind.FILE: _("A document to take along."),
        LessonKind.EMBED: _("Slides, forms or a design from another service."),
        LessonKind.QUIZ: _("Questions to answer; passing it completes the lesson."),
        LessonKind.LIVE: _("A date, a link to join, the recording afterwards."),
    }
    return [Kind(kind.value, str(kind.label), kind.icon, text) for kind, text in texts.items()]


def losses(lesson: Lesson) -> list[str]:
    """What goes when the lesson is deleted, in numbers; what it has nothing of is not mentioned."""
    # Of each person there is one row in the present attempt.
    marks = lesson.progress.filter(
        completed_at__isnull=False, attempt=F("enrollment__attempt")
    ).count()
    tries = lesson.quiz.attempts.count() if hasattr(lesson, "quiz") else 0
    comments = lesson.comments.filter(deleted_at=None).count()
    waiting = lesson.required_by.count()
    told = [
        (
            marks,
            ngettext(
                "%(number)d person completed it: their mark is deleted with it.",
                "%(number)d people completed it: their marks are deleted with it.",
                marks,
            ),
        ),
        (
            tries,
            ngettext(
                "%(number)d attempt at its quiz is deleted, with what was answered.",
                "%(number)d attempts at its quiz are deleted, with what was answered.",
                tries,
            ),
        ),
        (
            comments,
            ngettext(
                "%(number)d comment below it is deleted.",
                "%(number)d comments below it are deleted.",
                comments,
            ),
        ),
        (
            waiting,
            ngettext(
                "%(number)d lesson that waits for it waits for it no longer.",
                "%(number)d lessons that wait for it wait for it no longer.",
                waiting,
            ),
        ),
    ]
    return [sentence % {"number": number} for number, sentence in told if number]
