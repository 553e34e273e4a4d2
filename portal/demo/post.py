"""What follows the events of the past, as far as it goes without a mail being sent."""

from __future__ import annotations

from notifications.letters import NotNow
from notifications.mail import compose
from notifications.models import Message, State
from portal import events, jobs
from portal.context import acting
from portal.demo import people
from portal.demo.moments import savepoints
from portal.models import Job, Outbox


def settle() -> None:
    """Do what the clock would do at this moment about what was just recorded."""
    if Outbox.objects.exists():
        events.dispatch()
        work_off()


def work_off() -> None:
    """Do the long work that is due, and send the mail."""
    with savepoints(used=True):  # a dry run takes back what it did
        for pk in Job.objects.due().values_list("pk", flat=True):
            jobs.run(pk)
    for pk in Message.objects.due().values_list("pk", flat=True):
        send(pk)


def send(pk: int) -> None:
    """As mail.deliver(), but the mail goes nowhere: only the books say that it went."""
    message = Message.objects.claim(pk)
    if message is None:
        return
    with acting(cause=message.cause, depth=1):
        try:
            mail = compose(message)
        except NotNow as answer:
            message.end(answer.state, reason=answer.reason)
            return
    address = message.recipient.email
    if address == people.REFUSED.email:
        error = f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        message.end(State.FAILED, reason="refused", error=error)
    elif address == people.UNREACHABLE.email:
        message.fail("TimeoutError: timed out")
    else:
        message.mark_sent(address=address, subject=str(mail.subject), body=mail.archived)
