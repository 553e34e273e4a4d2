"""What every answer tells the browser besides Django's own headers: keep nothing, tell nobody, load nothing foreign."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.csp import build_policy

from portal import context

SECRET_ADDRESSES = "/l/"  # noqa: S105 -- what they begin with
# What no page of ours asks for, so that no page which gets into ours can.
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)


class BrowserMiddleware:
    """Sets what is missing; a view that says something else is believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        if request.path.startswith(SECRET_ADDRESSES):
            # Whatever becomes of it, an error too. The origin alone is told: under "no-referrer"
            # browsers send `Origin: null`, and the form of the page is refused.
            response.headers["Referrer-Policy"] = "strict-origin"
        if "Content-Security-Policy" not in response.headers and (logo := _logo_origin()):
            policy: dict[str, Any] = {**settings.SECURE_CSP}
            policy["img-src"] = [*policy["img-src"], logo]
            nonce = getattr(request, "_csp_nonce", None)
            response.headers["Content-Security-Policy"] = build_policy(policy, nonce)
        return response


def _logo_origin() -> str:
    """Where the school's logo lies, if this page shows the school; an address that is none, nowhere."""
    school = context.act().memo.get("school")
    try:
        parts = urlsplit(school.logo_url if school else "")
        host = (parts.hostname or "").encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    is_host = parts.scheme in ("http", "https") and re.fullmatch(r"[a-z0-9.-]+", host)
    return f"{parts.scheme}://{host}{port}" if is_host else ""


class _Cookie(CookieStorage):
    # The __Host- prefix is only legal on secure cookies.
    cookie_name = "__Host-messages" if settings.SECURE else "messages"


class Messages(FallbackStorage):
    """Django's sentences for the next page: in a cookie no other host can set, or else in the session."""

    storage_classes: Any = (_Cookie, SessionStorage)
