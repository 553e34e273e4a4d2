"""People: their initials and colors, what they may do, an address that only its owner knows again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from accounts.models import User

register = template.Library()

COVERS = 8


@register.filter
def initials(name: object) -> str:
    """At most two letters for an avatar: of the first and of the last word."""
    words = str(name).replace("@", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def cover(title: object) -> int:
    """A number from 1 to 8 that a title keeps forever: it chooses the colors of its cover."""
    return crc32(str(title).encode()) % COVERS + 1


@register.simple_tag
def avatar(name: object) -> SafeString:
    """Initials in a circle; the name stands beside it."""
    return format_html(
        '<span class="avatar cover--{}" aria-hidden="true">{}</span>', cover(name), initials(name)
    )


@register.filter
def may(user: User, permission: str) -> bool:
    """Whether this person's role includes `permission`: {% if user|may:"manage_access" %}."""
    return user.may(permission)


@register.filter
def masked(address: object) -> str:
    """An e-mail address its owner knows again and nobody else can read: "b•••@example.com"."""
    name, _at, host = str(address).rpartition("@")
    return f"{name[:1]}•••@{host}"
