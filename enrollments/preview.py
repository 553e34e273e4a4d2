"""What was understood of a members file, in words for whoever chose it: said before anything is done."""

from __future__ import annotations

from datetime import date
from itertools import islice
from typing import Any, BinaryIO

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from enrollments.members_file import Row, Sheet, look_at
from enrollments.tables import QUICK_UNPACKED, FileRefused, XlsxTable, is_xlsx

ROWS = 5


def glance(file: BinaryIO, *, only_dates: bool) -> dict[str, Any]:
    """See understood(). Empty for a workbook that takes longer to open than one waits for a page.

    Raises FileRefused.
    """
    start = file.read(16)
    if is_xlsx(start) and XlsxTable(file).unpacked > QUICK_UNPACKED:
        return {}
    return understood(look_at(file), only_dates=only_dates)


def understood(sheet: Sheet, *, only_dates: bool) -> dict[str, Any]:
    """What a page tells of a file: its format, its columns, and its first rows as they were read.

    Raises FileRefused if dates are to be changed, and the file has none.
    """
    columns = sheet.columns
    if only_dates and not columns.keys() & {"ends_on", "enrolled_on"}:
        reason = _(
            "The file has no column with a date, so there is none to change. "
            "Name that column “Expiration date”."
        )
        raise FileRefused(reason)
    return {
        "encoding": sheet.encoding,
        "delimiter": sheet.delimiter,
        "header": sheet.header,
        "columns": list(columns.items()),
        "ignored": sheet.unknown,
        "rows": [
            {
                "number": row.number,
                "cells": [_text(row, field) for field in columns],
                "reason": row.problem.reason if row.problem else "",
            }
            for row in islice(sheet.rows(), ROWS)
        ],
    }


def _text(row: Row, field: str) -> str:
    """A cell as it was understood: a date in words, so that nobody wonders which number is the month."""
    value = getattr(row, field)
    if value is None:
        return _("no end")
    if isinstance(value, date):
        return date_format(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    return value if isinstance(value, str) else ""
