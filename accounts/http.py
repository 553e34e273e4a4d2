"""What a request is once we know who asks."""

from django.http import HttpRequest, QueryDict
from django_htmx.middleware import HtmxDetails

from accounts.models import Contact, User
from accounts.sessions import SessionStore
from portal.models import School


def is_pk(text: str) -> bool:
    """Whether `text`, from an address somebody may have typed, can be a primary key."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def asked(request: HttpRequest) -> str:
    """What was typed into a search: without the NUL that PostgreSQL refuses in text."""
    return request.GET.get("q", "").replace("\0", "").strip()


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: the data of a POST, be it empty, and nothing otherwise."""
    return request.POST if request.method == "POST" else None


class PortalRequest(HttpRequest):
    """Any request behind our middleware."""

    school: School
    session: SessionStore
    htmx: HtmxDetails


class StaffRequest(PortalRequest):
    """Of a member of staff who may do what the view asks for."""

    user: User


class StudentRequest(PortalRequest):
    """Of a person the portal knows as a contact."""

    user: User
    contact: Contact
