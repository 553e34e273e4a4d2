"""Link: every key that is mailed, as a row: what for, until when, and what became of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact
from accounts.models.user import User
from portal import context
from portal.events import Name, record

MAX_ASKED = 5  # links one person may ask for in an hour


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
    def open(self) -> Self:
        """Neither used nor ended by anybody, whatever the hour."""
        return self.filter(used_at=None, superseded_at=None, revoked_at=None)

    def usable(self) -> Self:
        """open(), and not expired. One table only: see consume()."""
        return self.open().filter(expires_at__gt=now())

    def revoke(self) -> None:
        """Make those that are open worthless."""
        self.open().update(revoked_at=now())

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
        key: str | None = None,
        self_service: bool = False,
        email: str = "",
    ) -> Link:
        """Make a link and record `magic_link.created`; with a `key` asked for before, return that link.

        `delivery` is "mail" (a mail of its own follows), "inside" (of a mail that is being
        written) or "copy". A self-service link supersedes the older self-service ones of its purpose.
        `email` is the new address to be confirmed; the mail goes there.
        """
        if self_service:
            older = self.filter(user=user, purpose=purpose, is_self_service=True)
            older.open().update(superseded_at=now())
        nonce = secrets.token_bytes(16)
        seconds = settings.LINK_LIFETIMES[purpose]
        if self_service and purpose != Purpose.CONFIRM_EMAIL:
            seconds = settings.SELF_SERVICE_LINK_SECONDS
        fields = {
            "user": user,
            "purpose": purpose,
            "section": section,
            "nonce": nonce,
            "digest": digest(derive(nonce)),
            "is_self_service": self_service,
            "email": email,
            "delivery": delivery,
            "created_by": context.actor(),
            "expires_at": now() + timedelta(seconds=seconds),
        }
        if key:
            link, is_new = self.get_or_create(key=key, defaults=fields)
        else:
            link, is_new = self.create(**fields), True
        if not is_new:
            return link
        record(
            Name.MAGIC_LINK_CREATED,
            contact=user.contact,
            user=user.pk,
            link=link.pk,
            purpose=purpose.value,
            section=section.value,
            delivery=delivery,
            **({"email": email} if email else {}),
        )
        return link

    @transaction.atomic
    def mail_to(
        self, user: User, *, purpose: Purpose, section: Section = Section.HOME, email: str = ""
    ) -> bool:
        """Mail `user` a link they asked for themselves, unless they asked too often or may not come in.

        Whoever asks learns nothing from it: the mail goes to the user's address alone, or to the
        new one they want to confirm. Returns whether it goes out, which only they may be told.
        Of any number of callers each counts and supersedes what the ones before made.
        """
        _lock(user)
        hour = now() - timedelta(hours=1)
        asked = self.filter(user=user, is_self_service=True, created_at__gt=hour).count()
        if asked >= MAX_ASKED or user.is_blocked or not user.may_use(purpose):
            return False
        self.request(
            user=user,
            purpose=purpose,
            section=section,
            delivery="mail",
            self_service=True,
            email=email,
        )
        return True

    @transaction.atomic
    def consume(self, token: str) -> Link | None:
        """Spend `token`; None if it is used, expired, superseded, revoked or forged, or the person is blocked.

        The conditional UPDATE is the lock: of any number of callers at most one wins.
        """
        mine = self.by_token(token)
        if not mine.usable().update(used_at=now()):
            return None
        link = mine.select_related("user__contact").get()
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
        # The contact first, then its links, as everybody locks them who ends links.
        owner = Contact.objects.filter(pk__in=mine.values("user__contact"))
        contact = owner.select_for_update(no_key=True).first()
        link = self.consume(token) if contact else None
        if link is None or link.user.contact is None:
            return None
        link.user.contact.change_email(link.email)
        return link


def _lock(user: User) -> None:
    """Hold the row of `user` that comes before their links, as confirm_email() does, until the transaction ends."""
    if user.contact_id:
        Contact.objects.select_for_update(no_key=True).get(pk=user.contact_id)
    else:
        User.objects.select_for_update(no_key=True).get(pk=user.pk)


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
    key = models.CharField(
        max_length=200, unique=True, null=True
    )  # what makes asking twice harmless
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

    @property
    def token(self) -> str:
        """The secret itself, for the one who mails or shows it."""
        return derive(bytes(self.nonce))

    @property
    def url(self) -> str:
        """The address to mail."""
        return settings.PORTAL_URL + reverse("accounts:link_consume", args=[self.token])

    @property
    def is_usable(self) -> bool:
        """Whether its holder could use it now."""
        return self.state in ("created", "opened")

    @property
    def asks_password(self) -> bool:
        """Whether its holder chooses a password before they come in."""
        return self.purpose in (Purpose.SET_PASSWORD, Purpose.RESET)

    @property
    def state(self) -> str:
        """created, opened, used, superseded, revoked or expired: the first that is true, last first."""
        if self.used_at:
            return "used"
        if self.revoked_at:
            return "revoked"
        if self.superseded_at:
            return "superseded"
        if self.expires_at <= now():
            return "expired"
        return "opened" if self.opened_at else "created"

    def note_opened(self) -> None:
        """Remember the first look at it. Looking spends nothing."""
        Link.objects.filter(pk=self.pk, opened_at=None).update(opened_at=now())

    @property
    def is_renewable(self) -> bool:
        """Whether its holder may ask for a fresh one: not for an address, which only its owner may choose."""
        return self.purpose != Purpose.CONFIRM_EMAIL

    def renew(self) -> None:
        """Mail its owner a fresh one of the same purpose, whatever became of this one."""
        if self.is_renewable:
            Link.objects.mail_to(
                self.user, purpose=Purpose(self.purpose), section=Section(self.section)
            )

    class Meta:
        indexes = [
            # The link whose code is typed into the browser that asked for it.
            models.Index(fields=["browser"], condition=~Q(browser=""), name="link_by_browser")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="a_link_lives_before_it_expires",
            )
        ]
