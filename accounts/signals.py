"""Where libraries speak first: somebody logged in, or gave their password once more."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.signals import authentication_step_completed
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.timezone import now

from accounts.http import PortalRequest
from accounts.models import Simulation, User
from accounts.models.session import Entered
from accounts.models.simulation import End
from portal.events import Name, record


@receiver(user_logged_in)
@transaction.atomic
def note_login(
    sender: type[User], user: User, request: HttpRequest | None = None, **_kwargs: Any
) -> None:
    """Record the login, and the first of them as joining the portal."""
    way = ""
    if request is not None:
        session = cast(PortalRequest, request).session
        way = session.way
        if way != Entered.COPIED:  # staff had it in their hands: it proves nothing
            session.note_proof()
    if user.contact:
        user.contact.join()
        if not user.is_staff:
            user.contact.note_visit(at=now())
    record(Name.PORTAL_LOGIN, contact=user.contact, user=user.pk, way=way)


@receiver(user_logged_out)
def end_simulation(sender: type[User], user: User | None, **_kwargs: Any) -> None:
    """Whoever logs out sees no student's pages any more, in whichever browser they did."""
    if user is not None:
        Simulation.objects.filter(actor=user).finish(End.ACTOR_INVALID)


@receiver(authentication_step_completed)
def note_step(sender: type[User], request: HttpRequest, **told: Any) -> None:
    """Remember that they gave their password once more, within a session; or how they come in."""
    session = cast(PortalRequest, request).session
    if told.get("reauthenticated"):
        session.note_proof()
    elif told["method"] == "password":
        session.note_way(Entered.PASSWORD)
    elif told.get("passwordless"):
        session.note_way(Entered.PASSKEY)
