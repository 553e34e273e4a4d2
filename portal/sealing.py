"""Secrets that must be read again (a default password, a key of an authenticator) lie sealed in the database."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac


class Unreadable(Exception):
    """Sealed under another SECRET_KEY, or not by us."""


def seal(text: str, *, purpose: str) -> str:
    """`text`, encrypted under SECRET_KEY for this `purpose` alone (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, *, purpose: str) -> str:
    """What was sealed, under SECRET_KEY or one of SECRET_KEY_FALLBACKS. Raises Unreadable."""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable(purpose) from error


def _box(purpose: str) -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    keys = [salted_hmac("portal.sealing", purpose, secret=s, algorithm="sha256") for s in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key.digest())) for key in keys])
