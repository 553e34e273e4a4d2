"""Numbers to be seen: progress, stars, bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.ui import Text

register = template.Library()


@register.simple_tag
def progress(done: int, total: int, *, label: Text = "", short: bool = False) -> SafeString:
    """How much of `total` is done, as a bar and in words. Nothing to do counts as 0%."""
    percent = min(100, 100 * done // total) if total else 0
    text = f"{percent}%" if short else _done_of(done, total, percent, get_language())
    # Not by format_html(): a shelf may have hundreds of them.
    name = conditional_escape(str(label or _("Progress")))
    return SafeString(
        f'<span class="progress{" progress--done" if percent == 100 else ""}">'
        f'<progress max="{total or 1}" value="{done}" aria-label="{name}"></progress>'
        f'<span class="progress__text">{text}</span></span>'
    )


@lru_cache(maxsize=5000)
def _done_of(done: int, total: int, percent: int, _language: str | None) -> str:
    return _("%(done)s of %(total)s · %(percent)s%%") % {
        "done": number_format(done, force_grouping=True),
        "total": number_format(total, force_grouping=True),
        "percent": percent,
    }


@register.simple_tag
def stars(number: float) -> SafeString:
    """So many of five stars, to the nearest half, drawn and in words."""
    halves = round(number * 2)
    return format_html(
        '<span class="stars stars--{}" role="img" aria-label="{}"></span>',
        halves,
        _("%(stars)s of 5 stars") % {"stars": number_format(halves / 2, 1 if halves % 2 else 0)},
    )


@register.inclusion_tag("components/bar_chart.html")
def bar_chart(points: Sequence[tuple[date, int]], *, title: Text) -> dict[str, Any]:
    """Daily numbers as bars, and the same numbers as a table. Draws on a canvas of 100 by 100."""
    peak = max((number for _day, number in points), default=0)
    step = 100 / (len(points) or 1)
    bars = [
        {
            "day": on,
            "number": number,
            "column": f"{index * step:.3f}",
            "step": f"{step:.3f}",
            "x": f"{index * step + step * 0.14:.3f}",
            "width": f"{step * 0.72:.3f}",
            "y": f"{100 - (100 * number / (peak or 1)):.2f}",
            "height": f"{100 * number / (peak or 1):.2f}",
        }
        for index, (on, number) in enumerate(points)
    ]
    total = sum(number for _day, number in points)
    return {"bars": bars, "peak": peak, "title": title, "total": total}
