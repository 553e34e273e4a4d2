"""Link: every key that is mailed, as a row: what for, until when, and what became of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts import codes
from accounts.models.contact import Contact
from accounts.models.user import User
from portal import context
from portal.events import Fact, Name, record, record_many

LONGEST = 7 * 24 * 3600  # seconds any link lives at most
MAX_TRIES = 3  # to type the code of one link
KEPT = timedelta(days=90)  # how long a link that is over can still be seen


def digest(token: str) -> str:
    """What of a token is stored: its SHA-256. Enough to find it, too little to use it."""
    return hashlib.sha256(token.encode()).hexdigest()


class Purpose(models.TextChoices):
    """What a link lets its holder do once."""

    LOGIN = "login", _("Log in")
    INVITATION = "invitation", _("Accept an invitation")
    SET_PASSWORD = "set_password", _("Set the first password")
    RESET = "reset", _("Reset the password")
    CONFIRM_EMAIL = "confirm_email", _("Confirm a new e-mail address")


class Section(models.TextChoices):
    """Where a link leads."""

    HOME = "home", _("Home")
    COURSES = "courses", _("Courses")
    PROFILE = "profile", _("Profile")


class LinkQuerySet(models.QuerySet["Link"]):
    """Links. Who locks several rows does it in one order: contacts, users, links, whichever of them they need."""

    def open(self) -> Self:
        """Neither used nor ended by anybody, whatever the hour."""
        return self.filter(used_at=None, superseded_at=None, revoked_at=None)

    def usable(self) -> Self:
        """open(), and not expired. One table only: see _spend()."""
        return self.open().filter(expires_at__gt=now())

    @transaction.atomic
    def revoke(self) -> list[Link]:
        """Make those worthless that could be used, and record `magic_link.revoked` of each; returns them."""
        usable = self.usable()
        usable._lock_owners()
        rows = usable.select_related("user").order_by("pk")
        links = list(rows.select_for_update(of=["self"]))
        Link.objects.filter(pk__in=[link.pk for link in links]).update(revoked_at=now())
        record_many(
            Name.MAGIC_LINK_REVOKED,
            [(link.user.contact_id, {"link": link.pk, "purpose": link.purpose}) for link in links],
        )
        return links

    def over(self) -> Self:
        """Expired so long ago that nobody needs to see them."""
        return self.filter(expires_at__lt=now() - KEPT)

    def by_token(self, token: str) -> Self:
        """The link whose token this is, in whatever state."""
        return self.filter(digest=digest(token))

    @transaction.atomic
    def request(
        self,
        *,
        user: User,
        purpose: Purpose,
        section: Section = Section.HOME,
        delivery: str,
        self_service: bool = False,
        email: str = "",
        browser: str = "",
    ) -> Link:
        """Make a link and record `magic_link.created`.

        `delivery` is "mail" (a mail of its own follows) or "copy"; see request_inside() for the third. A
        self-service link supersedes the older self-service ones of its purpose. `email` is the new
        address to be confirmed; the mail goes there. `browser` is a digest of the cookie of who asks,
        and gives a login link its code.
        """
        if self_service:
            older = self.filter(user=user, purpose=purpose, is_self_service=True)
            older.open().update(superseded_at=now())
        seconds = settings.LINK_LIFETIMES[purpose]
        if self_service and purpose != Purpose.CONFIRM_EMAIL:
            seconds = settings.SELF_SERVICE_LINK_SECONDS
        link = self.create(
            user=user,
            purpose=purpose,
            section=section,
            is_self_service=self_service,
            email=email,
            browser=browser,
            delivery=delivery,
            expires_at=now() + timedelta(seconds=seconds),
            **_drawn(),
        )
        record(
            Name.MAGIC_LINK_CREATED,
            contact=user.contact,
            **link.facts(),
            **({"email": email} if email else {}),
        )
        return link

    @transaction.atomic
    def request_many(
        self,
        users: Sequence[User],
        *,
        purpose: Purpose,
        section: Section = Section.HOME,
        delivery: str,
        key: str,
        seconds: int | None = None,
    ) -> list[Link]:
        """As request(), for staff or the portal: a link for each of `users`, whose contacts the caller has locked.

        `key` and the user's pk make asking twice harmless: only links that are new are returned. A life of
        `seconds` is cut to LONGEST. Three statements, however many they are.
        """
        seconds = min(seconds or settings.LINK_LIFETIMES[purpose], LONGEST)
        keys = {f"{key}:{user.pk}": user for user in users}
        known = set(self.filter(key__in=keys).values_list("key", flat=True))
        links = self.bulk_create(
            Link(
                user=user,
                purpose=purpose,
                section=section,
                delivery=delivery,
                key=own,
                expires_at=now() + timedelta(seconds=seconds),
                **_drawn(),
            )
            for own, user in keys.items()
            if own not in known
        )
        record_many(
            Name.MAGIC_LINK_CREATED, [(link.user.contact_id, link.facts()) for link in links]
        )
        return links

    @transaction.atomic
    def request_inside(
        self, user: User, *, purposes: dict[str, Purpose], section: Section
    ) -> list[Link]:
        """The links of a mail to `user` that is being written, by their keys: what was made before, or else anew.

        Records `magic_link.created` of those that are new. Three statements, however many they are.
        """
        fresh = {
            key: Link(
                user=user,
                purpose=purpose,
                section=section,
                delivery="inside",
                key=key,
                expires_at=now() + timedelta(seconds=settings.LINK_LIFETIMES[purpose]),
                **_drawn(),
            )
            for key, purpose in purposes.items()
        }
        self.bulk_create(fresh.values(), ignore_conflicts=True)
        links = {link.key: link for link in self.filter(key__in=fresh)}
        new = [links[key] for key, link in fresh.items() if links[key].digest == link.digest]
        record_many(Name.MAGIC_LINK_CREATED, [(user.contact_id, link.facts()) for link in new])
        return [links[key] for key in fresh]

    @transaction.atomic
    def mail_to(
        self,
        user: User,
        *,
        purpose: Purpose,
        section: Section = Section.HOME,
        email: str = "",
        browser: str = "",
    ) -> bool:
        """Mail `user` a link they asked for themselves; False if they may not come in by one.

        It goes to the user's address alone, or to the new one they want to confirm. How often it may be
        asked for is counted by accounts.asking. Of any number of callers each supersedes what the ones
        before made.
        """
        _lock(user)
        if user.is_blocked or not user.may_use(purpose):
            return False
        self.request(
            user=user,
            purpose=purpose,
            section=section,
            delivery="mail",
            self_service=True,
            email=email,
            browser=browser,
        )
        return True

    @transaction.atomic
    def consume(self, token: str, *, password: str = "") -> Link | None:
        """Spend `token`, and make `password`, if there is one, its owner's own: both or neither.

        None if it is used, expired, superseded, revoked or forged, or the person is blocked.
        """
        link = self.by_token(token)._spend()
        if link and password:
            link.user.change_password(password)
        return link

    @transaction.atomic
    def consume_code(self, code: str, *, browser: str) -> Link | None:
        """Spend the link that `browser` asked for and whose code this is; None as for consume().

        The try is counted before the code is compared: of any number at once MAX_TRIES are looked at.
        A last one that is wrong ends the link too.
        """
        asked = self.usable().filter(browser=browser, purpose=Purpose.LOGIN).exclude(browser="")
        link = asked.order_by("-pk").first()
        # Without a link, too: who asked for a stranger's address does not learn from the time whether it is known.
        mine = Link.objects.filter(pk=link.pk if link else 0)
        mine._lock_owners()
        may_try = mine.usable().filter(tries__lt=MAX_TRIES).update(tries=F("tries") + 1)
        if link and may_try and constant_time_compare(link.code, code):
            return mine._spend()
        mine.open().filter(tries__gte=MAX_TRIES).update(superseded_at=now())
        return None

    def _spend(self) -> Link | None:
        """Use up the one link of this set, for who may use it.

        The conditional UPDATE is the lock: of any number of callers at most one wins.
        """
        self._lock_owners()
        if not self.usable().update(used_at=now()):
            return None
        link = self.select_related("user__contact").get()
        if link.user.is_blocked or not link.user.may_use(link.purpose):
            return None
        record(Name.MAGIC_LINK_USED, contact=link.user.contact, link=link.pk, purpose=link.purpose)
        return link

    @transaction.atomic
    def confirm_email(self, token: str) -> Link | None:
        """Spend `token` and give its owner the address it was mailed to; None as for consume().

        Raises IntegrityError if somebody else has the address by now, and then nothing is spent.
        """
        mine = self.by_token(token).filter(purpose=Purpose.CONFIRM_EMAIL)
        # Before the user, whom consume() locks.
        owner = Contact.objects.filter(pk__in=mine.values("user__contact"))
        contact = owner.select_for_update(no_key=True).first()
        link = self.consume(token) if contact else None
        if link is None or link.user.contact is None:
            return None
        link.user.contact.change_email(link.email)
        return link

    def _lock_owners(self) -> None:
        """Hold the users whose links these are until the transaction ends."""
        owners = User.objects.filter(pk__in=self.values("user")).order_by("pk")
        list(owners.select_for_update(no_key=True).values_list("pk", flat=True))


def _lock(user: User) -> None:
    """Hold the contact of `user`, or else `user`, until the transaction ends."""
    if user.contact_id:
        Contact.objects.select_for_update(no_key=True).get(pk=user.contact_id)
    else:
        User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _drawn() -> dict[str, Any]:
    """A link's own secret, and who makes it."""
    nonce = secrets.token_bytes(16)
    return {"nonce": nonce, "digest": digest(derive(nonce)), "created_by": context.actor()}


