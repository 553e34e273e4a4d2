"""What the commands about access share: finding the nouns people type, with a sentence where there is none."""

from __future__ import annotations

from datetime import date, datetime

from accounts.models import Contact
from accounts.models.contact import normalize_email
from enrollments.cells import FIRST_DAY, LAST_DAY
from offers.models import Course, Offer
from portal.commands import refuse


def find_contact(email: str) -> Contact:
    """The contact with this address."""
    if contact := Contact.objects.filter(email=normalize_email(email)).first():
        return contact
    raise refuse(f"There is no contact with the address {email}.")


def find_offer(slug: str) -> Offer:
    """The offer with this slug, if it can be granted."""
    offer = Offer.objects.filter(slug=slug).first()
    if offer is None:
        known = ", ".join(Offer.objects.grantable().values_list("slug", flat=True)[:20])
        raise refuse(f"There is no offer “{slug}”. There are: {known or 'none yet'}.")
    if offer.status == "archived":
        raise refuse(f"The offer “{slug}” is archived: it is granted to nobody new.")
    return offer


def find_course(slug: str) -> Course:
    """The course with this slug."""
    if course := Course.objects.filter(slug=slug).first():
        return course
    raise refuse(f"There is no course “{slug}”.")


def parse_day(text: str) -> date:
    """dd/mm/yyyy or ISO, always in this sense."""
    for form in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 -- a day has no zone
        except ValueError:
            continue
        if FIRST_DAY <= day <= LAST_DAY:
            return day
    raise refuse(f"{text} is not a date: write dd/mm/yyyy or yyyy-mm-dd, up to the year 2999.")
