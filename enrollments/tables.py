"""Tables out of files: CSV in its dialects and encodings, XLSX kept from doing harm; rows of text in the end."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from xml.etree.ElementTree import ParseError

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from openpyxl import load_workbook

MAX_COLUMNS = 200
MAX_UNPACKED = 100 * 1024**2  # bytes of an XLSX, all its parts together
MAX_RATIO = 100  # unpacked to packed
LAST_ROW = 1_048_576  # of any XLSX
OLD_EXCEL = b"\xd0\xcf\x11\xe0"  # also an XLSX with a password


QUICK_UNPACKED = 512 * 1024  # bytes of an XLSX that are read while somebody waits for a page


class FileRefused(Exception):
    """Nothing of this file can be imported. The message is for the person who chose it."""


def too_wide() -> FileRefused:
    reason = _("The file has more than %(limit)s columns. Delete those that are not needed.")
    return FileRefused(reason % {"limit": MAX_COLUMNS})


class Table(Protocol):
    """A grid of text in some format."""

    encoding: str
    delimiter: str
    epoch: datetime | None  # what the days of its cells are counted from, where they are numbers

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Every row with its number, blank ones too. Raises FileRefused where it is broken."""


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """The file from its beginning. A path is closed afterwards, a file object is not."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


def is_xlsx(start: bytes) -> bool:
    """Whether a file that begins so is a zip archive, as an XLSX is."""
    return start.startswith(b"PK\3\4")


class CsvTable:
    """Text with one of a few delimiters; `knows` tells whether a title is one of ours."""

    epoch: datetime | None = None

    def __init__(
        self, source: Path | BinaryIO, start: bytes, *, knows: Callable[[str], bool]
    ) -> None:
        self.source, self.knows = source, knows
        with opened(source) as file:
            self.encoding = _encoding(file, start)
        with self._text() as text:
            declared = re.fullmatch(r'"?sep=([,;\t|])"?[\r\n]*', text.readline(16), re.IGNORECASE)
        self.preamble = 1 if declared else 0
        self.delimiter = declared[1] if declared else max(",;\t", key=self._fit)

    def _fit(self, delimiter: str) -> tuple[int, int]:
        """How well it cuts the header: into fields we know, into fields at all.

        (csv.Sniffer takes a letter of the header for the delimiter where there is one column.)
        """
        with self._text() as text:
            start = io.StringIO(text.read(20_000), newline="")
        header = next(filter(any, csv.reader(start, delimiter=delimiter)), [])
        return (sum(map(self.knows, header)), len(header))

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """See Table. Strict about quotation marks: one too many would swallow the rows below."""
        number = self.preamble
        with self._text() as text:
            if self.preamble:
                text.readline()
            reader = csv.reader(text, delimiter=self.delimiter, skipinitialspace=True, strict=True)
            try:
                for cells in reader:
                    number += 1
                    yield number, cells
            except csv.Error as error:
                longest = csv.field_size_limit()
                if f"({longest})" in str(error):
                    reason = _(
                        "Row %(row)s has a cell of more than %(limit)s characters. Shorten it, or "
                        "close the quotation mark if one was left open, and choose the file again."
                    )
                else:
                    reason = _(
                        "Row %(row)s has a quotation mark that is not closed or stands in the "
                        "wrong place. Correct it and choose the file again."
                    )
                limit = number_format(longest, force_grouping=True)
                raise FileRefused(reason % {"row": number + 1, "limit": limit}) from error

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        with opened(self.source) as file:
            text = io.TextIOWrapper(file, self.encoding, newline="")
            try:
                yield text
            finally:
                text.detach()


def _encoding(file: BinaryIO, start: bytes) -> str:
    """The first of utf-8-sig, utf-16 (with its mark) and cp1252 that fits. Raises FileRefused."""
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if start.startswith(OLD_EXCEL):
        reason = _("The file is an old Excel file or has a password. Save it as XLSX without one.")
        raise FileRefused(reason)
    if b"\0" in start and not marked:
        raise FileRefused(_("The file is neither CSV nor XLSX. Save it as “CSV UTF-8” or XLSX."))
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
        position = _misfit(file, encoding)
        if position is None:
            return encoding
        file.seek(0)
        before = file.read(position)
        if encoding == "utf-8-sig" and before.isascii():
            continue  # nothing says that it is UTF-8
        break
    lines = re.findall("\r\n|\r|\n", before.decode(encoding, "ignore"))
    reason = _(
        "Line %(line)s has characters that cannot be read. "
        "Save the file as “CSV UTF-8” and choose it again."
    )
    raise FileRefused(reason % {"line": len(lines) + 1})


def _misfit(file: BinaryIO, encoding: str) -> int | None:
    """Position of the first byte that is not in `encoding`; None if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while chunk := file.read(1 << 16):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return file.tell() - len(error.object) + error.start
    return None


class XlsxTable:
    """The first sheet of a workbook, as openpyxl streams it."""

    encoding = delimiter = ""
    epoch: datetime | None = None  # known with the first record

    def __init__(self, source: Path | BinaryIO) -> None:
        """Look at the sizes before anything is unpacked."""
        self.source = source
        with opened(source) as file, _refusing_broken():
            parts = zipfile.ZipFile(file).infolist()
        self.unpacked = sum(part.file_size for part in parts)
        packed = sum(part.compress_size for part in parts)
        if self.unpacked > MAX_UNPACKED or self.unpacked > MAX_RATIO * packed:
            reason = _(
                "The file is far larger inside than a members file needs. "
                "Copy its cells into a new workbook and choose that."
            )
            raise FileRefused(reason)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """See Table."""
        with opened(self.source) as file, _refusing_broken():
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            self.epoch = workbook.epoch
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # what a file says about its size may be false
            for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > LAST_ROW:
                    raise ValueError(number)
                if any(value is not None for value in values[MAX_COLUMNS:]):
                    raise too_wide()
                yield number, [_as_text(value) for value in values[:MAX_COLUMNS]]


# What zipfile, the XML parser and openpyxl were seen to raise over broken files.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def _refusing_broken() -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        reason = _("The file cannot be read. Open it in a spreadsheet and save it as XLSX again.")
        raise FileRefused(reason) from error


def _as_text(value: object) -> str:
    """A cell as a CSV would have it: whole numbers without a point, dates as yyyy-mm-dd."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(value.date())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
