"""Temporary passwords: made from what a row holds and a key the database does not have, hence stored nowhere."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings

# Nothing that looks like something else: no i, l, o, no 0 and 1. One case, for thumbs.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, IN_GROUP = 5, 4  # 20 letters of 31: 99 bits


def derive(nonce: bytes, *, email: str) -> str:
    """The temporary password of a mail, like "k7mq-3xwp-…": the same on every attempt to send it.

    Bound to the address it goes to: corrected, the address gets another one. Source: RFC 2104 (HMAC).
    """
    text = b"password:" + nonce + email.encode()
    number = int.from_bytes(hmac.digest(settings.LINK_KEY.encode(), text, hashlib.sha256))
    letters = ""
    for _place in range(GROUPS * IN_GROUP):
        number, letter = divmod(number, len(LETTERS))
        letters += LETTERS[letter]
    return "-".join(letters[at : at + IN_GROUP] for at in range(0, len(letters), IN_GROUP))
