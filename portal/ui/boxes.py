"""Boxes and what stands in them: panels, dialogs, menus, drawings."""

from __future__ import annotations

from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal import context
from portal.ui import Text

register = template.Library()


@register.simple_block_tag
def capture(content: SafeString) -> SafeString:
    """{% capture as name %}…{% endcapture %}: keep a rendered text to use it twice."""
    return SafeString(content.strip())


@register.simple_block_tag(end_name="endpanel")
def panel(
    content: SafeString, title: Text, *, tone: str = "plain", anchor: str = "", flush: bool = False
) -> SafeString:
    """{% panel "Title" tone="warn" %}…{% endpanel %}: a titled box around its content.

    `anchor` is its id; `flush` lets a table or a list touch the edges.
    """
    return format_html(
        '<section class="panel panel--{}{}"{}><h2 class="panel__title">{}</h2>{}</section>',
        tone,
        " panel--flush" if flush else "",
        format_html(' id="{}"', anchor) if anchor else "",
        title,
        content,
    )


@register.simple_block_tag(end_name="enddialog")
def dialog(content: SafeString, key: str, title: Text) -> SafeString:
    """{% dialog "id" "Title" %}…{% enddialog %}: a native dialog.

    A button opens it with commandfor="id" command="show-modal".
    """
    return format_html(
        '<dialog class="dialog" id="{key}" aria-labelledby="{key}-title" closedby="any">'
        '<header class="dialog__head"><h2 class="dialog__title" id="{key}-title">{title}</h2>'
        '<button type="button" class="button button--quiet button--small dialog__close"'
        ' commandfor="{key}" command="close">{icon}<span class="visually-hidden">{close}</span>'
        '</button></header><div class="dialog__body">{content}</div></dialog>',
        key=key,
        title=title,
        icon=icon("x"),
        close=_("Close"),
        content=content,
    )


@register.simple_block_tag(end_name="enddropdown")
def dropdown(
    content: SafeString,
    key: str,
    label: Text,
    *,
    symbol: str = "chevron-down",
    quiet: bool = False,
    small: bool = False,
    hide_label: bool = False,
) -> SafeString:
    """{% dropdown "id" "More" %}…{% enddropdown %}: a button that opens a menu.

    Its children are links and forms with one button each.
    """
    return format_html(
        '<div class="dropdown"><button type="button" class="button{quiet}{small}"'
        ' popovertarget="{key}"><span{hidden}>{label}</span>{icon}</button>'
        '<div class="dropdown__panel" id="{key}" popover>{content}</div></div>',
        key=key,
        label=label,
        quiet=" button--quiet" if quiet else "",
        small=" button--small" if small else "",
        hidden=SafeString(' class="visually-hidden"' if hide_label else ""),
        icon=icon(symbol),
        content=content,
    )


@register.inclusion_tag("components/breadcrumb.html")
def breadcrumb(*items: Text) -> dict[str, Any]:
    """{% breadcrumb _("Contacts") contacts_url contact contact_url %}: labels and addresses by turns."""
    return {"items": list(zip(items[::2], items[1::2], strict=True))}


@register.simple_tag
def once(template_name: str) -> SafeString:
    """{% once "components/styles.html" %}: an include that says the same on every page, rendered once a process."""
    return render_to_string(template_name) if settings.DEBUG else _rendered(template_name)


_rendered = cache(render_to_string)


@register.simple_tag
@cache  # a page has dozens of them, the sheet of drawings one address
def icon(name: str) -> SafeString:
    """A drawing from static/img/icons.svg. Screen readers skip it: put a text beside it."""
    return format_html(
        '<svg class="icon" width="20" height="20" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def request_id() -> str:
    """The number under which the log knows this request."""
    return context.request_id()
