"""What may be asked about staff: who, in which role, without what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms.profile import visible
from accounts.models import Contact, Link, Role, User
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose
from accounts.models.role import SEPARATE, WORDS, roles_from, withheld_from

MOMENT = timedelta(seconds=30)  # in which a second press means the first


class RoleForm(forms.Form):
    """The role of one person, and what of it they keep. `by` gives none above their own."""

    may_be_none = False
    is_invited = False  # whether saving it mailed a link to choose a password

    role = forms.ChoiceField(label=gettext_lazy("Role"))
    kept = forms.MultipleChoiceField(
        label=gettext_lazy("They may also"),
        required=False,
        choices=[(name, WORDS[name]) for name in SEPARATE],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("As far as their role includes it: see the permissions."),
    )

    def __init__(self, *args: Any, by: User, person: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        role, withheld = (person.role, person.withheld) if person else ("", [])
        # What somebody may not do themselves they neither give nor take.
        self.settled = [name for name in by.withheld if name not in withheld] if role else []
        mine = [(name, WORDS[name]) for name in SEPARATE if name not in by.withheld]
        roles = [(each.value, str(each.label)) for each in roles_from(by.role)]
        self.fields["role"] = forms.ChoiceField(
            label=_("Role"),
            choices=[("", _("None: a student"))] * self.may_be_none + roles,
            required=not self.may_be_none,
            initial=role or (None if self.may_be_none else Role.SUPPORT),
        )
        self.fields["kept"].choices = mine  # type: ignore[attr-defined]
        self.fields["kept"].initial = [name for name, _word in mine if name not in withheld]

    @property
    def withheld(self) -> list[str]:
        """What of their role they may not do."""
        kept = [*self.cleaned_data["kept"], *self.settled]
        return withheld_from(self.cleaned_data["role"], kept)

    @transaction.atomic
    def save(self) -> User:
        """Change the role; whoever has no password then gets a link to choose one. Raises as change_role() does."""
        if self.person is None:
            raise TypeError("nobody to change")
        if self.person.change_role(self.cleaned_data["role"], withheld=self.withheld):
            self.is_invited = invite(self.person)
        return self.person


class ContactRoleForm(RoleForm):
    """The role of a contact, who may be a student and nothing else."""

    may_be_none = True

    def __init__(self, *args: Any, contact: Contact, **kwargs: Any) -> None:
        super().__init__(*args, person=contact.login, **kwargs)
        self.contact = contact

    @transaction.atomic
    def save(self) -> User:
        """As RoleForm does; a contact gets a login with their first role."""
        self.person = self.person or User.objects.for_contact(self.contact)
        return super().save()


class StaffForm(RoleForm):
    """Somebody who is to become staff: a new address, or that of a contact."""

    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Of a contact, the name that is known stays."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["email", "name", "role", "kept"])

    def clean_email(self) -> str:
        email = normalize_email(self.cleaned_data["email"])
        validate_email(email)
        if User.objects.filter(email=email).exclude(role="").exists():
            raise ValidationError(_("They are staff already: change their role in the list."))
        return email

    def clean_name(self) -> str:
        return visible(self.cleaned_data["name"])

    @transaction.atomic
    def save(self) -> User:
        """Appoint them, and mail a link to choose a password if they have none."""
        self.person = User.objects.appoint(
            email=self.cleaned_data["email"],
            role=Role(self.cleaned_data["role"]),
            name=self.cleaned_data["name"],
            withheld=self.withheld,
        )
        self.is_invited = invite(self.person)
        return self.person


@transaction.atomic
def invite(person: User) -> bool:
    """Mail a member of staff who has no password a link to choose one; whether one is on its way.

    Nobody else gets anything. What was asked for twice within MOMENT is mailed once.
    """
    person = User.objects.select_for_update(no_key=True, of=["self"]).get(pk=person.pk)
    if not person.is_staff or person.has_usable_password():
        return False
    mailed = person.links.usable().filter(purpose=Purpose.SET_PASSWORD, delivery="mail")
    if not mailed.filter(created_at__gt=now() - MOMENT).exists():
        Link.objects.request(user=person, purpose=Purpose.SET_PASSWORD, delivery="mail")
    return True
