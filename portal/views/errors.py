"""Error pages: what happened and what to do, with the number of the request to quote. None shows a trace."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation

from accounts.middleware import localize
from portal import context

RETRY_SECONDS = 5  # until a database that restarts may be back


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No such page, or none of yours: the answer is the same."""
    return _page(request, "404.html", status=404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Known, but not allowed."""
    return _page(request, "403.html", status=403)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form was sent from elsewhere, or was open for too long."""
    return _page(request, "403.html", status=403, form_is_stale=True)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was sent cannot be read, or is too much. Django's own page would read it once more, and fail again."""
    is_too_large = isinstance(exception, RequestDataTooBig)
    return _page(
        request, "400.html", status=413 if is_too_large else 400, is_too_large=is_too_large
    )


def broken(request: HttpRequest) -> HttpResponse:
    """500; 503 while PostgreSQL does not answer. Leans on neither the database nor who asks."""
    if "school" not in context.act().memo:  # whoever reads is not known, nor will be
        translation.activate(translation.get_language_from_request(request))
    if isinstance(sys.exception(), (OperationalError, InterfaceError)):
        page = render_to_string("503.html", {"retry_after": RETRY_SECONDS} | _banner(request))
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    return HttpResponse(render_to_string("500.html", _banner(request)), status=500)


def _banner(request: HttpRequest) -> dict[str, object]:
    """What the banner of a simulated session needs, if there is one; it was looked up before."""
    simulation = getattr(request, "simulation", None)
    return {"simulation": simulation, "csrf_token": get_token(request)} if simulation else {}


def _page(request: HttpRequest, template: str, *, status: int, **words: object) -> HttpResponse:
    """In the reader's language; in the browser's where the request was refused before anybody knew who asks."""
    if hasattr(request, "school"):
        localize(request)
    else:
        translation.activate(translation.get_language_from_request(request))
    return render(request, template, words, status=status)


class WrongMethodMiddleware:
    """Gives a page to who opens, by an address typed or kept, what only a button does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 405 or not isinstance(response, HttpResponse):
            return response
        page = _page(request, "405.html", status=405)
        page.headers["Allow"] = response.headers["Allow"]
        return page
