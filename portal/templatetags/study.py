"""Tags of the student's pages that print many of a kind: a template for each row would be too slow."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.ui import Text
from portal.ui.boxes import icon
from portal.ui.numbers import progress
from portal.ui.people import cover
from portal.ui.times import day

register = template.Library()


@register.simple_tag
def course_card(
    title: Text,
    *,
    url: str = "",
    cover_url: str = "",
    note: Text = "",
    done: int = 0,
    total: int = 0,
    until: date | None = None,
) -> SafeString:
    """A course on a shelf. Without `url` it is shut; without `total` it has no bar."""
    # Not by format_html(): a shelf may have hundreds of them.
    name = conditional_escape(str(title))
    parts = [
        f'<article class="course-card{"" if url else " course-card--locked"}">',
        f'<div class="cover cover--{cover(title)}">',
        f'<img src="{cover_url}" alt="" loading="lazy">' if cover_url else "",
        '</div><div class="course-card__body"><h3 class="course-card__title">',
        f'<a href="{url}">{name}</a>' if url else name,
        "</h3>",
        f'<p class="course-card__note">{conditional_escape(str(note))}</p>' if note else "",
        '<div class="course-card__foot">',
        progress(done, total, label=title) if total else "",
        f'<p class="course-card__note">{pgettext("a date", "until")} {day(until)}</p>'
        if until
        else "",
        "</div></div></article>",
    ]
    return SafeString("".join(parts))


@register.simple_tag
def outline(modules: Iterable[dict[str, Any]]) -> SafeString:
    """The lessons of a course. modules: title, lessons; lesson: title, url, is_done, is_current, locked
    (a sentence, or empty), note, kind: what it is, in words, and icon: its drawing.
    """
    return SafeString(f'<div class="outline">{"".join(map(_module, modules))}</div>')


def _module(module: dict[str, Any]) -> str:
    rows = "".join(f"<li>{_lesson(lesson)}</li>" for lesson in module["lessons"])
    return (
        '<section class="outline__module">'
        f'<h3 class="outline__title">{conditional_escape(module["title"])}</h3>'
        f'<ol class="outline__lessons">{rows}</ol></section>'
    )


def _lesson(lesson: dict[str, Any]) -> str:
    title: str = conditional_escape(lesson["title"])
    note = lesson.get("locked") or lesson.get("note")
    below = f'<span class="outline__note">{conditional_escape(note)}</span>' if note else ""
    kind = (
        f'<span class="outline__kind">{icon(lesson["icon"])}<span>{lesson["kind"]}</span></span>'
        if lesson.get("kind")
        else ""
    )
    if lesson.get("locked"):
        return (
            f'<span class="outline__lesson outline__lesson--locked">{icon("lock")}'
            f'<span class="outline__text"><span>{title}</span>{below}</span>{kind}</span>'
        )
    here = ' aria-current="page"' if lesson.get("is_current") else ""
    mark = '<span class="outline__mark"></span>'
    if lesson.get("is_done"):
        mark = f'<span class="outline__mark outline__mark--done">{icon("check")}</span>'
        title += f'<span class="visually-hidden"> {_("(done)")}</span>'
    return (
        f'<a class="outline__lesson" href="{lesson["url"]}"{here}>{mark}'
        f'<span class="outline__text"><span>{title}</span>{below}</span>{kind}</a>'
    )
