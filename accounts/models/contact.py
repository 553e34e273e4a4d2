"""Contact: a person the school knows, and the tags it puts on them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models, transaction
from django.db.models import Func, Q, Value
from django.db.models.functions import Coalesce, Concat, Lower
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from portal.events import Name, record, record_many
from portal.models import File, School, validate_zone

if TYPE_CHECKING:
    from accounts.models.user import User

VISIT = timedelta(minutes=5)  # last access is written at most this often


def normalize_email(value: str) -> str:
    """One spelling per address: trimmed, NFKC, lower case."""
    return unicodedata.normalize("NFKC", value).strip().lower()


class SearchKey(Func):
    """Lower case without accents: the SQL function `search_key` of our first migration."""

    function = "search_key"
    output_field = models.TextField()


# When somebody was last in; whoever never was, was so long ago. What the list is sorted by.
LAST_ACCESS = Coalesce(
    "last_seen_at", Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=models.DateTimeField())
)


class Tag(models.Model):
    """A word staff put on contacts to find them again."""

    name = models.CharField(_("name"), max_length=60, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ContactQuerySet(models.QuerySet["Contact"]):
    def present(self) -> Self:
        """Not archived: what every list and count begins with."""
        return self.filter(archived_at=None)

    def matching(self, words: str) -> Self:
        """Every word is part of name, address, phone or external id; accents and case do not count.

        One or two letters must begin a word there: the trigram index finds them at no other place.
        """
        found = self
        for word in words.split():
            if len(word) > 2:
                found = found.filter(search_text__contains=SearchKey(Value(word)))
            else:
                key, later = SearchKey(Value(word)), SearchKey(Value(f" {word}"))
                found = found.filter(
                    Q(search_text__startswith=key) | Q(search_text__contains=later)
                )
        return found

    @transaction.atomic
    def invite(self, contact_ids: Collection[int]) -> None:
        """Note that the access mail of these people is queued; records `portal.invited`, once each."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE accounts_contact SET invited_at = %s
                WHERE id = ANY(%s) AND invited_at IS NULL RETURNING id
                """,
                [now(), sorted(contact_ids)],
            )
            invited = sorted(pk for (pk,) in cursor.fetchall())
        record_many(Name.PORTAL_INVITED, [(pk, {}) for pk in invited])

    @transaction.atomic
    def archive(self) -> int:
        """Hide the contacts of this set and record `contact.archived` for each that was not. Returns how many.

        They keep their address: the next grant or import of it brings them back.
        """
        hidden = sorted(
            self.present()
            .select_for_update(no_key=True)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        Contact.objects.filter(pk__any_of=hidden).update(archived_at=now())
        record_many(Name.CONTACT_ARCHIVED, [(pk, {}) for pk in hidden])
        return len(hidden)

    @transaction.atomic
    def bring_back(self) -> int:
        """Show the archived contacts of this set again; records `contact.updated`. Returns how many."""
        hidden = self.filter(archived_at__isnull=False).select_for_update(no_key=True)
        back = sorted(hidden.order_by("pk").values_list("pk", flat=True))
        Contact.objects.filter(pk__any_of=back).update(archived_at=None)
        record_many(Name.CONTACT_UPDATED, [(pk, {"fields": ["archived_at"]}) for pk in back])
        return len(back)

    @transaction.atomic
    def block(self, *, reason: str = "") -> list[int]:
        """Shut these people out everywhere, from their next request on; returns who were not yet, by pk.

        Staff are shut out as students alone. A constant number of statements.
        """
        from accounts.models.user import User  # which needs this module

        meant = self.filter(blocked_at=None).select_for_update(of=["self"], no_key=True)
        pks = list(meant.order_by("pk").values_list("pk", flat=True))
        Contact.objects.filter(pk__any_of=pks).update(blocked_at=now(), block_reason=reason)
        logins = User.objects.filter(contact__pk__any_of=pks, role="")
        User.objects.end_access(list(logins.values_list("pk", flat=True)))
        record_many(Name.CONTACT_BLOCKED, [(pk, {"reason": reason}) for pk in pks])
        return pks

    @transaction.atomic
    def unblock(self) -> list[int]:
        """Let these people in again, to what their grants say now; returns who were blocked, by pk."""
        shut = self.filter(blocked_at__isnull=False).select_for_update(of=["self"], no_key=True)
        pks = list(shut.order_by("pk").values_list("pk", flat=True))
        Contact.objects.filter(pk__any_of=pks).update(blocked_at=None, block_reason="")
        record_many(Name.CONTACT_UNBLOCKED, [(pk, {}) for pk in pks])
        return pks

    @transaction.atomic
    def add(self, *, email: str, name: str = "", **fields: str | None) -> Contact:
        """Make a contact and record `contact.created`. Raises IntegrityError if the address is taken."""
        contact = self.create(email=normalize_email(email), name=name.strip(), **fields)
        record(Name.CONTACT_CREATED, contact=contact)
        return contact


class Contact(models.Model):
    """A person known to the school, with one address. May have a login (`contact.user`)."""

    # Unique by constraint: `unique=True` would keep a second index, for LIKE, that nobody asks.
    email = models.EmailField(_("e-mail"))
    name = models.CharField(_("name"), max_length=200, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    external_id = models.CharField(_("external id"), max_length=100, null=True, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)  # blank: the school's
    # In whose clock they read times of day; blank: the school's. Days are always the school's.
    time_zone = models.CharField(
        _("time zone"), max_length=40, blank=True, db_default="", validators=[validate_zone]
    )
    picture = models.ForeignKey(
        File, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="contacts")
    created_at = models.DateTimeField(default=now)
    # Since when they want to be written to beyond what concerns their courses; None: they do not.
    newsletter_at = models.DateTimeField(_("newsletter"), null=True)
    promotions_at = models.DateTimeField(_("promotions"), null=True)
    wants_reminders = models.BooleanField(_("reminders"), default=True, db_default=True)
    wants_replies = models.BooleanField(_("replies to comments"), default=True, db_default=True)

    # Hidden from the lists. The next grant or import of this address brings them back.
    archived_at = models.DateTimeField(_("archived"), null=True)
    # Since when they ask to be erased, which a person of the staff decides about.
    erasure_asked_at = models.DateTimeField(null=True)
    blocked_at = models.DateTimeField(null=True)
    block_reason = models.TextField(blank=True)
    invited_at = models.DateTimeField(null=True)  # the first access mail was queued
    joined_at = models.DateTimeField(null=True)  # the first login
    last_seen_at = models.DateTimeField(null=True)
    # Which waiting mail carries the first credentials. One per person: claimed by conditional UPDATE.
    credentials_claim = models.CharField(max_length=160, blank=True)

    search_text = models.GeneratedField(
        expression=SearchKey(
            Concat(
                "name",
                Value(" "),
                "email",
                Value(" "),
                "phone",
                Value(" "),
                "external_id",
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = ContactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], name="one_contact_per_email"),
            models.UniqueConstraint(fields=["external_id"], name="one_contact_per_external_id"),
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="a_contact_email_is_lower_case"
            ),
        ]
        indexes = [
            GinIndex(fields=["search_text"], opclasses=["gin_trgm_ops"], name="contact_search"),
            models.Index(fields=["search_text", "id"], name="contact_by_name"),
            models.Index(LAST_ACCESS, "id", name="contact_by_last_access"),
            # The few of a portal status: blocked; and neither blocked nor invited nor joined.
            models.Index(
                fields=["id"], condition=Q(blocked_at__isnull=False), name="contact_blocked"
            ),
            models.Index(
                fields=["id"],
                condition=Q(archived_at=None, blocked_at=None, joined_at=None, invited_at=None),
                name="contact_not_invited",
            ),
            # The few who wait for a decision.
            models.Index(
                fields=["id"],
                condition=Q(erasure_asked_at__isnull=False),
                name="contact_erasure_asked",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def first_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def is_blocked(self) -> bool:
        return self.blocked_at is not None

    @property
    def zone(self) -> ZoneInfo:
        """In which they read times of day. Days are the school's, whatever the zone of their reader."""
        return ZoneInfo(self.time_zone) if self.time_zone else School.current().zone

    @property
    def login(self) -> User | None:
        """The login of this person, if there is one yet."""
        return getattr(self, "user", None)

    @property
    def may_log_in(self) -> bool:
        """Whether this person has been in before, or has a password of their own: they need no credentials."""
        return self.joined_at is not None or (
            self.login is not None and self.login.has_own_password
        )

    @transaction.atomic
    def change(self, **fields: str | bool | datetime | File | None) -> None:
        """Edit registration data and record `contact.updated` with the names of what differs."""
        changed = [name for name, value in fields.items() if getattr(self, name) != value]
        if changed:
            for name in changed:
                setattr(self, name, fields[name])
            self.save(update_fields=changed)
            record(Name.CONTACT_UPDATED, contact=self, fields=changed)

    @transaction.atomic
    def change_email(self, email: str) -> None:
        """Give contact and login a new address, and record `contact.email_changed`.

        The old address is worth nothing any more: sessions, open links and a temporary password end,
        and credentials that went there may be sent again. Raises IntegrityError if somebody has the address.
        """
        from accounts.models.user import User  # which needs this module

        mine = Contact.objects.select_for_update(no_key=True).filter(pk=self.pk)
        email, before = normalize_email(email), mine.values_list("email", flat=True).get()
        if email == before:
            return
        # Before the address: it is a key, so who holds the user waits for its change to record an event.
        User.objects.select_for_update(no_key=True).filter(contact=self).first()
        self.email = email
        self.credentials_claim = "" if self.joined_at is None else self.credentials_claim
        self.save(update_fields=["email", "credentials_claim"])
        if self.login:
            self.login.email = email
            self.login.save(update_fields=["email"])
            self.login.forget_temporary_password()
            EmailAddress.objects.filter(user_id=self.login.pk).update(email=email)
            self.login.end_access()
        record(Name.CONTACT_EMAIL_CHANGED, contact=self, before=before)

    @transaction.atomic
    def tag(self, names: Collection[str]) -> None:
        """Put exactly these tags on the contact, making the new words; records `contact.tagged` if they differ."""
        before = set(self.tags.values_list("name", flat=True))
        if before == set(names):
            return
        Tag.objects.bulk_create([Tag(name=name) for name in names], ignore_conflicts=True)
        self.tags.set(Tag.objects.filter(name__in=names))
        added, removed = sorted(set(names) - before), sorted(before - set(names))
        record(Name.CONTACT_TAGGED, contact=self, added=added, removed=removed)

    @transaction.atomic
    def block(self, *, reason: str = "") -> bool:
        """Shut this person out everywhere, from the next request on; whether they were not yet."""
        blocked = Contact.objects.filter(pk=self.pk).block(reason=reason)
        if blocked and self.login:
            self.login.refresh_from_db(fields=["auth_epoch"])
        self.refresh_from_db(fields=["blocked_at", "block_reason"])
        return bool(blocked)

    @transaction.atomic
    def unblock(self) -> bool:
        """Let this person in again, to what their grants say now; whether they were blocked."""
        unblocked = Contact.objects.filter(pk=self.pk).unblock()
        self.refresh_from_db(fields=["blocked_at", "block_reason"])
        return bool(unblocked)

    @transaction.atomic
    def ask_erasure(self) -> bool:
        """Note that they want to be erased, which staff decide about; whether they had not asked yet."""
        mine = Contact.objects.filter(pk=self.pk, erasure_asked_at=None)
        asked = mine.update(erasure_asked_at=now())
        if asked:
            record(Name.CONTACT_ERASURE_ASKED, contact=self)
        self.refresh_from_db(fields=["erasure_asked_at"])
        return bool(asked)

    @transaction.atomic
    def withdraw_erasure(self) -> bool:
        """They want to stay after all; whether they had asked to go."""
        mine = Contact.objects.filter(pk=self.pk, erasure_asked_at__isnull=False)
        withdrawn = mine.update(erasure_asked_at=None)
        if withdrawn:
            record(Name.CONTACT_ERASURE_WITHDRAWN, contact=self)
        self.refresh_from_db(fields=["erasure_asked_at"])
        return bool(withdrawn)

    @transaction.atomic
    def join(self) -> None:
        """Note the first login; every later call changes nothing."""
        if Contact.objects.filter(pk=self.pk, joined_at=None).update(joined_at=now()):
            record(Name.PORTAL_JOINED, contact=self)

    def claim_credentials(self, *, by: str) -> bool:
        """Whether the mail with key `by` is the one that carries this person's first credentials.

        However many mails ask, one gets a yes; asking again with the same key gets the same answer.
        """
        mine = Contact.objects.filter(Q(credentials_claim="") | Q(credentials_claim=by), pk=self.pk)
        return bool(mine.update(credentials_claim=by))

    @classmethod
    def release_credentials(cls, *, by: str) -> None:
        """The mail with key `by` will never arrive: let another carry the credentials."""
        cls.objects.filter(credentials_claim=by).update(credentials_claim="")

    def note_visit(self, *, at: datetime) -> None:
        """Write down the last access, unless it is already known to the minute or so."""
        if self.last_seen_at is None or at - self.last_seen_at > VISIT:
            Contact.objects.filter(pk=self.pk).update(last_seen_at=at)
