"""Second factors, by allauth: what of them is ours. Keys lie sealed, guesses are counted, everybody is told by our mails."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from allauth.core import context as allauth
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import forms as base
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn import forms as webauthn
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.dispatch import Signal, receiver
from django.utils.translation import gettext_lazy as _

from accounts import browsers
from accounts.models import User
from portal.events import Name, record
from portal.limits import SECOND_FACTORS
from portal.models import School
from portal.sealing import Unreadable, seal, unseal

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PURPOSE = "second factor"
# What each is called, in the log and in mails.
KINDS = {
    Authenticator.Type.TOTP.value: _("Authenticator app"),
    Authenticator.Type.WEBAUTHN.value: _("Passkey"),
    Authenticator.Type.RECOVERY_CODES.value: _("Recovery codes"),
}


class Adapter(DefaultMFAAdapter):
    """allauth's second factors under the school's name, sealed in the database."""

    def encrypt(self, text: str) -> str:
        return seal(text, purpose=PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, purpose=PURPOSE)

    def get_totp_issuer(self) -> str:
        return School.current().name

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The host a passkey belongs to, under the name that browsers show."""
        return super().get_public_key_credential_rp_entity() | {"name": School.current().name}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:  # noqa: A002 -- allauth's word
        """The browser it is made in, which they may change."""
        return browsers.say(allauth.request.headers.get("User-Agent", ""))


class _Counted(forms.Form):
    """Guessing a code is limited, however many guess at once."""

    user: User

    def clean_code(self) -> str:
        """Raises TooMany after a handful of wrong codes. A right one starts the count anew."""
        SECOND_FACTORS.spend(str(self.user.pk))
        code: str = super().clean_code()  # type: ignore[misc]
        SECOND_FACTORS.forget(str(self.user.pk))
        return code


class AuthenticateForm(_Counted, base.AuthenticateForm):
    """A code, after the password."""


class ReauthenticateForm(_Counted, base.ReauthenticateForm):
    """A code, before something dangerous."""


class ActivateForm(_Counted, totp.ActivateTOTPForm):
    """The first code of an authenticator app. Until it is given, its key waits in the session: sealed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.secret = unseal(self.secret, purpose=PURPOSE)
        except Unreadable:  # drawn just now
            allauth.request.session[SECRET_SESSION_KEY] = seal(self.secret, purpose=PURPOSE)


# Of a passkey that somebody shows.
REFUSAL = _("This passkey opens nothing here. Log in another way.")
# What made-up JSON does to those who read it.
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
ANSWER = 100_000  # letters of a browser's answer at most; with the certificates of a maker it has thousands
NAME = 80  # letters of a passkey's name


@contextmanager
def _reading(refusal: StrOrPromise) -> Iterator[None]:
    """Say `refusal` for whatever allauth finds wrong or stumbles over: it reads JSON of a browser, or of whoever likes."""
    try:
        yield
    except (forms.ValidationError, *_UNREADABLE):
        raise forms.ValidationError(refusal) from None


class PasskeyForm(webauthn.AddWebAuthnForm):
    """A new passkey. Unless they say otherwise it is one that needs no password beside it."""

    name = forms.CharField(label=_("Name"), required=False, max_length=NAME)
    credential = forms.CharField(widget=forms.HiddenInput)  # type: ignore[assignment]
    passwordless = forms.BooleanField(
        label=_("Log in with it alone, without the password"),
        required=False,
        initial=True,
        help_text=_("The device then asks for your finger, your face or its PIN."),
    )

    def clean(self) -> dict[str, Any]:
        """The passkey, if it answers what was asked in this session."""
        with _reading(_("No passkey was added: it was canceled, or it is added already.")):
            if answer := self.cleaned_data.get("credential"):
                self.cleaned_data["credential"] = _kept(_heard(answer))
            words: dict[str, Any] = super().clean()
        return words


def _heard(answer: str) -> Any:
    """The JSON of an answer. Raises one of _UNREADABLE."""
    if len(answer) > ANSWER:
        raise ValueError
    return json.loads(answer)


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    """What is read again of a new passkey. Everything else in a browser's answer could be anything."""
    told = auth.parse_registration_response(answer)
    properties = answer["clientExtensionResults"].get("credProps", {})
    is_alone = {"credProps": {"rk": properties.get("rk") is True}}
    return {**told, "clientExtensionResults": is_alone}


class RenameForm(webauthn.EditWebAuthnForm):
    """What a passkey is called."""

    name = forms.CharField(label=_("Name"), max_length=NAME)


class _Presented(forms.Form):
    """A passkey somebody shows: theirs, or simply not right."""

    credential = forms.CharField(widget=forms.HiddenInput)

    def clean_credential(self) -> Authenticator:
        with _reading(REFUSAL):
            self.cleaned_data["credential"] = _heard(self.cleaned_data["credential"])
            authenticator: Authenticator = super().clean_credential()  # type: ignore[misc]
        return authenticator


class PasskeyAuthenticateForm(_Presented, webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey, after the password."""


class PasskeyReauthenticateForm(_Presented, webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey, before something dangerous."""


class LoginForm(_Presented, webauthn.LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey instead of address and password."""

    def clean_credential(self) -> Authenticator:
        """Of somebody who may come in, and whom their device knew; everything else is simply not right.

        That it knew them, by finger, face or PIN, allauth asks of its own challenge for this page alone. The
        one it sets after a password does not ask, and would do: a key that was found would need no password.
        """
        authenticator = super().clean_credential()
        answer = auth.parse_authentication_response(self.cleaned_data["credential"])
        device = answer.response.authenticator_data
        if authenticator.user.is_blocked or not device.is_user_verified():
            raise forms.ValidationError(REFUSAL)
        return authenticator


CHANGES = {
    authenticator_added: "added",
    authenticator_removed: "removed",
    authenticator_reset: "renewed",
}


@receiver([*CHANGES])
@transaction.atomic
def note_change(signal: Signal, user: User, authenticator: Authenticator, **_told: Any) -> None:
    """Record `second_factor.changed`, of which they are told. Recovery codes come and go with what they stand in for."""
    what = CHANGES[signal]
    if authenticator.type == Authenticator.Type.RECOVERY_CODES and what != "renewed":
        return
    record(
        Name.SECOND_FACTOR_CHANGED,
        contact=user.contact,
        user=user.pk,
        what=what,
        kind=str(authenticator.type),
    )


@receiver(authentication_failed)
@transaction.atomic
def note_failure(user: User, *, reauthentication: bool = False, **_told: Any) -> None:
    """Record `login.failed` where the password was right and the code after it was not."""
    if not reauthentication:
        record(Name.LOGIN_FAILED, contact=user.contact, user=user.pk, way="second_factor")
