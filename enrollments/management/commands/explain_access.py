"""`manage.py explain_access`: may this person open this course, and why (not)?"""

from __future__ import annotations

import json

from django.core.management.base import CommandParser

from enrollments import access
from enrollments.shell import find_contact, find_course
from portal.commands import PortalCommand


class Command(PortalCommand):
    help = "Say whether EMAIL may open COURSE (its slug), and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("course")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, email: str, course: str, as_json: bool, **options: object) -> None:
        self.localize()
        verdict = access.verdict(find_contact(email), find_course(course))
        if as_json:
            reasons = [
                {"code": reason.code, "text": reason.text, "mend": reason.mend}
                for reason in verdict.reasons
            ]
            answer = {"allowed": verdict.allowed, "reasons": reasons}
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        self.stdout.write("Open." if verdict.allowed else "Closed.")
        for reason in verdict.reasons:
            self.stdout.write(f"- {reason.text}" + (f" {reason.mend}" if reason.mend else ""))
