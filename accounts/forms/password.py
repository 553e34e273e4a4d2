"""Another password for somebody who is logged in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms.login import NewPasswordForm
from accounts.models import User
from portal.limits import CURRENT_PASSWORDS


class PasswordForm(NewPasswordForm):
    """A password of one's own choice, and the present one where it is one's own."""

    field_order = ("current", "password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        if user.has_own_password:
            self.fields["current"] = forms.CharField(
                label=gettext_lazy("Present password"),
                widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
            )
            self.order_fields(self.field_order)

    def clean_current(self) -> str:
        """Raises TooMany for whoever guesses."""
        current: str = self.cleaned_data["current"]
        CURRENT_PASSWORDS.spend(str(self.user.pk))
        if not self.user.check_password(current):
            raise ValidationError(_("This is not your present password."))
        CURRENT_PASSWORDS.forget(str(self.user.pk))
        return current

    def save(self) -> None:
        """Log them out everywhere but, if the caller sees to it, here."""
        self.user.change_password(self.cleaned_data["password"])
