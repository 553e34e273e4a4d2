"""Fills what the staff's work leaves behind: an import, a bulk action and mails, of everybody there is."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BulkRun, Role, Tag, User
from accounts.models.bulk import Outcome
from enrollments.models import ImportBatch, RowOutcome
from portal.benchmark.filling import offer

# Of 100 rows one failed.
ROWS = """
    INSERT INTO enrollments_importrow (batch_id, number, outcome, contact_id, field, value, reason, cells)
    SELECT %(batch)s, 1 + n, outcome, id,
           CASE outcome WHEN 'failed' THEN 'email' ELSE '' END,
           CASE outcome WHEN 'failed' THEN 'ana@' ELSE '' END,
           CASE outcome WHEN 'failed' THEN 'This is no e-mail address.' ELSE '' END,
           CASE outcome WHEN 'failed' THEN '["Ana", "ana@"]'::jsonb END
    FROM (
        SELECT id, n, CASE n %% 100 WHEN 7 THEN 'failed' ELSE 'created' END AS outcome
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM accounts_contact) AS numbered
    ) AS row
"""
# Of 100 people one was refused, who are the last.
CHOSEN = """
    INSERT INTO accounts_bulkrow (run_id, contact_id, outcome, reason)
    SELECT %(run)s, id,
           CASE WHEN n > 0.99 * total THEN 'refused' ELSE 'changed' END,
           CASE WHEN n > 0.99 * total THEN 'They are blocked.' ELSE '' END
    FROM (
        SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS total
        FROM accounts_contact
    ) AS person ORDER BY id
"""
# All were sent but for the oldest hundredth, which failed.
MAILS = """
    INSERT INTO notifications_message
        (state, key, kind, contact_id, cause, data, reason, header_id, address, subject, body, sent_at,
         priority, attempts, next_attempt_at, last_error, handovers, created_at)
    SELECT CASE WHEN n <= 0.01 * total THEN 'failed' ELSE 'sent' END, 'benchmark:' || id, 'access', id,
           'import:' || %(batch)s, '{}', '', gen_random_uuid(), email, 'Your access',
           repeat('Welcome to the portal. ', 40), now(), 5, 1, now(), '', 1, now()
    FROM (
        SELECT id, email, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS total
        FROM accounts_contact
    ) AS person ORDER BY id
"""


@transaction.atomic
def work(staff: User) -> None:
    """Write down that `staff` imported everybody there is, tagged them, and that they were mailed."""
    at = now()
    User.objects.appoint(email="colleague@example.com", role=Role.SUPPORT)
    tag = Tag.objects.earliest("pk")
    batch = ImportBatch.objects.create(
        file_name="members.csv",
        sheet={"columns": [["name", "Name"], ["email", "Email"]]},
        started_by=staff,
        **dict.fromkeys(("check_started_at", "checked_at", "started_at", "finished_at"), at),
    )
    batch.offers.add(offer(1))
    run = BulkRun.objects.create(
        action="tag", terms={"tag": tag.name}, started_by=staff, finished_at=at
    )
    facts: dict[str, Any] = {"batch": batch.pk, "run": run.pk}
    with connection.cursor() as cursor:
        for statement in (ROWS, CHOSEN, MAILS):
            cursor.execute(statement, facts)
    outcomes = RowOutcome.CREATED, RowOutcome.FAILED
    batch.counts = {outcome: batch.rows.filter(outcome=outcome).count() for outcome in outcomes}
    batch.total = batch.done = sum(batch.counts.values())
    batch.save(update_fields=["counts", "total", "done"])
    run.changed = run.rows.filter(outcome=Outcome.CHANGED).count()
    run.refused = run.rows.filter(outcome=Outcome.REFUSED).count()
    run.total = run.done = run.changed + run.refused
    run.save(update_fields=["total", "done", "changed", "refused"])
