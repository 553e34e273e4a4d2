"""Spreadsheets going out: CSV as a stream, XLSX into a file, neither with a cell that a program would run.

Rows come in batches; memory stays flat, however many there are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, cast

from django.utils.translation import get_language
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

type Batch = Sequence[Sequence[Any]]

BATCH = 2000  # rows

# Content types
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Kind(Enum):
    """What a column holds. None is an empty cell in all of them."""

    TEXT = "text"
    DAY = "day"  # a date, or a text instead of one
    MOMENT = "moment"  # a datetime without zone, as the wall clock says it
    SHARE = "share"  # an int, in percent


@dataclass(frozen=True)
class Column:
    """A column: its header, what it holds, and what a value is called, if not what it is."""

    header: StrOrPromise
    kind: Kind = Kind.TEXT
    words: Callable[[Any], object] | None = None


type Cells = dict[Kind, Callable[[Any], str]]

# What spreadsheets run as a formula, also in its full-width forms, and what they skip before it.
# Behind quotation marks too: the mark that is added here is the one that reading takes away.
_runs = re.compile("'*[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]").match
_seems_defused = re.compile("'+[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]").match


def defused(text: str) -> str:
    """`text` as a CSV may hold it: a quotation mark keeps it from being run (OWASP, CSV injection)."""
    return f"'{text}" if _runs(text) else text


# CSV


def csv_stream(columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[bytes]:
    """The file piece by piece, as Excel opens it by a double click.

    That is UTF-8 with a mark. Where numbers have a decimal comma the list separator is a semicolon, so
    delimiter and dates go by the reader's language; our import reads every one of them.
    """
    is_english = (get_language() or "en").startswith("en")
    delimiter, day = (",", "%Y-%m-%d") if is_english else (";", "%d/%m/%Y")
    cells: Cells = {
        Kind.TEXT: lambda text: defused(text) if text else "",
        Kind.DAY: lambda value: value.strftime(day) if isinstance(value, date) else value or "",
        Kind.MOMENT: lambda moment: moment.strftime(f"{day} %H:%M") if moment else "",
        Kind.SHARE: lambda percent: "" if percent is None else f"{percent}%",
    }
    plan = _plan(columns, cells)
    text = io.StringIO()
    rows = csv.writer(text, delimiter=delimiter)
    rows.writerow([str(column.header) for column in columns])
    yield f"\ufeff{text.getvalue()}".encode()
    for batch in batches:
        text.seek(0)
        text.truncate()
        rows.writerows(_shown(plan, batch))
        yield text.getvalue().encode()


def _plan(columns: Sequence[Column], cells: Cells) -> list[Callable[[Any], str]]:
    """For each column the function that turns its values into cells; what repeats is thought of once."""
    plan = []
    for column in columns:
        cell = cells[column.kind]
        if column.words:
            cell = lru_cache(maxsize=10_000)(_composed(cell, column.words))
        elif column.kind is Kind.DAY:
            cell = lru_cache(maxsize=10_000)(cell)
        plan.append(cell)
    return plan


def _composed(outer: Callable[[Any], str], inner: Callable[[Any], object]) -> Callable[[Any], str]:
    return lambda value: outer(inner(value))


def _shown(plan: list[Callable[[Any], str]], batch: Batch) -> Iterator[tuple[str, ...]]:
    """The rows of a batch as cells."""
    values = zip(*batch, strict=True)
    return zip(*map(map, plan, values), strict=True)


# XLSX

ROWS_A_SHEET = 1_000_000  # a sheet has 1,048,576 at most: what is more goes on on the next
LONGEST = 32_767  # characters of a cell
WIDTH = 24  # of a column, in characters
# Nothing is guessed from a text, and a row is on disk when the next begins.
PLAIN = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
# Excel's numbers for formats that follow the reader's own: day, moment, percent.
FORMATS = {Kind.DAY: 14, Kind.MOMENT: 22, Kind.SHARE: 9}
# XML has no control characters.
_CONTROLS = dict.fromkeys(
    [*(set(range(32)) - {9, 10, 13}), 0xFFFE, 0xFFFF], "\N{REPLACEMENT CHARACTER}"
)


def write_xlsx(file: IO[bytes], columns: Sequence[Column], batches: Iterable[Batch]) -> None:
    """Write the workbook; its header is bold and always in sight. Texts are texts, never formulas."""
    rows = chain.from_iterable(batches)
    with Workbook(file, PLAIN) as book:
        bold = book.add_format({"bold": True})
        formats = {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        cells = [(column.words, formats.get(column.kind)) for column in columns]
        more: Sequence[Any] | None = next(rows, ())
        while more is not None:
            sheet = book.add_worksheet()
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(columns) - 1, WIDTH)
            for place, column in enumerate(columns):
                sheet.write_string(0, place, str(column.header), bold)
            here = chain([more], islice(rows, ROWS_A_SHEET - 1))
            for number, row in enumerate(here, start=1):
                for place, (value, (words, shape)) in enumerate(zip(row, cells, strict=False)):
                    _write(sheet, number, place, words(value) if words else value, shape)
            more = next(rows, None)


def _write(sheet: Worksheet, row: int, place: int, value: Any, shape: Format | None) -> None:
    """One cell: what it is decides how it is written; of a percentage 50 is 0.5."""
    if value is None or value == "":
        return
    if isinstance(value, date):
        sheet.write_datetime(row, place, cast(datetime, value), shape)  # dates alone do, too
    elif isinstance(value, int):
        sheet.write_number(row, place, value / 100, shape)
    else:
        text = str(value).replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
        # What looks defused gets one more mark, or else our import would take its own away.
        sheet.write_string(row, place, (f"'{text}" if _seems_defused(text) else text)[:LONGEST])
