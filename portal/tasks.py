"""Tasks of the house itself: dispatch what happened, carry long jobs on."""

from celery import shared_task

from portal import events, jobs


@shared_task(name="portal.tasks.dispatch")
def dispatch() -> None:
    """Queue what follows from every event that waits. Any number may run at once."""
    while events.dispatch() == events.BATCH:
        pass


@shared_task(name="portal.tasks.run_job")
def run_job(pk: int) -> None:
    """Carry a job on by one slice. Claims it first; a second caller finds nothing to do."""
    jobs.run(pk)
