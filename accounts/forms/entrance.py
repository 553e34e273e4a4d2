"""What strangers fill in: who they say they are, and what they know or have."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import asking, codes, cookies
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose


class AddressField(forms.EmailField):
    """The address of somebody who has an account, or not: in one spelling, whatever they type."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "username", "autocapitalize": "none"})
        super().__init__(label=_("E-mail"), max_length=254, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        return normalize_email(super().to_python(value) or "")


class LoginForm(allauth.LoginForm):
    """allauth's, with our field for the address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = AddressField()
        self.fields["password"].widget.attrs.pop("placeholder", None)


class MailForm(forms.Form):
    """Who would rather be mailed a link and a code than type a password."""

    login = AddressField()

    def save(self, request: HttpRequest, *, browser: str) -> None:
        """Have them mailed; the code is for `browser` alone. Raises TooMany."""
        email = self.cleaned_data["login"]
        device = cookies.device(request, email)
        asking.ask(Purpose.LOGIN, email=email, browser=browser, device=device)


class ResetForm(forms.Form):
    """Who lost their password."""

    email = AddressField()

    def save(self, request: HttpRequest) -> None:
        """Have a link mailed to choose another. Raises TooMany."""
        email = self.cleaned_data["email"]
        asking.ask(Purpose.RESET, email=email, device=cookies.device(request, email))


class CodeForm(forms.Form):
    """A code from a mail."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "placeholder": "ABCD-EFGH",
            }
        ),
    )

    def clean_code(self) -> str:
        return codes.read(self.cleaned_data["code"])
