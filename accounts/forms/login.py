"""What may be asked about the ways in: links, passwords, the address itself."""

from __future__ import annotations

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

from accounts import asking
from accounts.models import Link, User
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose, Section


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
        if self.user.must_change_password and self.user.check_password(password):
            raise ValidationError(_("This is the temporary password. Choose one of your own."))
        return password


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

    def save(self) -> None:
        """Mail the link that confirms it. Raises TooMany, be it they or the address that had so many."""
        email = self.cleaned_data["email"]
        asking.count(self.user.email, email)
        Link.objects.mail_to(
            self.user, purpose=Purpose.CONFIRM_EMAIL, section=Section.PROFILE, email=email
        )
