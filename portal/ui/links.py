"""Addresses: of rows, where {% url %} is too slow, and those that people write."""

from __future__ import annotations

import re
from functools import cache

from django import template
from django.urls import get_script_prefix, reverse
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString

from portal.ui import Text

register = template.Library()

# What people write: addresses in it, without what is invisible, and the marks that end a sentence after one.
ADDRESS = re.compile(
    r"https?://[\w\[][^\s<>\"'\u200b-\u200f\u202a-\u202e\u2066-\u2069]*", re.IGNORECASE
)
ENDS = ".,:;!?*_~"


@register.filter
def linked(text: object) -> SafeString:
    """Plain text of somebody's, escaped, with its http and https addresses as links that recommend nothing."""
    words, parts, end = str(text), [], 0
    for found in ADDRESS.finditer(words):
        address = found[0].rstrip(ENDS)
        if "(" not in address:
            address = address.rstrip(ENDS + ")")
        parts += [
            escape(words[end : found.start()]),
            format_html('<a href="{0}" rel="ugc nofollow noopener">{0}</a>', address),
        ]
        end = found.start() + len(address)
    return SafeString("".join([*parts, escape(words[end:])]))


@register.simple_tag
def address(name: str, *pks: int | str) -> SafeString:
    """{% address "app:name" pk %}: {% url %} for the rows of a list, where looking it up each time is too slow.

    For addresses with nothing but numbers in them.
    """
    return SafeString(_pattern(name, len(pks), get_script_prefix()).format(*pks))


@register.simple_tag
def row_link(
    label: Text, about: object, name: str, *pks: int | str, asks: bool = False, tone: str = ""
) -> SafeString:
    """{% row_link "Revoke…" about "app:name" pk asks=True tone="danger" %}: what may be done to a row of a list.

    `about` is the row's name, for those who cannot see where the link stands; `asks`: what it
    leads to is a question, which opens in a dialog.
    """
    kind = f" button--{tone}" if tone else ""
    # Not by format_html(): a page has a hundred of them.
    link = (
        f'<a class="button button--small button--quiet{kind}" href="{address(name, *pks)}">'
        f"<span>{conditional_escape(str(label))} "
        f'<span class="visually-hidden">{conditional_escape(str(about))}</span></span></a>'
    )
    return SafeString(f"<confirm-dialog>{link}</confirm-dialog>" if asks else link)


@cache
def _pattern(name: str, count: int, _prefix: str) -> str:
    """The address with {} for each number."""
    marks = [1_000_000_000 + number for number in range(count)]
    pattern = reverse(name, args=marks)
    for mark in marks:
        pattern = pattern.replace(str(mark), "{}")
    return pattern
