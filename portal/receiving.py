"""How much of a file is received, before anybody has looked at the form it belongs to."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.utils.functional import cached_property


class Limit(FileUploadHandler):
    """Drops what of a file lies beyond anything its sender may upload, so that nobody can fill the disk.

    What is kept is still too large, and the form says so. Staff may send every kind, students a
    picture, and for whoever is not logged in there is no form that takes files.
    """

    @cached_property
    def limit(self) -> int:
        """Bytes of one file."""
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return 0
        if user.is_staff:
            return max(*settings.UPLOAD_MAX_BYTES.values(), settings.IMPORT_MAX_BYTES)
        return int(settings.UPLOAD_MAX_BYTES["image"])

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        return raw_data if start <= self.limit else None

    def file_complete(self, file_size: int) -> None:
        """The handlers after this one make the file."""
