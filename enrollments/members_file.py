"""The members file: a CSV or XLSX as people make them, read into clean rows.

Knows spellings, formats and what a cell may hold; nothing of contacts, offers or the database.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format, number_format
from django.utils.text import Truncator
from django.utils.timezone import localdate
from django.utils.translation import get_supported_language_variant
from django.utils.translation import gettext as _

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


class Blank(Enum):
    """A date cell that says nothing: keep what is there; a new grant takes the offer's default."""

    BLANK = ""


BLANK: Final = Blank.BLANK


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
                problem = self._problem("", beyond, _stray())
            values: dict[str, Any] = {}
            for field, take, clean in plan:
                try:
                    values[field] = clean(take(cells))
                except _Unfit as unfit:
                    problem = problem or self._problem(field, take(cells), unfit)
            yield Row(number, cells, problem, **values)

    def _taker(self, field: str) -> Callable[[list[str]], str]:
        take = _taker(self.indexes[field])
        if field not in ("ends_on", "enrolled_on"):
            return take
        return lambda cells: _with_format(take(cells), epoch=self.table.epoch)

    def _problem(self, field: str, value: str, unfit: _Unfit) -> Problem:
        value = _shown(value)
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
        raise FileRefused(reason % {"header": _shown(", ".join(header))})
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


# The cells

UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what programs leave for what they could not decode
_damage = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff{UNREADABLE}]").search
# Marks that come along when people copy out of chats and web pages; nobody sees them.
_marks = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# The quotation mark that keeps a spreadsheet from running a cell, as our exports write it.
_defused = re.compile(r"'+[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]").match
_plain_email = re.compile(
    r"[\w+-]+(?:\.[\w+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII
).fullmatch
_day_first = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})").fullmatch
_serial = re.compile(r"[1-9][0-9]{4,5}(?:\.[0-9]+)?").fullmatch  # a spreadsheet's day, and time
_year_first = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})").fullmatch
NO_END = {"-", "\N{EN DASH}", "\N{EM DASH}", "\N{MINUS SIGN}"}  # as spreadsheets correct it
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)  # of what can be meant
FIRST_ENROLLMENT = date(1990, 1, 1)  # before, nobody could come in
MAX_EMAIL = 254


class _Unfit(Exception):
    """A cell that cannot be used. `reason` may name %(value)s, %(column)s and `facts`."""

    def __init__(self, reason: str, **facts: object) -> None:
        self.reason = reason
        self.facts = facts


def _stray() -> _Unfit:
    return _Unfit(
        _(
            "“%(value)s” has no column: the row is longer than the header. Empty that cell, or put "
            "quotation marks around the one it belongs to."
        )
    )


def _filled(table: Table) -> Generator[tuple[int, list[str]]]:
    """The rows that are not blank, with their numbers."""
    for number, cells in table.records():
        text = "".join(cells)
        if not text or text.isspace():
            continue
        yield number, _restored(cells) if "'" in text or "\0" in text else cells


def _restored(cells: list[str]) -> list[str]:
    """The cells as they were before an export of ours defused them; NUL is made visible."""
    return [(cell[1:] if _defused(cell) else cell).replace("\0", UNREADABLE) for cell in cells]


def _shown(value: str) -> str:
    """The value as a sentence and a database can bear it: one line, printable, short."""
    line = " ".join(value.split())
    printable = (character if character.isprintable() else UNREADABLE for character in line)
    return Truncator("".join(printable)).chars(100)


def _line(cell: str, *, limit: int) -> str:
    """One line of at most `limit` characters: spaces folded, accents composed, marks removed."""
    line = unicodedata.normalize("NFC", " ".join(cell.split()))
    if not line.isprintable() or UNREADABLE in line:
        line = _marks.sub("", line).strip()
        if _damage(line):
            raise _Unfit(
                _("“%(value)s” in “%(column)s” has characters that cannot be read. Type it anew.")
            )
    if len(line) > limit:
        raise _Unfit(
            _("“%(value)s” in “%(column)s” is too long. Shorten it to %(limit)s characters."),
            limit=limit,
        )
    return line


