"""The contact page: everything staff know and do about one person, gathered from all apps."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.bulk import ACTIONS
from accounts.decorators import staff_required
from accounts.forms import BlockForm, LinkForm, NoteForm
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Link, Note, User
from accounts.ways import Way
from enrollments import access
from portal.addresses import is_pk
from portal.timeline import KINDS, timeline
from portal.views.holdings import course_rows, grant_rows, named
from portal.views.navigation import Item

TIMELINE = 50  # entries of a page of it
RECENT = 15  # entries beside the contact
LINKS = 5
NOTES = 20
NOBODY = "/0/"  # in the address of a contact


# By hand, as in holdings.py. The status is what access.with_portal_status() says; a test holds the two together.
CONTACT = """
    SELECT contact.*, login.id AS login_pk, login.password AS login_password, login.role AS login_role,
           login.temporary_until AS login_temporary_until,
           mail.id AS mail_pk, mail.state AS mail_state, mail.subject AS mail_subject,
           ARRAY(
               SELECT tag.name FROM accounts_tag AS tag
               JOIN accounts_contact_tags AS tagged ON tagged.tag_id = tag.id
               WHERE tagged.contact_id = contact.id ORDER BY tag.name
           ) AS tag_names,
           CASE
               WHEN contact.blocked_at IS NOT NULL THEN 'blocked'
               WHEN contact.joined_at IS NOT NULL THEN 'joined'
               WHEN contact.invited_at IS NOT NULL THEN 'invited'
               WHEN EXISTS (
                   SELECT FROM enrollments_grant AS held
                   WHERE held.contact_id = contact.id AND held.revoked_at IS NULL
                     AND (held.ends_at IS NULL OR held.ends_at > %s)
               ) THEN 'active'
               ELSE 'none'
           END AS portal_status
    FROM accounts_contact AS contact
    LEFT JOIN accounts_user AS login ON login.contact_id = contact.id
    LEFT JOIN LATERAL (
        SELECT id, state, subject FROM notifications_message
        WHERE contact_id = contact.id ORDER BY id DESC LIMIT 1
    ) AS mail ON true
    WHERE contact.id = %s
"""
NOTES_OF = f"""
    SELECT note.id, note.contact_id, note.author_id, note.text, note.created_at,
           {named("note.author_id")} AS author_name
    FROM accounts_note AS note
    WHERE note.contact_id = %s ORDER BY note.id DESC LIMIT %s
"""  # noqa: S608 (our own words only)
LINKS_OF = f"""
    SELECT link.id, link.purpose, link.section, link.is_self_service, link.delivery,
           link.created_at, link.expires_at, link.opened_at, link.used_at, link.superseded_at,
           link.revoked_at, {named("link.created_by_id")} AS sender
    FROM accounts_link AS link
    WHERE link.user_id = %s ORDER BY link.id DESC LIMIT %s
"""  # noqa: S608 (our own words only)


@staff_required("view_contacts")
def contact_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Who it is, what they may see and why, how they get in; what happened follows in its slot."""
    contact, login = _contact_and_login(pk)
    every = grant_rows(contact)
    grants = [row for row in every if row.state != "revoked"]
    notes = Note.objects.raw(NOTES_OF, [pk, None if "notes" in request.GET else NOTES + 1])
    context = {
        "contact": contact,
        "login": login,
        "language": dict(settings.LANGUAGES).get(contact.language, contact.language),
        "grants": grants,
        "past_grants": every[len(grants) :],
        "courses": course_rows(contact, grants),
        "notes": notes,
        "links": Link.objects.raw(LINKS_OF, [login.pk, LINKS]) if login else [],
        **_fields(get_language()),
        "login_menu": SafeString(_login_menu(get_language()).replace(NOBODY, f"/{pk}/")),
        "once": uuid.uuid4().hex,
    }
    return render(request, "portal/dashboard/contact_detail.html", context)


def _contact_and_login(pk: int) -> tuple[Contact, User | None]:
    """With all that stands in the left column, by one statement. Raises Http404."""
    for contact in Contact.objects.raw(CONTACT, [now(), pk]):
        told = contact.__dict__
        known = ("pk", "password", "role", "temporary_until")
        login = User(**{name: told[f"login_{name}"] for name in known})
        return contact, login if login.pk else None
    raise Http404


