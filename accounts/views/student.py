"""The student's own page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import student_required
from accounts.forms import ProfileForm
from accounts.http import StudentRequest, posted


@student_required
def profile(request: StudentRequest) -> HttpResponse:
    """Name and language; password and logout are a link away."""
    form = ProfileForm(posted(request), instance=request.contact)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    return render(request, "accounts/student/profile.html", {"form": form})
