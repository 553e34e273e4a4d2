"""`manage.py revoke`: take an offer from one person."""

from __future__ import annotations

from django.core.management.base import CommandParser

from enrollments.models import Grant
from enrollments.shell import find_contact
from offers.models import Offer
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Revoke every live grant of OFFER (its slug) that EMAIL holds, from whatever source."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("offer")
        parser.add_argument("--reason", default="")

    def handle(self, *, email: str, offer: str, reason: str, **options: object) -> None:
        contact = find_contact(email)
        taken = Offer.objects.filter(slug=offer).first()
        if taken is None:
            raise refuse(f"There is no offer “{offer}”.")
        ended = Grant.objects.filter(contact=contact, offer=taken).revoke(reason=reason)
        if not ended:
            raise refuse(f"{contact.email} does not hold “{taken}”: nothing was revoked.")
        self.stdout.write(f"{contact.email} no longer has “{taken}” ({ended} revoked).")
