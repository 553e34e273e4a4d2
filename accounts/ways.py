"""What staff do about people's ways in: invitations, links, passwords, sessions. For one person at once, or in bulk.

Whoever may manage access may do all of it to students. A member of staff gets no link that lets them in and
no temporary password from anybody; their reset link, their links and their sessions are a matter of those who
manage staff, and never of anybody with a lower role.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.bulk import CHANGED, Action, Result, Results, register
from accounts.forms.links import LinkTermsForm
from accounts.models import BulkRun, Contact, Link, User
from accounts.models.bulk import Outcome
from accounts.models.contact import ContactQuerySet
from accounts.models.link import Purpose, Section
from accounts.models.role import roles_from
from portal import context
from portal.events import Name, record_many

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def _refused(reason: str) -> Result:
    return Result(Outcome.REFUSED, reason)


def tended_roles(actor: User | None) -> list[str]:
    """The roles of those about whose way in `actor` may do something; students, who have none, among them."""
    return ["", *(roles_from(actor.role) if actor and actor.may("manage_staff") else ())]


def may_tend(actor: User | None, user: User) -> bool:
    """Whether `actor` may do something about the way in of `user`, who may be staff."""
    return user.role in tended_roles(actor)


def to_mail(contacts: ContactQuerySet, *, roles: Collection[str] = ("",)) -> ContactQuerySet:
    """Those of these contacts whom a mail about their way in goes to: of `roles`, and not blocked."""
    others = User.objects.exclude(role="").exclude(role__in=roles).filter(contact=OuterRef("pk"))
    return contacts.filter(~Exists(others), blocked_at=None)


def lock(contact_ids: Collection[int]) -> None:
    """Hold these contacts, in order, until the transaction ends: they come before their logins and links."""
    mine = Contact.objects.filter(pk__any_of=contact_ids).order_by("pk")
    list(mine.select_for_update(no_key=True).values_list("pk", flat=True))


def logins(contact_ids: Collection[int], *, of_staff: bool = False) -> tuple[list[User], Results]:
    """The logins of these contacts, made now where there are none, who may be mailed; and why the others may not.

    `of_staff`: staff whom the actor may tend are among them. Three statements.
    """
    lock(contact_ids)
    User.objects.for_contacts(contact_ids)
    found: list[User] = []
    refused: Results = {}
    rows = User.objects.filter(contact__in=contact_ids).select_related("contact")
    actor = context.actor()
    for user in rows.order_by("contact_id"):
        pk, contact = user.contact_id or 0, user.contact
        if contact and contact.is_blocked:
            refused[pk] = _refused(_("The contact is blocked."))
        elif user.is_staff and not of_staff:
            refused[pk] = _refused(_("Staff log in with their password."))
        elif not may_tend(actor, user):
            refused[pk] = _refused(_("A member of staff: not yours to do."))
        elif not user.is_active:
            refused[pk] = _refused(_("The login is switched off."))
        else:
            found.append(user)
    return found, refused


def done(users: Collection[User]) -> Results:
    """That it was done for these."""
    return {user.contact_id: CHANGED for user in users if user.contact_id}


@transaction.atomic
def login_links(
    contact_ids: Collection[int], terms: dict[str, Any], *, key: str, delivery: str
) -> tuple[list[Link], Results]:
    """A login link each, to be mailed or copied as `delivery` says: those that are new, and what became of whom."""
    users, results = logins(contact_ids)
    links = Link.objects.request_many(
        users,
        purpose=Purpose.LOGIN,
        section=Section(terms["section"]),
        delivery=delivery,
        key=f"login:{key}",
        seconds=terms["hours"] * 3600 if terms.get("hours") else None,
    )
    return links, results | done(users)


class Way(Action):
    """Something done about somebody's way in. Doing it again with the same key changes nothing."""

    permission = "manage_access"
    batch = 200
    told: ClassVar[StrOrPromise]  # what is said when it was done for one: %(email)s, %(name)s
    idle: ClassVar[StrOrPromise] = ""  # why it would do nothing for a student who is not blocked
    is_mail = True  # which whoever is blocked gets none of

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to be asked about before it is done."""
        return not self.form.base_fields

    def reached(self, contacts: ContactQuerySet) -> int:
        """For how many of these it would do something."""
        return to_mail(contacts).count()

    def idle_reason(self, contact: Contact) -> str:
        """Why it would do nothing for this contact; blank if it would do something."""
        if self.reached(Contact.objects.filter(pk=contact.pk)):
            return ""
        if contact.login and not may_tend(context.actor(), contact.login):
            return _("A member of staff: not yours to do.")
        if contact.is_blocked and self.is_mail:
            return _("The contact is blocked.")
        if contact.login and contact.login.is_staff and self.is_mail:
            return _("Staff log in with their password.")
        return str(self.idle)

    @abstractmethod
    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        """Do it, in a constant number of statements. The caller holds the transaction."""

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        return self.act(contact_ids, terms, key=run.cause)

    def sentence(self, terms: dict[str, Any]) -> str:
        return str(self.label)


@register
class Invite(Way):
    """Mail those who were never in the portal a link with which they join. It ends their earlier invitations."""

    key = "invite"
    label = gettext_lazy("Invite to the portal")
    icon = "mail"
    told = gettext_lazy("An invitation is on its way to %(email)s.")
    idle = gettext_lazy("Was in the portal before: send a login link instead.")

    def reached(self, contacts: ContactQuerySet) -> int:
        return super().reached(contacts.filter(joined_at=None))

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        new = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person an invitation to join.",
            "Mails %(number)d people an invitation to join.",
            new,
        )
        return [
            text % {"number": new},
            _("Whoever was invited before gets a fresh one; the earlier one ends."),
            _("Whoever was in the portal before, or is blocked, gets no mail."),
        ]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        found, results = logins(contact_ids)
        users = [user for user in found if user.contact and not user.contact.joined_at]
        links = Link.objects.request_many(
            users, purpose=Purpose.INVITATION, delivery="mail", key=f"invite:{key}"
        )
        earlier = Link.objects.filter(
            purpose=Purpose.INVITATION, user__in=[link.user_id for link in links]
        )
        earlier.exclude(pk__in=[link.pk for link in links]).revoke()
        Contact.objects.invite([user.contact_id for user in users if user.contact_id])
        joined = _refused(str(self.idle))
        return results | dict.fromkeys(done(found), joined) | done(users)


@register
class SendLogin(Way):
    """Mail each a link that logs them in."""

    key = "login"
    label = gettext_lazy("Send login link")
    icon = "mail"
    form = LinkTermsForm
    told = gettext_lazy("A login link is on its way to %(email)s.")

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person a link that logs them in.",
            "Mails %(number)d people a link that logs them in.",
            number,
        )
        leads = _("It leads to: %s.") % Section(terms["section"]).label
        return [text % {"number": number}, leads, _("Blocked people and staff get no mail.")]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        _links, results = login_links(contact_ids, terms, key=key, delivery="mail")
        return results


@register
class SendReset(Way):
    """Mail each a link with which they choose a new password."""

    key = "reset"
    label = gettext_lazy("Send password reset")
    icon = "lock"
    told = gettext_lazy("A link to choose a new password is on its way to %(email)s.")

    def reached(self, contacts: ContactQuerySet) -> int:
        return to_mail(contacts, roles=tended_roles(context.actor())).count()

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person a link to choose a new password.",
            "Mails %(number)d people a link to choose a new password.",
            number,
        )
        return [
            text % {"number": number},
            _("The present password works until they have chosen the new one."),
        ]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = logins(contact_ids, of_staff=True)
        Link.objects.request_many(
            users,
            purpose=Purpose.RESET,
            delivery="mail",
            key=f"reset:{key}",
            seconds=settings.LINK_LIFETIMES[Purpose.LOGIN],  # as all that staff send
        )
        return results | done(users)


@register
class SetTemporaryPassword(Way):
    """Mail each a password that works for some days and must be changed at the next login."""

    key = "temporary_password"
    label = gettext_lazy("Set temporary password")
    icon = "lock"
    is_dangerous = True
    told = gettext_lazy("A temporary password is on its way to %(email)s.")

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person a temporary password. You do not see it.",
            "Mails %(number)d people a temporary password each. You do not see them.",
            number,
        )
        return [
            text % {"number": number},
            _("It replaces the present password and logs them out everywhere."),
            _("At the next login they choose one of their own."),
        ]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = logins(contact_ids)
        owed = User.objects.request_temporary_passwords(list(done(users)))
        return results | dict.fromkeys(owed, CHANGED)


@register
class SendHelp(Way):
    """Mail each how they get in by themselves: the login page, and what to press there."""

    key = "help"
    label = gettext_lazy("Send access help")
    icon = "info"
    told = gettext_lazy("A mail that says how to get in is on its way to %(email)s.")

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person how to get in: the login page, and what to press there.",
            "Mails %(number)d people how to get in: the login page, and what to press there.",
            number,
        )
        return [text % {"number": number}, _("The mail holds no key and no password.")]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = logins(contact_ids)
        record_many(
            Name.PORTAL_HELP_SENT,
            [(user.contact_id, {"user": user.pk, "key": key}) for user in users],
        )
        return results | done(users)


@register
class RevokeLinks(Way):
    """Make the links worthless that were sent to them or copied, and not used yet."""

    key = "revoke_links"
    label = gettext_lazy("Revoke open links")
    icon = "x"
    is_dangerous = True
    told = gettext_lazy("The open links of %(name)s are worthless now.")
    idle = gettext_lazy("No link of theirs is open.")
    is_mail = False

    def reached(self, contacts: ContactQuerySet) -> int:
        """Links, not people."""
        return Link.objects.usable().filter(user__in=_logins_tended(contacts)).count()

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Ends %(number)d link that was not used yet.",
            "Ends %(number)d links that were not used yet.",
            number,
        )
        return [text % {"number": number}, _("Nobody is told. Whoever is logged in stays so.")]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = _tended(contact_ids)
        ended = Link.objects.filter(user__in=users).revoke()
        return results | done([link.user for link in ended])


@register
class EndSessions(Way):
    """Log them out everywhere."""

    key = "end_sessions"
    label = gettext_lazy("Log out everywhere")
    icon = "logout"
    is_dangerous = True
    told = gettext_lazy("%(name)s is logged out everywhere.")
    idle = gettext_lazy("They have no login yet.")
    is_mail = False

    def reached(self, contacts: ContactQuerySet) -> int:
        return _logins_tended(contacts).count()

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        theirs = _logins_tended(contacts)
        number = theirs.filter(sessions__expire_date__gt=now()).distinct().count()
        text = ngettext(
            "Logs %(number)d person out of every browser, from the next click on.",
            "Logs %(number)d people out of every browser, from the next click on.",
            number,
        )
        return [
            text % {"number": number},
            _("Ends the links that were mailed to them and not used yet."),
            _("Their password stays. Nobody is told."),
        ]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = _tended(contact_ids)
        User.objects.end_sessions(users)
        return results | done(users)


def _logins_tended(contacts: ContactQuerySet) -> models.QuerySet[User]:
    """The logins of these contacts whom the actor may tend."""
    theirs = User.objects.filter(contact__in=contacts.order_by())
    return theirs.filter(role__in=tended_roles(context.actor()))


def _tended(contact_ids: Collection[int]) -> tuple[list[User], Results]:
    """The logins there are of these contacts, blocked ones too, whom the actor may tend; and why not the others."""
    lock(contact_ids)
    actor = context.actor()
    rows = User.objects.filter(contact__in=contact_ids).select_related("contact")
    users = list(rows.order_by("contact_id"))
    mine = [user for user in users if may_tend(actor, user)]
    others = _refused(_("A member of staff: not yours to do."))
    return mine, dict.fromkeys(done([user for user in users if user not in mine]), others)
