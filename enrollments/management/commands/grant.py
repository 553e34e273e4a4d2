"""`manage.py grant`: give one person an offer."""

from __future__ import annotations

from datetime import date

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.models import Contact
from accounts.models.contact import normalize_email
from enrollments.models import Grant, Outcome
from enrollments.shell import find_offer, parse_day
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Grant OFFER (its slug) to EMAIL, who becomes a contact if new. Held already: nothing happens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("offer")
        parser.add_argument(
            "--ends", metavar="DATE", help="last day, dd/mm/yyyy or ISO; default: the offer's"
        )
        parser.add_argument("--name", default="")
        parser.add_argument("--no-notify", action="store_true", help="send no access mail")

    @transaction.atomic
    def handle(
        self,
        *,
        email: str,
        offer: str,
        ends: str | None,
        name: str,
        no_notify: bool,
        **options: object,
    ) -> None:
        school = self.localize()
        email = normalize_email(email)
        try:
            validate_email(email)
        except ValidationError as error:
            raise refuse(f"{email} is not an e-mail address.") from error
        granted = find_offer(offer)
        last_day = parse_day(ends) if ends else None
        if last_day and last_day < school.today():
            raise refuse(f"{ends} is in the past: nothing was granted.")
        contact = Contact.objects.filter(email=email).first() or Contact.objects.add(
            email=email, name=name
        )
        days: dict[int, date | None] = {contact.pk: last_day} if last_day else {}
        outcomes = Grant.objects.grant_many(
            contact_ids=[contact.pk],
            offer=granted,
            source="manual",
            ends=days,
            notify=not no_notify,
        )
        if outcomes[contact.pk] == Outcome.UNCHANGED:
            self.stdout.write(f"{email} has “{granted}” already: nothing changed.")
        else:
            self.stdout.write(f"{email} now has “{granted}”.")
