"""Per request: the school, its time zone, the reader's language; and the lock on every door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth import middleware as auth
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import PortalRequest
from accounts.models import User
from portal.models import School


def localize(request: HttpRequest) -> None:
    """Speak the reader's language (or else the school's) and tell the school's time.

    To a student, outside the dashboard, times of day are told in the zone of their own choice.
    """
    school = cast(PortalRequest, request).school
    user = getattr(request, "user", None)
    contact = user.contact if isinstance(user, User) else None
    own = (user.language or (contact and contact.language)) if isinstance(user, User) else ""
    translation.activate(own or school.language)
    is_staff_page = request.path.startswith("/dashboard/")
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


class LoginRequiredMiddleware(auth.LoginRequiredMiddleware):
    """Django's, but a fragment asked for by htmx leads the whole page to the login."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        answer = super().handle_no_permission(request, view_func)
        if cast(PortalRequest, request).htmx:
            return cast(HttpResponseRedirect, HttpResponseClientRedirect(answer.url))
        return answer
