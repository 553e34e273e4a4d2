"""`manage.py import_members`: the importer, from the shell."""

from __future__ import annotations

import json
from pathlib import Path

from django.core.management.base import CommandParser

from enrollments.importing import Report, import_members
from enrollments.members_file import open_sheet
from enrollments.models.import_batch import Overtaken
from enrollments.shell import find_offer
from enrollments.tables import FileRefused
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Read a members file (CSV or XLSX): its people become contacts who hold each OFFER (a slug)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--offer", action="append", required=True, dest="offers", metavar="OFFER"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="do everything, then take it back"
        )
        parser.add_argument("--no-notify", action="store_true", help="send no access mails")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *,
        file: Path,
        offers: list[str],
        dry_run: bool,
        no_notify: bool,
        as_json: bool,
        **options: object,
    ) -> None:
        self.localize()
        granted = [find_offer(slug) for slug in dict.fromkeys(offers)]
        try:
            sheet = open_sheet(file)
        except OSError as error:
            raise refuse(f"{file} cannot be read: {error.strerror}.") from error
        except FileRefused as error:
            raise refuse(str(error)) from error
        try:
            report = import_members(
                sheet, offers=granted, file_name=file.name, notify=not no_notify, dry_run=dry_run
            )
        except Overtaken as error:
            raise refuse(
                "This import stood still, and somebody undid it meanwhile: it is broken off."
            ) from error
        if as_json:
            self.stdout.write(json.dumps(as_data(report), ensure_ascii=False))
        else:
            counts = ", ".join(f"{number} {outcome}" for outcome, number in report.counts.items())
            self.stdout.write(("Would be: " if dry_run else "") + counts + ".")
            for row in report.failed:
                if row.problem:
                    self.stdout.write(f"Row {row.number}: {row.problem.reason}")
        if report.failed:
            rows = ", ".join(str(row.number) for row in report.failed[:20])
            more = "" if len(report.failed) <= 20 else " …"
            raise refuse(f"Not imported: {len(report.failed)}. Rows: {rows}{more}")


def as_data(report: Report) -> dict[str, object]:
    """The report as the README promises it to programs."""
    failed = [
        {
            "row": row.number,
            "field": row.problem.field,
            "value": row.problem.value,
            "reason": row.problem.reason,
        }
        for row in report.failed
        if row.problem
    ]
    return {"counts": dict(report.counts), "failed": failed}
