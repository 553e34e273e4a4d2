"""`manage.py export_enrollments`: every enrollment as a spreadsheet, from the shell."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from accounts.selection import Selection
from enrollments.exporting import ENROLLMENTS
from portal.commands import PortalCommand, refuse


class Command(PortalCommand):
    help = "Write every enrollment, a row for each contact and course, as CSV or XLSX."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["csv", "xlsx"], default="csv", dest="file_format")
        parser.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="instead of standard output"
        )

    def handle(self, *, file_format: str, output: Path | None, **options: object) -> None:
        if file_format == "xlsx" and output is None:
            raise CommandError("An XLSX needs a file: name it with -o.", returncode=2)
        self.localize()
        everybody = Selection()
        ENROLLMENTS.record(everybody, file_format=file_format)
        if output is None:
            for piece in ENROLLMENTS.csv(everybody):
                self.stdout.write(piece.decode(), ending="")
            return
        try:
            with output.open("wb") as file:
                if file_format == "xlsx":
                    ENROLLMENTS.write_xlsx(file, everybody)
                else:
                    file.writelines(ENROLLMENTS.csv(everybody))
        except OSError as error:
            raise refuse(f"{output} cannot be written: {error.strerror}.") from error
