"""What a request is once we know who asks."""

import unicodedata
from urllib.parse import unquote

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.models import Contact, Simulation, User
from accounts.sessions import SessionStore
from portal.models import School


def asked(request: HttpRequest) -> str:
    """What was typed into a search: without the NUL that PostgreSQL refuses in text."""
    return request.GET.get("q", "").replace("\0", "").strip()


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: the data of a POST, be it empty, and nothing otherwise."""
    return request.POST if request.method == "POST" else None


def own_page(address: str) -> str:
    """`address` if it is a path of this portal, and "" if it leads, in any encoding, anywhere else."""
    plain = address
    while _is_path(plain):
        if (decoded := unquote(plain)) == plain:
            return address
        plain = decoded
    return ""


def _is_path(text: str) -> bool:
    """Whether browsers find it on this host. They skip control characters, and take a backslash for a slash."""
    return (
        text.startswith("/")
        and len(text) <= 2000
        and not any(unicodedata.category(letter) == "Cc" for letter in text)
        and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    )


class PortalRequest(HttpRequest):
    """Any request behind our middleware.

    While staff simulate, `simulation` is the row, on their own pages too; where they look through a
    student's eyes, `user` is the student and `actor` they themselves. See accounts.simulation.
    """

    school: School
    simulation: Simulation | None
    actor: User | None
    is_simulated: bool
    is_refused: bool
    session: SessionStore
    htmx: HtmxDetails


def person(request: HttpRequest) -> User | AnonymousUser:
    """Who sits before the browser: whoever simulates a student is not the student."""
    return getattr(request, "actor", None) or request.user


def lead_to(request: PortalRequest, address: str) -> HttpResponse:
    """Go there instead; where only a fragment was asked for, the whole page goes."""
    return HttpResponseClientRedirect(address) if request.htmx else HttpResponseRedirect(address)


class StaffRequest(PortalRequest):
    """Of a member of staff who may do what the view asks for."""

    user: User


class StudentRequest(PortalRequest):
    """Of a person the portal knows as a contact."""

    user: User
    contact: Contact
