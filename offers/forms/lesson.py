"""What may be asked about a lesson of each kind, and what is valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.forms import BoundField
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from offers import embeds, rules
from offers.forms.attachments import AttachmentsField
from offers.forms.careful import VersionedForm, day_field, moment_field
from offers.models import Attachment, Course, Lesson, LessonKind, Module, Quiz, Requirement
from offers.models.course import next_position
from offers.ordering import lock, settle
from portal.events import Name, record
from portal.models import FileKind, School
from portal.uploads import Upload, UploadField

# What each kind asks for besides a title and a text.
OWN = {
    LessonKind.TEXT: (),
    LessonKind.VIDEO: ("video_url", "file", "captions"),
    LessonKind.AUDIO: ("file",),
    LessonKind.FILE: ("file",),
    LessonKind.EMBED: ("embed_url",),
    LessonKind.QUIZ: (),
    LessonKind.LIVE: (
        "live_at",
        "live_minutes",
        "join_url",
        "video_url",
        "file",
        "captions",
    ),
}
FILES = {
    LessonKind.VIDEO: (FileKind.VIDEO, _("Uploaded video")),
    LessonKind.AUDIO: (FileKind.AUDIO, _("Audio")),
    LessonKind.FILE: (FileKind.DOCUMENT, _("File")),
    LessonKind.LIVE: (FileKind.VIDEO, _("Recording, uploaded")),
}
NOTHING = {"video_url": "", "embed_url": "", "live_at": None, "live_minutes": None, "join_url": ""}


class LessonForm(VersionedForm[Lesson]):
    """A lesson of one kind: only what that kind asks for can be given.

    `kind` is the one that was sent or `asked` for, else the lesson's own.
    """

    created, updated = Name.LESSON_CREATED, Name.LESSON_UPDATED

    opens_on = day_field(label=_("Opens on"), help_text=_("For everybody, on this day."))
    live_at = moment_field(label=_("Begins"))
    live_minutes = forms.IntegerField(
        label=_("Length in minutes"), required=False, min_value=1, max_value=1_440
    )
    requires = forms.ModelMultipleChoiceField(
        Lesson.objects.none(),
        label=_("Opens after lessons"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It stays shut until these are done; of a quiz: passed."),
    )
    published = forms.BooleanField(
        label=_("Published"),
        required=False,
        help_text=_("Students see it once the course is published, too. Otherwise it is a draft."),
    )
    attach = AttachmentsField(label=_("Add files"))

    class Meta:
        model = Lesson
        fields: ClassVar[list[str]] = [
            "kind",
            "title",
            "video_url",
            "embed_url",
            "live_at",
            "live_minutes",
            "join_url",
            "body",
            "module",
            "opens_after",
            "opens_on",
        ]
        help_texts: ClassVar[dict[str, Any]] = {
            "body": _("Markdown: **bold**, *italic*, # heading, - list, [link](https://…)."),
        }
        widgets: ClassVar[dict[str, Any]] = {
            "kind": forms.HiddenInput,
            # While it is typed, the preview follows.
            "body": forms.Textarea(
                attrs={
                    "rows": 14,
                    "hx-post": reverse_lazy("offers:lesson_preview"),
                    "hx-trigger": "input changed delay:400ms",
                    "hx-params": "body,csrfmiddlewaretoken",
                    "hx-encoding": "application/x-www-form-urlencoded",
                    "hx-target": "#preview",
                    "hx-sync": "this:replace",
                }
            ),
        }

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: Any = None,
        *,
        module: Module,
        asked: str = "",
        **kwargs: Any,
    ) -> None:
        instance: Lesson = kwargs.setdefault("instance", Lesson(module=module))
        kwargs["instance"] = instance
        self.course: Course = module.course
        sent = asked or (data or {}).get("kind", "")
        self.kind = LessonKind(sent if sent in LessonKind else instance.kind)
        super().__init__(data, files, **kwargs)
        if not self.is_bound:
            self.initial["kind"] = self.kind
        for name in {*NOTHING} - {*OWN[self.kind]}:
            del self.fields[name]
        self._fit()

    def upload_fields(self) -> dict[str, UploadField]:
        """The video, the audio, the download, the recording; captions for what is seen."""
        if self.kind not in FILES:
            return {}
        kind, label = FILES[self.kind]
        found = {"file": UploadField(kind=kind, label=label, required=False)}
        if "captions" in OWN[self.kind]:
            found["captions"] = UploadField(
                kind=FileKind.CAPTIONS, label=_("Captions"), required=False
            )
        return found

    def content(self) -> list[BoundField]:
        """The fields of its kind."""
        return [self[name] for name in OWN[self.kind]]

    def _fit(self) -> None:
        """Words and choices that depend on the course, the school and the kind."""
        school = School.current()
        is_new = self.instance.pk is None
        choice: Any = self.fields["module"]
        choice.queryset = self.course.modules.all()
        self.initial.setdefault("module", self.instance.module_id)
        choice = self.fields["requires"]
        choice.queryset = Lesson.objects.filter(module__course=self.course).exclude(
            pk=self.instance.pk
        )
        choice.queryset = choice.queryset.select_related("module").in_order()
        choice.label_from_instance = lambda lesson: f"{lesson} ({lesson.module})"
        if not is_new:
            required = self.instance.requirements.values_list("required_id", flat=True)
            self.initial.setdefault("requires", list(required))
        # What is new in a course that students see waits until somebody says that it is ready.
        is_out = not self.course.is_published if is_new else self.instance.is_published
        self.initial.setdefault("published", is_out)
        if "embed_url" in self.fields:
            self.fields["embed_url"].help_text = format_html(
                "{}<ul>{}</ul>", gettext("The public address of one of these:"), embeds.allowed()
            )
        if self.kind == LessonKind.LIVE:
            self.fields["live_at"].help_text = gettext("In the school’s time zone, %s.") % (
                school.time_zone
            )
            self.fields["video_url"].label = _("Recording, its address")
            self.fields["video_url"].help_text = _(
                "Afterwards: YouTube, Vimeo or Bunny, or upload it below."
            )

    def clean_embed_url(self) -> str:
        address: str = self.cleaned_data["embed_url"]
        if address:
            embeds.validate_embed(address)
        return address

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if words.get("video_url") and "file" in self.fields and self._has_file(words):
            self.add_error(
                "video_url", _("Give the address or the uploaded file: students see one video.")
            )
        if "requires" in words:
            self._refuse_circles(words)
        return words

    def _has_file(self, words: dict[str, Any]) -> bool:
        answer = words.get("file")
        return isinstance(answer, Upload) or (answer is None and bool(self.initial.get("file")))

    def _refuse_circles(self, words: dict[str, Any]) -> None:
        """No lesson may wait for one that waits for it, be it by the course's own order."""
        key = self.instance.pk or 0
        mine = Lesson(pk=key, title=words.get("title", ""), kind=self.kind)
        mine.published_at = now() if words["published"] else None
        rows = Requirement.objects.filter(lesson__module__course=self.course).exclude(lesson=key)
        needs: rules.Needs = {key: {lesson.pk for lesson in words["requires"]}}
        for lesson, required in rows.values_list("lesson_id", "required_id"):
            needs.setdefault(lesson, set()).add(required)
        lessons: list[Lesson] = []
        # Judged where it will stand: a new one, and one that moves, at the end of its module.
        goes = not self.instance.pk or "module" in self.changed_data
        there = words.get("module") if goes else None
        for module in self.course.modules.prefetch_related("lessons"):
            lessons += (
                mine if lesson.pk == key else lesson
                for lesson in module.lessons.all()
                if there is None or lesson.pk != key
            )
            if module == there:
                lessons.append(mine)
        by_pk = {lesson.pk: lesson for lesson in lessons}
        if key in (found := rules.circle(needs)):
            self.add_error("requires", rules.circle_sentence([by_pk[pk] for pk in found]))
        elif key in (found := rules.circle(rules.needs_in_order(self.course, lessons, needs))):
            self.add_error("requires", rules.order_sentence([by_pk[pk] for pk in found]))

    @transaction.atomic
    def save(self, commit: bool = True) -> Lesson:
        """Write what changed as the next version, and what belongs to it. Raises Overtaken.

        What only another kind has goes; the questions of a quiz stay, should it become one again.
        """
        lesson, is_new, columns = self.instance, self.instance.pk is None, set[str]()
        if is_new or "module" in self.changed_data:
            lock(self.course)
            lesson.position = next_position(lesson.module.lessons.all())
            columns.add("position")
        if not is_new:
            self.claim()
        if self.cleaned_data["published"] is not lesson.is_published:
            lesson.published_at = now() if self.cleaned_data["published"] else None
            columns.add("published_at")
        columns |= self._leave_behind() | self.settle_uploads()
        if is_new:
            self.insert()
        else:
            self.update(self.written() | columns, beside={"requires"} & {*self.changed_data})
            if "module" in self.changed_data:
                settle(self.course)
        self._write_requirements()
        self.attach_files()
        if self.kind == LessonKind.QUIZ:
            Quiz.objects.get_or_create(lesson=lesson)
        return lesson

    def _leave_behind(self) -> set[str]:
        """Empty what the kind does not ask for; returns the columns that changed."""
        left = set()
        empty = {**NOTHING, "file": None, "captions": None}
        for name in {*empty} - {*OWN[self.kind]}:
            if getattr(self.instance, name) != empty[name]:
                setattr(self.instance, name, empty[name])
                left.add(name)
        return left

    def _write_requirements(self) -> None:
        chosen = self.cleaned_data["requires"]
        self.instance.requirements.exclude(required__in=chosen).delete()
        Requirement.objects.bulk_create(
            [Requirement(lesson=self.instance, required=required) for required in chosen],
            ignore_conflicts=True,
        )

    @transaction.atomic
    def attach_files(self) -> None:
        """Keep the files that were added, whatever becomes of the text: nobody else's save is touched.

        A form that is sent again sends its files again: those that are there stay there once.
        """
        if not hasattr(self, "cleaned_data"):
            self.full_clean()
        uploads = self.cleaned_data.pop("attach", [])
        rows = Lesson.objects.select_for_update(of=["self"], no_key=True).select_related("module")
        lesson = rows.filter(pk=self.instance.pk).first() if uploads else None
        if lesson is not None:
            present = list(lesson.attachments.all())
            added = Attachment.objects.bulk_create(
                Attachment(lesson=lesson, file=upload.save())
                for upload in uploads
                if not any(upload.is_same(file) for file in present)
            )
            if added:
                record(Name.LESSON_UPDATED, **lesson.facts(), fields=["attachments"])
