"""`manage.py magic_link`: a fresh login link, printed."""

from __future__ import annotations

from django.core.management.base import CommandParser

from accounts.models import Contact, Link, User
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose, Section
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Print a fresh link that logs EMAIL in once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--section", choices=Section.values, default=Section.HOME.value)

    def handle(self, *, email: str, section: str, **options: object) -> None:
        contact = Contact.objects.filter(email=normalize_email(email)).first()
        if contact is None:
            raise refuse(f"There is no contact with the address {email}.")
        if contact.is_blocked:
            raise refuse(f"{email} is blocked: no link was made.")
        user = User.objects.for_contact(contact)
        if user.is_staff:
            raise refuse(f"{email} is staff and logs in with a password: no link was made.")
        link = Link.objects.request(
            user=user, purpose=Purpose.LOGIN, section=Section(section), delivery="copy"
        )
        self.stdout.write(link.url)
