"""The message log: what was mailed to whom, what was not, and why."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from notifications.letters import REASONS
from notifications.models import Message, State
from portal.paging import Place

PAGE = 50


@staff_required("view_messages")
def message_list(request: StaffRequest) -> HttpResponse:
    """Messages, newest first, of one state or all."""
    state = request.GET.get("state", "")
    found = Message.objects.select_related("contact", "user").defer("body")
    if state in State.values:
        found = found.filter(state=state)
    page = Place(request.GET, size=PAGE).page(found)
    context = {
        "page": page,
        "rows": [(message, REASONS.get(message.reason, "")) for message in page.rows],
        "state": state,
        "tabs": [
            {
                "label": label,
                "url": f"?state={value}" if value else "?",
                "is_current": value == state,
            }
            for value, label in [("", _("All")), *State.choices]
        ],
    }
    return render(request, "notifications/dashboard/message_list.html", context)


@staff_required("view_messages")
def message_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One message: what became of it, and its words as sent (links rubbed out)."""
    message = get_object_or_404(Message.objects.select_related("contact", "user"), pk=pk)
    context = {
        "message": message,
        "reason": REASONS.get(message.reason, ""),
        "may_be_sent": message.state in (State.SUPPRESSED, State.FAILED, State.DEAD),
    }
    return render(request, "notifications/dashboard/message_detail.html", context)


@require_POST
@staff_required("manage_access")
def message_send(request: StaffRequest, pk: int) -> HttpResponse:
    """Send what was held back or given up. Twice is harmless: what waits or was sent stays as it is."""
    message = get_object_or_404(Message, pk=pk)
    if message.replay():
        messages.success(request, _("The message is on its way."))
    else:
        messages.info(request, _("There was nothing to do."))
    return redirect("notifications:message_detail", pk)
