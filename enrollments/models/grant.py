"""Grant: one contact's permission to use one offer, from one source. The gate of everything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, NotRequired, Required, Self, TypedDict, Unpack

from django.db import connection, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact, User
from enrollments.cohorts import join_cohorts
from enrollments.models.enrollment import Enrollment
from offers.models import Cohort, Offer
from portal import context
from portal.events import Fact, Name, record_many
from portal.models import School

type Ends = Mapping[int, date | None]  # contact's pk -> last day, None for no end
type Until = Mapping[date | None, datetime | None]  # a last day -> the first instant after it


SOURCES = {"manual": _("by hand"), "import": _("import")}


def source_label(source: str) -> str:
    """Say `import:5` as people do: import 5."""
    kind, _colon, number = source.partition(":")
    return f"{SOURCES.get(kind, kind)} {number}".strip()


class Outcome(StrEnum):
    """What granting did for one contact."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Terms(TypedDict):
    """On what terms an offer is granted.

    source: where the grant comes from: "manual", "import:<batch>", "purchase:<order>" …
    ends: contact's pk -> last day, or None for no end. Contacts that are missing in it get the
        offer's default if the grant is new, and keep what they have if they hold the offer.
    if_held: what happens to those who hold the offer already, from any source: "leave" it,
        "extend" to the later date, or "set" the date. Only where `ends` names one.
    starts_at: None is now.
    notify: whether the access mail may follow.
    note: why, for whoever asks later.
    cohorts: into which those come whom this gives or changes something, for the courses of the offer.
    """

    source: Required[str]
    ends: NotRequired[Ends]
    if_held: NotRequired[Literal["leave", "extend", "set"]]
    starts_at: NotRequired[datetime | None]
    notify: NotRequired[bool]
    note: NotRequired[str]
    cohorts: NotRequired[Collection[Cohort]]


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self) -> Self:
        """Started, not ended, suspended or revoked."""
        at = now()
        not_ended = Q(ends_at=None) | Q(ends_at__gt=at)
        return self.filter(not_ended, starts_at__lte=at, suspended_at=None, revoked_at=None)

    def opening(self) -> Self:
        """live(), of an offer that is no draft, for a contact who is not blocked."""
        return self.live().exclude(offer__status="draft").filter(contact__blocked_at=None)

    def held(self) -> Self:
        """Neither revoked nor ended: future and suspended ones count."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now()), revoked_at=None)

    def grant(self, *, contact: Contact, offer: Offer, **terms: Unpack[Terms]) -> Grant:
        """Give one contact an offer. See `grant_many`: one is a set of one."""
        self.grant_many(contact_ids=[contact.pk], offer=offer, **terms)
        return self.filter(contact=contact, offer=offer, revoked_at=None).latest("pk")

    @transaction.atomic(savepoint=False)
    def grant_many(
        self, *, contact_ids: Collection[int], offer: Offer, **terms: Unpack[Terms]
    ) -> dict[int, Outcome]:
        """Give `contact_ids` access to `offer`; record `offer.granted` for each grant that is new or open again.

        The one way in, for one contact and for a batch (of 2,000 at most; callers of more go in
        batches). Those who hold the offer already are left alone unless `if_held` says
        otherwise, so imports, webhooks and automations may call this as often as they like.
        Everybody gets a login and the enrollments of the offer's courses. Returns what happened,
        by the contact's pk. A constant number of statements, however many contacts.
        """
        school, at = School.current(), now()
        starts_at = terms.get("starts_at") or at
        first_day = starts_at.astimezone(school.zone).date()
        ends = terms.get("ends", {})
        if_held = terms.get("if_held", "leave")
        # In id order, so that overlapping batches queue up instead of deadlocking; and locked
        # before we look, so that two sources at the same moment see each other.
        asked = dict(
            Contact.objects.filter(pk__any_of=contact_ids)
            .order_by("pk")
            .select_for_update(no_key=True)
            .values_list("pk", "archived_at")
        )
        ids = list(asked)
        outcomes = dict.fromkeys(ids, Outcome.UNCHANGED)
        if archived := [pk for pk, archived_at in asked.items() if archived_at]:
            Contact.objects.filter(pk__any_of=archived).bring_back()
            outcomes |= dict.fromkeys(archived, Outcome.UPDATED)

        holding = self._holding(ids, offer=offer, ends=ends if if_held == "set" else {})
        if if_held != "leave":
            dated = {pk: ends[pk] for pk in holding if pk in ends}
            until = {day: school.end_of(day) for day in set(dated.values())}
            later_only = if_held == "extend"
            for pk in self._redate(dated, until, offer=offer, later_only=later_only, terms=terms):
                outcomes[pk] = Outcome.UPDATED

        if fresh := [pk for pk in ids if pk not in holding]:
            default = offer.default_end(first_day)
            days = {pk: ends.get(pk, default) for pk in fresh}
            until = {day: school.end_of(day) for day in set(days.values())}
            outcomes |= self._insert(days, until, offer=offer, starts_at=starts_at, terms=terms)
            User.objects.for_contacts(fresh)
            Enrollment.objects.enroll(contact_ids=fresh, offer=offer, on=first_day)
        if cohorts := terms.get("cohorts"):
            joining = fresh if if_held == "leave" else ids
            moved = join_cohorts(contact_ids=joining, cohorts=cohorts, offer=offer)
            outcomes |= {pk: Outcome.UPDATED for pk in moved if outcomes[pk] == Outcome.UNCHANGED}
        return outcomes

    def _holding(self, ids: list[int], *, offer: Offer, ends: Ends) -> set[int]:
        """Which of `ids` hold the offer, from any source.

        An ended grant counts where `ends` has a date for its contact: it is set, not made anew.
        """
        with connection.cursor() as cursor:
            # From the contacts to their grants: the other way it would read all grants of the offer.
            cursor.execute(
                """
                SELECT asked.contact_id
                FROM unnest(%(contacts)s::bigint[], %(dated)s::boolean[]) AS asked (contact_id, is_dated)
                CROSS JOIN LATERAL (
                    SELECT FROM enrollments_grant AS held
                    WHERE held.contact_id = asked.contact_id AND held.offer_id = %(offer)s
                      AND held.revoked_at IS NULL
                      AND (asked.is_dated OR held.ends_at IS NULL OR held.ends_at > %(at)s)
                    LIMIT 1
                ) AS held
                """,
                {
                    "contacts": ids,
                    "dated": [pk in ends for pk in ids],
                    "offer": offer.pk,
                    "at": now(),
                },
            )
            return {pk for (pk,) in cursor.fetchall()}

    def _redate(
        self, ends: Ends, until: Until, *, offer: Offer, later_only: bool, terms: Terms
    ) -> list[int]:
        """Move the end of every grant of `offer` these contacts hold; returns whose changed.

        Who holds none has the last of the ended ones moved. A subscription's dates belong to
        Stripe. A grant that had ended and is open now counts as granted again; any other change
        is `offer.extended`, either way it goes. The events tell the day before, for undoing.
        """
        if not ends:
            return []
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE enrollments_grant AS granted
                SET ends_on = wanted.ends_on, ends_at = wanted.ends_at,
                    expired_at = CASE WHEN wanted.ends_at > %(at)s OR wanted.ends_at IS NULL
                                      THEN NULL ELSE granted.expired_at END
                FROM (
                    SELECT held.id, held.ends_on AS day_before, held.ends_at AS before, asked.ends_on, asked.ends_at
                    FROM (
                        SELECT *, ends_at IS NULL OR ends_at > %(at)s AS is_held,
                            bool_or(ends_at IS NULL OR ends_at > %(at)s) OVER of_contact AS any_held,
                            row_number() OVER (of_contact ORDER BY ends_at DESC NULLS FIRST, id DESC) AS place
                        FROM enrollments_grant
                        WHERE offer_id = %(offer)s AND revoked_at IS NULL AND contact_id = ANY(%(contacts)s)
                        WINDOW of_contact AS (PARTITION BY contact_id)
                    ) AS held
                    JOIN unnest(%(contacts)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
                        AS asked (contact_id, ends_on, ends_at) USING (contact_id)
                    WHERE (held.is_held OR (held.place = 1 AND NOT held.any_held))
                      AND held.source NOT LIKE 'subscription:%%'
                      AND held.ends_on IS DISTINCT FROM asked.ends_on
                      AND (NOT %(later_only)s OR asked.ends_on IS NULL OR held.ends_on < asked.ends_on)
                ) AS wanted
                WHERE granted.id = wanted.id
                RETURNING granted.id, granted.contact_id, granted.ends_on, wanted.day_before,
                    wanted.before <= %(at)s AND (granted.ends_at IS NULL OR granted.ends_at > %(at)s)
                """,
                {
                    "contacts": list(ends),
                    "days": list(ends.values()),
                    "instants": [until[day] for day in ends.values()],
                    "offer": offer.pk,
                    "later_only": later_only,
                    "at": now(),
                },
            )
            moved = sorted(cursor.fetchall())
        for name, reopened in ((Name.OFFER_GRANTED, True), (Name.OFFER_EXTENDED, False)):
            record_many(
                name,
                [
                    (contact, _facts(pk, offer, ends_on, terms) | {"before": _iso(before)})
                    for pk, contact, ends_on, before, opened in moved
                    if bool(opened) is reopened
                ],
            )
        return [contact for _pk, contact, *_rest in moved]

    def _insert(
        self, ends: Ends, until: Until, *, offer: Offer, starts_at: datetime, terms: Terms
    ) -> dict[int, Outcome]:
        """Insert a grant for each contact, or open the ended one of the same source again."""
        at, actor = now(), context.actor()
        with connection.cursor() as cursor:
            # Django's ignore_conflicts cannot tell which rows are new, and its update_conflicts
            # refuses a partial index; unsorted batches would deadlock.
            cursor.execute(
                """
                INSERT INTO enrollments_grant
                    (contact_id, offer_id, source, starts_at, ends_on, ends_at, granted_by_id, granted_at, note,
                     reason)
                SELECT asked.contact_id, %(offer)s, %(source)s, %(starts_at)s, asked.ends_on, asked.ends_at,
                       %(actor)s, %(at)s, %(note)s, ''
                FROM unnest(%(contacts)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
                    AS asked (contact_id, ends_on, ends_at)
                ORDER BY asked.contact_id
                ON CONFLICT (contact_id, offer_id, source) WHERE revoked_at IS NULL
                DO UPDATE SET starts_at = EXCLUDED.starts_at, ends_on = EXCLUDED.ends_on,
                    ends_at = EXCLUDED.ends_at, suspended_at = NULL, expired_at = NULL, note = EXCLUDED.note,
                    granted_by_id = EXCLUDED.granted_by_id, granted_at = EXCLUDED.granted_at
                WHERE enrollments_grant.ends_at <= %(at)s
                RETURNING id, contact_id, ends_on, xmax = 0
                """,
                {
                    "contacts": list(ends),
                    "days": list(ends.values()),
                    "instants": [until[day] for day in ends.values()],
                    "offer": offer.pk,
                    "source": terms["source"],
                    "starts_at": starts_at,
                    "actor": actor.pk if actor else None,
                    "at": at,
                    "note": terms.get("note", ""),
                },
            )
            granted = cursor.fetchall()
        later: dict[str, Fact] = {"starts_at": starts_at.isoformat()} if starts_at > at else {}
        record_many(
            Name.OFFER_GRANTED,
            [
                (contact, _facts(pk, offer, ends_on, terms) | later)
                for pk, contact, ends_on, _is_new in granted
            ],
        )
        return {
            contact: Outcome.CREATED if is_new else Outcome.UPDATED
            for _pk, contact, _ends_on, is_new in granted
        }

    @transaction.atomic
    def revoke(self, *, reason: str = "") -> int:
        """End every grant of this set that is not revoked yet; records `offer.revoked` for each. Returns how many."""
        end = {"revoked_at": now(), "revoked_by": context.actor(), "reason": reason}
        return self.filter(revoked_at=None)._turn(Name.OFFER_REVOKED, end, reason=reason)

    @transaction.atomic
    def suspend(self, *, reason: str = "") -> int:
        """Pause every held grant of this set; records `offer.suspended` for each. Returns how many."""
        held = self.held().filter(suspended_at=None)
        return held._turn(Name.OFFER_SUSPENDED, {"suspended_at": now()}, reason=reason)

    @transaction.atomic
    def resume(self) -> int:
        """End the pause of every grant of this set; records `offer.resumed` for each, which is no new grant.

        Their end dates stay where they were. Returns how many.
        """
        paused = self.filter(revoked_at=None, suspended_at__isnull=False)
        return paused._turn(Name.OFFER_RESUMED, {"suspended_at": None})

    def _turn(self, name: Name, columns: dict[str, Any], **facts: Fact) -> int:
        """Write `columns` into the grants of this set, and record `name` with `facts` for each. Returns how many."""
        turned = list(
            self.select_related(None)
            .select_for_update(of=["self"])
            .order_by("pk")
            .values_list("pk", "contact_id", "offer_id", "source")
        )
        Grant.objects.filter(pk__any_of=[pk for pk, *_rest in turned]).update(**columns)
        told: list[tuple[int | None, dict[str, Fact]]] = [
            (contact, {"grant": pk, "offer": offer, "source": source, **facts})
            for pk, contact, offer, source in turned
        ]
        record_many(name, told)
        return len(turned)

    @transaction.atomic
    def set_ends(self, ends: Ends) -> int:
        """Move the last day of single grants: `ends` is grant's pk -> last day, None for no end.

        Records `offer.extended`, or `offer.granted` for one that had ended and is open again.
        Revoked grants and those of a subscription, whose dates belong to Stripe, stay as they
        are. Returns how many changed. A constant number of statements.
        """
        school = School.current()
        until = {day: school.end_of(day) for day in set(ends.values())}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE enrollments_grant AS granted
                SET ends_on = wanted.ends_on, ends_at = wanted.ends_at,
                    expired_at = CASE WHEN wanted.ends_at > %(at)s OR wanted.ends_at IS NULL
                                      THEN NULL ELSE granted.expired_at END
                FROM (
                    SELECT held.id, held.ends_on AS day_before, held.ends_at AS before, asked.ends_on, asked.ends_at
                    FROM enrollments_grant AS held
                    JOIN unnest(%(grants)s::bigint[], %(days)s::date[], %(instants)s::timestamptz[])
                        AS asked (id, ends_on, ends_at) USING (id)
                    WHERE held.revoked_at IS NULL AND held.source NOT LIKE 'subscription:%%'
                      AND held.ends_on IS DISTINCT FROM asked.ends_on
                    ORDER BY held.id
                    FOR UPDATE OF held
                ) AS wanted
                WHERE granted.id = wanted.id
                RETURNING granted.id, granted.contact_id, granted.offer_id, granted.source, granted.ends_on,
                    wanted.day_before,
                    wanted.before <= %(at)s AND (granted.ends_at IS NULL OR granted.ends_at > %(at)s)
                """,
                {
                    "grants": list(ends),
                    "days": list(ends.values()),
                    "instants": [until[day] for day in ends.values()],
                    "at": now(),
                },
            )
            moved = sorted(cursor.fetchall())
        for name, reopened in ((Name.OFFER_GRANTED, True), (Name.OFFER_EXTENDED, False)):
            record_many(
                name,
                [
                    (
                        contact,
                        {
                            "grant": pk,
                            "offer": offer,
                            "source": source,
                            "ends_on": _iso(ends_on),
                            "before": _iso(before),
                            "notify": False,
                        },
                    )
                    for pk, contact, offer, source, ends_on, before, opened in moved
                    if bool(opened) is reopened
                ],
            )
        return len(moved)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _facts(pk: int, offer: Offer, ends_on: date | None, terms: Terms) -> dict[str, Fact]:
    """What the events of a grant tell."""
    return {
        "grant": pk,
        "offer": offer.pk,
        "source": terms["source"],
        "ends_on": _iso(ends_on),
        "notify": terms.get("notify", True),
    }


class Grant(models.Model):
    """One contact's permission to use one offer, from one source. Never deleted."""

    contact = models.ForeignKey(Contact, models.PROTECT, related_name="grants", db_index=False)
    offer = models.ForeignKey(Offer, models.PROTECT, related_name="grants", db_index=False)
    source = models.CharField(max_length=80)  # "manual", "import:<batch>", "purchase:<order>" …
    granted_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", db_index=False
    )
    granted_at = models.DateTimeField(default=now)
    starts_at = models.DateTimeField(default=now)
    ends_on = models.DateField(null=True)  # last day, in the school's zone; None: never ends
    ends_at = models.DateTimeField(null=True)  # the first instant after that day
    suspended_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", db_index=False
    )
    expired_at = models.DateTimeField(null=True)  # when the clock recorded that it has ended
    # The last reminder that was queued: of which last day, and how many days before it.
    reminded_for = models.DateField(null=True)
    reminded_days = models.PositiveSmallIntegerField(null=True)
    note = models.TextField(blank=True)  # why it was granted
    reason = models.TextField(blank=True)  # why it was revoked

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "offer", "source"],
                condition=Q(revoked_at=None),
                name="one_live_grant_per_source",
            ),
            models.CheckConstraint(
                condition=Q(ends_on=None, ends_at=None)
                | Q(ends_on__isnull=False, ends_at__isnull=False),
                name="a_last_day_and_an_end_go_together",
            ),
        ]
        indexes = [
            # What the clock asks every minute: which grants have ended, or soon will.
            models.Index(
                fields=["ends_at"],
                condition=Q(revoked_at=None, expired_at=None, ends_at__isnull=False),
                name="grant_ending",
            ),
            models.Index(fields=["starts_at"], name="grant_by_start"),  # the few to come
            # Who holds an offer; and whether one contact does, also while the offer is granted to
            # thousands, of whom PostgreSQL's statistics do not know yet.
            models.Index(fields=["offer", "contact"], name="grant_by_offer"),
            # Who holds an offer, the latest grant first: by the index alone.
            models.Index(
                fields=["offer", "-id"],
                include=["contact", "ends_at"],
                condition=Q(revoked_at=None),
                name="grant_holders",
            ),
            # Their grants; and of the index alone, whether one of them is held.
            models.Index(fields=["contact", "revoked_at", "ends_at"], name="grant_by_contact"),
            # The few whose access somebody shut: the list asks for status "inactive".
            models.Index(
                fields=["contact"],
                condition=Q(revoked_at__isnull=False) | Q(suspended_at__isnull=False),
                name="grant_shut",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer} from {self.source}"

    def revoke(self, *, reason: str = "") -> None:
        """End this grant now and record `offer.revoked`. Revoking twice is harmless."""
        Grant.objects.filter(pk=self.pk).revoke(reason=reason)
        self.refresh_from_db(fields=["revoked_at", "revoked_by", "reason"])

    def suspend(self, *, reason: str = "") -> None:
        """Pause this grant and record `offer.suspended`. Suspending twice is harmless."""
        Grant.objects.filter(pk=self.pk).suspend(reason=reason)
        self.refresh_from_db(fields=["suspended_at"])

    def resume(self) -> None:
        """End the pause and record `offer.resumed`. Resuming what is not paused changes nothing."""
        Grant.objects.filter(pk=self.pk).resume()
        self.refresh_from_db(fields=["suspended_at"])

    def extend(self, *, until: date | None) -> None:
        """Move the last day, either way; None is no end. See `set_ends`."""
        Grant.objects.set_ends({self.pk: until})
        self.refresh_from_db(fields=["ends_on", "ends_at", "expired_at"])

    @property
    def state(self) -> Literal["revoked", "suspended", "ended", "pending", "live"]:
        """How this grant stands, the strongest reason first."""
        if self.revoked_at:
            return "revoked"
        if self.ends_at and self.ends_at <= now():
            return "ended"
        if self.suspended_at:
            return "suspended"
        return "pending" if self.starts_at > now() else "live"

    @property
    def source_label(self) -> str:
        """Where it comes from, in the reader's words."""
        return source_label(self.source)

    @property
    def is_live(self) -> bool:
        return self.state == "live"


def move_ends(*, after: int, limit: int) -> int | None:
    """Recompute the ends of `limit` grants past pk `after`, for a school whose zone changed.

    Returns the last pk it looked at, None when none is left. Only days that are not over in
    the new zone move: what ended stays ended.
    """
    school = School.current()
    to_come = Grant.objects.filter(pk__gt=after, ends_on__gte=school.today(), revoked_at=None)
    rows = list(to_come.order_by("pk").select_for_update(no_key=True)[:limit])
    for grant in rows:
        grant.ends_at = school.end_of(grant.ends_on)
        grant.expired_at = None  # what had ended and is open again ends anew
    Grant.objects.bulk_update(rows, ["ends_at", "expired_at"])
    return rows[-1].pk if rows else None
