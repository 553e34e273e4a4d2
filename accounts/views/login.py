"""How people get in: their address, and the browsers they are logged in with."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import asking
from accounts.decorators import fresh_login_required, student_required
from accounts.forms import EmailForm
from accounts.http import StudentRequest, posted
from accounts.models import Link, User
from accounts.models.link import Purpose, Section

SHOWN = 50  # sessions; who has more ends them all
LOOKS = 10  # of staff at their portal


@student_required
def session_list(request: StudentRequest) -> HttpResponse:
    """The address and the password; every browser they are logged in with, this one first; who looked as them."""
    here = request.session.session_key
    sessions = list(request.user.live_sessions().order_by("-created_at")[:SHOWN])
    waiting = request.user.links.usable().filter(purpose=Purpose.CONFIRM_EMAIL)
    context = {
        "here": next((each for each in sessions if each.pk == here), None),
        "elsewhere": [each for each in sessions if each.pk != here],
        "waiting": waiting.order_by("-pk").first(),
        "simulations": request.contact.simulations.seen()[:LOOKS],
    }
    return render(request, "accounts/student/session_list.html", context)


@require_POST
@student_required
def session_end(request: StudentRequest, handle: str) -> HttpResponse:
    """Log one other browser of theirs out. This one is logged out by “Log out”."""
    others = request.user.live_sessions().exclude(pk=request.session.session_key)
    session = next((each for each in others if each.handle == handle), None)
    if session is None:
        raise Http404
    session.end()
    messages.success(request, _("%(browser)s is logged out.") % {"browser": session.browser})
    return redirect("accounts:session_list")


@require_POST
@student_required
def session_end_all(request: StudentRequest) -> HttpResponse:
    """Log every other browser out, and make every link worthless that was mailed and not used."""
    User.objects.end_sessions([request.user])
    request.user.refresh_from_db(fields=["auth_epoch"])
    update_session_auth_hash(request, request.user)
    messages.success(request, _("You are logged in here, and nowhere else."))
    return redirect("accounts:session_list")


@student_required
@fresh_login_required
def email_change(request: StudentRequest) -> HttpResponse:
    """Ask for another address, which gets a mail that confirms it. Until then nothing changes.

    The answer is the same whether the address is free or somebody's: only its owner is told.
    """
    if request.user.is_staff:
        raise PermissionDenied  # their address opens the dashboard: the page before says whom to ask
    form = EmailForm(posted(request), user=request.user)
    if form.is_valid():
        form.save()
        text = _("A mail is on its way to %(email)s. Open it and confirm the address.")
        messages.success(request, text % {"email": form.cleaned_data["email"]})
        return redirect("accounts:session_list")
    return render(request, "accounts/student/email_change.html", {"form": form})


@require_POST
@student_required
def email_cancel(request: StudentRequest) -> HttpResponse:
    """Keep the address: the link that would confirm another one is worthless from now on."""
    request.user.links.filter(purpose=Purpose.CONFIRM_EMAIL).revoke()
    messages.success(request, _("Your address stays as it is."))
    return redirect("accounts:session_list")


@never_cache
def login_renew(request: HttpRequest) -> HttpResponse:
    """For who has no password of their own and is asked whether it is them: by a link from their mailbox.

    It logs them in once more; staff, whom no link logs in, choose their password with it.
    """
    user, is_sent = cast(StudentRequest, request).user, False
    purpose = Purpose.RESET if user.is_staff else Purpose.LOGIN
    if request.method == "POST":
        asking.count(user.email)
        is_sent = Link.objects.mail_to(user, purpose=purpose, section=Section.PROFILE)
        if not is_sent:
            text = _("Nothing was sent: a link does not let you in any more. Please write to us.")
            messages.error(request, text)
    return render(request, "accounts/student/login_renew.html", {"is_sent": is_sent})
