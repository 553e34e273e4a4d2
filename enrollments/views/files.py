"""What was uploaded, sent to those who may see it. For everybody else it does not exist."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.models import User
from enrollments import access
from portal.models import File
from portal.sending import send


@require_safe
def file_detail(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """One file, for staff and students alike: what it belongs to decides, and is asked every time."""
    file = get_object_or_404(File, pk=pk)
    if not access.is_file_open(file, user=cast(User, request.user)):
        raise Http404
    return send(request, file)
