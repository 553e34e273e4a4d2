"""Simulation: the overlay that shows staff what a student sees. Their own session stays as it is.

The session holds the key of a row; the row is judged anew on every request. On the student's pages the
request is the student's for as long as the view runs, inside a transaction in which PostgreSQL refuses
to write. Elsewhere staff are themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import render, resolve_url
from django.utils.encoding import escape_uri_path
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import get_language, gettext_lazy

from accounts.http import PortalRequest, lead_to
from accounts.middleware import localize
from accounts.models import Contact, Session, Simulation, User
from accounts.models.simulation import End
from portal import context
from portal.events import Name, record
from portal.logs import scrub

KEY = "simulation"  # of the session
SAFE = {"GET", "HEAD", "OPTIONS"}
# Where staff are always themselves; everything else is the student's.
OWN_PAGES = (
    "/dashboard/",
    "/account/",
    "/demo/",
    "/l/",
    "/static/",
    "/healthz",
    "/readyz",
)
# What nobody does for somebody else, not even look at: passwords, addresses, second factors, all data, erasure.
CLOSED = {
    "accounts:email_change",
    "accounts:login_renew",
    "accounts:erasure_ask",
    "portal:my_data",
    "account_change_password",
    "account_set_password",
    "account_reset_password",
}
CLOSED_ROOM = "/account/2fa/"
# But that it is them they may prove at any time.
PROOFS = {"mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
# Parts that a browser fetches for a page: the page is what was seen.
PARTS = {"image", "video", "audio", "track"}

REFUSALS = {
    "permission": gettext_lazy("You may not simulate sessions."),
    "self": gettext_lazy("That is you: open the portal itself."),
    "staff": gettext_lazy("This person is staff. Only students can be simulated."),
    "blocked": gettext_lazy("This contact is blocked, so the portal shows them nothing."),
    "archived": gettext_lazy("This contact is archived. Bring them back first."),
    "inactive": gettext_lazy("This login is switched off."),
}
OVER: dict[End, str | Promise] = {
    End.ENDED: gettext_lazy("The simulated session of %(name)s is over: it was ended."),
    End.EXPIRED: gettext_lazy("The simulated session of %(name)s is over: its time was up."),
    End.STUDENT_INVALID: gettext_lazy(
        "The simulated session of %(name)s is over: they cannot be simulated any more."
    ),
}


def is_on() -> bool:
    """Whether somebody looks through a student's eyes at this moment: then a visit leaves no trace."""
    return bool(getattr(context.act().request, "is_simulated", False))


