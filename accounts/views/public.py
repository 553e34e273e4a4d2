"""The ways in for somebody who is not logged in: mailed links, and asking for one."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.forms import NewPasswordForm, ResetForm
from accounts.http import posted
from accounts.models import Link
from accounts.models.link import Section

SECTIONS = {
    Section.HOME: "portal:home",
    Section.COURSES: "enrollments:course_list",
    Section.PROFILE: "accounts:profile",
}


@login_not_required
@never_cache
def link_consume(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button, or asks for the new password; POST spends the link.

    Mail scanners follow links but press nothing. A link that cannot be used answers
    410, always with the same page, which offers to mail a fresh one.
    """
    found = Link.objects.usable().by_token(token).select_related("user__contact").first()
    if found is None or found.user.is_blocked:
        return _gone(request, token)
    if found.email:
        return _confirm_email(request, found)
    form = None
    if found.asks_password:
        form = NewPasswordForm(posted(request), user=found.user)
    if request.method == "POST" and (form is None or form.is_valid()):
        with transaction.atomic():  # spent and used, or neither
            link = Link.objects.consume(token)
            if link and form is not None:
                link.user.change_password(form.cleaned_data["password"])
        return _enter(request, link) if link else _gone(request, token)
    if request.method in ("GET", "HEAD"):
        found.note_opened()
    context = {"link": found, "form": form, "token": token}
    return _unreferred(render(request, "accounts/public/link_consume.html", context))


def _enter(request: HttpRequest, link: Link) -> HttpResponse:
    """Log its owner in through allauth's stages (so second factors are asked), then on to the section.

    Nothing of a session that was open in this browser, somebody else's maybe, stays.
    """
    request.session.flush()
    target = _wanted(request) or reverse(SECTIONS[Section(link.section)])
    if link.user.is_staff:
        target = reverse("portal:dashboard")
    response: HttpResponse = perform_login(
        request, link.user, email_verification="none", redirect_url=target
    )
    return response


def _wanted(request: HttpRequest) -> str:
    """The page of the portal a mail leads to within the section, if its address names one."""
    page = request.GET.get("next", "")
    return page if url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""


def _confirm_email(request: HttpRequest, link: Link) -> HttpResponse:
    """GET shows the new address and a button; POST makes it theirs, which logs them out everywhere but here.

    Nobody is logged in by it: whoever mistyped their address does not open the portal to a stranger.
    """
    context: dict[str, Any] = {"link": link}
    template = "accounts/public/email_confirm.html"
    if request.method != "POST":
        link.note_opened()
        return _unreferred(render(request, template, context))
    try:
        spent = Link.objects.confirm_email(link.token)
    except IntegrityError:
        context["is_taken"] = True
        return _unreferred(render(request, template, context, status=409))
    if spent is None:
        return _gone(request, link.token)
    if request.user.pk == spent.user_id:
        update_session_auth_hash(request, spent.user)
        messages.success(request, _("%(email)s is your address now.") % {"email": spent.email})
        return redirect("accounts:session_list")
    context["is_done"] = True
    return _unreferred(render(request, template, context))


def _gone(request: HttpRequest, token: str) -> HttpResponse:
    known = Link.objects.by_token(token).first()
    may_renew = known is None or known.is_renewable
    context = {"link": None, "token": token, "may_renew": may_renew}
    return _unreferred(render(request, "accounts/public/link_consume.html", context, status=410))


def _unreferred(response: HttpResponse) -> HttpResponse:
    """The address of this page is a secret: no page it leads to may hear of it.

    The origin alone is told: under "no-referrer" browsers send `Origin: null`, and the form is refused.
    """
    response["Referrer-Policy"] = "strict-origin"
    return response


@login_not_required
@never_cache
@require_POST
def link_renew(request: HttpRequest, token: str) -> HttpResponse:
    """Mail a fresh link to the owner of a spent one. The answer is the same for a forged token."""
    if link := Link.objects.by_token(token).select_related("user__contact").first():
        link.renew()
    return _unreferred(render(request, "accounts/public/link_renewed.html"))


@login_not_required
@never_cache
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link to a new password. Known and unknown addresses get the same answer."""
    form = ResetForm(posted(request))
    if form.is_valid():
        form.save()
        return render(request, "accounts/public/password_reset_sent.html")
    return render(request, "accounts/public/password_reset.html", {"form": form})


@login_not_required
def closed(request: HttpRequest) -> HttpResponse:
    """A page of allauth's that this portal does not have."""
    raise Http404
