"""What a log line and an error report may say: the number of the request, and no secret, wherever it came from."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from django.utils.datastructures import MultiValueDict
from django.views.debug import SafeExceptionReporterFilter

from portal import context

if TYPE_CHECKING:
    from types import FrameType

    from django.http import HttpRequest

# Names of values that are nobody's business, in an address, a form or a printed dict.
_NAMES = r"(?:\w*(?:password|passwd|secret|token|otp)\w*|code|recovery_codes?|sessionid|session|csrf|key)"
_SECRETS = [
    # A mailed link, as an address and as part of another one (`?next=%2Fl%2F…`).
    (re.compile(r"(?i)((?:/|%2F)l(?:/|%2F))(?!\*)[^/%\s\"'?&<>\\]+"), r"\1***"),
    # Its token, or a digest, by itself: 256 bits in hex.
    (re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"), "***"),
    (re.compile(rf"(?i)((?<![\w-])(?:__Host-)?{_NAMES}=)[^\s&;,\"'<>]+"), r"\1***"),
    (re.compile(rf"(?i)(([\"']){_NAMES}\2\s*:\s*\[?\s*)([\"']).*?(?<!\\)\3"), r"\1\3***\3"),
    # PostgreSQL shows the whole row that a constraint refused.
    (re.compile(r"(?s)(Failing row contains \().*?(\)\.)(?=\n|\Z)"), r"\1***\2"),
]


def scrub(text: str) -> str:
    """`text` with *** for every secret: `/l/<token>/` becomes `/l/***/`, wherever it stands."""
    for pattern, rest in _SECRETS:
        text = pattern.sub(rest, text)
    return text


class Line(logging.Formatter):
    """A line, or a line with its traceback, that names the request it is about and holds no secret."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # Some of Django's lines are written when the request is over; they carry it along.
        late = getattr(getattr(record, "request", None), "request_id", "")
        record.request_id = context.request_id() or late or "-"
        return scrub(super().format(record))


class ReportFilter(SafeExceptionReporterFilter):
    """What a report of an error (DEBUG's page apart) shows of a request: no variables of ours, nothing that was typed."""

    def get_post_parameters(self, request: HttpRequest | None) -> MultiValueDict[str, str]:
        if request is None or not self.is_active(request):
            return super().get_post_parameters(request)  # type: ignore[return-value]
        return MultiValueDict({name: [self.cleansed_substitute] for name in request.POST})

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> Any:
        if request is not None and not self.is_active(request):
            return list(super().get_traceback_frame_variables(request, tb_frame))
        return []
