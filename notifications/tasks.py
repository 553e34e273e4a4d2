"""One short task per kind of waiting row."""

from celery import shared_task

from notifications import mail


@shared_task(name="notifications.tasks.deliver")
def deliver(pk: int) -> None:
    """Send one waiting message. Claims it first; a second caller finds nothing to do."""
    mail.deliver(pk)
