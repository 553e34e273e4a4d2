"""The doors: every page is shut by LoginRequiredMiddleware; these say who may pass besides."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts import simulation
from accounts.http import StaffRequest, StudentRequest, lead_to
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
    """Let contacts in and note their visit. Staff who are no contact are sent to the dashboard.

    Whoever simulates a student leaves no trace, and a visit of staff to their own courses is no last access.
    """

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
        if not simulation.is_on():
            _note_visit(student)
        return view(student, *args, **kwargs)

    return cast("View[P]", door)


def _note_visit(request: StudentRequest) -> None:
    if not request.user.is_staff:
        request.contact.note_visit(at=now())
    request.session.note_use(at=now())


def fresh_login_required[Request: (StaffRequest, StudentRequest), **P](
    view: Callable[Concatenate[Request, P], HttpResponseBase],
) -> Callable[Concatenate[Request, P], HttpResponseBase]:
    """Let those in who proved a few minutes ago at most who they are; the others are asked, and come back.

    For a view with a page to come back to: a POST that comes too late does nothing, and they are told so on
    that page. Asked for is the password or a second factor; whoever has neither logs in anew, by a mail.

    Behind this door: staff and their roles, second factors (one's own and dropping somebody's), the
    settings of the ways in, starting a simulated session, a student's new address, first password and data.
    Not behind it, since it is daily work: contacts and access, bulk actions, exports, login links.
    """

    @wraps(view)
    def door(request: Request, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.session.is_fresh:
            return view(request, *args, **kwargs)
        if request.method == "POST":
            text = _(
                "Nothing was changed: it was too long ago that you logged in. Please try again."
            )
            messages.warning(request, text)
        if request.user.has_usable_password():
            asking = reverse("account_reauthenticate")
        elif request.user.has_second_factor:
            asking = reverse("mfa_reauthenticate")
        else:
            return redirect("accounts:login_renew")
        return lead_to(request, f"{asking}?{urlencode({'next': request.get_full_path()})}")

    return cast("Callable[Concatenate[Request, P], HttpResponseBase]", door)
