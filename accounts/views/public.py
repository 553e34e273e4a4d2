"""The ways in for somebody who is not logged in: mailed links and codes, and asking for one."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts import asking, attempts, cookies
from accounts.forms import CodeForm, MailForm, NewPasswordForm, ResetForm
from accounts.http import PortalRequest, own_page, posted
from accounts.middleware import localize
from accounts.models import Link
from accounts.models.link import Section
from accounts.models.session import Entered
from portal import context

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
    if found is None or found.user.is_blocked or not found.user.may_use(found.purpose):
        return _gone(request, token)
    if not request.user.is_authenticated:
        localize(request, reader=found.user)  # as the mail that led here
    if found.email:
        return _confirm_email(request, found)
    here = context.actor()
    if found.is_copied and here and here.is_staff:
        words = {"link": found, "is_for_them": True}
        return render(request, "accounts/public/link_consume.html", words, status=409)
    form = None
    if found.asks_password:
        form = NewPasswordForm(posted(request), user=found.user)
    if request.method == "POST" and (form is None or form.is_valid()):
        password = form.cleaned_data["password"] if form else ""
        link = Link.objects.consume(token, password=password)
        if link is None:
            return _gone(request, token)
        return _enter(request, link, Entered.COPIED if link.is_copied else Entered.LINK)
    if request.method in ("GET", "HEAD"):
        found.note_opened()
    other = here if here and here.pk != found.user_id else None
    words = {"link": found, "form": form, "token": token, "other": other}
    # Scanners run scripts too: the button presses itself only for the browser that asked.
    words["presses_itself"] = not (form or other) and _asked_here(request, found)
    return render(request, "accounts/public/link_consume.html", words)


def _asked_here(request: HttpRequest, link: Link) -> bool:
    """Whether this very browser asked for the link a few minutes ago."""
    return bool(link.browser) and constant_time_compare(link.browser, cookies.asking(request))


def _enter(request: HttpRequest, link: Link, way: Entered) -> HttpResponse:
    """Log its owner in through allauth's stages (so second factors are asked), then on to the section.

    Nothing of a session that was open in this browser, somebody else's maybe, stays.
    """
    wanted = own_page(request.GET.get("next", ""))
    if not wanted and _asked_here(request, link):
        wanted = own_page(cookies.page_asked(request))
    if link.user.is_staff:
        wanted = reverse("portal:dashboard")
    logout(request)
    cast(PortalRequest, request).session.note_way(way)
    with transaction.atomic():  # what they leave in the database on their way in is one commit
        response: HttpResponse = perform_login(
            request,
            link.user,
            email_verification="none",
            redirect_url=wanted or reverse(SECTIONS[Section(link.section)]),
        )
    cookies.forget_asking(response)
    return response


def _confirm_email(request: HttpRequest, link: Link) -> HttpResponse:
    """GET shows the new address and a button; POST makes it theirs, which logs them out everywhere but here.

    Nobody is logged in by it: whoever mistyped their address does not open the portal to a stranger.
    """
    words: dict[str, Any] = {"link": link}
    template = "accounts/public/email_confirm.html"
    if request.method != "POST":
        link.note_opened()
        return render(request, template, words)
    try:
        spent = Link.objects.confirm_email(link.token)
    except IntegrityError:
        words["is_taken"] = True
        return render(request, template, words, status=409)
    if spent is None:
        return _gone(request, link.token)
    if request.user.pk == spent.user_id:
        update_session_auth_hash(request, spent.user)
        messages.success(request, _("%(email)s is your address now.") % {"email": spent.email})
        return redirect("accounts:session_list")
    words["is_done"] = True
    return render(request, template, words)


def _gone(request: HttpRequest, token: str) -> HttpResponse:
    """One text for used, expired, superseded, revoked, forged, and for whom the school shut out."""
    words = {"link": None, "token": token}
    return render(request, "accounts/public/link_consume.html", words, status=410)


@login_not_required
@never_cache
def link_renew(request: HttpRequest, token: str) -> HttpResponse:
    """Mail a fresh link to the owner of a spent one. The answer is the same for a forged token."""
    if request.method != "POST":
        return redirect("accounts:link_consume", token)
    asking.ask_again(token)
    return render(request, "accounts/public/link_renewed.html")


@login_not_required
@never_cache
def login_mail(request: HttpRequest) -> HttpResponse:
    """Ask for a link and a code. Every address gets the same answer, by the same statements."""
    if request.user.is_authenticated:
        return redirect("portal:home")
    form = MailForm(posted(request))
    page = own_page(request.POST.get("next") or request.GET.get("next", ""))
    if not form.is_valid():
        return render(request, "accounts/public/login_mail.html", {"form": form, "next": page})
    response = redirect("accounts:login_code")
    form.save(request, browser=cookies.note_asking(response, page=page))
    return response


@login_not_required
@never_cache
def login_code(request: HttpRequest) -> HttpResponse:
    """What to do now: press the link of the mail, or type its code, which works in the browser that asked."""
    if request.user.is_authenticated:
        return redirect("portal:home")
    form = CodeForm(posted(request))
    if form.is_valid():
        code, browser = form.cleaned_data["code"], cookies.asking(request)
        if link := attempts.enter_code(code, browser=browser):
            return _enter(request, link, Entered.CODE)
        text = _(
            "This code does not work, or not any more. It is for the browser that asked for it, "
            "and after three tries it takes a new one."
        )
        form.add_error("code", text)
    words = {"form": form, "next": own_page(cookies.page_asked(request))}
    return render(request, "accounts/public/login_code.html", words)


@login_not_required
@never_cache
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link to a new password. Known and unknown addresses get the same answer."""
    form = ResetForm(posted(request))
    if form.is_valid():
        form.save(request)
        return render(request, "accounts/public/password_reset_sent.html")
    return render(request, "accounts/public/password_reset.html", {"form": form})


@login_not_required
def closed(request: HttpRequest) -> HttpResponse:
    """A page of allauth's that this portal does not have."""
    raise Http404
