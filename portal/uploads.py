"""What people upload: a form field that looks into a file before it becomes one of ours."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import Enum
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.base import File as Content
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.functional import lazystr
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from portal import context, media
from portal.models import File, FileKind

COVER = 2400  # pixels of the longest side
PICTURE = 512


class Clear(Enum):
    """The answer of somebody who ticked "remove"."""

    CLEAR = "clear"

    def __bool__(self) -> bool:
        return False  # nothing is there after it, which is what Django's fields ask


CLEAR: Final = Clear.CLEAR


class Upload:
    """A file that was looked into and found to be what was asked for; not kept yet."""

    def __init__(
        self, content: Content[bytes], *, kind: FileKind, name: str, content_type: str
    ) -> None:
        self.content = content
        self.kind = kind
        self.name = name
        self.content_type = content_type
        self._file: File | None = None

    def save(self) -> File:
        """Keep it. A repeat returns the same file."""
        if self._file is None:
            self._file = File.objects.create(
                kind=self.kind,
                name=self.name,
                content_type=self.content_type,
                size=self.content.size,
                content=self.content,
                created_by=context.actor(),
            )
        return self._file

    def is_same(self, file: File) -> bool:
        """Whether `file` was kept of the very same content under the same name."""
        known = (file.kind, file.name, file.size)
        if known != (self.kind, self.name, self.content.size):
            return False
        self.content.seek(0)
        with file.content.open() as kept:
            pairs = zip_longest(self.content.chunks(), kept.chunks())
            return all(mine == there for mine, there in pairs)


type Answer = Upload | Clear | None


def settle(answer: Answer, *, present: File | None) -> File | None:
    """The file that stands after the form: a new one, which is kept now, the `present` one, or none."""
    if isinstance(answer, Upload):
        return answer.save()
    return None if answer is CLEAR else present


class UploadInput(forms.FileInput):
    """The file that is there, a box to remove it, and the control for another."""

    template_name = "components/upload.html"
    kind: FileKind

    def format_value(self, value: Any) -> File | None:  # type: ignore[override]
        return value if isinstance(value, File) else None

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        words = super().get_context(name, value, attrs)
        words["present"] = self.format_value(value)
        words["is_image"] = self.kind == FileKind.IMAGE
        words["clear_name"] = None if self.is_required else f"{name}-clear"
        return words

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(
        self, data: Mapping[str, Any], files: MultiValueDict[str, UploadedFile[bytes]], name: str
    ) -> UploadedFile[bytes] | Clear | None:
        """Who chooses a file and ticks "remove" as well wants the file."""
        chosen: UploadedFile[bytes] | None = files.get(name)
        if chosen is None and not self.is_required and f"{name}-clear" in data:
            return CLEAR
        return chosen

    def value_omitted_from_data(
        self, data: Mapping[str, Any], files: MultiValueDict[str, UploadedFile[bytes]], name: str
    ) -> bool:
        return name not in files and f"{name}-clear" not in data

    def use_required_attribute(self, initial: Any) -> bool:
        return super().use_required_attribute(initial) and not initial


class UploadField(forms.FileField):
    """A file of one kind, known by its content and never by its name.

    Cleaned to an `Upload`, to `CLEAR`, or to None where nothing was chosen and what is there stays. Its
    initial value is the `File` that is there, or its key. An image is bounded to `longest_side`.
    """

    def __init__(self, *, kind: FileKind, longest_side: int = COVER, **kwargs: Any) -> None:
        self.kind = kind
        self.longest_side = longest_side
        widget = kwargs.setdefault("widget", UploadInput(attrs={"accept": media.ACCEPT[kind]}))
        widget.kind = kind
        limits = lazystr(_Limits(kind))
        own = kwargs.pop("help_text", "")
        kwargs["help_text"] = format_lazy("{} {}", own, limits) if own else limits
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return File.objects.filter(pk=value).first() if isinstance(value, UUID) else value

    def bound_data(self, data: Any, initial: Any) -> Any:
        """After a mistake the page shows what is there, for no browser sends a file a second time."""
        return initial

    def clean(self, data: Any, initial: Any = None) -> Answer:
        if isinstance(data, Clear):
            return data
        if data is None and initial:
            return None
        chosen: UploadedFile[bytes] | None = super().clean(data)
        return self._look(chosen) if chosen else None

    def _look(self, chosen: UploadedFile[bytes]) -> Upload:
        limit = settings.UPLOAD_MAX_BYTES[self.kind]
        if (chosen.size or 0) > limit:
            sentence = _("The file is larger than %(limit)s, the most that is taken here.")
            raise ValidationError(sentence % {"limit": filesizeformat(limit)}, code="too_large")
        name = download_name(chosen.name or "")
        try:
            if self.kind == FileKind.IMAGE:
                image = media.reencode(chosen, longest_side=self.longest_side)
                name = f"{PurePosixPath(name).stem[:190]}.webp"  # the old ending was shorter
                return Upload(
                    ContentFile(image, name), kind=self.kind, name=name, content_type=media.WEBP
                )
            found = media.content_type(chosen, kind=self.kind)
            chosen.seek(0)
        except media.Refused as refused:
            raise ValidationError(str(refused), code="wrong_kind") from refused
        return Upload(chosen, kind=self.kind, name=name, content_type=found)


class _Limits:
    """What may be chosen and how large it may be, in the reader's words when they are read."""

    def __init__(self, kind: FileKind) -> None:
        self.kind = kind

    def __str__(self) -> str:
        limit = filesizeformat(settings.UPLOAD_MAX_BYTES[self.kind])
        return _("%(types)s At most %(limit)s.") % {
            "types": media.TYPES[self.kind],
            "limit": limit,
        }


def download_name(name: str) -> str:
    """`name` without a path and without what would not be seen, or would turn its letters around.

    At most 200 characters, with its extension; never empty, never hidden.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(" " if letter.isspace() else letter for letter in last)
    shown = "".join(letter for letter in shown if not unicodedata.category(letter).startswith("C"))
    path = PurePosixPath(" ".join(shown.split()).lstrip(".") or _("file"))
    suffix = path.suffix[:20]
    return path.stem[: 200 - len(suffix)] + suffix
