"""What every page shows around its content: the school, and the menu of whoever reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from accounts.models import User
from portal.models import School
from portal.ui.links import address

# Rooms of the dashboard that have no entry of their own: in which one they are.
ROOMS = {
    "portal:contact_list": ("enrollments", "bulk", "grants", "notes", "imports", "exports"),
    "offers:course_list": ("lessons", "modules", "cohorts", "questions", "quiz-attempts"),
}


@dataclass(frozen=True)
class Item:
    """One entry of a menu."""

    label: str
    url: str
    icon: str
    is_current: bool
    count: int | None = None


def _staff_pages(user: User) -> Iterator[tuple[str, str, str]]:
    """(label, URL name, icon) of every page this member of staff may open, in order."""
    yield _("Home"), "portal:dashboard", "home"
    if user.may("view_contacts"):
        yield _("Contacts"), "portal:contact_list", "users"
        yield _("Portal users"), "portal:portal_user_list", "key"
        yield _("Explain access"), "enrollments:access_explain", "help"
    if user.may("manage_content"):
        yield _("Offers"), "offers:offer_list", "tag"
        yield _("Courses"), "offers:course_list", "book"
    if user.may("moderate"):
        yield _("Comments"), "enrollments:moderation_list", "comment"
    if user.may("view_messages"):
        yield _("Messages"), "notifications:message_list", "mail"
    if user.may("view_audit"):
        yield _("Audit"), "portal:audit_list", "shield"
    if user.may("manage_staff"):
        yield _("Staff"), "accounts:staff_list", "user"
    if user.may("manage_settings"):
        yield _("Settings"), "portal:settings", "settings"


def _student_pages() -> Iterator[tuple[str, str, str]]:
    yield _("Home"), "portal:home", "home"
    yield _("Courses"), "enrollments:course_list", "book"
    yield _("Profile"), "accounts:profile", "user"


def _menu(request: HttpRequest, pages: Iterator[tuple[str, str, str]]) -> list[Item]:
    """The pages as a menu; the longest address that begins the present one is the current page."""
    found = [(label, name, address(name), icon) for label, name, icon in pages]
    home = found[0][2]  # begins every other address, so it counts only by itself
    inside: dict[str, str] = {home: home} if request.path == home else {}
    for _label, name, url, _icon in found[1:]:
        for start in (url, *(f"{home}{room}/" for room in ROOMS.get(name, ()))):
            if request.path.startswith(start):
                inside[start] = url
    here = inside[max(inside, key=len)] if inside else ""
    return [Item(label, url, icon, url == here) for label, _name, url, icon in found]


def processor(request: HttpRequest) -> dict[str, Any]:
    """`school`, `menu` and the ways between the two rooms, for every template."""
    words: dict[str, Any] = {
        "school": getattr(request, "school", None) or SimpleLazyObject(School.current)
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return words
    if request.path.startswith("/dashboard/"):
        words["menu"] = _menu(request, _staff_pages(user)) if user.is_staff else []
        profile = address("accounts:staff_profile")
        words["account_menu"] = [Item(_("Your profile"), profile, "user", request.path == profile)]
        if user.may("view_contacts"):
            words["search_url"] = address("portal:search")
        if user.contact is not None:
            words["portal_url"] = address("portal:home")
    else:
        words["menu"] = _menu(request, _student_pages()) if user.contact is not None else []
        if user.is_staff:
            words["dashboard_url"] = address("portal:dashboard")
    return words