def refusal(actor: User, contact: Contact) -> str:
    """Why `actor` may not simulate this contact, one of REFUSALS; "" if they may."""
    login = contact.login or User()  # who has none yet is a plain student
    reasons = {
        "permission": not (actor.is_active and actor.may("simulate")),
        "self": login.pk == actor.pk,
        "staff": login.is_staff,
        "blocked": contact.is_blocked,
        "archived": contact.archived_at is not None,
        "inactive": not login.is_active,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def refuse(*, contact: Contact | None, **facts: str | int) -> None:
    """Record `simulation.refused`."""
    with transaction.atomic():
        record(Name.SIMULATION_REFUSED, contact=contact, **facts)


def judge(row: Simulation, actor: User) -> End | None:
    """Why a simulation is over; None if it goes on. Asks the database nothing."""
    if row.ended_at is not None:
        return End(row.end)
    match refusal(actor, row.contact):
        case "" if row.actor_id == actor.pk and row.auth_epoch == actor.auth_epoch:
            return End.EXPIRED if row.expires_at <= now() else None
        case "" | "permission":
            return End.ACTOR_INVALID
        case _:
            return End.STUDENT_INVALID


def end_overdue() -> int:
    """End what is over though nobody came to see it, so that the log says when; returns how many.

    Of whom no session is left, they were logged out.
    """
    live = list(Simulation.objects.live().select_related("actor", "contact__user"))
    sessions = Session.objects.filter(
        user__in=[row.actor_id for row in live], expire_date__gt=now()
    )
    present = set(sessions.values_list("user", flat=True)) if live else set()
    over: dict[End, list[int]] = {}
    for row in live:
        end = judge(row, row.actor)
        if end is None and row.actor_id not in present:
            end = End.ACTOR_INVALID
        if end is not None:
            over.setdefault(end, []).append(row.pk)
    return sum(Simulation.objects.filter(pk__in=pks).finish(end) for end, pks in over.items())


def seen_by(row: Simulation) -> User:
    """The student's login; of one who has none yet a stand-in, which is never saved."""
    contact = row.contact
    login = contact.login or User(pk=0, email=contact.email, contact=contact)
    login.contact = contact
    return login


class _Aside(BaseStorage):
    """Sentences of the student's pages: said on the page itself or not at all, so that none is left to staff."""

    def _get(self, *_args: Any, **_kwargs: Any) -> tuple[list[Any], bool]:
        return [], True

    def _store(self, *_args: Any, **_kwargs: Any) -> list[Any]:
        return []


@contextmanager
def _reading_only() -> Iterator[None]:
    """Whatever writes in it raises: nothing of the student's can change, whoever forgot to ask is_on()."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
        transaction.set_rollback(True)


def is_students_path(path: str) -> bool:
    """Whether this is a page of the student's, not of the staff's own."""
    return not path.startswith(OWN_PAGES)


def is_students(request: HttpRequest) -> bool:
    """Whether what is asked for is the student's while staff simulate. A file belongs to the page that shows it."""
    path = request.path_info
    if path.startswith("/files/"):
        path = urlsplit(request.headers.get("Referer", "")).path
    return is_students_path(path)


def shed_forms(request: HttpRequest) -> None:
    """Make the forms worthless that are open in other tabs, of whoever ends a simulation and is a student, too.

    Else what they filled in to see what the student would be told is sent as their own.
    """
    if getattr(request.user, "contact_id", None):
        rotate_token(request)


def _is_part(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a page shows it. A download is looked at by itself, whatever the browser says it is for."""
    is_download = response.headers.get("Content-Disposition", "").startswith("attachment")
    is_file = request.path_info.startswith("/files/") and not is_download
    return is_file and request.headers.get("Sec-Fetch-Dest") in PARTS


class SimulationMiddleware:
    """Lays the simulation of this browser's session over its requests, or ends it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponseBase:
        request.simulation = request.actor = None
        request.is_simulated = request.is_refused = False
        if KEY not in request.session:
            return self.get_response(request)
        rows = Simulation.objects.select_related("contact__user")
        row = rows.filter(pk=request.session[KEY]).first()
        is_known = request.user.is_authenticated  # this wakes the user, for localize()
        localize(request)
        if row is None or not is_known:
            return self._leave(request, row, End.ACTOR_INVALID)
        actor = cast(User, request.user)
        if over := judge(row, actor):
            return self._leave(request, row, over)
        row.actor, row.language, row.leaves = actor, get_language() or "", is_students(request)
        request.simulation = row
        return self._as_student(request, row) if row.leaves else self._as_themselves(request, row)

    def _leave(self, request: PortalRequest, row: Simulation | None, over: End) -> HttpResponseBase:
        """It is over: nothing of the student's is shown any more. So it is where the row is gone."""
        Simulation.objects.filter(pk=request.session.pop(KEY)).finish(over)
        if row and over in OVER:
            messages.info(request, OVER[over] % {"name": row.contact})
        if not is_students(request):
            if request.method in SAFE:
                shed_forms(request)
                return self.get_response(request)
            response = self.get_response(request)
            shed_forms(request)  # not before: what was sent is a form of theirs
            return response
        shed_forms(request)
        if row and over in OVER:
            return lead_to(request, resolve_url("portal:contact_detail", row.contact_id))
        return lead_to(request, resolve_url(settings.LOGIN_URL))

    def _as_themselves(self, request: PortalRequest, row: Simulation) -> HttpResponseBase:
        """A page of the staff's own, with the banner."""
        response = self.get_response(request)
        if request.is_refused:
            self._record(request, row, response)
        return response

    def _as_student(self, request: PortalRequest, row: Simulation) -> HttpResponseBase:
        """A page of the student's: read, never written, and noted for the audit."""
        request.actor = row.actor
        if request.method not in SAFE:
            response: HttpResponseBase = self._refuse(request)
        else:
            request.user, request.is_simulated = seen_by(row), True
            cast(Any, request)._messages = _Aside(request)
            try:
                with _reading_only():
                    response = self.get_response(request)
            finally:
                request.user, request.is_simulated = row.actor, False
        response.headers["X-Impersonating"] = "1"
        response.headers["Cache-Control"] = "no-store, private"
        if request.is_refused or not _is_part(request, response):
            self._record(request, row, response)
        return response

    def process_view(
        self, request: PortalRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Shut what is nobody else's, whoever asks: one could mistake whose password a page is about."""
        if request.simulation is None or request.resolver_match is None:
            return None
        name = request.resolver_match.view_name
        is_room = request.path_info.startswith(CLOSED_ROOM) and name not in PROOFS
        return self._refuse(request) if name in CLOSED or is_room else None

    def _refuse(self, request: PortalRequest) -> HttpResponse:
        """403, in the words of who simulates."""
        request.is_refused = True
        if request.actor is not None:
            request.user, request.is_simulated = request.actor, False
        localize(request)
        words = {"row": request.simulation, "is_write": request.method not in SAFE}
        return render(request, "accounts/public/simulation_refused.html", words, status=403)

    def _record(self, request: PortalRequest, row: Simulation, response: HttpResponseBase) -> None:
        """The request for the audit: a page, or what htmx fetches for one. Its number is the cause of the event."""
        name = Name.SIMULATION_LOADED if request.htmx else Name.SIMULATION_VIEWED
        if request.is_refused:
            name = Name.SIMULATION_REFUSED
        path = escape_uri_path(request.path)  # a NUL could not be stored
        with transaction.atomic():
            record(
                name,
                contact=row.contact_id,
                simulation=row.pk,
                method=request.method,
                path=scrub(path)[:500],
                status=response.status_code,
            )
