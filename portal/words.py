"""`make words`: collects the texts of code and templates into locale/, and compiles them.

Django's makemessages needs GNU gettext, which a fresh machine has not: this is the same work
by Babel. With --check it writes nothing and fails where a text is missing, fuzzy or stale.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent
LANGUAGES = ("it", "pt_BR")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def sources() -> Iterator[tuple[str, io.BytesIO]]:
    """Every file of the repository with texts in it, templates turned into what Babel reads."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "templates"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    for name in sorted(filter(None, listed)):
        path = ROOT / name
        if name.startswith("tests/") or "/migrations/" in name or not path.exists():
            continue
        text = path.read_text()
        yield name, io.BytesIO((text if name.endswith(".py") else templatize(text)).encode())


def collect() -> Catalog:
    """All texts as they stand in the sources now."""
    catalog = Catalog(project="portal", charset="utf-8")
    for name, source in sources():
        # templatize() writes Python's calls among blanked text that Python's own tokenizer
        # refuses; the scripts' extractor reads the same calls and minds nothing between them.
        method = "python" if name.endswith(".py") else "javascript"
        for line, message, _comments, context in extract(method, source, KEYWORDS):
            catalog.add(message, locations=[(name, line)], context=context)
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """The .mo file of `catalog`: the same bytes for the same texts."""
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def problems(language: str, texts: Catalog) -> Iterator[str]:
    """What `make words` and a translator would still have to do."""
    folder = ROOT / "locale" / language / "LC_MESSAGES"
    with (folder / "django.po").open("rb") as file:
        known = read_po(file, locale=language)
    for message in texts:
        if not message.id:
            continue
        id_ = message.id[0] if isinstance(message.id, tuple) else message.id
        translation = known.get(id_, message.context)
        strings = translation.string if translation else ""
        if translation is None:
            yield f"{language}: not collected: {id_!r}"
        elif translation.fuzzy or not all(strings if isinstance(strings, tuple) else [strings]):
            yield f"{language}: not translated: {id_!r}"
        else:
            yield from (f"{language}: {error}: {id_!r}" for error in translation.check(known))
    if (folder / "django.mo").read_bytes() != compiled(known):
        yield f"{language}: the .mo file is stale, run `make words`"


def update(language: str, texts: Catalog) -> None:
    """Bring one language's file up to date, keeping its translations, and compile it."""
    folder = ROOT / "locale" / language / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "django.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    else:
        catalog = Catalog(locale=language, project="portal", charset="utf-8")
    catalog.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    with path.open("wb") as file:
        write_po(
            file, catalog, omit_header=False, sort_output=True, include_lineno=False, width=100
        )
    with path.open("rb") as file:
        (folder / "django.mo").write_bytes(compiled(read_po(file, locale=language)))


def main() -> None:
    """Update, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    texts = collect()
    if not parser.parse_args().check:
        for language in LANGUAGES:
            update(language, texts)
        return
    found = [problem for language in LANGUAGES for problem in problems(language, texts)]
    sys.stderr.write("".join(f"{problem}\n" for problem in found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
