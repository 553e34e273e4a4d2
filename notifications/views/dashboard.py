"""The message log: what was mailed to whom, what was not, and why."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, is_pk
from notifications.letters import REASONS
from notifications.models import Message, State

PAGE = 50


@staff_required("view_messages")
def message_list(request: StaffRequest) -> HttpResponse:
    """Messages, newest first, of one state or all."""
    state = request.GET.get("state", "")
    before = request.GET.get("before", "")
    rows = Message.objects.select_related("contact", "user").defer("body").order_by("-pk")
    if state in State.values:
        rows = rows.filter(state=state)
    if is_pk(before):
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE + 1])
    where = {"state": state} if state else {}
    context = {
        "rows": [(message, REASONS.get(message.reason, "")) for message in page[:PAGE]],
        "state": state,
        "tabs": [
            {
                "label": label,
                "url": f"?state={value}" if value else "?",
                "is_current": value == state,
            }
            for value, label in [("", _("All")), *State.choices]
        ],
        "next_url": f"?{urlencode(where | {'before': page[PAGE - 1].pk})}"
        if len(page) > PAGE
        else "",
        "prev_url": f"?{urlencode(where)}" if before else "",
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
    message.replay()
    messages.success(request, _("The message is on its way."))
    return redirect("notifications:message_detail", pk)
