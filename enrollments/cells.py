"""What a cell of a members file may hold, and what it says: addresses, dates, tags, as people type them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timezone import localdate
from django.utils.translation import get_supported_language_variant
from django.utils.translation import gettext as _

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


class Blank(Enum):
    """A date cell that says nothing: keep what is there; a new grant takes the offer's default."""

    BLANK = ""


BLANK: Final = Blank.BLANK


class Unfit(Exception):
    """A cell that cannot be used. `reason` may name %(value)s, %(column)s and `facts`."""

    def __init__(self, reason: str, **facts: object) -> None:
        self.reason = reason
        self.facts = facts


def stray() -> Unfit:
    return Unfit(
        _(
            "“%(value)s” has no column: the row is longer than the header. Empty that cell, or put "
            "quotation marks around the one it belongs to."
        )
    )


def restored(cells: list[str]) -> list[str]:
    """The cells as they were before an export of ours defused them; NUL is made visible."""
    return [(cell[1:] if _defused(cell) else cell).replace("\0", UNREADABLE) for cell in cells]


def shown(value: str) -> str:
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
            raise Unfit(
                _("“%(value)s” in “%(column)s” has characters that cannot be read. Type it anew.")
            )
    if len(line) > limit:
        raise Unfit(
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
        raise Unfit(_("The e-mail address is missing. Fill in “%(column)s”, or delete the row."))
    try:
        validate_email(email)
    except ValidationError:
        raise Unfit(
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
        raise Unfit(
            _("“%(value)s” in “%(column)s” is no date. Write it as dd/mm/yyyy, like 31/12/2026.")
        )
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Unfit(
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


def with_format(cell: str, *, epoch: datetime | None) -> str:
    """What a date of a spreadsheet says once its lost format is back: 46022 is 2025-12-31."""
    if epoch is None or not _serial(cell.strip()):
        return cell
    day = (epoch + timedelta(days=float(cell))).date()
    return day.isoformat() if 1990 <= day.year <= 2200 else cell


def _enrolled_on(cell: str) -> date | Blank:
    day = _date(cell)
    last = last_enrollment()
    if not isinstance(day, Blank) and not FIRST_ENROLLMENT <= day <= last:
        raise Unfit(
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
        raise Unfit(
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
