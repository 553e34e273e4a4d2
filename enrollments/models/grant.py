"""Grant: one contact's permission to use one offer, from one source. The gate of everything."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Literal, Self, Unpack

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Contact, User
from enrollments.cohorts import join_cohorts
from enrollments.models import grant_rows
from enrollments.models.enrollment import Enrollment
from enrollments.models.grant_terms import Ends, Outcome, Terms, source_label
from offers.models import Offer
from portal import context
from portal.events import Fact, Name, record_many
from portal.models import School


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

        dated = ends if if_held == "set" else {}
        holding = grant_rows.holders_among(ids, offer=offer, ends=dated)
        if if_held != "leave":
            moved = grant_rows.set_ends_of_holders(
                {pk: ends[pk] for pk in holding if pk in ends},
                offer=offer,
                later_only=if_held == "extend",
                terms=terms,
                school=school,
            )
            outcomes |= dict.fromkeys(moved, Outcome.UPDATED)

        if fresh := [pk for pk in ids if pk not in holding]:
            default = offer.default_end(first_day)
            days = {pk: ends.get(pk, default) for pk in fresh}
            outcomes |= grant_rows.insert(
                days, offer=offer, starts_at=starts_at, terms=terms, school=school
            )
            User.objects.for_contacts(fresh)
            Enrollment.objects.enroll(contact_ids=fresh, offer=offer, on=first_day)
        if cohorts := terms.get("cohorts"):
            joining = fresh if if_held == "leave" else ids
            joined = join_cohorts(contact_ids=joining, cohorts=cohorts, offer=offer)
            outcomes |= {pk: Outcome.UPDATED for pk in joined if outcomes[pk] == Outcome.UNCHANGED}
        return outcomes

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
        return grant_rows.set_ends(ends, school=School.current())


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

    @property
    def is_fixed(self) -> bool:
        """Whether its dates are not ours to change: a subscription's belong to Stripe."""
        return self.source.startswith("subscription:")


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
