"""Exports: enrollments, subscriptions and contacts as spreadsheets, however many there are.

One statement for each export, whatever is selected, written by hand: Django's way, a subquery for each
row, takes ten times as long. Tests hold them to the rules of access.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import IO, TYPE_CHECKING, Any

from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.selection import Selection
from enrollments.filters import selected_enrollments, selected_grants
from enrollments.models.enrollment import LearningStatus
from enrollments.models.grant_terms import source_label
from enrollments.status import AccessStatus
from offers.models.lesson import IS_COUNTED
from offers.models.offer import Kind as OfferKind
from portal.events import Name, record
from portal.models import School
from portal.spreadsheets import BATCH, Batch, Column, Kind, csv_stream, write_xlsx
from portal.ui.states import state_label

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NO_END = "\N{EN DASH}"  # our import reads it as "no end", and no spreadsheet takes it for a formula
FOREVER = date.max  # what a grant without an end counts as, so that the widest is the greatest


@dataclass(frozen=True)
class Export:
    """One kind of export: what its file is called, its columns, and the statement that fills them.

    `statement` begins with the common tables `asked` (at, zone) and `chosen` (the pks that are selected).
    """

    name: str
    title: StrOrPromise
    columns: tuple[Column, ...]
    statement: str
    chosen: Callable[[Selection], QuerySet[Any]]

    def batches(self, selection: Selection) -> Generator[Batch]:
        """The rows of what is selected, read through a cursor that closes with this iterator.

        Outside a transaction, as in a request, PostgreSQL keeps the result by itself: however slow
        the reader is, nothing is locked and nothing holds up the vacuum.
        """
        chosen, params = self.chosen(selection).order_by().values("id").query.sql_with_params()
        with connection.chunked_cursor() as cursor:
            cursor.execute(
                self.statement.replace("{chosen}", chosen),
                [now(), School.current().time_zone, *params],
            )
            while batch := cursor.fetchmany(BATCH):
                yield batch

    def csv(self, selection: Selection) -> Iterator[bytes]:
        """The CSV, piece by piece. Whoever stops reading closes it, and with it the cursor."""
        with closing(self.batches(selection)) as batches:
            yield from csv_stream(self.columns, batches)

    def write_xlsx(self, file: IO[bytes], selection: Selection) -> None:
        """Write the workbook into `file`."""
        with closing(self.batches(selection)) as batches:
            write_xlsx(file, self.columns, batches)

    @transaction.atomic
    def record(self, selection: Selection, *, file_format: str) -> None:
        """Log that this export is made, as what, and of whom; how many they are shows only at its end."""
        record(
            Name.EXPORT_MADE,
            what=self.name,
            format=file_format,
            query=selection.as_query(),
            chosen=len(selection.ids),
        )


# What the columns are called. Those the import knows are spelled as members_file.SPELLINGS has them.
NAME = Column(pgettext_lazy("export", "Name"))
EMAIL = Column(pgettext_lazy("export", "Email"))
LAST_ACCESS = Column(pgettext_lazy("export", "Last access"), Kind.MOMENT)


def _end_in_words(day: date | None) -> date | str | None:
    return NO_END if day == FOREVER else day


def _sources_in_words(sources: str | None) -> str:
    return ", ".join(map(source_label, sources.split(","))) if sources else ""


def _labels(choices: type[models.TextChoices]) -> Callable[[str], str]:
    return lambda value: str(choices(value).label)


ENDS = Column(pgettext_lazy("export", "Expiration date"), Kind.DAY, _end_in_words)
SOURCE = Column(pgettext_lazy("export", "Source"), words=_sources_in_words)

ENROLLMENTS = Export(
    name="enrollments",
    title=_("Enrollments"),
    chosen=selected_enrollments,
    columns=(
        NAME,
        EMAIL,
        Column(pgettext_lazy("export", "Course")),
        Column(pgettext_lazy("export", "Offer")),
        Column(pgettext_lazy("export", "Cohort")),
        Column(pgettext_lazy("export", "Access status"), words=_labels(AccessStatus)),
        Column(pgettext_lazy("export", "Learning status"), words=_labels(LearningStatus)),
        Column(pgettext_lazy("export", "Progress"), Kind.SHARE),
        Column(pgettext_lazy("export", "Enrollment date"), Kind.DAY),
        ENDS,
        SOURCE,
        LAST_ACCESS,
    ),
    # Of its grants those that are held speak for an enrollment; if none is, those that ended; else
    # the last that was revoked. `access` says what status.with_access_status() says.
    statement="""
        WITH asked AS (SELECT %s::timestamptz AS at, %s AS zone),
        chosen AS MATERIALIZED ({chosen}),
        given AS (
            SELECT enrollment.id AS enrollment_id, held.id, held.source, held.ends_on, offer.title,
                   CASE WHEN held.revoked_at IS NOT NULL THEN 3
                        WHEN held.ends_at <= asked.at THEN 2 ELSE 1 END AS standing,
                   CASE WHEN held.revoked_at IS NOT NULL OR offer.status = 'draft' THEN 4
                        WHEN held.ends_at <= asked.at THEN 3
                        WHEN held.suspended_at IS NOT NULL THEN 4
                        WHEN held.starts_at > asked.at THEN 2 ELSE 1 END AS access
            FROM chosen
            JOIN enrollments_enrollment AS enrollment USING (id)
            JOIN enrollments_grant AS held USING (contact_id)
            JOIN offers_offercourse AS inclusion USING (offer_id, course_id)
            JOIN offers_offer AS offer ON offer.id = held.offer_id
            CROSS JOIN asked
        ),
        spoken AS (
            SELECT enrollment_id, min(access) AS access,
                   coalesce(
                       string_agg(DISTINCT title, ', ') FILTER (WHERE standing = 1),
                       string_agg(DISTINCT title, ', ') FILTER (WHERE standing = 2),
                       (array_agg(title ORDER BY id DESC))[1]
                   ) AS offer,
                   coalesce(
                       string_agg(DISTINCT source, ',') FILTER (WHERE standing = 1),
                       string_agg(DISTINCT source, ',') FILTER (WHERE standing = 2),
                       (array_agg(source ORDER BY id DESC))[1]
                   ) AS source,
                   coalesce(
                       max(coalesce(ends_on, '9999-12-31')) FILTER (WHERE standing = 1),
                       max(coalesce(ends_on, '9999-12-31')) FILTER (WHERE standing = 2)
                   ) AS ends_on
            FROM given GROUP BY enrollment_id
        ),
        lessons AS (
            SELECT module.course_id, count(*) AS total
            FROM offers_lesson AS lesson
            JOIN offers_module AS module ON module.id = lesson.module_id
            JOIN offers_course AS course ON course.id = module.course_id
            WHERE {counted}
            GROUP BY module.course_id
        ),
        done AS (
            SELECT enrollment.id AS enrollment_id, count(*) AS number
            FROM chosen
            JOIN enrollments_enrollment AS enrollment USING (id)
            JOIN enrollments_lessonprogress AS progress
                ON progress.enrollment_id = enrollment.id AND progress.attempt = enrollment.attempt
                AND progress.completed_at IS NOT NULL
            JOIN offers_lesson AS lesson ON lesson.id = progress.lesson_id
            JOIN offers_course AS course ON course.id = enrollment.course_id
            WHERE {counted}
            GROUP BY enrollment.id
        )
        SELECT contact.name, contact.email, course.title, spoken.offer, cohort.title,
               CASE WHEN enrollment.inactive_at IS NOT NULL THEN 'inactive'
                    ELSE (ARRAY['active', 'pending', 'expired', 'inactive'])[coalesce(spoken.access, 4)] END,
               enrollment.learning_status,
               least(100, coalesce(100 * done.number / lessons.total, 0))::int,
               enrollment.enrolled_on, spoken.ends_on, spoken.source,
               contact.last_seen_at AT TIME ZONE asked.zone
        FROM chosen
        JOIN enrollments_enrollment AS enrollment USING (id)
        JOIN accounts_contact AS contact ON contact.id = enrollment.contact_id
        JOIN offers_course AS course ON course.id = enrollment.course_id
        LEFT JOIN offers_cohort AS cohort ON cohort.id = enrollment.cohort_id
        CROSS JOIN asked
        LEFT JOIN spoken ON spoken.enrollment_id = enrollment.id
        LEFT JOIN lessons ON lessons.course_id = enrollment.course_id
        LEFT JOIN done ON done.enrollment_id = enrollment.id
        ORDER BY contact.id DESC, course.title, enrollment.id
    """.replace("{counted}", IS_COUNTED),
)


def _subscriptions(selection: Selection) -> QuerySet[Any]:
    return selected_grants(selection).filter(offer__kind=OfferKind.SUBSCRIPTION)


SUBSCRIPTIONS = Export(
    name="subscriptions",
    title=_("Subscriptions"),
    chosen=_subscriptions,
    columns=(
        NAME,
        EMAIL,
        Column(pgettext_lazy("export", "Subscription")),
        Column(pgettext_lazy("export", "Status"), words=state_label),
        Column(pgettext_lazy("export", "Creation date"), Kind.DAY),
        ENDS,
        SOURCE,
        LAST_ACCESS,
    ),
    # The status says what Grant.state says.
    statement="""
        WITH asked AS (SELECT %s::timestamptz AS at, %s AS zone),
        chosen AS MATERIALIZED ({chosen})
        SELECT contact.name, contact.email, offer.title,
               CASE WHEN held.revoked_at IS NOT NULL THEN 'revoked'
                    WHEN held.ends_at <= asked.at THEN 'ended'
                    WHEN held.suspended_at IS NOT NULL THEN 'suspended'
                    WHEN held.starts_at > asked.at THEN 'pending' ELSE 'live' END,
               (held.granted_at AT TIME ZONE asked.zone)::date,
               coalesce(held.ends_on, '9999-12-31'), held.source,
               contact.last_seen_at AT TIME ZONE asked.zone
        FROM chosen
        JOIN enrollments_grant AS held USING (id)
        JOIN accounts_contact AS contact ON contact.id = held.contact_id
        JOIN offers_offer AS offer ON offer.id = held.offer_id
        CROSS JOIN asked
        ORDER BY contact.id DESC, offer.title, held.id
    """,
)

CONTACTS = Export(
    name="contacts",
    title=_("Contacts"),
    chosen=Selection.contacts,
    columns=(
        NAME,
        EMAIL,
        Column(pgettext_lazy("export", "Phone")),
        Column(pgettext_lazy("export", "External ID")),
        Column(pgettext_lazy("export", "Language")),
        Column(pgettext_lazy("export", "Tags")),
        Column(pgettext_lazy("export", "Portal status"), words=state_label),
        Column(pgettext_lazy("export", "Created"), Kind.MOMENT),
        LAST_ACCESS,
        Column(pgettext_lazy("export", "Newsletter since"), Kind.DAY),
        Column(pgettext_lazy("export", "Promotions since"), Kind.DAY),
        Column(pgettext_lazy("export", "Blocked since"), Kind.DAY),
        Column(pgettext_lazy("export", "Reason for blocking")),
    ),
    # The portal status says what access.with_portal_status() says.
    statement="""
        WITH asked AS (SELECT %s::timestamptz AS at, %s AS zone),
        chosen AS MATERIALIZED ({chosen}),
        tagged AS (
            SELECT contact_id, string_agg(tag.name, ', ' ORDER BY tag.name) AS names
            FROM chosen
            JOIN accounts_contact_tags ON contact_id = chosen.id
            JOIN accounts_tag AS tag ON tag.id = tag_id
            GROUP BY contact_id
        )
        SELECT contact.name, contact.email, contact.phone, contact.external_id, contact.language, tagged.names,
               CASE WHEN contact.blocked_at IS NOT NULL THEN 'blocked'
                    WHEN contact.joined_at IS NOT NULL THEN 'joined'
                    WHEN contact.invited_at IS NOT NULL THEN 'invited'
                    WHEN EXISTS (SELECT FROM enrollments_grant AS held
                                 WHERE held.contact_id = contact.id AND held.revoked_at IS NULL
                                   AND (held.ends_at IS NULL OR held.ends_at > asked.at)) THEN 'active'
                    ELSE 'none' END,
               contact.created_at AT TIME ZONE asked.zone, contact.last_seen_at AT TIME ZONE asked.zone,
               (contact.newsletter_at AT TIME ZONE asked.zone)::date,
               (contact.promotions_at AT TIME ZONE asked.zone)::date,
               (contact.blocked_at AT TIME ZONE asked.zone)::date, contact.block_reason
        FROM chosen
        JOIN accounts_contact AS contact USING (id)
        CROSS JOIN asked
        LEFT JOIN tagged ON tagged.contact_id = contact.id
        ORDER BY contact.id DESC
    """,
)

EXPORTS = {export.name: export for export in (ENROLLMENTS, SUBSCRIPTIONS, CONTACTS)}
