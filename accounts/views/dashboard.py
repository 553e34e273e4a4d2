"""Staff pages about contacts: list, new, edit, block, mail a link. The contact page itself is in portal/views."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.forms import BlockForm, ContactForm, LinkForm
from accounts.http import StaffRequest, is_pk, posted
from accounts.models import Contact, Link, User
from accounts.models.contact import ContactQuerySet
from accounts.models.link import Purpose, Section

PAGE = 50
COUNTED = 1000  # beyond, the list says "1,000+"; the exact number comes as its own fragment


def _found(request: StaffRequest) -> ContactQuerySet:
    return Contact.objects.matching(request.GET.get("q", ""))


@staff_required("view_contacts")
def contact_list(request: StaffRequest) -> HttpResponse:
    """Contacts, newest first, found by name or address. Keyset paging: every page costs the same."""
    query = request.GET.get("q", "").strip()
    before, after = (request.GET.get(name, "") for name in ("before", "after"))
    rows = _found(request).with_portal_status().order_by("-pk")
    if is_pk(after):
        page = list(rows.filter(pk__gt=int(after)).order_by("pk")[: PAGE + 1])
        has_newer, has_older = len(page) > PAGE, True
        page = page[:PAGE][::-1]
    else:
        older = rows.filter(pk__lt=int(before)) if is_pk(before) else rows
        page = list(older[: PAGE + 1])
        has_newer, has_older = is_pk(before), len(page) > PAGE
        page = page[:PAGE]

    is_all = not (before or after or has_older)

    def url(**where: int) -> str:
        return f"?{urlencode({'q': query} | where)}" if query else f"?{urlencode(where)}"

    context = {
        "query": query,
        "contacts": page,
        "prev_url": url(after=page[0].pk) if page and has_newer else "",
        "next_url": url(before=page[-1].pk) if page and has_older else "",
        "count": len(page) if is_all else _found(request).order_by()[: COUNTED + 1].count(),
        "counted": COUNTED,
    }
    return render(request, "accounts/dashboard/contact_list.html", context)


@staff_required("view_contacts")
def contact_count(request: StaffRequest) -> HttpResponse:
    """The exact number of contacts found, for the head of the list."""
    context = {"count": _found(request).count()}
    return render(request, "accounts/dashboard/contact_list.html#count", context)


@staff_required("manage_contacts")
def contact_create(request: StaffRequest) -> HttpResponse:
    """A new contact by hand, and straight on to its page."""
    form = ContactForm(posted(request))
    if form.is_valid():
        contact = form.save()
        messages.success(request, _("%(name)s is a contact now.") % {"name": contact})
        return redirect("portal:contact_detail", contact.pk)
    return render(request, "accounts/dashboard/contact_form.html", {"form": form})


@staff_required("manage_contacts")
def contact_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Registration data and tags."""
    contact = get_object_or_404(Contact, pk=pk)
    form = ContactForm(posted(request), instance=contact)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("portal:contact_detail", pk)
    # The form writes into its instance while it validates: the heading shows who it was.
    context = {"form": form, "contact": Contact.objects.get(pk=pk)}
    return render(request, "accounts/dashboard/contact_form.html", context)


@staff_required("manage_access")
def contact_block(request: StaffRequest, pk: int) -> HttpResponse:
    """Shut somebody out; the page says what that means."""
    contact = get_object_or_404(Contact, pk=pk)
    form = BlockForm(posted(request))
    if form.is_valid():
        contact.block(reason=form.cleaned_data["reason"])
        messages.success(request, _("%(name)s is blocked.") % {"name": contact})
        return redirect("portal:contact_detail", pk)
    context = {"contact": contact, "form": form, "items": _effects_of_blocking(contact)}
    return render(request, "accounts/dashboard/contact_block.html", context)


def _effects_of_blocking(contact: Contact) -> list[str]:
    """What blocking would do, in numbers."""
    sentences = []
    login = contact.login
    if login and (sessions := login.sessions.filter(expire_date__gt=now()).count()):
        text = ngettext(
            "Logs them out of %(number)d browser at once.",
            "Logs them out of %(number)d browsers at once.",
            sessions,
        )
        sentences.append(text % {"number": sessions})
    if login and (links := login.links.usable().count()):
        text = ngettext(
            "Ends %(number)d link that was mailed to them and not used yet.",
            "Ends %(number)d links that were mailed to them and not used yet.",
            links,
        )
        sentences.append(text % {"number": links})
    return [
        *sentences,
        _("Closes every course, and no mail goes to them any more. Nobody tells them why."),
        _("Grants and progress are kept: unblocking opens again what is live then."),
    ]


@require_POST
@staff_required("manage_access")
def contact_unblock(request: StaffRequest, pk: int) -> HttpResponse:
    """Let somebody in again."""
    contact = get_object_or_404(Contact, pk=pk)
    contact.unblock()
    messages.success(request, _("%(name)s is no longer blocked.") % {"name": contact})
    return redirect("portal:contact_detail", pk)


@require_POST
@staff_required("manage_access")
def link_send(request: StaffRequest, pk: int) -> HttpResponse:
    """Mail the contact a login link."""
    contact = get_object_or_404(Contact, pk=pk)
    form = LinkForm(request.POST)
    if contact.is_blocked:
        messages.error(request, _("The contact is blocked: no link was sent."))
    elif contact.login and contact.login.is_staff:
        messages.error(request, _("Staff log in with their password: no link was sent."))
    elif form.is_valid():
        User.objects.for_contacts([pk])
        Link.objects.request(
            user=User.objects.get(contact=pk),
            purpose=Purpose.LOGIN,
            section=Section(form.cleaned_data["section"]),
            delivery="mail",
        )
        messages.success(
            request, _("A login link is on its way to %(email)s.") % {"email": contact.email}
        )
    return redirect(reverse("portal:contact_detail", args=[pk]) + "#login")
