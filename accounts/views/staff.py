"""Staff: who they are, what their roles let them do. For those who may manage staff, and log in anew for it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import fresh_login_required, staff_required
from accounts.forms.staff import ContactRoleForm, RoleForm, StaffForm, invite
from accounts.http import StaffRequest, posted
from accounts.models import Contact, Role, User
from accounts.models.role import PERMISSIONS, SEPARATE, WORDS, roles_from
from accounts.models.user import LastOwner


@staff_required("manage_staff")
def staff_list(request: StaffRequest) -> HttpResponse:
    """Everybody who is staff, the highest role first."""
    ranks = list(Role)
    people = User.objects.with_second_factor().exclude(role="").select_related("contact")
    rows = [
        {
            "person": person,
            "withheld": [WORDS[name] for name in SEPARATE if name in person.withheld],
            "may_change": _may_change(request.user, person),
        }
        for person in sorted(people, key=lambda each: (ranks.index(Role(each.role)), str(each)))
    ]
    return render(request, "accounts/dashboard/staff_list.html", {"rows": rows})


@staff_required("manage_staff")
def permission_list(request: StaffRequest) -> HttpResponse:
    """The table of permissions: what each role may, and what it may not."""
    rows = [
        {
            "word": word,
            "is_separate": name in SEPARATE,
            "cells": [(role.label, name in PERMISSIONS[role]) for role in Role],
        }
        for name, word in WORDS.items()
    ]
    context = {"rows": rows, "roles": [role.label for role in Role]}
    return render(request, "accounts/dashboard/permission_list.html", context)


@staff_required("manage_staff")
@fresh_login_required
def staff_create(request: StaffRequest) -> HttpResponse:
    """Somebody new, or a contact, becomes staff."""
    form = StaffForm(posted(request), by=request.user)
    if form.is_valid() and _save(request, form):
        return redirect("accounts:staff_list")
    return render(request, "accounts/dashboard/staff_form.html", {"form": form})


@staff_required("manage_staff")
@fresh_login_required
def staff_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Another role, or less of it."""
    person = _changeable(request, pk)
    form = RoleForm(posted(request), by=request.user, person=person)
    if form.is_valid() and _save(request, form):
        return redirect("accounts:staff_list")
    # The verb writes into the person before it may be refused: the page shows who it was.
    context = {"form": form, "person": _changeable(request, pk)}
    return render(request, "accounts/dashboard/staff_form.html", context)


@staff_required("manage_staff")
@fresh_login_required
def contact_role(request: StaffRequest, pk: int) -> HttpResponse:
    """The role of a contact. With none they are a student and nothing else."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    if contact.login and not _may_change(request.user, contact.login):
        raise PermissionDenied
    form = ContactRoleForm(posted(request), by=request.user, contact=contact)
    if form.is_valid() and _save(request, form):
        return redirect("portal:contact_detail", pk)
    login = User.objects.with_second_factor().filter(contact=contact).first()
    context = {"form": form, "contact": contact, "person": login}
    return render(request, "accounts/dashboard/staff_form.html", context)


@staff_required("manage_staff")
@fresh_login_required
def staff_remove(request: StaffRequest, pk: int) -> HttpResponse:
    """Take the role away; GET asks. A contact stays a student, anybody else has no login any more."""
    person = _changeable(request, pk)
    context: dict[str, Any] = {"person": person}
    if request.method == "POST":
        try:
            person.change_role("")
        except LastOwner:
            messages.error(request, _last_owner())
        else:
            messages.success(request, _("%(name)s is not staff any more.") % {"name": person})
        return redirect("accounts:staff_list")
    context["items"] = [
        _("They are logged out at once, everywhere, and links that were mailed to them end."),
        _("They stay a student: what they were given stays open.")
        if person.contact_id
        else _("Their login is closed. It comes back if they are added again."),
        _("What they did stays in the audit."),
    ]
    return render(request, "accounts/dashboard/staff_remove.html", context)


@require_POST
@staff_required("manage_staff")
def staff_link(request: StaffRequest, pk: int) -> HttpResponse:
    """Mail the link to choose a password once more to somebody who has none yet."""
    person = _changeable(request, pk)
    if person.has_usable_password():
        messages.error(
            request, _("They have a password: the login page mails a link to a new one.")
        )
    else:
        invite(person)
        messages.success(request, _invited() % {"name": person, "email": person.email})
    return redirect("accounts:staff_update", pk)


@staff_required("manage_staff")
@fresh_login_required
def second_factor_drop(request: StaffRequest, pk: int) -> HttpResponse:
    """Take the second factor off somebody who lost it, a student too; GET asks. For owners alone."""
    people = User.objects.with_second_factor().exclude(role="", contact=None)
    person = get_object_or_404(people.select_related("contact"), pk=pk)
    if request.user.role != Role.OWNER or person.pk == request.user.pk:
        raise PermissionDenied
    if request.method == "POST":
        if person.drop_second_factors():
            text = _("%(name)s logs in with the password alone now, and was told.")
            messages.success(request, text % {"name": person})
        if person.is_staff:
            return redirect("accounts:staff_update", pk)
        return redirect("portal:contact_detail", person.contact_id)
    return render(request, "accounts/dashboard/second_factor_drop.html", {"person": person})


def _may_change(user: User, person: User) -> bool:
    """Whether `user` may change the role of `person`: neither their own nor one above it."""
    return person.pk != user.pk and person.role in ("", *roles_from(user.role))


def _changeable(request: StaffRequest, pk: int) -> User:
    """A member of staff; 404 if they are none, 403 if they are not to be changed by who asks."""
    people = User.objects.with_second_factor().exclude(role="").select_related("contact")
    person = get_object_or_404(people, pk=pk)
    if not _may_change(request.user, person):
        raise PermissionDenied
    return person


def _save(request: StaffRequest, form: RoleForm) -> bool:
    """Carry the form out and say what follows; False if it cannot be, and then the form says why."""
    try:
        person = form.save()
    except LastOwner:
        form.add_error("role", _last_owner())
        return False
    if not person.is_staff:
        text = _("%(name)s is a student now, and nothing else.")
    elif form.is_invited:
        text = _invited()
    elif person.has_usable_password():
        text = _("Saved. %(name)s logs in with their password.")
    else:
        text = _("Saved.")
    messages.success(request, text % {"name": person, "email": person.email})
    return True


def _last_owner() -> str:
    return _("The school needs an owner: make somebody else one first.")


def _invited() -> str:
    return _("A link to choose a password is on its way to %(email)s. Then %(name)s can log in.")
