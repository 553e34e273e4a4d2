"""Several files at once, to go below a lesson or as pictures into its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from portal.models import FileKind
from portal.uploads import Upload, UploadField

MOST = 20  # at once


class AttachmentsInput(forms.FileInput):
    """A control for several files."""

    allow_multiple_selected = True

    def value_from_datadict(
        self, data: Mapping[str, Any], files: MultiValueDict[str, UploadedFile[bytes]], name: str
    ) -> list[UploadedFile[bytes]]:
        return files.getlist(name) if files else []


class AttachmentsField(forms.Field):
    """Files of any kind, cleaned to Uploads: pictures as such, so that a text can show them."""

    widget = AttachmentsInput

    def __init__(self, **options: Any) -> None:
        help_text = _("Below the lesson, to download. A picture can be shown in the text.")
        super().__init__(required=False, help_text=help_text, **options)

    def clean(self, value: list[UploadedFile[bytes]]) -> list[Upload]:
        if len(value) > MOST:
            raise ValidationError(_("At most %d files at once.") % MOST)
        return [found for chosen in value if (found := _look(chosen))]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


def _look(chosen: UploadedFile[bytes]) -> Upload | None:
    """A picture if it can be shown as one, else a download."""
    if (chosen.content_type or "").startswith("image/"):
        try:
            found = UploadField(kind=FileKind.IMAGE).clean(chosen)
        except ValidationError:
            pass
        else:
            return found if isinstance(found, Upload) else None
    found = UploadField(kind=FileKind.DOCUMENT).clean(chosen)
    return found if isinstance(found, Upload) else None
