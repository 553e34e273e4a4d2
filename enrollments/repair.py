"""Check and repair: where login, enrollments and dates of a contact disagree with what was granted.

The contact and the grants are right; what follows from them is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from accounts.models import Contact, User
from enrollments.models import Enrollment, Grant
from enrollments.models.enrollment import enroll_holders
from enrollments.reasons import on
from offers.models import OfferCourse
from portal.events import Name, record
from portal.models import School


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be, in words, and what sets it right; None: a person must."""

    code: str
    text: str
    mend: Callable[[], object] | None

    @property
    def is_mendable(self) -> bool:
        return self.mend is not None


def check(contact: Contact) -> list[Difference]:
    """All that differs, and nothing is changed yet."""
    return [
        *_login(contact),
        *_addresses(contact),
        *_enrollments(contact),
        *_ends(contact),
        *_archived(contact),
    ]


@transaction.atomic
def repair(contact: Contact) -> list[Difference]:
    """Mend what check() finds and record `contact.repaired` with it; returns what was mended.

    Looks again under a lock, so that two of them mend once. What was mended is found no more.
    """
    mine = Contact.objects.select_for_update(no_key=True, of=["self"]).select_related("user")
    mended = []
    for difference in check(mine.get(pk=contact.pk)):
        if difference.mend is not None:
            difference.mend()
            mended.append(difference)
    if mended:
        codes = [difference.code for difference in mended]
        record(Name.CONTACT_REPAIRED, contact=contact, mended=codes)
    return mended


def _login(contact: Contact) -> Iterator[Difference]:
    """Who holds a grant has a login, with the contact's address."""
    user, email = contact.login, contact.email
    others = User.objects.filter(email=email).exclude(contact=contact)
    if user is None:
        if not contact.grants.held().exists():
            return
        # A login without a contact is staff's: it becomes the contact's, as granting would do.
        is_taken = others.exclude(contact=None).exists()
        yield Difference(
            "login_missing",
            _(
                "An offer is held, but there is no login: another contact's login has the address %(email)s."
            )
            % {"email": email}
            if is_taken
            else _("An offer is held, but there is no login. It is made for %(email)s.")
            % {"email": email},
            None if is_taken else lambda: User.objects.for_contacts([contact.pk]),
        )
    elif user.email != email:
        words = {"login": user.email, "email": email}
        if user.is_staff:
            text = _(
                "The contact has the address %(email)s, but is staff and logs in as %(login)s."
            )
        elif others.exists():
            text = _("They log in as %(login)s: another login has the contact's address %(email)s.")
        else:
            text = _(
                "They log in as %(login)s, not with the contact's address. It becomes %(email)s;"
                " they are logged out, and open links end."
            )
            yield Difference("login_address", text % words, lambda: _readdress(user, email))
            return
        yield Difference("login_address", text % words, None)


def _readdress(user: User, email: str) -> None:
    user.email = email
    user.save(update_fields=["email"])
    user.end_access()


def _addresses(contact: Contact) -> Iterator[Difference]:
    """Our logins need no rows of allauth's; one that says something else lets the wrong address in."""
    user = contact.login
    if user is None or user.is_staff:  # what staff log in with is not support's to change
        return
    mine = EmailAddress.objects.filter(user_id=user.pk)
    stray = mine.exclude(email=contact.email, primary=True, verified=True)
    if rows := sorted(stray.values_list("email", flat=True)):
        yield Difference(
            "login_rows",
            _(
                "The login keeps addresses that are not the contact's, or not confirmed: %(emails)s. They are removed."
            )
            % {"emails": ", ".join(rows)},
            stray.delete,
        )


def _enrollments(contact: Contact) -> Iterator[Difference]:
    """Who holds an offer is enrolled in each of its courses."""
    enrolled = Enrollment.objects.filter(contact=contact, course=OuterRef("course"))
    held = contact.grants.held().filter(offer=OuterRef("offer"))
    missing = (
        OfferCourse.objects.filter(Exists(held), ~Exists(enrolled))
        .select_related("course", "offer")
        .order_by("course__title", "course_id", "pk")
    )
    zone, seen = School.current().zone, set[int]()
    for inclusion in missing:
        if inclusion.course_id in seen:
            continue
        seen.add(inclusion.course_id)

        def enroll(inclusion: OfferCourse = inclusion) -> None:
            enroll_holders(
                offer_id=inclusion.offer_id,
                course_id=inclusion.course_id,
                joined_on=inclusion.added_at.astimezone(zone).date(),
                after=contact.pk - 1,
                limit=1,
            )

        yield Difference(
            "enrollment_missing",
            _("“%(offer)s” is held, but there is no enrollment in “%(course)s”. It is made.")
            % {"offer": inclusion.offer, "course": inclusion.course},
            enroll,
        )


def _ends(contact: Contact) -> Iterator[Difference]:
    """A grant ends with its last day in the school's zone. Days that are over stay as they are."""
    school = School.current()
    to_come = contact.grants.filter(revoked_at=None, ends_on__gte=school.today())
    for grant in to_come.select_related("offer").order_by("pk"):
        end = school.end_of(grant.ends_on)
        if grant.ends_at == end:
            continue

        def move(grant: Grant = grant, end: datetime | None = end) -> None:
            same_day = Grant.objects.filter(pk=grant.pk, ends_on=grant.ends_on)
            same_day.update(ends_at=end, expired_at=None)

        yield Difference(
            "grant_end",
            _(
                "The last day of “%(offer)s” is %(day)s, but it ends at %(moment)s. It ends with that day."
            )
            % {
                "offer": grant.offer,
                "day": on(grant.ends_on),
                "moment": date_format(localtime(grant.ends_at), "DATETIME_FORMAT"),
            },
            move,
        )


def _archived(contact: Contact) -> Iterator[Difference]:
    """Who holds what is live belongs in the lists."""
    if contact.archived_at and contact.grants.live().exists():
        yield Difference(
            "archived",
            _("The contact is archived, but holds a live offer. They come back into the lists."),
            Contact.objects.filter(pk=contact.pk).bring_back,
        )
