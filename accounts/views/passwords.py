"""A password of one's own: instead of the present one, of a temporary one, or of none."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.forms import PasswordForm
from accounts.http import StudentRequest, own_page, posted


@never_cache
def password_change(request: HttpRequest) -> HttpResponse:
    """Save a new password; other browsers are logged out, this one is not.

    Whoever has no password of their own yet is not asked for one, but must have logged in just now.
    """
    visit = cast(StudentRequest, request)
    user, was_led_here = visit.user, visit.user.must_change_password
    if not user.has_own_password and not visit.session.is_fresh:
        return redirect("accounts:login_renew")
    form = PasswordForm(posted(request), user=user)
    if form.is_valid():
        form.save()
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is saved."))
        return redirect(_next(visit) if was_led_here else _profile(visit))
    return render(request, "account/password_change.html", {"form": form})


def _next(request: StudentRequest) -> str:
    """The page they wanted before they were led here."""
    home = "portal:dashboard" if request.user.is_staff else "portal:home"
    return own_page(request.GET.get("next", "")) or reverse(home)


def _profile(request: StudentRequest) -> str:
    """Where the way here began."""
    return reverse("accounts:session_list" if request.user.contact else "accounts:staff_profile")
