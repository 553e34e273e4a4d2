"""The members file: a CSV or XLSX as people make them, read into clean rows.

Knows spellings, formats and what a cell may hold; nothing of contacts, offers or the database.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from enrollments.cells import (
    BLANK,
    CLEAN,
    Blank,
    Unfit,
    restored,
    shown,
    stray,
    with_format,
)
from enrollments.tables import (
    MAX_COLUMNS,
    CsvTable,
    FileRefused,
    Table,
    XlsxTable,
    is_xlsx,
    opened,
    too_wide,
)

# Header spellings. Case, accents, spaces and punctuation do not count.
SPELLINGS = {
    "email": ("Email", "E-mail", "E-mail address", "Indirizzo email", "Correo"),
    "name": ("Nome", "Name", "Nombre"),  # the first name, if the last name has its own column
    "full_name": ("Full name", "Nome completo"),
    "first_name": ("First name",),
    "last_name": ("Last name", "Cognome", "Sobrenome"),
    "ends_on": (
        "Data de expiração",
        "Expiration date",
        "Expires on",
        "Data di scadenza",
        "Fecha de caducidad",
    ),
    "enrolled_on": ("Data de matrícula", "Enrollment date", "Enrolled on", "Data di iscrizione"),
    "phone": ("Telefone", "Phone", "Telefono"),
    "tags": ("Tags",),
    "language": ("Idioma", "Language", "Lingua"),
    "external_id": ("External ID", "Contact ID"),
    "password": ("Password", "Senha", "Contraseña"),  # refused
}


# The header of the file we offer as a pattern, by language: spellings of above.
PATTERNS = {
    "en": ("Name", "Email", "Expiration date"),
    "it": ("Nome", "Email", "Data di scadenza"),
    "pt-br": ("Nome", "Email", "Data de expiração"),
}


class Problem(NamedTuple):
    """Why a row cannot be imported. `reason` is a sentence that says what to do."""

    field: str  # a field of Row; "" if the value stands in no column
    value: str  # short and printable
    reason: str


class Row(NamedTuple):
    """One member. Blank text and no tags mean: keep what is there."""

    number: int  # as a spreadsheet shows it: from 1, and blank rows count
    cells: list[str]  # as written, for the file of failed rows
    problem: Problem | None = None  # the first one; a field that is bad is left blank
    email: str = ""
    name: str = ""
    ends_on: date | Blank | None = BLANK  # None: no end
    enrolled_on: date | Blank = BLANK
    phone: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""  # one of settings.LANGUAGES
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that can be imported: what we understood of it, and its rows."""

    table: Table
    header_number: int
    header: list[str]
    indexes: dict[str, list[int]]  # field of Row -> its columns; a name may have several
    total: int = 0  # rows below the header that are not blank; of open_sheet() alone

    @property
    def encoding(self) -> str:
        """Python's name of it; "" for XLSX."""
        return self.table.encoding

    @property
    def delimiter(self) -> str:
        """The character between cells; "" for XLSX."""
        return self.table.delimiter

    @property
    def columns(self) -> dict[str, str]:
        """What is imported: field of Row -> its header as written."""
        return {
            field: " + ".join(self.header[index] for index in indexes)
            for field, indexes in self.indexes.items()
        }

    @property
    def unknown(self) -> list[str]:
        """Headers of the columns that are ignored."""
        known = {index for indexes in self.indexes.values() for index in indexes}
        return [title for index, title in enumerate(self.header) if title and index not in known]

    def rows(self, *, after: int = 0) -> Iterator[Row]:
        """The rows below row number `after`, one at a time, however many there are.

        May be called again; but of a file object (not of a path) one iteration runs at a time.
        """
        after = max(after, self.header_number)
        width = len(self.header)
        plan = [(field, self._taker(field), CLEAN[field]) for field in self.indexes]
        for number, cells in _filled(self.table):
            if number <= after:
                continue
            problem = None
            if len(cells) < width:
                cells.extend([""] * (width - len(cells)))
            elif len(cells) > width and (beyond := " ".join(cells[width:]).strip()):
                problem = self._problem("", beyond, stray())
            values: dict[str, Any] = {}
            for field, take, clean in plan:
                try:
                    values[field] = clean(take(cells))
                except Unfit as unfit:
                    problem = problem or self._problem(field, take(cells), unfit)
            yield Row(number, cells, problem, **values)

    def _taker(self, field: str) -> Callable[[list[str]], str]:
        take = _taker(self.indexes[field])
        if field not in ("ends_on", "enrolled_on"):
            return take
        return lambda cells: with_format(take(cells), epoch=self.table.epoch)

    def _problem(self, field: str, value: str, unfit: Unfit) -> Problem:
        value = shown(value)
        facts = {"value": value, "column": self.columns.get(field, ""), **unfit.facts}
        return Problem(field, value, unfit.reason % facts)


