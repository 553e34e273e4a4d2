"""Celery's application, and publish(): handing work to it never fails a request."""

import logging
import os
import sys
import time

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_init
from django.conf import settings
from django.db import close_old_connections
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

logger = logging.getLogger(__name__)

app = Celery("portal")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL or None,
    broker_connection_timeout=1,
    broker_connection_retry_on_startup=True,
    # A waiting row in PostgreSQL is the truth; a task is only a nudge. Late acknowledgement and a
    # short visibility bring back what a killed worker held. The sweep is kombu's own, made frequent.
    broker_transport_options={
        "visibility_timeout": settings.LEASE_SECONDS,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        "queue_order_strategy": "priority",  # queues are served in the order the worker names them
    },
    visibility_timeout=settings.LEASE_SECONDS,
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    task_time_limit=max(5, settings.LEASE_SECONDS // 2),
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=20,
    worker_hijack_root_logger=False,
    task_default_queue="bulk",
    task_serializer="json",
    accept_content=["json"],
    # Left to itself Celery hangs up after every task, and connecting to the database takes as
    # long as the work. A connection lives as CONN_MAX_AGE says, in a worker as in the web.
    CELERY_DB_REUSE_MAX=sys.maxsize,
)
app.autodiscover_tasks(["portal", "notifications"])

# Queues, in the order a worker should name them: "login" first, so that a login link never waits
# behind ten thousand welcomes, then "jobs", then "bulk".


@worker_init.connect
def _be_patient(**_kwargs: object) -> None:
    """A worker waits on its sockets by profession; only who answers a request must be quick."""
    app.conf.broker_transport_options["socket_timeout"] = 2
    app.conf.broker_transport_options["socket_connect_timeout"] = 2


@task_prerun.connect
@task_postrun.connect
def _hang_up_what_is_old_or_broken(**_kwargs: object) -> None:
    close_old_connections()


class Circuit:
    """Remembers that the broker just failed, so that the next caller does not wait for it too."""

    PAUSE = 10.0  # seconds

    def __init__(self) -> None:
        self.open_until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self.open_until

    def trip(self) -> None:
        self.open_until = time.monotonic() + self.PAUSE


circuit = Circuit()


def publish(task: str, *args: int, queue: str = "bulk") -> bool:
    """Hand `task` to a worker; False if there is no broker, or none that answers.

    A failure is logged, never raised: every row that waits is found by the clock as well.
    """
    if not settings.CELERY_BROKER_URL or circuit.is_open:
        return False
    try:
        app.send_task(task, args, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        circuit.trip()
        logger.warning("The broker does not answer (%s); the clock takes over", error)
        return False
    return True


def broker_answers() -> str:
    """Say "up", "down", or "none" where no broker is set."""
    if not settings.CELERY_BROKER_URL:
        return "none"
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
    except (OperationalError, OSError):
        return "down"
    return "up"
