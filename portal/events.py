"""The vocabulary of what can happen, and the two moments of an event: record, then dispatch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from django.db import connection, models, transaction
from django.db.transaction import TransactionManagementError
from django.dispatch import Signal
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from portal import context
from portal.celery import publish
from portal.models import Event, Outbox

if TYPE_CHECKING:
    from accounts.models import Contact

logger = logging.getLogger(__name__)

type Fact = int | str | bool | list[str] | None

BATCH = 500
MAX_DEPTH = 5  # an event of an event of an event …: further and it is a loop

# Sent by dispatch() with sender=Name and events=[Event, …], inside its transaction.
# Only notifications.reactions listens; names nobody listens to need no Outbox row.
occurred = Signal()


class Name(models.TextChoices):
    """Every event the portal can utter: noun, dot, verb in the past tense."""

    CONTACT_CREATED = "contact.created", _("Contact created")
    CONTACT_UPDATED = "contact.updated", _("Contact updated")
    CONTACT_TAGGED = "contact.tagged", _("Tags changed")
    CONTACT_BLOCKED = "contact.blocked", _("Contact blocked")
    CONTACT_UNBLOCKED = "contact.unblocked", _("Contact unblocked")
    CONTACT_EMAIL_CHANGED = "contact.email_changed", _("E-mail address changed")
    CONTACT_ERASURE_ASKED = "contact.erasure_asked", _("Erasure asked for")
    CONTACT_ERASURE_WITHDRAWN = "contact.erasure_withdrawn", _("Erasure asked for no more")
    CONTACT_ARCHIVED = "contact.archived", _("Contact archived")
    CONTACT_REPAIRED = "contact.repaired", _("Contact repaired")
    NOTE_DELETED = "note.deleted", _("Note deleted")
    SEGMENT_DELETED = "segment.deleted", _("Segment deleted")
    PORTAL_INVITED = "portal.invited", _("Invited to the portal")
    PORTAL_JOINED = "portal.joined", _("Joined the portal")
    PORTAL_LOGIN = "portal.login", _("Logged in")
    PORTAL_ACCESS_RESENT = "portal.access_resent", _("Access mail sent again")
    PORTAL_HELP_SENT = "portal.help_sent", _("Access help sent")
    LOGIN_FAILED = "login.failed", _("Login failed")
    SESSION_ENDED = "session.ended", _("Logged out of a browser")
    MAGIC_LINK_CREATED = "magic_link.created", _("Magic link created")
    MAGIC_LINK_REVOKED = "magic_link.revoked", _("Magic link revoked")
    MAGIC_LINK_USED = "magic_link.used", _("Magic link used")
    SECOND_FACTOR_CHANGED = "second_factor.changed", _("Second factor changed")
    SIMULATION_STARTED = "simulation.started", _("Session simulated")
    SIMULATION_ENDED = "simulation.ended", _("Simulated session ended")
    SIMULATION_VIEWED = "simulation.viewed", _("Page seen in a simulated session")
    SIMULATION_LOADED = "simulation.loaded", _("Part of a page loaded in a simulated session")
    SIMULATION_REFUSED = "simulation.refused", _("Refused in a simulated session")
    MESSAGE_REPLAYED = "message.replayed", _("Mail sent by hand")
    PASSWORD_REQUESTED = "password.requested", _("Temporary password requested")
    PASSWORD_CHANGED = "password.changed", _("Password changed")
    OFFER_GRANTED = "offer.granted", _("Offer granted")
    OFFER_EXTENDED = "offer.extended", _("End date changed")
    OFFER_SUSPENDED = "offer.suspended", _("Offer suspended")
    OFFER_RESUMED = "offer.resumed", _("Offer resumed")
    OFFER_EXPIRED = "offer.expired", _("Offer expired")
    OFFER_REVOKED = "offer.revoked", _("Offer revoked")
    OFFER_PUBLISHED = "offer.published", _("Offer published")
    OFFER_ARCHIVED = "offer.archived", _("Offer archived")
    OFFER_COURSE_ADDED = "offer.course_added", _("Course added to an offer")
    OFFER_COURSE_REMOVED = "offer.course_removed", _("Course removed from an offer")
    OFFER_UPDATED = "offer.updated", _("Offer changed")
    COURSE_PUBLISHED = "course.published", _("Course published")
    COURSE_ARCHIVED = "course.archived", _("Course archived")
    COURSE_UPDATED = "course.updated", _("Course changed")
    MODULE_UPDATED = "module.updated", _("Module changed")
    MODULE_DELETED = "module.deleted", _("Module deleted")
    LESSON_CREATED = "lesson.created", _("Lesson created")
    LESSON_UPDATED = "lesson.updated", _("Lesson changed")
    LESSON_DELETED = "lesson.deleted", _("Lesson deleted")
    QUIZ_UPDATED = "quiz.updated", _("Quiz changed")
    QUESTION_CREATED = "question.created", _("Question created")
    QUESTION_UPDATED = "question.updated", _("Question changed")
    QUESTION_DELETED = "question.deleted", _("Question deleted")
    COHORT_CREATED = "cohort.created", _("Cohort created")
    COHORT_UPDATED = "cohort.updated", _("Cohort changed")
    COHORT_DELETED = "cohort.deleted", _("Cohort deleted")
    ENROLLMENT_CHANGED = "enrollment.changed", _("Enrollment changed")
    COURSE_STARTED = "course.started", _("Course started")
    COURSE_COMPLETED = "course.completed", _("Course completed")
    LESSON_COMPLETED = "lesson.completed", _("Lesson completed")
    COURSE_RATED = "course.rated", _("Course rated")
    QUIZ_SUBMITTED = "quiz.submitted", _("Quiz submitted")
    COMMENT_CREATED = "comment.created", _("Comment written")
    COMMENT_HIDDEN = "comment.hidden", _("Comment hidden")
    COMMENT_SHOWN = "comment.shown", _("Comment shown again")
    COMMENT_TAKEN_BACK = "comment.taken_back", _("Comment taken back")
    IMPORT_FINISHED = "import.finished", _("Import finished")
    IMPORT_UNDONE = "import.undone", _("Import undone")
    EXPORT_MADE = "export.made", _("Export made")
    ROLE_CHANGED = "role.changed", _("Role changed")
    SETTINGS_CHANGED = "settings.changed", _("Settings changed")


def record(name: Name, *, contact: Contact | int | None = None, **data: Fact) -> Event:
    """Log that `name` happened (to `contact`, or the contact with that pk); what follows runs after the commit.

    Raises TransactionManagementError outside a transaction: an event that
    cannot roll back with its cause would be a lie.
    """
    pk = contact if isinstance(contact, int) or contact is None else contact.pk
    [event_id] = record_many(name, [(pk, data)])
    return Event(pk=event_id, name=name, contact_id=pk, data=data)


def record_many(name: Name, facts: Iterable[tuple[int | None, dict[str, Fact]]]) -> list[int]:
    """Log one event for each (contact's pk, data), in that order, by one statement. Returns their ids."""
    if not connection.in_atomic_block:
        raise TransactionManagementError(
            f"{name} must be recorded in the transaction that causes it"
        )
    told = [{"contact": contact_id, "data": data} for contact_id, data in facts]
    if not told:
        return []
    act, actor, at = context.act(), context.actor(), now()
    followed = occurred.has_listeners(name) and act.depth < MAX_DEPTH
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH logged AS (
                INSERT INTO portal_event
                    (name, occurred_at, contact_id, actor_id, address, cause, depth, data)
                SELECT %(name)s, %(at)s, fact.contact, %(actor)s, %(address)s, %(cause)s, %(depth)s, fact.data
                FROM ROWS FROM (jsonb_to_recordset(%(facts)s) AS (contact bigint, data jsonb))
                    WITH ORDINALITY AS fact (contact, data, place)
                ORDER BY fact.place
                RETURNING id
            ), queued AS (
                INSERT INTO portal_outbox (event_id, attempts, next_attempt_at, last_error)
                SELECT id, 0, %(at)s, '' FROM logged WHERE %(followed)s
            )
            SELECT id FROM logged ORDER BY id
            """,
            {
                "name": name.value,
                "at": at,
                "actor": actor.pk if actor else None,
                "address": act.address,
                "cause": act.cause,
                "depth": act.depth,
                "facts": json.dumps(told),
                "followed": followed,
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    if followed:
        nudge_after_commit()
    return ids


@transaction.atomic
def delete_and_record(
    noun: models.Model, name: Name, *, contact: Contact | int | None = None, **data: Fact
) -> None:
    """Delete `noun` and log it as `name`. Of several who do so at once, one does: the others log nothing."""
    _rows, by_model = noun.delete()
    if by_model.get(noun._meta.label):
        record(name, contact=contact, **data)


def _nudge() -> None:
    publish("portal.tasks.dispatch")


def nudge_after_commit() -> None:
    """Ask a worker to dispatch once this transaction is committed; once, however many events it has.

    Only a nudge: with no broker, or a dead one, the clock finds the rows within a second.
    """
    if all(entry[1] is not _nudge for entry in connection.run_on_commit):
        transaction.on_commit(_nudge, robust=True)


def dispatch(limit: int = BATCH) -> int:
    """Turn up to `limit` recorded events into waiting rows; returns how many it took.

    One transaction holds what the reactions write and the end of the Outbox rows, so a
    kill leaves either all or nothing. An event whose reaction fails is set apart, so that it
    holds up nobody, and is tried again later.
    """
    try:
        return _dispatch(Outbox.objects.due().order_by("event_id")[:limit])
    except Exception:
        logger.exception("A reaction failed; its events are now dispatched one by one")
    rows = list(Outbox.objects.due().order_by("event_id")[:limit])
    for row in rows:
        try:
            _dispatch(Outbox.objects.due().filter(pk=row.pk))
        except Exception as error:
            logger.exception("Event %s cannot be dispatched", row.pk)
            row.fail(f"{type(error).__name__}: {error}")
    return len(rows)


@transaction.atomic
def _dispatch(rows: models.QuerySet[Outbox]) -> int:
    waiting = list(rows.select_related("event").select_for_update(of=["self"], skip_locked=True))
    events = sorted((row.event for row in waiting), key=lambda event: (event.name, event.pk))
    for name, group in groupby(events, key=lambda event: event.name):
        occurred.send(sender=Name(name), events=list(group))
    Outbox.objects.filter(pk__in=[row.pk for row in waiting]).delete()
    return len(waiting)
