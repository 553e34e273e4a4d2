"""Staff pages about contacts: new, edit, tags, notes, unblock. What needs all apps is in portal/views."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import undo
from accounts.decorators import staff_required
from accounts.forms import ContactForm, NoteForm, StaffProfileForm, TagForm
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Note, User
from portal.events import Name, delete_and_record


@staff_required("manage_contacts")
def contact_create(request: StaffRequest) -> HttpResponse:
    """A new contact by hand, and straight on to its page."""
    form = ContactForm(posted(request))
    if form.is_valid() and (contact := _save(form)):
        messages.success(request, _("%(name)s is a contact now.") % {"name": contact})
        return redirect("portal:contact_detail", contact.pk)
    return render(request, "accounts/dashboard/contact_form.html", {"form": form})


@staff_required("manage_contacts")
def contact_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Registration data and tags."""
    contact = get_object_or_404(Contact, pk=pk)
    form = ContactForm(posted(request), instance=contact)
    if form.is_valid() and _save(form):
        messages.success(request, _("Saved."))
        return redirect("portal:contact_detail", pk)
    # The form writes into its instance while it validates: the heading shows who it was.
    context = {"form": form, "contact": Contact.objects.get(pk=pk)}
    return render(request, "accounts/dashboard/contact_form.html", context)


def _save(form: ContactForm) -> Contact | None:
    """Keep what the form says; None if somebody took the address meanwhile, and then the form says so."""
    try:
        return form.save()
    except IntegrityError:
        form.full_clean()  # which sees by now who has it
        if form.is_valid():
            raise
        return None


@require_POST
@staff_required("manage_contacts")
def contact_tag(request: StaffRequest, pk: int) -> HttpResponse:
    """Put one tag on a contact or take one off; it can be undone."""
    contact = get_object_or_404(Contact, pk=pk)
    form = TagForm(request.POST, contact=contact)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
    elif form.save():
        added, removed = form.cleaned_data["add"], form.cleaned_data["remove"]
        undo.done(
            request,
            _("Tag “%s” is added.") % added if added else _("Tag “%s” is removed.") % removed,
            action=request.path,
            fields={"remove": [added], "add": [removed]},
        )
    else:
        messages.info(request, _("Nothing was changed."))
    return redirect("portal:contact_detail", pk)


@require_POST
@staff_required("manage_contacts")
def note_create(request: StaffRequest, pk: int) -> HttpResponse:
    """Write down what other staff should know about a contact."""
    contact = get_object_or_404(Contact, pk=pk)
    form = NoteForm(request.POST, instance=Note(contact=contact, author=request.user))
    if form.is_valid():
        form.save_once()
        messages.success(request, _("The note is kept. Only staff see it."))
    else:
        messages.error(request, _("A note has 5,000 characters at most, and one at least."))
    return redirect(reverse("portal:contact_detail", args=[pk]) + "#notes")


@staff_required("manage_contacts")
@transaction.atomic
def note_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Delete a note of one's own; GET asks."""
    note = get_object_or_404(Note.objects.select_related("contact"), pk=pk, author=request.user)
    if request.method == "POST":
        delete_and_record(note, Name.NOTE_DELETED, contact=note.contact)
        messages.success(request, _("The note is deleted."))
        return redirect(reverse("portal:contact_detail", args=[note.contact_id]) + "#notes")
    context = {"note": note, "contact": note.contact}
    return render(request, "accounts/dashboard/note_delete.html", context)


@require_POST
@staff_required("manage_access")
def contact_unblock(request: StaffRequest, pk: int) -> HttpResponse:
    """Let somebody in again."""
    contact = get_object_or_404(Contact, pk=pk)
    contact.unblock()
    messages.success(request, _("%(name)s is no longer blocked.") % {"name": contact})
    return redirect("portal:contact_detail", pk)


@staff_required()
def staff_profile(request: StaffRequest) -> HttpResponse:
    """One's own name and language."""
    # A row of its own: validating writes into it, and the page shows who is logged in.
    form = StaffProfileForm(posted(request), instance=User.objects.get(pk=request.user.pk))
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:staff_profile")
    return render(request, "accounts/dashboard/staff_profile.html", {"form": form})