@cache
def _fields(_language: str | None) -> dict[str, str]:
    """What its forms ask, as long as nobody has answered: the same for every contact."""
    return {
        "note_field": str(NoteForm()["text"]),
        "section_field": render_to_string(
            "components/field.html", {"field": LinkForm()["section"]}
        ),
    }


@cache
def _login_menu(_language: str | None) -> str:
    """The ways in that are opened by one press, for NOBODY: whoever shows it puts in whose page it is."""
    ways = [each for each in ACTIONS.values() if isinstance(each, Way) and each.is_plain]
    context = {"ways": ways, "contact_pk": 0}
    return render_to_string("portal/dashboard/contact/login_menu.html", context)


@staff_required("view_contacts")
def contact_timeline(request: StaffRequest, pk: int) -> HttpResponse:
    """A page of what happened, before `?event=` and `?mail=`; for htmx the entries alone."""
    contact = get_object_or_404(Contact, pk=pk)
    kind = request.GET.get("kind", "")
    asked = {name: request.GET.get(name, "") for name in ("event", "mail")}
    context = {
        "contact": contact,
        **_timeline(
            contact,
            kind=kind if kind in KINDS else "",
            before={name: int(text) for name, text in asked.items() if is_pk(text)},
            limit=RECENT if request.htmx and "recent" in request.GET else TIMELINE,
        ),
    }
    fragment = "#entries" if request.htmx else ""
    return render(request, f"portal/dashboard/contact_timeline.html{fragment}", context)


def _timeline(contact: Contact, *, kind: str, before: dict[str, int], limit: int) -> dict[str, Any]:
    """The entries, the kinds to choose from, and where earlier ones are."""
    entries = timeline(contact, kind=kind, before=before, limit=limit)
    url = reverse("portal:contact_timeline", args=[contact.pk])
    kinds = [("", _("All")), *((word, label) for word, (label, _nouns) in KINDS.items())]
    told = before | dict(entry.row for entry in entries)
    older = ({"kind": kind} if kind else {}) | told if len(entries) == limit else None
    return {
        "entries": entries,
        "kinds": [
            Item(str(label), f"{url}?kind={word}" if word else url, "", word == kind)
            for word, label in kinds
        ],
        "older_url": f"{url}?{urlencode(older)}" if older else "",
    }


@staff_required("manage_access")
def contact_block(request: StaffRequest, pk: int) -> HttpResponse:
    """Shut somebody out; the page says what that means."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    form = BlockForm(posted(request))
    if form.is_valid():
        contact.block(reason=form.cleaned_data["reason"])
        messages.success(request, _("%(name)s is blocked.") % {"name": contact})
        return redirect("portal:contact_detail", pk)
    context = {"contact": contact, "form": form, "items": list(_effects_of_blocking(contact))}
    return render(request, "accounts/dashboard/contact_block.html", context)


def _effects_of_blocking(contact: Contact) -> Iterator[str]:
    """What blocking would do, in numbers."""
    login = contact.login
    if is_staff := login is not None and login.is_staff:
        yield _("Closes what they have as a student. They stay staff, and log in as before.")
    else:
        yield _("Shuts them out at once: no password, no link and no code lets them in.")
    if login and not is_staff and (sessions := login.live_sessions().count()):
        text = ngettext(
            "Logs them out of %(number)d browser at once.",
            "Logs them out of %(number)d browsers at once.",
            sessions,
        )
        yield text % {"number": sessions}
    if login and not is_staff and (links := login.links.usable().count()):
        text = ngettext(
            "Ends %(number)d link that was mailed to them and not used yet.",
            "Ends %(number)d links that were mailed to them and not used yet.",
            links,
        )
        yield text % {"number": links}
    if courses := access.open_courses(contact).count():
        text = ngettext(
            "Closes %(number)d course at once.", "Closes all %(number)d courses at once.", courses
        )
        yield text % {"number": courses}
    else:
        yield _("Closes no course: none is open now.")
    if grants := contact.grants.held().count():
        text = ngettext(
            "Keeps their %(number)d grant, which opens nothing until they are unblocked. Its end date goes on.",
            "Keeps their %(number)d grants, which open nothing until they are unblocked. Their end dates go on.",
            grants,
        )
        yield text % {"number": grants}
    if is_staff:
        yield _("Grants and progress are kept. Nobody is told.")
    else:
        yield _("No mail goes to them any more, and nobody tells them why. Progress is kept.")
