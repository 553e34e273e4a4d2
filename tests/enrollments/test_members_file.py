"""The members file: every dialect people upload, and a sentence for whatever is wrong in it."""

import io
import itertools
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from openpyxl import Workbook
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

from enrollments import tables
from enrollments.cells import BLANK
from enrollments.members_file import Problem, Row, Sheet, open_sheet
from enrollments.tables import FileRefused


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def sheet_of(content: str | bytes, **limits: int) -> Sheet:
    data = content.encode() if isinstance(content, str) else content
    return open_sheet(io.BytesIO(data), **limits)


def rows_of(content: str | bytes) -> list[Row]:
    return list(sheet_of(content).rows())


def row_of(content: str | bytes) -> Row:
    [row] = rows_of(content)
    return row


def problem_of(content: str | bytes) -> Problem:
    problem = row_of(content).problem
    assert problem is not None
    return problem


def refusal_of(content: str | bytes, **limits: int) -> str:
    with pytest.raises(FileRefused) as refused:
        sheet_of(content, **limits)
    return str(refused.value)


def workbook(*rows: list[Any], epoch: datetime = WINDOWS_EPOCH) -> bytes:
    """An XLSX as openpyxl writes it."""
    book = Workbook()
    book.epoch = epoch
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def package(
    sheet: str,
    *,
    dimension: str = "A1:B2",
    strings: tuple[str, ...] = (),
    kind: str = "worksheet",
) -> bytes:
    """An XLSX by hand, with `sheet` for its rows and shared strings, as Excel has them."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    content = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/xl/workbook.xml" ContentType="{content}.sheet.main+xml"/>'
            f'<Override PartName="/xl/sheet.xml" ContentType="{content}.worksheet+xml"/>'
            f'<Override PartName="/xl/strings.xml" ContentType="{content}.sharedStrings+xml"/>'
            "</Types>"
        ),
        "xl/workbook.xml": (
            f'<workbook {main} xmlns:r="{office}"><sheets>'
            '<sheet name="Members" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f"<Relationships {relations}>"
            f'<Relationship Id="rId1" Type="{office}/{kind}" Target="sheet.xml"/>'
            "</Relationships>"
        ),
        "xl/strings.xml": (
            f"<sst {main}>{''.join(f'<si><t>{text}</t></si>' for text in strings)}</sst>"
        ),
        "xl/sheet.xml": (
            f'<worksheet {main}><dimension ref="{dimension}"/>'
            f"<sheetData>{sheet}</sheetData></worksheet>"
        ),
    }
    return archive(parts)


def archive(parts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return file.getvalue()


# What the file is

GRID = (
    "Nome;Email;Data de expiração\r\n"
    '"Zoë; José";zoe@example.com;31/12/2026\r\n'
    "Anna;anna@example.com;\r\n"
)
COMMAS = GRID.replace("Zoë; José", "Zoë José").replace(";", ",")


@pytest.mark.parametrize(
    ("content", "delimiter", "encoding"),
    [
        (GRID.encode(), ";", "utf-8-sig"),
        (GRID.encode("utf-8-sig"), ";", "utf-8-sig"),
        (GRID.encode("utf-16"), ";", "utf-16"),
        (b"\xfe\xff" + GRID.encode("utf-16-be"), ";", "utf-16"),
        (GRID.encode("cp1252"), ";", "cp1252"),
        (GRID.replace("\r\n", "\n").encode(), ";", "utf-8-sig"),
        (GRID.replace("\r\n", "\r").encode(), ";", "utf-8-sig"),
        (GRID.rstrip().encode(), ";", "utf-8-sig"),
        (COMMAS.encode(), ",", "utf-8-sig"),
        (COMMAS.replace(",", "\t").encode("utf-16"), "\t", "utf-16"),
        (COMMAS.replace(",", ", ").encode(), ",", "utf-8-sig"),
    ],
)
def test_every_dialect_gives_the_same_rows(content: bytes, delimiter: str, encoding: str) -> None:
    sheet = sheet_of(content)
    assert (sheet.delimiter, sheet.encoding, sheet.total) == (delimiter, encoding, 2)
    assert [(row.name.replace(";", ""), row.email, row.ends_on) for row in sheet.rows()] == [
        ("Zoë José", "zoe@example.com", date(2026, 12, 31)),
        ("Anna", "anna@example.com", BLANK),
    ]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("email\nanna@example.com\n", ","),
        ("Email;Tags (a, b, c)\nanna@example.com;x\n", ";"),  # known columns count first
        ("Email,Tags;Nome\nanna@example.com,x\n", ","),
        ("sep=;\nEmail;Nome\nanna@example.com;A\n", ";"),
        ('"SEP=|"\r\nEmail|Nome\r\nanna@example.com|A\r\n', "|"),
        ("sep=\t\nEmail\tNome, Cognome\nanna@example.com\tA\n", "\t"),
        ('"E-mail\naddress";Nome\nanna@example.com;A\n', ";"),
        ('Nome, Email\n"Rossi, Anna", "anna@example.com"\n', ","),
    ],
)
def test_the_header_tells_the_delimiter(content: str, delimiter: str) -> None:
    sheet = sheet_of(content)
    assert sheet.delimiter == delimiter
    assert [row.email for row in sheet.rows()] == ["anna@example.com"]


def test_a_header_alone_is_no_error() -> None:
    sheet = sheet_of("Email\n")
    assert sheet.total == 0
    assert list(sheet.rows()) == []


# Columns


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("Email", "email"),
        ("E-mail", "email"),
        ("  e-MAIL address ", "email"),
        ("Indirizzo email", "email"),
        ("Correo", "email"),
        ("Nome", "name"),
        ("NAME", "name"),
        ("Nombre", "name"),
        ("Full name", "name"),
        ("Nome completo", "name"),
        ("Data de expiração", "ends_on"),
        ("DATA DE EXPIRACAO", "ends_on"),
        ("Data de expirac\u0327a\u0303o", "ends_on"),
        ("Expiration date", "ends_on"),
        ("expiration_date", "ends_on"),
        ("Expires on", "ends_on"),
        ("Data di scadenza", "ends_on"),
        ("Fecha de caducidad", "ends_on"),
        ("Data de matrícula", "enrolled_on"),
        ("Enrollment date", "enrolled_on"),
        ("Enrolled on", "enrolled_on"),
        ("Data di iscrizione", "enrolled_on"),
        ("Telefone", "phone"),
        ("Phone", "phone"),
        ("Telefono", "phone"),
        ("Tags", "tags"),
        ("Idioma", "language"),
        ("Language", "language"),
        ("Lingua", "language"),
        ("External ID", "external_id"),
        ("Contact ID", "external_id"),
    ],
)
def test_headers_are_known_in_every_spelling(title: str, field: str) -> None:
    sheet = sheet_of(title if field == "email" else f"{title};Email")
    assert sheet.columns[field] == " ".join(title.split())
    assert sheet.unknown == []


def test_columns_stand_in_any_order_and_unknown_ones_are_listed() -> None:
    sheet = sheet_of("Cidade;E-mail;;Nome;Cidade\nSão Paulo;anna@example.com;x;Anna;\n")
    assert sheet.columns == {"email": "E-mail", "name": "Nome"}
    assert sheet.unknown == ["Cidade", "Cidade"]
    [row] = sheet.rows()
    assert row == Row(
        number=2,
        cells=["São Paulo", "anna@example.com", "x", "Anna", ""],
        email="anna@example.com",
        name="Anna",
    )


@pytest.mark.parametrize(
    ("header", "cells", "name", "column"),
    [
        ("First name,Last name", "Anna,Rossi", "Anna Rossi", "First name + Last name"),
        ("Cognome,Nome", "Rossi,Anna", "Anna Rossi", "Nome + Cognome"),
        ("Nome,Sobrenome", "Anna,", "Anna", "Nome + Sobrenome"),
        ("Nome,Sobrenome", ",Rossi", "Rossi", "Nome + Sobrenome"),
        ("Sobrenome", "Rossi", "Rossi", "Sobrenome"),
        ("First name", "Anna", "Anna", "First name"),
        ("Name,First name,Last name", "Anna M. Rossi,Anna,Rossi", "Anna M. Rossi", "Name"),
        ("Nome,Nome completo", "Anna,Anna Rossi", "Anna Rossi", "Nome completo"),
        ("Nome,Sobrenome", ",", "", "Nome + Sobrenome"),
    ],
)
def test_a_name_may_have_several_columns(header: str, cells: str, name: str, column: str) -> None:
    sheet = sheet_of(f"Email,{header}\nanna@example.com,{cells}\n")
    assert sheet.columns["name"] == column
    assert [row.name for row in sheet.rows()] == [name]


# Cells


@pytest.mark.parametrize(
    ("written", "email"),
    [
        (" Anna.Rossi+kurs@Example.COM ", "anna.rossi+kurs@example.com"),
        ("O'Brien@example.ie", "o'brien@example.ie"),
        ("anna@exämple.com", "anna@exämple.com"),
        ("ａｎｎａ＠example．com", "anna@example.com"),  # full width
        ("\u200banna@example.com\u202c", "anna@example.com"),
        ("\u00a0anna@example.com", "anna@example.com"),
        ("'+anna@example.com", "+anna@example.com"),
        ("\u212aarl@example.com", "karl@example.com"),  # the sign of the kelvin
        ("a" * 242 + "@example.com", "a" * 242 + "@example.com"),
    ],
)
def test_an_address_has_one_spelling(written: str, email: str) -> None:
    row = row_of(f"Email\n{written}\n")
    assert (row.email, row.problem) == (email, None)


@pytest.mark.parametrize(
    "written",
    [
        "anna",
        "anna@",
        "anna@example",
        "anna@@example.com",
        "anna..rossi@example.com",
        "anna@example.com,",
        "anna @example.com",
        "Anna <anna@example.com>",
        "anna@-example.com",
        "anna@example.c",
        "аnna@example.com",  # the first letter is Cyrillic
    ],
)
def test_what_is_no_address_fails_its_row(written: str) -> None:
    assert problem_of(f"Email;Nome\n{written};Anna\n") == Problem(
        "email",
        written,
        f"“{written}” in “Email” is no e-mail address. Write it like anna@example.com.",
    )


def test_a_bad_cell_is_blank_and_the_others_are_kept() -> None:
    row = row_of("E-mail,Nome,Expires on\nanna@,Anna,31/12/2026\n")
    assert (row.email, row.name, row.ends_on) == ("", "Anna", date(2026, 12, 31))
    assert row.cells == ["anna@", "Anna", "31/12/2026"]


def test_a_missing_address_fails_its_row() -> None:
    assert problem_of("Email,Nome\n ,Anna\n") == Problem(
        "email", "", "The e-mail address is missing. Fill in “Email”, or delete the row."
    )


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("31/12/2026", date(2026, 12, 31)),
        (" 1/2/2027 ", date(2027, 2, 1)),
        ("03/04/2026", date(2026, 4, 3)),
        ("2026-12-31", date(2026, 12, 31)),
        ("2026-1-5", date(2026, 1, 5)),
        ("29/02/2024", date(2024, 2, 29)),
        ("", BLANK),
        ("  ", BLANK),
    ],
)
def test_dates_are_day_first_or_iso(time_machine: Any, written: str, day: object) -> None:
    time_machine.move_to("2026-11-22T12:00:00Z", tick=False)
    row = row_of(f"Email,Expires on,Enrolled on\nanna@example.com,{written},{written}\n")
    assert (row.ends_on, row.enrolled_on, row.problem) == (day, day, None)


@pytest.mark.parametrize(
    "written",
    [
        "31/02/2026",
        "12/31/2026",
        "31/12/26",
        "31/12/20267",
        "31-12-2026",
        "2026/12/31",
        "tomorrow",
        "46387",
        "--",
    ],
)
@pytest.mark.parametrize(
    ("field", "title"), [("ends_on", "Data de expiração"), ("enrolled_on", "Data de matrícula")]
)
def test_what_is_no_date_fails_its_row(written: str, field: str, title: str) -> None:
    assert problem_of(f"Email,{title}\nanna@example.com,{written}\n") == Problem(
        field,
        written,
        f"“{written}” in “{title}” is no date. Write it as dd/mm/yyyy, like 31/12/2026.",
    )


@pytest.mark.parametrize("written", ["31/12/9999", "0026-12-31"])
def test_a_year_out_of_reach_fails_its_row(written: str) -> None:
    assert problem_of(f"Email,Expires on\nanna@example.com,{written}\n") == Problem(
        "ends_on",
        written,
        f"The year of “{written}” in “Expires on” is out of reach. Write one from 1900 to 2999; "
        "access without an end is written as -.",
    )


@pytest.mark.parametrize(
    ("today", "written", "fits"),
    [
        ("2026-11-22", "23/11/2027", True),
        ("2026-11-22", "24/11/2027", False),
        ("2026-11-22", "2999-01-01", False),
        ("2027-11-22", "24/11/2027", True),
        ("2026-11-22", "01/01/1990", True),
        ("2026-11-22", "31/12/1989", False),
    ],
)
def test_nobody_is_enrolled_far_from_now(
    time_machine: Any, today: str, written: str, fits: bool
) -> None:
    time_machine.move_to(f"{today}T12:00:00Z", tick=False)
    row = row_of(f"Email,Enrolled on,Expires on\na@example.com,{written},{written}\n")
    assert (row.problem is None) is fits
    assert row.ends_on != BLANK, "access may end when it likes"
    if row.problem:
        last = "11/23/2027" if today.startswith("2026") else "11/22/2028"
        assert row.problem == Problem(
            "enrolled_on",
            written,
            f"Nobody is enrolled on “{written}”, in “Enrolled on”. "
            f"Write a day from 01/01/1990 to {last}.",
        )


@pytest.mark.parametrize("dash", ["-", " - ", "'-", "\N{EN DASH}", "\N{EM DASH}"])
def test_a_dash_is_no_end_of_access_but_no_start_of_an_enrollment(dash: str) -> None:
    assert row_of(f"Email,Expires on\nanna@example.com,{dash}\n").ends_on is None
    problem = problem_of(f"Email,Enrolled on\nanna@example.com,{dash}\n")
    assert problem.field == "enrolled_on"
    assert problem.reason.endswith(" is no date. Write it as dd/mm/yyyy, like 31/12/2026.")


def test_text_is_one_line_of_composed_characters_without_marks() -> None:
    row = row_of(
        "Email,Nome,Telefone,External ID\n"
        'anna@example.com,"  Jose\u0301\nda\u00a0 Silva\ufeff ",\u202a+39 333 1234\u202c, A-7 \n'
    )
    assert (row.name, row.phone, row.external_id) == ("José da Silva", "+39 333 1234", "A-7")
    assert row.problem is None


def test_joined_letters_and_emoji_are_kept() -> None:
    name = "\u0646\u06cc\u200c\u0645\u0627 \N{WOMAN}\u200d\N{PERSONAL COMPUTER}"
    assert row_of(f"Email,Nome\nanna@example.com,{name}\n").name == name


@pytest.mark.parametrize(
    ("title", "field", "limit"),
    [("Nome", "name", 200), ("Phone", "phone", 40), ("External ID", "external_id", 100)],
)
def test_text_has_a_length(title: str, field: str, limit: int) -> None:
    fits = row_of(f"Email,{title}\nanna@example.com,{'x' * limit}\n")
    assert (getattr(fits, field), fits.problem) == ("x" * limit, None)
    shown = "x" * 41 if limit < 100 else "x" * 99 + "…"
    assert problem_of(f"Email,{title}\nanna@example.com,{'x' * (limit + 1)}\n") == Problem(
        field, shown, f"“{shown}” in “{title}” is too long. Shorten it to {limit} characters."
    )


@pytest.mark.parametrize("name", ["a" * 243, "\N{TELEPHONE SIGN}" * 82])  # TELTELTEL…
def test_an_address_has_a_length(name: str) -> None:
    problem = problem_of(f"Email\n{name}@example.com\n")
    assert problem.field == "email"
    assert problem.reason.endswith("” in “Email” is too long. Shorten it to 254 characters.")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\ufffd"])
@pytest.mark.parametrize(("title", "field"), [("Nome", "name"), ("Tags", "tags")])
def test_damaged_text_fails_its_row_and_is_shown_without_the_damage(
    character: str, title: str, field: str
) -> None:
    assert problem_of(f"Email,{title}\nanna@example.com,An{character}na\n") == Problem(
        field,
        "An\ufffdna",
        f"“An\ufffdna” in “{title}” has characters that cannot be read. Type it anew.",
    )


def test_nul_never_leaves_this_module() -> None:
    row = row_of("Email,Note\nanna@example.com,a\0b\n")
    assert row.cells == ["anna@example.com", "a\ufffdb"]
    assert row.problem is None  # the column is ignored anyway


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("vip", ("vip",)),
        ("vip, early bird ,,vip", ("vip", "early bird")),
        ("vip; early  bird", ("vip", "early bird")),
        (" , ", ()),
    ],
)
def test_tags_are_words_between_commas(written: str, tags: tuple[str, ...]) -> None:
    assert row_of(f'Email\tTags\nanna@example.com\t"{written}"\n').tags == tags


def test_a_tag_has_a_length() -> None:
    assert problem_of(f"Email,Tags\nanna@example.com,{'x' * 61}\n").reason == (
        f"“{'x' * 61}” in “Tags” is too long. Shorten it to 60 characters."
    )


@pytest.mark.parametrize(
    ("written", "language"),
    [("it", "it"), ("IT", "it"), ("it-CH", "it"), ("pt_BR", "pt-br"), ("pt", "pt-br"), ("", "")],
)
def test_languages_are_those_of_the_portal(written: str, language: str) -> None:
    row = row_of(f"Email,Idioma\nanna@example.com,{written}\n")
    assert (row.language, row.problem) == (language, None)


@pytest.mark.parametrize("written", ["Klingon", "xx", "../en", "x" * 600])
def test_another_language_fails_its_row(written: str) -> None:
    shown = written if len(written) < 100 else "x" * 99 + "…"
    assert problem_of(f"Email,Idioma\nanna@example.com,{written}\n") == Problem(
        "language",
        shown,
        f"“{shown}” in “Idioma” is no language here. Write one of: en, it, pt-br.",
    )


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_cells_our_exports_defused_are_restored(first: str) -> None:
    row = row_of(f"Email;Nome;Cognome\nanna@example.com;'{first}A;''{first}B\n")
    assert row.name == f"{first}A '{first}B"
    assert row.cells == ["anna@example.com", f"{first}A", f"'{first}B"]


@pytest.mark.parametrize("space", ["\t", "\r"])
def test_a_defused_space_goes_with_the_other_spaces(space: str) -> None:
    assert row_of(f'Email;Nome\nanna@example.com;"\'{space}Anna"\n').name == "Anna"


def test_other_apostrophes_are_kept() -> None:
    assert row_of("Email;Nome\nanna@example.com;'t Hooft O'Brien\n").name == "'t Hooft O'Brien"


# Rows


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("Email\na@example.com\n\n\nb@example.com\n", [2, 5]),
        ("Email;Nome\na@example.com;\n;\n \t; \nb@example.com;\n;;;\n", [2, 5]),
        ('Email,Nome\na@example.com,"one\r\ntwo\nthree"\nb@example.com,x\n', [2, 3]),
        ("sep=,\nEmail\na@example.com\nb@example.com\n", [3, 4]),
        ("\n\nEmail\na@example.com\nb@example.com\n", [4, 5]),
    ],
)
def test_rows_are_numbered_as_a_spreadsheet_shows_them(content: str, numbers: list[int]) -> None:
    sheet = sheet_of(content)
    assert sheet.total == 2
    assert [(row.number, row.email) for row in sheet.rows()] == [
        (numbers[0], "a@example.com"),
        (numbers[1], "b@example.com"),
    ]


def test_a_short_row_is_blank_at_its_end() -> None:
    row = row_of("Email;Nome;Expires on\nanna@example.com\n")
    assert (row.name, row.ends_on, row.problem) == ("", BLANK, None)


def test_a_long_row_fails_unless_it_is_blank_at_its_end() -> None:
    longer, blank = rows_of("Email,Nome\na@example.com,Rossi, Anna, \nb@example.com,Anna,, \n")
    assert longer.problem == Problem(
        "",
        "Anna",
        "“Anna” has no column: the row is longer than the header. Empty that cell, or put "
        "quotation marks around the one it belongs to.",
    )
    assert (blank.name, blank.problem) == ("Anna", None)


def test_the_first_problem_of_a_row_is_told() -> None:
    assert problem_of("Expires on,Email\nnever,nobody\n").field == "email"


def test_an_address_that_comes_twice_is_not_our_business() -> None:
    assert len(rows_of("Email\nanna@example.com\nANNA@example.com\n")) == 2


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 9])
def test_rows_can_be_read_again_from_where_one_stopped(after: int) -> None:
    sheet = sheet_of("Email\na@example.com\n\nb@example.com\nc@example.com\n")
    assert [row.number for row in sheet.rows()] == [2, 4, 5]
    assert [row.number for row in sheet.rows(after=after)] == [n for n in (2, 4, 5) if n > after]


def test_a_path_is_read_like_a_file_object_which_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text(GRID, encoding="utf-8")
    with path.open("rb") as file:
        assert list(open_sheet(file).rows()) == list(open_sheet(path).rows())
        assert not file.closed


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        lines = (f"anna{number}@example.com,Anna,31/12/2026\n" for number in range(count))
        path.write_text("Email,Nome,Expires on\n" + "".join(lines), encoding="utf-8")
        tracemalloc.start()
        assert sum(row.problem is None for row in open_sheet(path).rows()) == count
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)  # fills the caches
    assert peak(5_000) < peak(500) + 100_000


# Files that are refused


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " ; \n;\n", "sep=;\n"])
def test_an_empty_file_is_refused(content: str) -> None:
    assert refusal_of(content) == (
        "The file is empty. Choose one with a header and a row for each member."
    )


def test_a_file_without_addresses_is_refused() -> None:
    assert refusal_of("Nome;Cidade\nAnna;Roma\n") == (
        "The file has no column for the e-mail address: its header is “Nome, Cidade”. "
        "Name that column “Email”."
    )


@pytest.mark.parametrize("title", ["password", "Password", "SENHA", "Contraseña"])
def test_passwords_are_refused(title: str) -> None:
    assert refusal_of(f"Email,{title}\nanna@example.com,123456\n") == (
        f"Passwords are not imported: everybody chooses their own. Delete the column “{title}”."
    )


@pytest.mark.parametrize(
    ("one", "two"), [("Email", "E-mail"), ("Nome", "Name"), ("Expires on", "expires on")]
)
def test_two_columns_that_mean_the_same_are_refused(one: str, two: str) -> None:
    assert refusal_of(f"{one},Phone,{two}\n") == (
        f"The columns “{one}” and “{two}” mean the same. Delete one of them."
    )


def test_limits_are_inclusive_and_do_not_count_blank_rows() -> None:
    content = "Email\n" + "a@example.com\n\n" * 1_000
    assert sheet_of(content, max_rows=1_000, max_bytes=len(content)).total == 1_000
    assert refusal_of(content + "b@example.com", max_rows=1_000) == (
        "The file has more than 1,000 rows. Split it and import the parts one by one."
    )
    assert refusal_of(content, max_bytes=len(content) - 1).startswith("The file is larger than ")
    assert refusal_of(b"x" * (10 * 1024**2 + 1)) == (
        "The file is larger than 10.0\N{NO-BREAK SPACE}MB. "
        "Split it and import the parts one by one."
    )


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"c{number}," for number in range(200)) + "Email\n",
        workbook(["x"] * 200 + ["Email"]),
    ],
)
def test_more_columns_than_anybody_needs_are_refused(content: str | bytes) -> None:
    assert refusal_of(content) == (
        "The file has more than 200 columns. Delete those that are not needed."
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Email,Nome\na@example.com,José\nb@example.com,".encode() + b"Jos\xe9\n", 3),  # both
        (b"\xef\xbb\xbfEmail,Nome\r\na@example.com,Jos\xe9\r\n", 2),
        (b"Email,Nome\ra@example.com,Jos\xe9\rb@example.com,\x81\r", 3),  # not in cp1252
        ("Email\na@example.com\n".encode("utf-16")[:-1], 2),
        ("Email\n".encode("utf-16") + b"\x00\xd8a\x00", 2),  # half a pair
    ],
)
def test_text_in_no_encoding_is_refused_with_its_line(content: bytes, line: int) -> None:
    assert refusal_of(content) == (
        f"Line {line} has characters that cannot be read. "
        "Save the file as “CSV UTF-8” and choose it again."
    )


def test_a_wrong_byte_far_down_is_found() -> None:
    content = b"Email,Nome\n" + b"a@example.com,Anna\n" * 9_000 + b"b@example.com,\x81\n"
    assert refusal_of(content).startswith("Line 9002 has characters that cannot be read.")


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ('Email,Nome\na@example.com,"Anna\nb@example.com,Bruno\n', 2),
        ('Email,Nome\n\n"a\n@example.com",A\nb@example.com,"Bru"no\n', 4),
        ('Email,"Nome\na@example.com,Anna\n', 1),
        ('sep=,\nEmail,Nome\na@example.com,"Anna\n', 3),
    ],
)
def test_a_quotation_mark_without_its_pair_is_refused_with_its_row(content: str, row: int) -> None:
    assert refusal_of(content) == (
        f"Row {row} has a quotation mark that is not closed or stands in the wrong place. "
        "Correct it and choose the file again."
    )


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("Email,Nome\na@example.com,Anna\nb@example.com," + "x" * 131_073, 3),
        ('Email,Nome\na@example.com,"' + "x\n" * 70_000 + '"', 2),
        ('Email,"Nome\n' + "a@example.com,Anna\n" * 9_000, 1),
    ],
)
def test_a_cell_longer_than_any_is_refused_with_its_row(content: str, row: int) -> None:
    assert refusal_of(content) == (
        f"Row {row} has a cell of more than 131,072 characters. Shorten it, or close the "
        "quotation mark if one was left open, and choose the file again."
    )


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "Email\na@example.com\n".encode("utf-16-le")]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    assert refusal_of(content) == (
        "The file is neither CSV nor XLSX. Save it as “CSV UTF-8” or XLSX."
    )


def test_old_and_locked_workbooks_are_refused() -> None:
    assert refusal_of(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)) == (
        "The file is an old Excel file or has a password. Save it as XLSX without one."
    )


def test_a_file_that_is_refused_at_its_end_has_given_no_row() -> None:
    """Whoever gets a sheet can read all of it."""
    good = "Email,Nome\n" + "a@example.com,Anna\n" * 5_000
    assert refusal_of(good + 'b@example.com,"Bruno\n').startswith("Row 5002 ")


def test_sentences_are_in_the_language_of_who_reads_them() -> None:
    with translation.override("it"):
        assert "1.000" in refusal_of("Email\n" + "a@example.com\n" * 1_001, max_rows=1_000)


# XLSX


def test_a_workbook_gives_the_same_rows_as_a_csv() -> None:
    sheet = sheet_of(
        workbook(
            ["Nome", "Email", "Data de expiração", "Data de matrícula", "Telefone", "External ID"],
            [
                "Zoë",
                "Zoe@example.com",
                datetime(2026, 12, 31),
                date(2026, 1, 5),
                391234567890,
                12.0,
            ],
            [],
            ["Anna", "anna@example.com", "31/12/2026", None, "+39 1", "A-7"],
            [None, "bob@example.com", "-"],
            ["", "carl@example.com", 20261231],
        )
    )
    assert (sheet.delimiter, sheet.encoding, sheet.total) == ("", "", 4)
    zoe, anna, bob, carl = sheet.rows()
    assert zoe == Row(
        number=2,
        cells=["Zoë", "Zoe@example.com", "2026-12-31", "2026-01-05", "391234567890", "12"],
        name="Zoë",
        email="zoe@example.com",
        ends_on=date(2026, 12, 31),
        enrolled_on=date(2026, 1, 5),
        phone="391234567890",
        external_id="12",
    )
    assert (anna.number, anna.ends_on, anna.enrolled_on) == (4, date(2026, 12, 31), BLANK)
    assert (anna.phone, anna.external_id) == ("+39 1", "A-7")
    assert (bob.name, bob.ends_on, bob.problem) == ("", None, None)
    assert carl.problem == Problem(
        "ends_on",
        "20261231",
        "“20261231” in “Data de expiração” is no date. Write it as dd/mm/yyyy, like 31/12/2026.",
    )


@pytest.mark.parametrize(
    ("number", "epoch", "day"),
    [
        (46387, WINDOWS_EPOCH, date(2026, 12, 31)),
        (46387.75, WINDOWS_EPOCH, date(2026, 12, 31)),
        (44925, MAC_EPOCH, date(2026, 12, 31)),
        (32874, WINDOWS_EPOCH, date(1990, 1, 1)),
        (109939, WINDOWS_EPOCH, date(2200, 12, 31)),
        (32873, WINDOWS_EPOCH, None),
        (109940, WINDOWS_EPOCH, None),
        (311226, WINDOWS_EPOCH, None),
        (2026, WINDOWS_EPOCH, None),
    ],
)
def test_a_date_of_a_workbook_that_lost_its_format_is_a_date_still(
    number: float, epoch: datetime, day: date | None
) -> None:
    book = workbook(["Email", "Expires on", "Phone"], ["a@example.com", number, 46387], epoch=epoch)
    row = row_of(book)
    assert row.phone == "46387"
    if day:
        assert (row.ends_on, row.problem) == (day, None)
    else:
        assert row.problem
        assert row.problem.value == str(number)


HEADER = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
STRINGS = ("Email", "Nome", "anna@example.com", "Anna")


@pytest.mark.parametrize("dimension", ["A1", "A1:XFD1048576", "C3:D4"])
def test_rows_and_columns_that_are_left_out_count_whatever_the_dimension_says(
    dimension: str,
) -> None:
    rows = HEADER + (
        '<row r="5"><c r="B5" t="s"><v>3</v></c></row>'
        '<row r="7"><c r="A7" t="s"><v>2</v></c><c r="XFD7" s="0"/></row>'
    )
    nameless, anna = rows_of(package(rows, dimension=dimension, strings=STRINGS))
    assert (nameless.number, nameless.name) == (5, "Anna")
    assert nameless.problem is not None
    assert anna == Row(7, anna.cells, email="anna@example.com")
    assert len(anna.cells) == 200


def test_a_formula_gives_its_value_and_a_long_number_its_digits() -> None:
    rows = HEADER.replace("<v>1</v>", "<v>4</v>") + (
        '<row r="2"><c r="A2" t="str"><f>LOWER("A")</f><v>anna@example.com</v></c>'
        '<c r="B2"><v>3.91234567890E11</v></c></row>'
    )
    row = row_of(package(rows, strings=(*STRINGS, "Phone")))
    assert (row.email, row.phone) == ("anna@example.com", "391234567890")


def test_a_value_far_out_is_refused() -> None:
    rows = HEADER + '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="XFD2"><v>1</v></c></row>'
    assert refusal_of(package(rows, strings=STRINGS)).startswith("The file has more than 200 col")


def patched(content: bytes, *, after: bytes, skip: int, byte: bytes) -> bytes:
    """`content` with `byte` at `skip` bytes behind each occurrence of `after`."""
    first, *others = content.split(after)
    return after.join([first, *(part[:skip] + byte + part[skip + 1 :] for part in others)])


@pytest.mark.parametrize(
    "content",
    [
        b"PK\3\4 and nothing of a zip",
        patched(workbook(["Email"]), after=b"PK\1\2", skip=4, byte=b"\1"),  # encrypted, it says
        patched(workbook(["Email"]), after=b"PK\3\4", skip=60, byte=b"\xff"),  # cannot be inflated
        archive({"[Content_Types].xml": "<Types/>"}),
        package(HEADER + '</sheetData><sheetFormatPr unknown="1"/><sheetData>', strings=STRINGS),
        package(HEADER, strings=STRINGS, kind="chartsheet"),
        workbook(["Email"])[:-40],
        archive({"members.csv": "Email\nanna@example.com\n"}),
        package("<row r='1'><c r='A1'><v>1</v></row>"),
        package(HEADER, strings=()),  # cells point at strings that are not there
        package(HEADER + '<row r="2"><c r="A2" t="n"><v>one</v></c></row>', strings=STRINGS),
    ],
)
def test_a_broken_workbook_is_refused(content: bytes) -> None:
    assert refusal_of(content) == (
        "The file cannot be read. Open it in a spreadsheet and save it as XLSX again."
    )


def test_rows_beyond_the_last_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LAST_ROW", 1_000)  # that of Excel takes a second to reach
    rows = HEADER + '<row r="99999999999"><c><v>1</v></c></row>'
    assert refusal_of(package(rows, strings=STRINGS)).startswith("The file cannot be read.")


TOO_LARGE_INSIDE = (
    "The file is far larger inside than a members file needs. "
    "Copy its cells into a new workbook and choose that."
)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = archive({"xl/workbook.xml": " " * 10_000_000})
    tracemalloc.start()
    assert refusal_of(bomb) == TOO_LARGE_INSIDE
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_workbook_that_is_large_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables.MAX_UNPACKED == 100 * 1024**2
    monkeypatch.setattr(tables, "MAX_UNPACKED", 10_000)
    assert refusal_of(workbook(["Email"])) == TOO_LARGE_INSIDE


def test_entities_do_not_multiply() -> None:
    content = package("MANY")
    parts = zipfile.ZipFile(io.BytesIO(content))
    texts = {name: parts.read(name).decode() for name in parts.namelist()}
    levels = itertools.pairwise("abcd")
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in levels)
    texts["xl/sheet.xml"] = f'<!DOCTYPE x [<!ENTITY a "{"x" * 50_000}">{entities}]>' + texts[
        "xl/sheet.xml"
    ].replace("MANY", "<row><c><v>&d;</v></c></row>")
    assert refusal_of(archive(texts)).startswith("The file cannot be read.")
