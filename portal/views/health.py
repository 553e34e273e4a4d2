"""What a load balancer asks: does the process live, and can it work?"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache

from accounts.decorators import database_free
from portal.celery import broker_answers
from portal.models import Heartbeat

FRESH = timedelta(seconds=30)


@login_not_required
@database_free
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@database_free
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
