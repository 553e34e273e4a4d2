"""Filters of contacts by what became of their mail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.selection import Filter, exists, register
from notifications.models import Message, State

BOUNCED = (State.FAILED, State.DEAD)


@register
class MailFilter(Filter):
    """Whether a mail to them came back, was held back, or still waits."""

    key = "mail"
    label = gettext_lazy("Mail")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [
            ("bounced", _("bounced")),
            ("suppressed", _("held back")),
            ("waiting", _("waiting")),
        ]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        states = {
            "bounced": BOUNCED,
            "suppressed": (State.SUPPRESSED,),
            "waiting": (State.WAITING,),
        }
        asked = [state for each in value for state in states[each]]
        return exists(Message.objects.filter(contact=OuterRef("pk"), state__in=asked))
