"""Deletes the files that nothing points at any more."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, ForeignKey, OuterRef, QuerySet
from django.utils.timezone import now

from portal import jobs
from portal.models import File, Job

SPARED = timedelta(days=1)  # somebody may be about to use it
BATCH = 100


def unused_files() -> QuerySet[File]:
    """Files older than a day that no row of any table points at."""
    found = File.objects.filter(created_at__lt=now() - SPARED)
    for relation in File._meta.get_fields(include_hidden=True):
        field = getattr(relation, "field", None)
        if relation.auto_created and isinstance(field, ForeignKey):
            pointing = field.model._default_manager.filter(**{field.attname: OuterRef("pk")})
            found = found.filter(~Exists(pointing))
    return found


def queue_sweep() -> None:
    """Let the unused files be deleted soon, if there are any. A repeat within the hour changes nothing."""
    if unused_files().exists():
        jobs.queue("sweep_files", key=f"sweep_files:{now():%Y-%m-%dT%H}")


@jobs.job("sweep_files")
def sweep_files(job: Job) -> bool:
    """Delete a batch: the rows in one transaction, then what they held. Done when none is left."""
    with transaction.atomic():
        rows = list(unused_files().select_for_update(skip_locked=True, of=("self",))[:BATCH])
        # Of the table alone: a row that came to point at one meanwhile makes the database refuse.
        File.objects.filter(pk__any_of=[file.pk for file in rows])._raw_delete("default")
    for file in rows:
        file.content.delete(save=False)
    return len(rows) < BATCH