def derive(nonce: bytes) -> str:
    """The token of a link: derived, so that a mail sent twice carries the same one, yet stored nowhere.

    Source: RFC 2104 (HMAC); 256 bits, in the URL-safe alphabet.
    """
    return hmac.new(settings.LINK_KEY.encode(), b"link:" + nonce, hashlib.sha256).hexdigest()


class Link(models.Model):
    """A key that was mailed or shown once. Only its SHA-256 is stored."""

    user = models.ForeignKey(User, models.PROTECT, related_name="links")
    purpose = models.CharField(max_length=20, choices=Purpose)
    section = models.CharField(max_length=20, choices=Section, default=Section.HOME)
    # What makes asking twice harmless.
    key = models.CharField(max_length=200, unique=True, null=True)
    nonce = models.BinaryField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    is_self_service = models.BooleanField(default=False)
    # The new address that is confirmed with it: the mail goes there, and nowhere else.
    email = models.EmailField(blank=True, db_default="")
    # Of a self-service link: the browser that asked (a digest of its cookie), and how often its code was tried.
    browser = models.CharField(max_length=64, blank=True, db_default="")
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    delivery = models.CharField(max_length=10)  # "mail", "inside" another mail, or "copy"
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = LinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.purpose} link #{self.pk}"

    def facts(self) -> dict[str, Fact]:
        """What the log says of it. Never what opens it."""
        return {
            "user": self.user_id,
            "link": self.pk,
            "purpose": str(self.purpose),
            "section": str(self.section),
            "delivery": self.delivery,
        }

    @property
    def token(self) -> str:
        """The secret itself, for the one who mails or shows it."""
        return derive(bytes(self.nonce))

    @property
    def url(self) -> str:
        """The address to mail."""
        return settings.PORTAL_URL + reverse("accounts:link_consume", args=[self.token])

    @property
    def code(self) -> str:
        """What its owner may type instead, into the browser that asked; "" for a link that has none."""
        return codes.derive(bytes(self.nonce)) if self.browser else ""

    @property
    def is_copied(self) -> bool:
        """Whether staff saw it: then it is for another browser than theirs, and the session it makes says so."""
        return self.delivery == "copy" and not self.user.is_staff

    @property
    def is_usable(self) -> bool:
        """Whether its holder could use it now."""
        return self.state in ("created", "opened")

    @property
    def asks_password(self) -> bool:
        """Whether its holder chooses a password before they come in."""
        if self.purpose == Purpose.INVITATION:
            return not self.user.has_own_password
        return self.purpose in (Purpose.SET_PASSWORD, Purpose.RESET)

    @property
    def state(self) -> str:
        """used, revoked, superseded, expired, opened or created: the first that is true."""
        if self.used_at:
            return "used"
        if self.revoked_at:
            return "revoked"
        if self.superseded_at:
            return "superseded"
        if self.expires_at <= now():
            return "expired"
        return "opened" if self.opened_at else "created"

    @property
    def ended_at(self) -> datetime:
        """When it stopped letting anybody in, or will stop."""
        return self.used_at or self.revoked_at or self.superseded_at or self.expires_at

    def note_opened(self) -> None:
        """Remember the first look at it. Looking spends nothing."""
        Link.objects.filter(pk=self.pk, opened_at=None).update(opened_at=now())

    class Meta:
        indexes = [
            # The link whose code is typed into the browser that asked for it.
            models.Index(fields=["browser"], condition=~Q(browser=""), name="link_by_browser"),
            # Contacts by whether an invitation waits for them.
            models.Index(
                fields=["user", "expires_at"],
                condition=Q(
                    purpose=Purpose.INVITATION,
                    used_at=None,
                    superseded_at=None,
                    revoked_at=None,
                ),
                name="link_open_invitation",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="a_link_lives_before_it_expires",
            )
        ]
