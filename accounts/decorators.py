"""The doors: every page is shut by LoginRequiredMiddleware; these say who may pass besides."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache

from accounts.http import StaffRequest, StudentRequest
from accounts.models import User

type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def staff_required[**P](
    permission: str = "",
) -> Callable[[Callable[Concatenate[StaffRequest, P], HttpResponseBase]], View[P]]:
    """Let staff in, with `permission` if one is named; 403 for everybody else who is logged in."""

    def decorate(view: Callable[Concatenate[StaffRequest, P], HttpResponseBase]) -> View[P]:
        @never_cache
        @wraps(view)
        def door(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = request.user
            if not (isinstance(user, User) and user.is_staff):
                raise PermissionDenied
            if permission and not user.may(permission):
                raise PermissionDenied
            return view(cast(StaffRequest, request), *args, **kwargs)

        return cast("View[P]", door)

    return decorate


def student_required[**P](
    view: Callable[Concatenate[StudentRequest, P], HttpResponseBase],
) -> View[P]:
    """Let contacts in and note their visit. Staff who are no contact are sent to the dashboard."""

    @never_cache
    @wraps(view)
    def door(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User) or user.contact is None or user.contact.is_blocked:
            if isinstance(user, User) and user.is_staff and request.method == "GET":
                return redirect("portal:dashboard")
            raise PermissionDenied
        student = cast(StudentRequest, request)
        student.contact = user.contact
        student.contact.note_visit(at=now())
        student.session.note_use(at=now())
        return view(student, *args, **kwargs)

    return cast("View[P]", door)


def fresh_login_required[**P](
    view: Callable[Concatenate[StudentRequest, P], HttpResponseBase],
) -> Callable[Concatenate[StudentRequest, P], HttpResponseBase]:
    """Let those in who proved a few minutes ago at most who they are; the others are asked, and come back.

    For a student's view with a page to come back to. Whoever has no password logs in anew, by a mail.
    """

    @wraps(view)
    def door(request: StudentRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.session.is_fresh:
            return view(request, *args, **kwargs)
        if not request.user.has_usable_password():
            return redirect("accounts:login_renew")
        asking = reverse("account_reauthenticate")
        return redirect(f"{asking}?{urlencode({'next': request.path})}")

    return cast("Callable[Concatenate[StudentRequest, P], HttpResponseBase]", door)
