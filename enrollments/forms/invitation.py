"""Somebody new in the portal: invited by mail, or added without a word."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import OnceForm
from accounts.forms.profile import language_field
from accounts.models import Contact, User
from accounts.models.contact import normalize_email
from accounts.people import Person, add_many
from accounts.ways import Invite
from enrollments.models import Grant
from offers.models import Offer


class InvitationForm(OnceForm):
    """An e-mail, of a known contact or a new one, and what waits for them."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("They log in with it. A known address is the contact who has it."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    offers = forms.ModelMultipleChoiceField(
        Offer.objects.none(),
        label=gettext_lazy("Offers"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Given from today, for as long as the offer says. The invitation names them."
        ),
    )

    field_order = ("email", "name", "language", "offers")

    def __init__(self, data: Any = None, *, invites: bool) -> None:
        super().__init__(data)
        self.invites = invites
        self.contact: Contact | None = None
        self.fields["language"] = language_field()
        offers = self.fields["offers"]
        if isinstance(offers, forms.ModelMultipleChoiceField):
            offers.queryset = Offer.objects.grantable()
        if not invites:
            offers.help_text = _("Given from today, for as long as the offer says, without a mail.")
        self.order_fields(self.field_order)

    def clean_email(self) -> str:
        """One spelling per address; nobody who cannot be invited."""
        email = normalize_email(self.cleaned_data["email"])
        self.contact = Contact.objects.select_related("user").filter(email=email).first()
        if refusal := self._refusal(email):
            raise ValidationError(refusal)
        return email

    def _refusal(self, email: str) -> str:
        if self.contact and self.contact.is_blocked:
            return _("The contact is blocked.")
        if User.objects.filter(email=email).exclude(role="").exists():
            return _("Staff log in with their password.")
        if self.invites and self.contact and self.contact.joined_at:
            return str(Invite.idle)
        return ""

    @transaction.atomic
    def save(self) -> Contact:
        """Make the contact, or take the one there is: what is known of them stays. One mail, or none."""
        words, known = self.cleaned_data, self.contact
        name = "" if known and known.name else words["name"].strip()
        language = "" if known and known.language else words["language"]
        [made] = add_many([Person(words["email"], name=name, language=language)]).values()
        contact = Contact.objects.get(pk=made.pk)
        Contact.objects.filter(pk=contact.pk).bring_back()
        for offer in words["offers"]:
            Grant.objects.grant(contact=contact, offer=offer, source="manual", notify=False)
        User.objects.for_contact(contact)
        if self.invites:
            Invite().act([contact.pk], {}, key=self.key)
        return contact
