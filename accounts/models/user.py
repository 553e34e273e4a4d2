"""User: a login. Staff have a role; students have a contact; a person may be both."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import F
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact, normalize_email
from portal.events import Name, record

if TYPE_CHECKING:
    from accounts.models.session import Session


class Role(models.TextChoices):
    """What a member of staff is to the school; a student has none."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    SUPPORT = "support", _("Support")
    MODERATOR = "moderator", _("Moderator")


_MODERATOR = {"moderate"}
_SUPPORT = _MODERATOR | {
    "view_contacts",
    "manage_contacts",
    "manage_access",
    "view_messages",
    "export",
    "simulate",
    "copy_links",
}
_ADMIN = _SUPPORT | {"manage_content", "manage_staff", "see_payments", "view_audit"}
PERMISSIONS: dict[str, set[str]] = {
    Role.OWNER: _ADMIN | {"manage_settings"},
    Role.ADMIN: _ADMIN,
    Role.SUPPORT: _SUPPORT,
    Role.MODERATOR: _MODERATOR,
}
# What may be withheld from one person although their role includes it.
SEPARATE = ("simulate", "copy_links", "export", "see_payments")


class UserManager(BaseUserManager["User"]):
    """Finds and makes logins."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normalize_email(username or ""))

    @transaction.atomic
    def appoint(self, *, email: str, role: Role, password: str = "") -> User:
        """Make `email` a member of staff with `role`, or change the role of the one who is.

        A blank `password` keeps the present one; a new login then has none that works.
        """
        user, _is_new = self.get_or_create(
            email=normalize_email(email), defaults={"password": unusable_password()}
        )
        if user.role != role:
            before, user.role = user.role, role
            user.save(update_fields=["role"])
            record(Name.ROLE_CHANGED, user=user.pk, before=before, after=role.value)
        if password:
            user.change_password(password)
        return user

    @transaction.atomic
    def for_contact(self, contact: Contact) -> User:
        """The login of one contact, made now if there is none."""
        Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        self.for_contacts([contact.pk])
        return self.select_related("contact").get(contact=contact)

    def for_contacts(self, contact_ids: Collection[int]) -> None:
        """Make a login, with no password that works, for each contact that has none. One statement.

        A member of staff with the same address becomes the contact's login. The contacts
        must be locked, or made, by the caller's transaction.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO accounts_user
                    (email, password, name, role, language, auth_epoch, is_active, created_at, contact_id)
                SELECT contact.email, %(unusable)s || md5(random()::text), '', '', '', 0, true, %(now)s,
                       contact.id
                FROM accounts_contact AS contact
                WHERE contact.id = ANY(%(ids)s)
                  AND NOT EXISTS (SELECT FROM accounts_user WHERE contact_id = contact.id)
                ORDER BY contact.id
                ON CONFLICT (email) DO UPDATE SET contact_id = EXCLUDED.contact_id
                    WHERE accounts_user.contact_id IS NULL
                """,
                {"ids": list(contact_ids), "now": now(), "unusable": UNUSABLE_PASSWORD_PREFIX},
            )


def unusable_password() -> str:
    """A stored password that no password matches. (Django's None would mean the same, in two steps.)"""
    return UNUSABLE_PASSWORD_PREFIX + get_random_string(40)


class User(AbstractBaseUser):
    """A login by e-mail address. Its address is changed by `contact.change_email()` alone."""

    email = models.EmailField(_("e-mail"))  # normalized, see normalize_email
    # Name and language of staff; a contact's own stand on the contact alone.
    name = models.CharField(_("name"), max_length=200, blank=True)
    role = models.CharField(_("role"), max_length=12, choices=Role, blank=True)
    contact = models.OneToOneField(
        Contact, models.PROTECT, null=True, blank=True, related_name="user"
    )
    language = models.CharField(_("language"), max_length=10, blank=True)
    # Part of the session hash: raising it ends every session of this person on their next request.
    auth_epoch = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    # What their role includes (of SEPARATE) but they may not do.
    withheld = ArrayField(models.CharField(max_length=20), default=list, db_default=[], blank=True)
    # Until when a password works that somebody else chose; the first login leads to choosing one's own.
    temporary_until = models.DateTimeField(null=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], name="one_user_per_email"),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")),
                name="a_user_email_is_lower_case",
            ),
        ]

    def __str__(self) -> str:
        return (self.contact.name if self.contact else self.name) or self.email

    @property
    def first_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def is_staff(self) -> bool:
        return bool(self.role)

    @property
    def is_blocked(self) -> bool:
        """Whether this person may not come in any more.

        Blocking a contact shuts out a student. Staff it only shuts out of the portal, or else
        whoever may block contacts could lock out the owner.
        """
        blocked = self.contact is not None and self.contact.is_blocked
        return not self.is_active or (blocked and not self.is_staff)

    def may(self, permission: str) -> bool:
        """Whether this person's role includes `permission` (see PERMISSIONS) and it is not withheld from them."""
        return permission in PERMISSIONS.get(self.role, ()) and permission not in self.withheld

    def may_use(self, purpose: str) -> bool:
        """Whether a link of this purpose may be made for them: staff log in with their password."""
        return not self.is_staff or purpose == "reset"

    def get_session_auth_hash(self) -> str:
        """Django's hash covers the password; ours covers `auth_epoch` too."""
        return self._epoch_hash()

    def get_session_auth_fallback_hash(self) -> Any:
        """The same under retired SECRET_KEYs, so that changing the key logs nobody out."""
        from django.conf import settings

        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._epoch_hash(secret=secret)

    def _epoch_hash(self, secret: str | bytes | None = None) -> str:
        value = f"{self.auth_epoch}:{self.password}"
        return salted_hmac("accounts.User", value, secret=secret, algorithm="sha256").hexdigest()

    def live_sessions(self) -> models.QuerySet[Session]:
        """The browsers they are logged in with."""
        return self.sessions.filter(expire_date__gt=now())

    @transaction.atomic
    def end_access(self) -> None:
        """Log this person out everywhere and make their open links worthless."""
        User.objects.filter(pk=self.pk).update(auth_epoch=F("auth_epoch") + 1)
        self.refresh_from_db(fields=["auth_epoch"])
        self.links.open().update(superseded_at=now())
        self.sessions.all().delete()  # worthless by now; nobody should see them in a list

    @transaction.atomic
    def change_password(self, password: str) -> None:
        """Set a new password: other sessions and open links end, and `password.changed` is recorded."""
        is_first = not self.has_usable_password()
        self.set_password(password)
        self.save(update_fields=["password"])
        self.end_access()
        record(Name.PASSWORD_CHANGED, contact=self.contact, user=self.pk, first=is_first)
