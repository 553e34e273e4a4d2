"""What a load balancer asks: does the process live, and can it work?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache

from portal.celery import broker_answers
from portal.models import Heartbeat

FRESH = timedelta(seconds=30)


class ProbeMiddleware:
    """Answers probes first of all: they come by any host name, without TLS, while PostgreSQL is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        return probe(request) if probe else self.get_response(request)


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """The state of what we lean on. 503 only without PostgreSQL: everything else we outlive."""
    try:
        connection.ensure_connection()
        beat = Heartbeat.objects.filter(name="clock", beat_at__gt=now() - FRESH).exists()
    except DatabaseError:
        return JsonResponse({"database": "down"}, status=503, headers={"Retry-After": "5"})
    return JsonResponse(
        {"database": "up", "clock": "up" if beat else "down", "redis": broker_answers()}
    )


PROBES: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "/healthz": healthz,
    "/readyz": readyz,
}
