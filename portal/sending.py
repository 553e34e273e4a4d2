"""How a file leaves: by parts as players ask for them, by the web server in front, or from its bucket.

Whoever calls this has decided that the reader may see it. Browsers ask again every time, so
that a file which was taken away is gone on the next request. The lines for nginx are in the README.
"""

from __future__ import annotations

import re
from functools import cached_property
from http import HTTPStatus

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date

from portal.media import ANYTHING
from portal.models import File, FileKind
from portal.object_storage import ObjectStorage

BLOCK = 64 * 1024
# What a player gets at a time. One that is paused stops reading, and would keep a thread waiting for it.
PART = 2 * 1024**2

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)


def send(request: HttpRequest, file: File) -> HttpResponseBase:
    """The answer to a GET or HEAD of `file`: whole, a part (RFC 9110 §14), unchanged, or where it lies."""
    marks = {"ETag": f'"{file.pk.hex}"', "Last-Modified": http_date(file.created_at.timestamp())}
    answer = get_conditional_response(
        request, etag=marks["ETag"], last_modified=int(file.created_at.timestamp())
    ) or _content(request, file, marks)
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        **marks,
    }
    for name, value in headers.items():
        answer.headers[name] = value
    return answer


def labels(file: File) -> dict[str, str]:
    """How the content is named. What was not made or recognized by us is downloaded, and called nothing."""
    is_shown = file.kind != FileKind.DOCUMENT
    return {
        "Content-Type": file.content_type if is_shown else ANYTHING,
        "Content-Disposition": content_disposition_header(not is_shown, file.name) or "attachment",
    }


def _content(request: HttpRequest, file: File, marks: dict[str, str]) -> HttpResponseBase:
    if isinstance(default_storage, ObjectStorage) and file.kind != FileKind.CAPTIONS:
        # (A player takes captions from the page's own host alone.)
        told = labels(file)
        where = default_storage.url(file.content.name, told)
        disposition = told["Content-Disposition"]  # tells those above us what it is
        return HttpResponseRedirect(where, headers={"Content-Disposition": disposition})
    if settings.FILES_SENDFILE == "accel":
        path = f"{settings.FILES_ACCEL_PREFIX}{file.content.name}"
        return HttpResponse(headers=labels(file) | {"X-Accel-Redirect": path})
    if settings.FILES_SENDFILE == "sendfile":
        return HttpResponse(headers=labels(file) | {"X-Sendfile": file.content.path})
    return _streamed(request, file, marks)


def _streamed(request: HttpRequest, file: File, marks: dict[str, str]) -> HttpResponseBase:
    """Block by block, or by the server's sendfile where it has one; never whole in memory."""
    start, end, status = 0, file.size, HTTPStatus.OK
    headers = labels(file) | {"Accept-Ranges": "bytes"}
    asked = _range(request, marks)
    if asked:
        start, end = _bounds(asked, file.size)
        if start >= end:
            headers["Content-Range"] = f"bytes */{file.size}"
            return HttpResponse(headers=headers, status=HTTPStatus.RANGE_NOT_SATISFIABLE)
        if request.headers.get("Sec-Fetch-Dest") in {"audio", "video"}:
            end = min(end, start + PART)
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    if not default_storage.exists(file.content.name or ""):
        raise Http404
    part = _Part(file.content, start=start, length=end - start)
    kind = headers.pop("Content-Type")  # FileResponse would guess one that is not its argument
    answer = FileResponse(part, headers=headers, content_type=kind, status=status)
    answer.block_size = BLOCK
    return answer


def _range(request: HttpRequest, marks: dict[str, str]) -> re.Match[str] | None:
    """The one part that is asked for; None for the whole, which also answers what we do not understand.

    `If-Range` asks for the part only of the very file its asker has the rest of.
    """
    if request.method != "GET" or request.headers.get("If-Range", marks["ETag"]) not in {
        *marks.values()
    }:
        return None
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    return found if found and any(found.groups()) else None


def _bounds(asked: re.Match[str], size: int) -> tuple[int, int]:
    """First byte and the one after the last. Empty if there are none such."""
    first, last = asked.groups()
    if not first:  # the last so many
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return 0, 0
    return int(first), min(int(last) + 1, size) if last else size


class _Part:
    """A part of a file as servers take it: by blocks, or by its descriptor. Opened when they begin."""

    def __init__(self, file: FieldFile, *, start: int, length: int) -> None:
        self.file = file
        self.start = start
        self.left = length
        self.close = file.close

    @cached_property
    def opened(self) -> FieldFile:
        self.file.open("rb")
        self.file.seek(self.start)
        return self.file

    def fileno(self) -> int:
        return int(self.opened.fileno())

    def read(self, size: int = BLOCK) -> bytes:
        block: bytes = self.opened.read(min(size, self.left))
        self.left -= len(block)
        return block
