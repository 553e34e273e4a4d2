"""Markdown of lessons to HTML that is safe to show."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import nh3
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from portal.models import File

# fmt: off
_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "img", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on
_OUR_FILE = re.compile(r"/files/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/")


def _image(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> SafeString | str:
    """A picture that was uploaded here; of any other its description is left.

    A foreign one would tell its host who reads what, and could change behind our back.
    """
    token = tokens[index]
    description = self.renderInlineAsText(token.children, options, env)
    source = str(token.attrGet("src") or "")
    if not _OUR_FILE.fullmatch(source):
        return escape(description)
    return format_html('<img src="{}" alt="{}" loading="lazy">', source, description)


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(
    ["table", "strikethrough"]
)
_markdown.add_render_rule("image", _image)


def _is_ours(tag: str, attribute: str, value: str) -> str | None:
    """Every attribute, but of pictures only addresses of our own."""
    is_foreign = (tag, attribute) == ("img", "src") and not _OUR_FILE.fullmatch(value)
    return None if is_foreign else value


_cleaner = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "img": {"src", "alt", "loading"}},
    attribute_filter=_is_ours,
    url_schemes={"https", "http", "mailto"},
    link_rel="ugc nofollow noopener",
)


@lru_cache(maxsize=500)  # a lesson is read more often than it is written
def render(text: str) -> SafeString:
    """`text` as HTML: an allow-list of tags, links that cannot reach back, pictures from our own files alone."""
    return mark_safe(_cleaner.clean(_markdown.render(text)))


def snippet(file: File) -> str:
    """The Markdown that shows an uploaded picture."""
    description = re.sub(r"[\[\]\\]", "", PurePosixPath(file.name).stem)
    return f"![{description}]({file.url})"
