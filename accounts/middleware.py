"""Per request: the school, its time zone, the reader's language; and the lock on every door."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth import middleware as auth
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import PortalRequest, lead_to, person
from accounts.models import User
from portal.limits import TooMany
from portal.models import School


def localize(request: HttpRequest, *, reader: User | None = None) -> None:
    """Speak the reader's language (or else the school's) and tell the school's time.

    The reader is who is logged in, unless the caller knows better. To a student, outside the
    dashboard, times of day are told in the zone of their own choice.
    """
    school = cast(PortalRequest, request).school
    user = reader or getattr(request, "user", None)
    contact, own = (user.contact, user.reads) if isinstance(user, User) else (None, "")
    translation.activate(own or school.language)
    is_staff_page = request.path_info.startswith("/dashboard/")
    timezone.activate(school.zone if contact is None or is_staff_page else contact.zone)


class LocaleMiddleware:
    """Gives each request its `school` (looked up when first used) and localizes the page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        cast(PortalRequest, request).school = cast(School, SimpleLazyObject(School.current))
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        # SimpleLazyObject hides from isinstance: wake the user before asking who it is.
        bool(request.user.is_authenticated)
        localize(request)


class LimitMiddleware:
    """Answers 429 to who tried too often, and says when to come again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TooMany):
            return None
        localize(request)
        words = {"retry_after": exception.seconds, "minutes": math.ceil(exception.seconds / 60)}
        page = render(request, "429.html", words, status=429)
        page.headers["Retry-After"] = str(exception.seconds)
        return page


class OwnPasswordMiddleware:
    """Whoever has a temporary password chooses their own before anything else, however they came in.

    What strangers may open stays open: a mailed link that proves who they are, the login page.
    """

    OPEN = ("account_change_password", "account_logout", "accounts:login_renew")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        user, match = person(request), request.resolver_match
        if not (user.is_authenticated and user.must_change_password):
            return None
        if not getattr(view, "login_required", True) or (match and match.view_name in self.OPEN):
            return None
        address = reverse("account_change_password")
        if request.method == "GET" and not cast(PortalRequest, request).htmx:
            address += f"?{urlencode({'next': request.get_full_path()})}"
        return lead_to(cast(PortalRequest, request), address)


class SecondFactorMiddleware:
    """Where the school asks its staff for a second factor: who has none is led from the dashboard to setting one up.

    Elsewhere they are what they are besides, a student or nobody: see User.lacks_second_factor. What they need
    for it (its pages, their password, logging out) lies outside the dashboard. Asks the database nothing of its own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        if not (user.is_authenticated and user.is_staff) or user.has_second_factor:
            return self.get_response(request)
        if cast(PortalRequest, request).school.needs_second_factor:
            user.lacks_second_factor = True
            if request.path_info.startswith("/dashboard/"):  # as the URL map reads it
                return lead_to(cast(PortalRequest, request), reverse("mfa_index"))
        return self.get_response(request)


class LoginRequiredMiddleware(auth.LoginRequiredMiddleware):
    """Django's, but a fragment asked for by htmx leads the whole page to the login."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        answer = super().handle_no_permission(request, view_func)
        if cast(PortalRequest, request).htmx:
            return cast(HttpResponseRedirect, HttpResponseClientRedirect(answer.url))
        return answer
