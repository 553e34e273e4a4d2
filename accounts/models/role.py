"""Role: what a member of staff is to the school, and what it lets them do. The one table of it, which the settings show."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member of staff is to the school, the highest first; a student has none."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    SUPPORT = "support", _("Support")
    MODERATOR = "moderator", _("Moderator")


_MODERATOR = {"moderate"}
_SUPPORT = _MODERATOR | {
    "view_contacts",
    "manage_contacts",
    "manage_access",
    "view_messages",
    "export",
    "simulate",
    "copy_links",
}
_ADMIN = _SUPPORT | {"manage_content", "manage_staff", "see_payments", "view_audit"}
PERMISSIONS: dict[str, set[str]] = {
    Role.OWNER: _ADMIN | {"manage_settings"},
    Role.ADMIN: _ADMIN,
    Role.SUPPORT: _SUPPORT,
    Role.MODERATOR: _MODERATOR,
}
# What may be withheld from one person although their role includes it.
SEPARATE = ("simulate", "copy_links", "export", "see_payments")

# Each permission in words, in the order in which people read them.
WORDS = {
    "moderate": _("Moderate comments"),
    "view_contacts": _("See contacts, portal users and their access"),
    "manage_contacts": _("Edit contacts, tags and notes"),
    "manage_access": _("Give, change and end access, block, import"),
    "view_messages": _("Read sent mails"),
    "simulate": _("Simulate sessions"),
    "copy_links": _("Copy login links"),
    "export": _("Export contacts and enrollments"),
    "manage_content": _("Edit offers, courses and cohorts"),
    "view_audit": _("Read the audit"),
    "see_payments": _("See payments"),
    "manage_staff": _("Manage staff"),
    "manage_settings": _("Change the settings of the school"),
}


def roles_from(role: str) -> list[Role]:
    """The roles that one of `role` may give: none above their own."""
    ranks = list(Role)
    return ranks[ranks.index(Role(role)) :] if role else []


def separate_of(role: str) -> list[str]:
    """What `role` includes and may be withheld from one person."""
    return [name for name in SEPARATE if name in PERMISSIONS.get(role, ())]


def withheld_from(role: str, kept: Collection[str]) -> list[str]:
    """What somebody of `role` may not do if, of SEPARATE, only `kept` is theirs."""
    return [name for name in separate_of(role) if name not in kept]
