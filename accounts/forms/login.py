"""What may be asked about the ways in: links, passwords, the address itself."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib.auth.password_validation import (
    password_validators_help_text_html,
    validate_password,
)
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact, Link, User
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose, Section


class LinkForm(forms.Form):
    """A link by mail: to log in and reach a section, or to choose a new password."""

    section = forms.ChoiceField(label=gettext_lazy("Leads to"), choices=Section)
    purpose = forms.TypedChoiceField(
        choices=[(each.value, each.label) for each in (Purpose.LOGIN, Purpose.RESET)],
        coerce=Purpose,
        required=False,
        empty_value=Purpose.LOGIN,
        widget=forms.HiddenInput,  # which button was pressed
    )
    # Drawn anew for each page that shows the form: a double click sends one mail.
    once = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.HiddenInput,
        initial=lambda: uuid.uuid4().hex,
    )

    def key(self, contact: Contact) -> str | None:
        """What makes asking twice harmless; None for a form without `once`."""
        once, purpose = self.cleaned_data["once"], self.cleaned_data["purpose"]
        return f"staff:{once}:{contact.pk}:{purpose}" if once else None


class NewPasswordForm(forms.Form):
    """A password of one's own choice, once: it is shown while typed, not typed twice."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password


class ResetForm(forms.Form):
    """The address of somebody who lost their password."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def save(self) -> None:
        """Mail a link to whoever has this address; for an unknown one nothing happens, and looks the same."""
        email = normalize_email(self.cleaned_data["email"])
        if user := User.objects.select_related("contact").filter(email=email).first():
            Link.objects.mail_to(user, purpose=Purpose.RESET)


class EmailForm(forms.Form):
    """The new address of somebody who is logged in."""

    email = forms.EmailField(
        label=gettext_lazy("New address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=gettext_lazy("We send a mail there. The address is yours once you confirm it."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_email(self) -> str:
        """Whether somebody has it is not asked: nobody learns here who is a student."""
        email = normalize_email(self.cleaned_data["email"])
        validate_email(email)
        if email == self.user.email:
            raise ValidationError(_("This is your address already."))
        return email

    def save(self) -> bool:
        """Mail the link that confirms it; False if they asked for too many within the hour."""
        return Link.objects.mail_to(
            self.user,
            purpose=Purpose.CONFIRM_EMAIL,
            section=Section.PROFILE,
            email=self.cleaned_data["email"],
        )
