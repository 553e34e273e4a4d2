"""Files as people and programs make them, through the front door: each has its result, and none a 500."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any

import make
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from openpyxl import Workbook

from accounts.models import Contact
from enrollments.models import ImportBatch

HEAD = "Nome;Email;Data de expiração\r\n"
TWO = "Zoë;zoe@example.com;31/12/2027\r\nAnna;anna@example.com;\r\n"
GRID = HEAD + TWO
COMMAS = GRID.replace(";", ",")


@dataclass
class File:
    """A file and what it leads to: a sentence that refuses it, or what the dry run counts."""

    story: str
    content: bytes | str
    refused: str = ""  # by the form, or by the check where the form cannot know
    counts: dict[str, int] = field(default_factory=lambda: {"created": 2})
    reason: str = ""  # of some row that fails
    name: str = "members.csv"

    def __str__(self) -> str:
        return self.story


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def repacked(content: bytes, old: str, new: str) -> bytes:
    """The workbook with something else in its sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(out, "w") as made:
        for part in given.namelist():
            text = given.read(part)
            if part.endswith("sheet1.xml"):
                assert re.search(old.encode(), text)
                text = re.sub(old.encode(), new.encode(), text)
            made.writestr(part, text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "0" * 20_000_000)
    return out.getvalue()


BOOK = workbook(
    ["Nome", "Email", "Data de expiração"],
    ["Zoë", "zoe@example.com", "31/12/2027"],
    ["Anna", "anna@example.com", None],
)
LONG = "Email\n" + "anna@example.com\n" * 50_000
NO_DATE = "is no date. Write it as dd/mm/yyyy"

