"""Who acts, from which address, and because of what: set by middleware and tasks, read by the log."""

from __future__ import annotations

import contextlib
import ipaddress
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Act:
    """One thing somebody does. Whatever is recorded meanwhile names it as its cause."""

    cause: str  # "request:<id>", "import:<batch>", "command:<id>" …; one mail per person and cause
    user: User | None = None
    address: str | None = None
    depth: int = 0  # how many events lie between a person's act and this one
    request: HttpRequest | None = None
    # What is looked up once an act.
    memo: dict[str, Any] = field(default_factory=dict, compare=False)


_act: ContextVar[Act | None] = ContextVar("act", default=None)


def act() -> Act:
    """What is going on. Outside requests and tasks every call is an act of its own."""
    return _act.get() or Act(cause=f"process:{uuid.uuid4().hex}")


def actor() -> User | None:
    """The person who acts, if it is one and they are logged in. Who simulates a student acts, not the student."""
    now = act()
    if now.request is None:
        return now.user
    simulating: User | None = getattr(now.request, "actor", None)
    user: User | None = simulating or getattr(now.request, "user", None)
    return user if user is not None and user.is_authenticated else None


def request_id() -> str:
    """The number of the request that is answered now, which error pages and log lines name; "" outside of any."""
    now = _act.get()
    return str(getattr(now.request, "request_id", "")) if now else ""


@contextlib.contextmanager
def acting(*, cause: str = "", user: User | None = None, depth: int = 0) -> Iterator[Act]:
    """Everything inside happens because of `cause` (a fresh one if blank), by `user`."""
    token = _act.set(Act(cause=cause or f"command:{uuid.uuid4().hex}", user=user, depth=depth))
    try:
        yield act()
    finally:
        _act.reset(token)


@contextlib.contextmanager
def caused_by(cause: str) -> Iterator[None]:
    """The same person at the same place, under a cause of its own: a batch, a repeat of a mail."""
    token = _act.set(replace(act(), cause=cause))
    try:
        yield
    finally:
        _act.reset(token)


def client_address(request: HttpRequest) -> str | None:
    """The address the outermost of our TRUSTED_PROXIES saw; what a client claims beyond is not believed."""
    claimed = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = request.headers.get("X-Forwarded-For", "").split(",")
        if len(hops) >= settings.TRUSTED_PROXIES:
            claimed = hops[-settings.TRUSTED_PROXIES].strip()
    for text in (claimed, claimed.rpartition(":")[0].strip("[]")):  # some gateways add a port
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(text.partition("%")[0]))  # %eth0: of no use elsewhere
    return None


class ContextMiddleware:
    """Opens an act for each request and answers with its id, which error pages and logs show."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        number = uuid.uuid4().hex
        request.request_id = number  # type: ignore[attr-defined]
        token = _act.set(
            Act(cause=f"request:{number}", address=client_address(request), request=request)
        )
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = number
        finally:
            _act.reset(token)
        return response
