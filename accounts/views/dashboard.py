"""Staff pages about contacts: new, edit, block, mail a link. Their list and page need all apps: portal/views."""

from __future__ import annotations

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
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Link, User
from accounts.models.link import Purpose, Section


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
    login = User.objects.for_contact(contact)
    if contact.is_blocked:
        messages.error(request, _("The contact is blocked: no link was sent."))
    elif login.is_staff:
        messages.error(request, _("Staff log in with their password: no link was sent."))
    elif form.is_valid():
        Link.objects.request(
            user=login,
            purpose=Purpose.LOGIN,
            section=Section(form.cleaned_data["section"]),
            delivery="mail",
        )
        messages.success(
            request, _("A login link is on its way to %(email)s.") % {"email": contact.email}
        )
    else:
        messages.error(request, _("Choose where the link leads: no link was sent."))
    return redirect(reverse("portal:contact_detail", args=[pk]) + "#login")
