"""What people decide about themselves: who they are, what they are written to about, that they go."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import student_required
from accounts.forms import NotificationForm, ProfileForm
from accounts.http import StudentRequest, posted
from accounts.models import Contact
from portal.models import time_zones


def _row(request: StudentRequest) -> Contact:
    """Their row once more, for a form to write into: the page goes on showing who is logged in."""
    return Contact.objects.select_related("picture").get(pk=request.contact.pk)


@student_required
def profile(request: StudentRequest) -> HttpResponse:
    """Name, picture, language and time zone."""
    form = ProfileForm(posted(request), request.FILES or None, instance=_row(request))
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    context = {"form": form, "zones": time_zones()}
    return render(request, "accounts/student/profile.html", context)


@student_required
def notification_update(request: StudentRequest) -> HttpResponse:
    """Which mails they want besides those about their access."""
    form = NotificationForm(posted(request), instance=_row(request))
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:notification_update")
    return render(request, "accounts/student/notification_form.html", {"form": form})


@student_required
def erasure_ask(request: StudentRequest) -> HttpResponse:
    """Ask to be erased; the page says what that means. Staff decide, and it can be withdrawn until then."""
    if request.method == "POST":
        if request.contact.ask_erasure():
            text = _("We were told. Until it is done you can change your mind here.")
            messages.success(request, text)
        return redirect("portal:my_data")
    effects = [
        _("People of the school read it, decide and answer you. Nothing happens by itself."),
        _("Once you are erased, your courses and your progress are gone for good."),
        _("What the law wants kept, like invoices, is kept."),
        _("Until then everything works as before, and you can change your mind."),
    ]
    return render(request, "accounts/student/erasure_ask.html", {"items": effects})


@require_POST
@student_required
def erasure_withdraw(request: StudentRequest) -> HttpResponse:
    """Stay after all."""
    if request.contact.withdraw_erasure():
        messages.success(request, _("You stay. Nothing was deleted."))
    return redirect("portal:my_data")
