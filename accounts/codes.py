"""Codes: what of a mailed link is short enough to be typed into the browser that asked for it."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without I, L, O, 0 and 1
LENGTH = 8  # 31⁸ are 850 thousand million codes; three may be tried


def derive(nonce: bytes) -> str:
    """The code of a link: derived like its token, under another label, and stored nowhere either."""
    number = int.from_bytes(
        hmac.digest(settings.LINK_KEY.encode(), b"code:" + nonce, hashlib.sha256)
    )
    letters = []
    for _place in range(LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def show(code: str) -> str:
    """As a mail shows it: ABCD-EFGH."""
    return f"{code[:4]}-{code[4:]}"


def read(typed: str) -> str:
    """The code somebody typed, in whatever case, with or without the dash."""
    return "".join(letter for letter in typed.upper() if letter in ALPHABET)
