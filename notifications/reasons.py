"""What the explanation of access tells of mails: which one arrived last, and which did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollments.reasons import Bearing, Button, Question, Reason, reason
from notifications.letters import REASONS
from notifications.models import Message, State

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

LOOKED_AT = 5  # messages, the newest

ENDED: dict[State, tuple[StrOrPromise, StrOrPromise]] = {
    State.SENT: (gettext_lazy("The last mail, “%(mail)s”, went to %(address)s on %(day)s."), ""),
    State.SUPPRESSED: (
        gettext_lazy("The mail “%(mail)s” of %(day)s was held back: %(reason)s."),
        gettext_lazy("Open the mail and send it."),
    ),
    State.FAILED: (
        gettext_lazy("The mail “%(mail)s” of %(day)s bounced: %(reason)s."),
        gettext_lazy("Check the address, then open the mail and send it again."),
    ),
    State.DEAD: (
        gettext_lazy(
            "The mail “%(mail)s” of %(day)s was given up after too many attempts: %(reason)s."
        ),
        gettext_lazy("Open the mail and send it again."),
    ),
}


@reason
def last_mails(question: Question) -> Iterator[Reason]:
    """The last mail that was sent, and each since then that was not."""
    newest = Message.objects.filter(contact=question.contact).defer("body").order_by("-pk")
    messages = newest[:LOOKED_AT]
    if not messages:
        yield Reason("no_mail", _("No mail was ever written to them."), Bearing.INFORMS)
    for message in messages:
        if message.state != State.CANCELED:  # its occasion is gone: nobody misses it
            yield _about(message)
        if message.state == State.SENT:
            return


def _about(message: Message) -> Reason:
    words = {
        "mail": message.subject or message.get_kind_display(),
        "day": date_format(localtime(message.sent_at or message.created_at)),
        "due": date_format(localtime(message.next_attempt_at), "DATETIME_FORMAT"),
        "address": message.address,
        "reason": REASONS.get(message.reason, message.last_error),
    }
    text, mend = _sentences(message)
    button = Button(
        _("Open the mail"),
        reverse("notifications:message_detail", args=[message.pk]),
        "view_messages",
    )
    return Reason(f"mail_{message.state}", str(text) % words, Bearing.INFORMS, str(mend), button)


def _sentences(message: Message) -> tuple[StrOrPromise, StrOrPromise]:
    """What became of it, and what to do about it."""
    if message.state != State.WAITING:
        return ENDED[State(message.state)]
    if message.attempts:
        return (
            _("The mail “%(mail)s” could not be sent so far: %(reason)s."),
            _("It is tried again by itself. If it keeps failing, look at the mail server."),
        )
    if message.next_attempt_at > now():
        return _("On %(due)s the mail “%(mail)s” goes out."), ""
    return _("The mail “%(mail)s” is about to be sent."), ""
