"""`manage.py create_staff`: make or change a staff login."""

from __future__ import annotations

import sys

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email

from accounts.models import Role, User
from accounts.models.contact import normalize_email
from accounts.models.link import Link, Purpose
from accounts.models.user import LastOwner
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Make EMAIL a member of staff, or change their role. Without a password a link to set one is printed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from stdin"
        )

    def handle(self, *, email: str, role: str, password_stdin: bool, **options: object) -> None:
        email = normalize_email(email)
        password = sys.stdin.readline().rstrip("\n") if password_stdin else ""
        try:
            validate_email(email)
            if password_stdin:
                validate_password(password, User(email=email))
        except ValidationError as error:
            raise refuse(" ".join(error.messages)) from error
        try:
            user = User.objects.appoint(email=email, role=Role(role), password=password)
        except LastOwner as error:
            raise refuse(f"{email} is the last owner: make somebody else one first.") from error
        self.stdout.write(f"{user.email} is {Role(role).label.lower()} now.")
        if not user.has_usable_password():
            link = Link.objects.request(user=user, purpose=Purpose.RESET, delivery="copy")
            self.stdout.write(f"Set a password within 10 minutes: {link.url}")