def _email(cell: str) -> str:
    """The address in its one spelling: trimmed, NFKC, lower case."""
    email = cell.strip().lower()
    if len(email) <= MAX_EMAIL and _plain_email(email):  # nearly all, in a tenth of the time
        return email
    email = _line(unicodedata.normalize("NFKC", cell).lower(), limit=MAX_EMAIL)
    if not email:
        raise _Unfit(_("The e-mail address is missing. Fill in “%(column)s”, or delete the row."))
    try:
        validate_email(email)
    except ValidationError:
        raise _Unfit(
            _("“%(value)s” in “%(column)s” is no e-mail address. Write it like anna@example.com.")
        ) from None
    return email


def _ends_on(cell: str) -> date | Blank | None:
    return None if cell.strip() in NO_END else _date(cell)


def _date(cell: str) -> date | Blank:
    text = cell.strip()
    if not text:
        return BLANK
    day = _parsed_date(text[:11])  # more is no date either, and would fill the cache
    if day is None:
        raise _Unfit(
            _("“%(value)s” in “%(column)s” is no date. Write it as dd/mm/yyyy, like 31/12/2026.")
        )
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _Unfit(
            _(
                "The year of “%(value)s” in “%(column)s” is out of reach. Write one from %(first)s "
                "to %(last)s; access without an end is written as -."
            ),
            first=FIRST_DAY.year,
            last=LAST_DAY.year,
        )
    return day


@lru_cache(maxsize=10_000)
def _parsed_date(text: str) -> date | None:
    """None if `text` is neither dd/mm/yyyy nor yyyy-mm-dd, or not in the calendar."""
    if found := _day_first(text):
        day, month, year = found.groups()
    elif found := _year_first(text):
        year, month, day = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _with_format(cell: str, *, epoch: datetime | None) -> str:
    """What a date of a spreadsheet says once its lost format is back: 46022 is 2025-12-31."""
    if epoch is None or not _serial(cell.strip()):
        return cell
    day = (epoch + timedelta(days=float(cell))).date()
    return day.isoformat() if 1990 <= day.year <= 2200 else cell


def _enrolled_on(cell: str) -> date | Blank:
    day = _date(cell)
    last = last_enrollment()
    if not isinstance(day, Blank) and not FIRST_ENROLLMENT <= day <= last:
        raise _Unfit(
            _(
                "Nobody is enrolled on “%(value)s”, in “%(column)s”. "
                "Write a day from %(first)s to %(last)s."
            ),
            first=date_format(FIRST_ENROLLMENT, "SHORT_DATE_FORMAT"),
            last=date_format(last, "SHORT_DATE_FORMAT"),
        )
    return day


def last_enrollment() -> date:
    """The last day somebody can count as enrolled on: a class of next year is; 2999 is a typing error."""
    return localdate() + timedelta(days=366)


def _tags(cell: str) -> tuple[str, ...]:
    """Words between commas or semicolons, each once."""
    tags = [_line(tag, limit=60) for tag in re.split("[,;]", cell)]
    return tuple(dict.fromkeys(filter(None, tags)))


def _language(cell: str) -> str:
    """One of settings.LANGUAGES; “pt” and “PT_br” mean pt-br, if that is one of them."""
    code = cell.strip().lower().replace("_", "-")
    try:
        return code and get_supported_language_variant(code)
    except LookupError:
        raise _Unfit(
            _("“%(value)s” in “%(column)s” is no language here. Write one of: %(known)s."),
            known=", ".join(code for code, _name in settings.LANGUAGES),
        ) from None


CLEAN: dict[str, Callable[[str], Any]] = {
    "email": _email,
    "name": partial(_line, limit=200),
    "ends_on": _ends_on,
    "enrolled_on": _enrolled_on,
    "phone": partial(_line, limit=40),
    "tags": _tags,
    "language": _language,
    "external_id": partial(_line, limit=100),
}
