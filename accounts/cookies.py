"""Two cookies of who is not logged in: which browser asked for a mail, and who was in with it before."""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.models import User
from accounts.models.link import digest

# The prefix is only legal on secure cookies.
_PREFIX = "__Host-" if settings.SECURE else ""
ASKED = f"{_PREFIX}asked"
DEVICE = f"{_PREFIX}device"
YEAR = 365 * 24 * 3600
KNOWN = 20  # accounts one browser remembers
LONGEST = 3000  # letters of an address; of a cookie browsers keep 4096


def _set(response: HttpResponse, name: str, value: str, *, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, secure=settings.SECURE, httponly=True, samesite="Lax"
    )


def note_asking(response: HttpResponse, *, page: str) -> str:
    """Give the browser that asks for a mail a cookie to be known by; returns its digest, for the link.

    The cookie remembers the `page` of the portal its holder was on the way to, unless browsers would
    throw a cookie of that length away.
    """
    way = quote(page, safe="")
    value = f"{secrets.token_urlsafe(24)}.{way if len(way) <= LONGEST else ''}"
    _set(response, ASKED, value, seconds=settings.SELF_SERVICE_LINK_SECONDS)
    return digest(value)


def asking(request: HttpRequest) -> str:
    """The digest of this browser's cookie, as links store it; "" if it asked for nothing of late."""
    value = request.COOKIES.get(ASKED)
    return digest(value) if value else ""


def page_asked(request: HttpRequest) -> str:
    """Where this browser was on the way to when it asked. Not to be believed: see http.own_page()."""
    return unquote(request.COOKIES.get(ASKED, "").partition(".")[2])


def forget_asking(response: HttpResponse) -> None:
    """It is in: the cookie has served."""
    response.delete_cookie(ASKED, samesite="Lax")


def note_login(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Let this browser be one in which `user` was logged in, for a year from now."""
    mark, known = _mark(user.email), _devices(request)
    number = known.pop(mark, "") or secrets.token_urlsafe(9)
    latest = dict([*known.items(), (mark, number)][-KNOWN:])
    _set(response, DEVICE, signing.dumps(latest, salt=DEVICE, compress=True), seconds=YEAR)


def device(request: HttpRequest, email: str) -> str:
    """The number of this browser as one in which `email` was logged in; "" for any other browser.

    Wrong passwords are counted apart for each, so that nobody who fails in somebody's name shuts them out.
    Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
    """
    return _devices(request).get(_mark(email), "")


def _devices(request: HttpRequest) -> dict[str, str]:
    try:
        known = signing.loads(request.COOKIES.get(DEVICE, ""), salt=DEVICE, max_age=YEAR)
    except signing.BadSignature:
        return {}
    return dict(known)


def _mark(email: str) -> str:
    """An account, to whom the cookie tells no address."""
    return salted_hmac("accounts.cookies", email, algorithm="sha256").hexdigest()[:12]