def look_at(source: Path | BinaryIO, *, max_bytes: int | None = None) -> Sheet:
    """Understand the header of a file, by its content: what a page can wait for.

    Raises FileRefused. A file object must be seekable and stays open.
    """
    limit = settings.IMPORT_MAX_BYTES if max_bytes is None else max_bytes
    with opened(source) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(16)
    if size > limit:
        reason = _("The file is larger than %(limit)s. Split it and import the parts one by one.")
        raise FileRefused(reason % {"limit": filesizeformat(limit)})
    table = XlsxTable(source) if is_xlsx(start) else CsvTable(source, start, knows=_knows)
    with closing(_filled(table)) as records:
        header_number, header = next(records, (0, []))
    if not header:
        reason = _("The file is empty. Choose one with a header and a row for each member.")
        raise FileRefused(reason)
    header = [" ".join(title.split()) for title in header]
    return Sheet(table, header_number, header, _understood(header))


def open_sheet(
    source: Path | BinaryIO, *, max_rows: int | None = None, max_bytes: int | None = None
) -> Sheet:
    """Understand a file and read all of it once, so that its rows can be relied on.

    Raises FileRefused. A header with no rows below is fine. See look_at().
    """
    limit = settings.IMPORT_MAX_ROWS if max_rows is None else max_rows
    sheet = look_at(source, max_bytes=max_bytes)
    with closing(_filled(sheet.table)) as records:
        total = sum(1 for _record in islice(records, limit + 2)) - 1  # the header is no row
    if total > limit:
        reason = _(
            "The file has more than %(limit)s rows. Split it and import the parts one by one."
        )
        raise FileRefused(reason % {"limit": number_format(limit, force_grouping=True)})
    return replace(sheet, total=total)


# The header


def _key(title: str) -> str:
    """What a spelling is recognized by: its letters and digits, without case and accents."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    return "".join(character for character in plain if character.isalnum())


FIELDS = {_key(title): field for field, titles in SPELLINGS.items() for title in titles}


def _knows(title: str) -> bool:
    return _key(title) in FIELDS


def _understood(header: list[str]) -> dict[str, list[int]]:
    """Which columns hold which field of Row, in the order of CLEAN. Raises FileRefused."""
    if len(header) > MAX_COLUMNS:
        raise too_wide()
    found: dict[str, int] = {}
    for index, title in enumerate(header):
        field = FIELDS.get(_key(title))
        if field == "password":
            reason = _(
                "Passwords are not imported: everybody chooses their own. "
                "Delete the column “%(column)s”."
            )
            raise FileRefused(reason % {"column": title})
        if field in found:
            reason = _("The columns “%(one)s” and “%(two)s” mean the same. Delete one of them.")
            raise FileRefused(reason % {"one": header[found[field]], "two": title})
        if field:
            found[field] = index
    if "email" not in found:
        reason = _(
            "The file has no column for the e-mail address: its header is “%(header)s”. "
            "Name that column “Email”."
        )
        raise FileRefused(reason % {"header": shown(", ".join(header))})
    if "full_name" in found:
        parts = ["full_name"]
    elif "name" in found and "first_name" in found:
        parts = ["name"]
    else:
        parts = ["name", "first_name", "last_name"]
    named = [found[part] for part in parts if part in found]
    places = {field: [index] for field, index in found.items()} | {"name": named}
    return {field: places[field] for field in CLEAN if places.get(field)}


def _taker(indexes: list[int]) -> Callable[[list[str]], str]:
    """A function that takes one value, of one column or several, out of the cells of a row."""
    if len(indexes) == 1:
        return itemgetter(indexes[0])
    return lambda cells: " ".join(cells[index] for index in indexes)


def _filled(table: Table) -> Generator[tuple[int, list[str]]]:
    """The rows that are not blank, with their numbers."""
    for number, cells in table.records():
        text = "".join(cells)
        if not text or text.isspace():
            continue
        yield number, restored(cells) if "'" in text or "\0" in text else cells
