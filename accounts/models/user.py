"""User: a login. Staff have a role; students have a contact; a person may be both."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied
from django.db import connection, models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.models.contact import Contact, normalize_email
from accounts.models.role import PERMISSIONS, Role, roles_from
from portal import context
from portal.events import Fact, Name, record, record_many

if TYPE_CHECKING:
    from accounts.models.session import Session


# What is asked for besides a password; recovery codes alone are none.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class LastOwner(Exception):
    """The school would have no owner."""


class NotAllowed(PermissionDenied):
    """Who acts may not give this role to this person: it is above theirs, or the person is, or is they themselves."""


class UserManager(BaseUserManager["User"]):
    """Finds and makes logins."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normalize_email(username or ""))

    def with_second_factor(self) -> models.QuerySet[User]:
        """Looks up `has_second_factor` of each along with them."""
        factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
        return self.annotate(found_factor=Exists(factors))

    @transaction.atomic
    def appoint(
        self,
        *,
        email: str,
        role: Role,
        password: str = "",
        name: str = "",
        withheld: Collection[str] = (),
    ) -> User:
        """Make `email` a member of staff with `role`, or change the role of the one who is.

        A student who is appointed stays one. A blank `password` keeps the present one; a new login then
        has none that works. Raises what change_role() raises.
        """
        email = normalize_email(email)
        if contact := Contact.objects.filter(email=email).first():
            user = self.for_contact(contact)
        else:
            fields = {"password": unusable_password(), "name": name}
            user, _is_new = self.get_or_create(email=email, defaults=fields)
        user.change_role(role, withheld=withheld)
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

    @transaction.atomic
    def request_temporary_passwords(self, contact_ids: Collection[int]) -> set[int]:
        """Owe each of these contacts a temporary password, which goes to them by mail and to nobody else.

        The present password works until the mail goes out: then the new one is hashed and takes its place.
        Records `password.requested`. Returns who gets one: staff and whoever is blocked do not.
        """
        people = Contact.objects.filter(pk__any_of=sorted(contact_ids), blocked_at=None)
        mine = people.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
        locked = list(mine)
        self.for_contacts(locked)
        logins = self.filter(contact__pk__any_of=locked, role="", is_active=True).order_by(
            "contact_id"
        )
        owed: dict[int, dict[str, Fact]] = {
            user.contact_id: {"user": user.pk, "epoch": user.auth_epoch}
            for user in logins.only("contact", "auth_epoch")
            if user.contact_id
        }
        record_many(Name.PASSWORD_REQUESTED, owed.items())
        return set(owed)

    @transaction.atomic
    def end_access(self, pks: Collection[int]) -> None:
        """Log these people out everywhere, make their open links worthless, end what they simulate. Four statements."""
        from accounts.models import Link, Session, Simulation  # which need this module

        self.filter(pk__in=pks).update(auth_epoch=F("auth_epoch") + 1)
        Link.objects.filter(user__in=pks).open().update(superseded_at=now())
        # Worthless by now; nobody should see them in a list.
        Session.objects.filter(user__in=pks).delete()
        Simulation.objects.filter(actor__in=pks).finish("actor_invalid")

    @transaction.atomic
    def end_sessions(self, users: Collection[User]) -> None:
        """end_access() because somebody asked for it; records `session.ended` of each."""
        self.end_access([user.pk for user in users])
        record_many(
            Name.SESSION_ENDED,
            [(user.contact_id, {"user": user.pk, "everywhere": True}) for user in users],
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

    # The school asks it of staff and they have none: until they set one up, they may do nothing as staff.
    lacks_second_factor = False

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], name="one_user_per_email"),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")),
                name="a_user_email_is_lower_case",
            ),
        ]
        indexes = [
            # The few with a role: the list of staff, and whose acts the audit begins with.
            models.Index(fields=["email"], condition=~models.Q(role=""), name="user_staff")
        ]

    def __str__(self) -> str:
        # Staff are called what they call themselves, whatever a colleague writes into their contact.
        own = self.name if self.is_staff else ""
        return own or (self.contact.name if self.contact else self.name) or self.email

    @property
    def first_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def is_staff(self) -> bool:
        return bool(self.role)

    @property
    def reads(self) -> str:
        """The language of their pages and mails; blank: the school's.

        What they chose as staff counts as long as they are staff: nobody else has a page to change it.
        """
        own = self.language if self.is_staff else ""
        return own or (self.contact.language if self.contact else "")

    @property
    def is_blocked(self) -> bool:
        """Whether this person may not come in any more.

        Blocking a contact shuts out a student. Staff it only shuts out of the portal, or else
        whoever may block contacts could lock out the owner.
        """
        blocked = self.contact is not None and self.contact.is_blocked
        return not self.is_active or (blocked and not self.is_staff)

    @cached_property
    def has_second_factor(self) -> bool:
        """Whether they set one up. Of who is logged in it is known already: see with_second_factor()."""
        if (found := self.__dict__.get("found_factor")) is not None:
            return bool(found)
        return Authenticator.objects.filter(user=self.pk, type__in=FACTORS).exists()

    def may(self, permission: str) -> bool:
        """Whether this person's role includes `permission` (see PERMISSIONS) and it is not withheld from them."""
        if not self.is_active or self.lacks_second_factor or permission in self.withheld:
            return False
        return permission in PERMISSIONS.get(self.role, ())

    def may_use(self, purpose: str) -> bool:
        """Whether a link of this purpose may be made for them: staff log in with a password, and get links to it."""
        is_first = purpose == "set_password" and not self.has_usable_password()
        return not self.is_staff or purpose == "reset" or is_first

    def get_session_auth_hash(self) -> str:
        """Django's hash covers the password; ours covers `auth_epoch` too."""
        return self._epoch_hash()

    def get_session_auth_fallback_hash(self) -> Any:
        """The same under retired SECRET_KEYs, so that changing the key logs nobody out."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._epoch_hash(secret=secret)

    def _epoch_hash(self, secret: str | bytes | None = None) -> str:
        value = f"{self.auth_epoch}:{self.password}"
        return salted_hmac("accounts.User", value, secret=secret, algorithm="sha256").hexdigest()

    @transaction.atomic
    def change_role(self, role: str, *, withheld: Collection[str] = ()) -> bool:
        """Give this person `role` ("": no staff any more) without what is `withheld`; whether that is a change.

        Sessions, simulations and open links end; `role.changed` is recorded. Who is neither staff nor a
        contact has no login any more. Raises NotAllowed if whoever acts may not, and LastOwner if the
        school would have no owner: owners are locked, so that no two of them demote each other at once.
        """
        actor = context.actor()
        wanted = Q(pk__in=[self.pk, actor.pk if actor else self.pk])
        rows = User.objects.select_for_update(no_key=True, of=["self"]).order_by("pk")
        people = {user.pk: user for user in rows.filter(wanted | Q(role=Role.OWNER))}
        now_is = people[self.pk]
        if actor is not None:
            people[actor.pk].check_may_change(now_is, role)
        if now_is.role == Role.OWNER != role and not any(
            user.role == Role.OWNER and user.is_active and user.pk != self.pk
            for user in people.values()
        ):
            raise LastOwner
        before, held_back = now_is.role, sorted(withheld)
        if (before, now_is.withheld) == (role, held_back):
            return False
        self.role, self.withheld = str(role), held_back
        self.is_active = bool(role) or now_is.contact_id is not None
        self.save(update_fields=["role", "withheld", "is_active"])
        self.end_access()
        record(
            Name.ROLE_CHANGED,
            contact=now_is.contact_id,
            user=self.pk,
            before=before,
            after=self.role,
            withheld=held_back,
        )
        return True

    def check_may_change(self, other: User, role: str) -> None:
        """Raises NotAllowed unless this person may make `other` a `role` now."""
        mine = {"", *roles_from(self.role)} if self.may("manage_staff") else set()
        if self.pk == other.pk or not {other.role, role} <= mine:
            raise NotAllowed

    @transaction.atomic
    def drop_second_factors(self) -> bool:
        """Take every second factor off, for who lost theirs; whether there was any.

        Sessions and open links end; records `second_factor.changed`, of which they are told.
        """
        dropped, _each = Authenticator.objects.filter(user=self.pk).delete()
        if dropped:
            self.end_access()
            record(
                Name.SECOND_FACTOR_CHANGED, contact=self.contact_id, user=self.pk, what="dropped"
            )
        return bool(dropped)

    def live_sessions(self) -> models.QuerySet[Session]:
        """The browsers they are logged in with."""
        return self.sessions.filter(expire_date__gt=now())

    def end_access(self) -> None:
        """Log this person out everywhere and make their open links worthless."""
        User.objects.end_access([self.pk])
        self.refresh_from_db(fields=["auth_epoch"])

    @property
    def must_change_password(self) -> bool:
        """Whether the password is one that somebody else chose: every page leads to choosing their own."""
        return self.temporary_until is not None

    @property
    def has_own_password(self) -> bool:
        """Whether they log in with a password they chose themselves."""
        return self.has_usable_password() and not self.must_change_password

    @property
    def is_password_over(self) -> bool:
        """Whether the password was a temporary one and its time is over."""
        return self.temporary_until is not None and self.temporary_until <= now()

    @transaction.atomic
    def change_password(self, password: str) -> None:
        """Set a password of their own: other sessions and open links end; records `password.changed`."""
        is_first = not self.has_usable_password()
        self.set_password(password)
        self.temporary_until = None
        self.save(update_fields=["password", "temporary_until"])
        self.end_access()
        record(Name.PASSWORD_CHANGED, contact=self.contact, user=self.pk, first=is_first)

    def set_temporary_password(self, password: str, *, until: datetime) -> bool:
        """Set a password that works until then and only to choose one's own; records `password.changed`.

        Sessions and open links end. Nothing happens, and it says so, if they came in or changed their
        password since this row was read: the conditional UPDATE decides. Hashes: never in a request.
        """
        is_first, encoded = not self.has_usable_password(), make_password(password)
        with transaction.atomic():
            untouched = User.objects.filter(
                pk=self.pk, auth_epoch=self.auth_epoch, last_login=self.last_login
            )
            if not untouched.update(password=encoded, temporary_until=until):
                return False
            self.password, self.temporary_until = encoded, until
            self.end_access()
            record(
                Name.PASSWORD_CHANGED,
                contact=self.contact,
                user=self.pk,
                first=is_first,
                temporary=True,
            )
        return True

    def keep_temporary_password(self, *, until: datetime) -> bool:
        """Let the temporary password they have work until then; False if they chose their own meanwhile."""
        mine = User.objects.filter(pk=self.pk, auth_epoch=self.auth_epoch)
        kept = mine.filter(temporary_until__isnull=False).update(temporary_until=until)
        self.temporary_until = until if kept else self.temporary_until
        return bool(kept)

    def forget_temporary_password(self) -> None:
        """Make a password that somebody else chose worthless, one that is set at this moment too; one's own stays."""
        mine, password = User.objects.filter(pk=self.pk), unusable_password()
        if mine.filter(temporary_until__isnull=False).update(
            password=password, temporary_until=None
        ):
            self.password, self.temporary_until = password, None
