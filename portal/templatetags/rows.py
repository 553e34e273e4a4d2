"""The tag `include_each`: lists whose rows are too many to render a template for every one of them."""

import html
import re
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()

MARK = "\0"  # is in no template and in no text of PostgreSQL's


class Row(Protocol):
    """One of many rows that look alike."""

    @property
    def shape(self) -> Hashable:
        """What decides how it looks, beside which of its words are blank: few values for many rows."""

    @property
    def words(self) -> Mapping[str, object]:
        """What it alone says."""


@register.simple_tag(takes_context=True)
def include_each(
    context: template.Context, template_name: str, rows: Iterable[Row], **same: Hashable
) -> SafeString:
    """{% include_each "row.html" rows key=value %}: an include for each row, where rendering each is too slow.

    The template is rendered once a process for each `shape` (and language), with marks for `words`;
    then those of each row are put where the marks are, escaped. So the template may ask of a
    word whether it is blank, but only the shape for what it is; of the page it sees what it is given.
    """
    token = SafeString(context.get("csrf_token", ""))
    given, language = tuple(same.items()), get_language()
    mold = _mold.__wrapped__ if settings.DEBUG else _mold
    pieces: list[str] = []
    for row in rows:
        words = {"csrf_token": token, **row.words}
        told = {name: _escaped(word) for name, word in words.items() if word}
        for text, name in mold(template_name, row.shape, tuple(told), given, language):
            pieces += text, told[name] if name else ""
    return SafeString("".join(pieces))


def _escaped(word: object) -> str:
    """Like conditional_escape(), which takes longer to look for lazy texts than to escape."""
    return word if isinstance(word, SafeString) else html.escape(str(word))


@lru_cache(maxsize=1000)
def _mold(
    template_name: str,
    shape: Hashable,
    told: tuple[str, ...],
    given: tuple[tuple[str, Hashable], ...],
    _language: str | None,
) -> list[tuple[str, str]]:
    """The row's template in pieces: a text, and the name of the word that follows it."""
    marks = {name: SafeString(f"{MARK}{name}{MARK}") for name in told}
    row = render_to_string(template_name, {"shape": shape, **dict(given), **marks})
    pieces = [*re.sub(r"\n\s+", "\n", row).split(MARK), ""]  # without what indents it
    return list(zip(pieces[::2], pieces[1::2], strict=True))
