"""Error pages: what happened and what to do, with the id of the request to quote."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from accounts.middleware import localize


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No such page, or none of yours: the answer is the same."""
    localize(request)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was sent cannot be read, or is too much. Django's own page would read it once more, and fail again."""
    localize(request)
    is_too_large = isinstance(exception, RequestDataTooBig)
    words = {"is_too_large": is_too_large}
    return render(request, "400.html", words, status=413 if is_too_large else 400)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form was sent from elsewhere, or was open for too long."""
    localize(request)
    return render(request, "403.html", {"form_is_stale": True}, status=403)