CORPUS = [
    # Delimiters
    File("semicolons", GRID),
    File("commas", COMMAS),
    File("tabs", GRID.replace(";", "\t")),
    File("sep= with semicolon", "sep=;\r\n" + GRID),
    File("sep= quoted, with a bar", '"SEP=|"\r\n' + GRID.replace(";", "|")),
    File("comma and space", COMMAS.replace(",", ", ")),
    File("one column", "email\nzoe@example.com\nanna@example.com\n"),
    # Encodings
    File("UTF-8 with mark", GRID.encode("utf-8-sig")),
    File("UTF-16 little end first", GRID.encode("utf-16")),
    File("UTF-16 big end first", b"\xfe\xff" + GRID.encode("utf-16-be")),
    File("UTF-16 with tabs, as Excel's Unicode text", GRID.replace(";", "\t").encode("utf-16")),
    File("Windows-1252", GRID.encode("cp1252")),
    File(
        "neither UTF-8 nor Windows-1252",
        HEAD.encode("cp1252") + b"Zo\x81;zoe@example.com;\n",
        refused="Line 2 has characters that cannot be read",
    ),
    File(
        "cut in the middle of a UTF-16 character",
        GRID.encode("utf-16")[:-1],
        refused="characters that cannot be read",
    ),
    # Lines
    File("LF", GRID.replace("\r\n", "\n")),
    File("CR of an old Mac", GRID.replace("\r\n", "\r")),
    File("no end of line at the end", GRID.rstrip()),
    File("blank rows between", HEAD + "\r\n;;\r\n" + TWO.replace("\r\n", "\r\n\r\n")),
    File("blank rows above the header", "\r\n\r\n" + GRID),
    # Quotes
    File("everything quoted", re.sub(r"([^;\r\n]+)", r'"\1"', GRID)),
    File(
        "a line break inside quotes",
        HEAD + '"Zoë\r\nJosé";zoe@example.com;\r\nAnna;anna@example.com;\r\n',
    ),
    File(
        "a quote that never closes",
        HEAD + 'Zoë;"zoe@example.com;\r\nAnna;anna@example.com;\r\n',
        refused="quotation mark that is not closed",
    ),
    # Nothing, or nothing that is a members file
    File("empty", "", refused="is empty"),
    File("nothing but blanks", " \r\n\t\r\n  \r\n", refused="The file is empty"),
    File("header only", HEAD, counts={}),
    File(
        "no header",
        "Zoë;zoe@example.com;31/12/2027\r\n",
        refused="no column for the e-mail address",
    ),
    File("a wrong header", "Foo;Bar\r\n1;2\r\n", refused="no column for the e-mail address"),
    File(
        "two columns that mean the same",
        "Email;E-mail\r\na@x.com;b@x.com\r\n",
        refused="“Email” and “E-mail” mean the same",
    ),
    File("passwords", "Email;Senha\r\na@x.com;1234\r\n", refused="Passwords are not imported"),
    File(
        "too many columns",
        ";".join(["Email", *(f"c{n}" for n in range(200))]),
        refused="more than 200 columns",
    ),
    File("NUL in a text file", "Em\0ail\r\na@x.com\r\n", refused="neither CSV nor XLSX"),
    File(
        "NUL further down",
        HEAD + "Zo\0;zoe@example.com;\r\n" + "Anna;anna@example.com;\r\n",
        counts={"created": 1, "failed": 1},
        reason="characters that cannot be read",
    ),
    File("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", refused="neither CSV nor XLSX"),
    File("an old Excel file", b"\xd0\xcf\x11\xe0" + b"\0" * 600, refused="old Excel file"),
    # Columns
    File(
        "names in two columns, unknown columns, another order",
        "Cidade;Sobrenome;E-mail;Nome\r\nRoma;Silva;zoe@example.com;Zoë\r\n;;anna@example.com;\r\n",
    ),
    File(
        "accents and case of the header",
        "NOME;e-MAIL ADDRESS;data de EXPIRACAO\r\n" + TWO,
    ),
    File(
        "a row longer than the header",
        HEAD + "Zoë;zoe@example.com;;oops\r\nAnna;anna@example.com;;\r\n",
        counts={"created": 1, "failed": 1},
        reason="“oops” has no column",
    ),
    File("rows shorter than the header", HEAD + "Zoë;zoe@example.com\r\nAnna;anna@example.com\r\n"),
    # Cells
    File(
        "dates that are none",
        HEAD + "Zoë;zoe@example.com;31/02/2027\r\nAnna;anna@example.com;12/31/2027\r\n",
        counts={"failed": 2},
        reason=NO_DATE,
    ),
    File(
        "dates that could be read two ways",
        HEAD + "Zoë;zoe@example.com;03/04/2027\r\nAnna;anna@example.com;2027-04-03\r\n",
    ),
    File(
        "a year nobody means",
        HEAD + "Zoë;zoe@example.com;31/12/0027\r\nAnna;anna@example.com;-\r\n",
        counts={"created": 1, "failed": 1},
        reason="is out of reach",
    ),
    File(
        "duplicates by case and space",
        GRID + "Zoë;ZOE@Example.com ;\r\nZoë; zoe@example.com;01/01/2030\r\n",
        counts={"created": 2, "duplicate": 2},
    ),
    File(
        "no addresses",
        HEAD + "Zoë;;\r\nAnna;anna(at)example.com;\r\n",
        counts={"failed": 2},
        reason="The e-mail address is missing",
    ),
    File(
        "a name without end",
        HEAD + "Z" * 201 + ";zoe@example.com;\r\nAnna;anna@example.com;\r\n",
        counts={"created": 1, "failed": 1},
        reason="is too long",
    ),
    File(
        "formulas our exports defused",
        HEAD + "'=Zoë;zoe@example.com;'-\r\n'+A;anna@example.com;\r\n",
    ),
    File(
        "one external id for two people",
        "Email;External ID\r\nzoe@example.com;7\r\nanna@example.com;7\r\n",
        counts={"created": 1, "failed": 1},
        reason="zoe@example.com has this id already",
    ),
    # Size
    File("50,000 rows", LONG, counts={"created": 1, "duplicate": 49_999}),
    File("one row more", LONG + "a@x.com\n", refused="more than 50,000 rows"),
    File("more than 10 MB", "Email\n" + "x" * 10 * 1024**2, refused="larger than 10.0"),
    # Workbooks
    File("XLSX", BOOK, name="members.xlsx"),
    File("XLSX by another name", BOOK),
    File(
        "XLSX with a false dimension",
        repacked(BOOK, r'<dimension ref="[^"]*"', '<dimension ref="A1"'),
        name="members.xlsx",
    ),
    File("XLSX of one cell", workbook(["Email"]), counts={}, name="members.xlsx"),
    File(
        "XLSX with more cells than somebody waits for",
        workbook(
            ["Email", "Tags"],
            *([f"n{n}@example.com", f"word {n} of many" * 20] for n in range(4000)),
        ),
        counts={"failed": 4000},
        reason="is too long",
        name="members.xlsx",
    ),
    File(
        "XLSX that long, with a wrong header",
        workbook(["Foo", "Bar"], *([f"n{n}@example.com", f"word {n}" * 20] for n in range(4000))),
        refused="no column for the e-mail address",
        name="members.xlsx",
    ),
    File("a zip bomb", bomb(), refused="far larger inside", name="members.xlsx"),
    File("a torn XLSX", BOOK[: len(BOOK) // 2], refused="cannot be read", name="members.xlsx"),
    File(
        "a zip that is no XLSX",
        repacked(BOOK, "<worksheet.*", "<worksheet"),
        refused="cannot be read",
        name="members.xlsx",
    ),
]


def test_the_corpus_is_as_large_as_it_says():
    assert len({file.story for file in CORPUS}) == len(CORPUS) >= 40


@pytest.mark.parametrize("file", CORPUS, ids=str)
def test_every_file_has_its_result(alice, school, login, committed, file: File):
    staff, offer = login(alice), make.offer()
    content = file.content.encode() if isinstance(file.content, str) else file.content

    with committed():
        answer = staff.post(
            reverse("enrollments:import_create"),
            {
                "file": SimpleUploadedFile(file.name, content),
                "contents": f"offer:{offer.pk}",
                "if_held": "set",
            },
            follow=True,
        )

    batch = ImportBatch.objects.first()
    page = answer if batch is None else staff.get(answer.redirect_chain[-1][0])
    assert page.status_code == 200
    assert not Contact.objects.exists(), "nothing happened to anybody yet"
    if file.refused:
        assert file.refused in page.content.decode()
        assert batch is None or batch.state == "refused"
        return
    assert batch is not None, re.findall("errorlist.*", page.content.decode())
    assert batch.state == "checked"
    assert {key: number for key, number in batch.counts.items() if number} == file.counts
    if file.reason:
        assert any(file.reason in row.reason for row in batch.rows.filter(outcome="failed"))
