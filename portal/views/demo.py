"""The demo's mail reader: what went into var/mail. Exists in the demo alone, for this machine alone."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.csp import CSP
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csp import csp_override

from notifications import mailbox

FOLDER: Path = settings.VAR / "mail"
SHOWN = 200


def _only_here(request: HttpRequest) -> None:
    """Raise Http404 unless this is the demo, asked from its own machine."""
    if not settings.DEMO or not ipaddress.ip_address(request.META["REMOTE_ADDR"]).is_loopback:
        raise Http404


@login_not_required
@never_cache
def mail_list(request: HttpRequest) -> HttpResponse:
    """The newest mails, and how many there are."""
    _only_here(request)
    count = sum(1 for _path in FOLDER.glob("*.eml")) if FOLDER.exists() else 0
    context = {"mails": mailbox.latest(FOLDER, limit=SHOWN), "count": count}
    return render(request, "portal/public/mail_list.html", context)


def _find(name: str) -> mailbox.Mail:
    path = FOLDER / f"{name}.eml"
    if not re.fullmatch(r"[\w-]+", name) or not path.exists():
        raise Http404
    return mailbox.read(path)


@login_not_required
@never_cache
def mail_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail, as plain text and as its reader would see it."""
    _only_here(request)
    return render(request, "portal/public/mail_detail.html", {"mail": _find(name)})


@login_not_required
@never_cache
@xframe_options_sameorigin
@csp_override(
    {
        "default-src": [CSP.NONE],
        "style-src": [CSP.UNSAFE_INLINE],
        "img-src": [CSP.SELF, "data:"],
        "frame-ancestors": [CSP.SELF],
    }
)
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML part by itself, for a frame. Mail carries its styles inline; nothing else runs."""
    _only_here(request)
    return HttpResponse(_find(name).html)
