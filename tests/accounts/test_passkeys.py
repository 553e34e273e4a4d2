"""Passkeys: a device that logs its owner in alone, if it knew them, and a key that is only a second factor."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import make
import pytest
import time_machine
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils.timezone import now
from fido2 import cbor
from fido2.cose import ES256

from accounts.models import User

LOGIN = "/account/2fa/passkeys/login/"
HOST = b"testserver"
PRESENT, KNOWN, ATTESTED = 1, 4, 64  # flags: somebody touched it; it knew them; a key comes along


def text(data: bytes) -> str:
    """As WebAuthn writes bytes in JSON."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A security key in its owner's pocket, set up in the portal. Source: W3C Web Authentication, level 2, § 6."""

    def __init__(self, owner: User) -> None:
        self.owner, self.id = owner, f"key of {owner.pk}".encode()
        self.private = ec.generate_private_key(ec.SECP256R1())
        public = cbor.encode(dict(ES256.from_cryptography_key(self.private.public_key())))
        mine = bytes(16) + len(self.id).to_bytes(2) + self.id + public
        data = self._data(PRESENT | ATTESTED) + mine
        told = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": text(self._client("webauthn.create", "")),
            "attestationObject": text(cbor.encode(told)),
        }
        credential = self._wrapped(response)
        Authenticator.objects.create(
            user=owner, type="webauthn", data={"name": "Key", "credential": credential}
        )

    def answer(self, browser: Client, *, flags: int) -> str:
        """Its answer to the challenge that `browser` was set last."""
        challenge = browser.session["mfa.webauthn.state"]["challenge"]
        client, data = self._client("webauthn.get", challenge), self._data(flags)
        signed = data + hashlib.sha256(client).digest()
        response = {
            "clientDataJSON": text(client),
            "authenticatorData": text(data),
            "signature": text(self.private.sign(signed, ec.ECDSA(hashes.SHA256()))),
            "userHandle": text(user_pk_to_url_str(self.owner).encode()),
        }
        return json.dumps(self._wrapped(response))

    def _wrapped(self, response: dict[str, str]) -> dict[str, object]:
        mine = text(self.id)
        extensions: dict[str, object] = {}
        return {
            "id": mine,
            "rawId": mine,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": extensions,
        }

    @staticmethod
    def _client(kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": "http://testserver"}
        return json.dumps(told).encode()

    @staticmethod
    def _data(flags: int) -> bytes:
        return hashlib.sha256(HOST).digest() + bytes([flags]) + bytes(4)


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def challenged(browser: Client) -> Client:
    """A browser whose login page asks for a passkey."""
    browser.get(LOGIN, headers={"Accept": "application/json"})
    return browser


def test_a_device_that_knew_its_owner_lets_them_in(client, bob):
    answer = Key(bob.user).answer(challenged(client), flags=PRESENT | KNOWN)
    assert client.post(LOGIN, {"credential": answer})["Location"] == "/"
    assert client.session["_auth_user_id"] == str(bob.user.pk)


def test_a_found_key_is_not_enough_even_for_the_challenge_of_another_account(client, bob, charlie):
    found = Key(bob.user)
    Key(charlie.user)
    answer = found.answer(challenged(client), flags=PRESENT)
    assert client.post(LOGIN, {"credential": answer})["Location"] == "/account/login/"
    assert not is_in(client)

    asked = client.post("/account/login/", {"login": charlie.email, "password": make.PASSWORD})
    client.get(asked["Location"])  # charlie's second factor: a touch alone would do
    with time_machine.travel(
        now() + timedelta(minutes=16)
    ):  # the login is over, its challenge is not
        answer = found.answer(client, flags=PRESENT)
        assert client.post(LOGIN, {"credential": answer})["Location"] == "/account/login/"
        assert not is_in(client)


def test_after_the_password_a_touch_is_enough(client, bob):
    key = Key(bob.user)
    asked = client.post("/account/login/", {"login": bob.email, "password": make.PASSWORD})
    client.get(asked["Location"])
    client.post(asked["Location"], {"credential": key.answer(client, flags=PRESENT)})
    assert client.session["_auth_user_id"] == str(bob.user.pk)


def test_a_blocked_persons_passkey_opens_nothing(client, bob):
    key = Key(bob.user)
    bob.block(reason="does not pay")
    answer = key.answer(challenged(client), flags=PRESENT | KNOWN)
    assert "This passkey opens nothing here." in _said(client, answer)
    assert not is_in(client)


@pytest.mark.parametrize("garbage", ['{"id": 1}', "9" * 5000, "[" * 100_000, "null"])
def test_garbage_is_refused_in_words(client, school, garbage):
    challenged(client)
    assert "This passkey opens nothing here." in _said(client, garbage)


def _said(client: Client, credential: str) -> str:
    page = client.post(LOGIN, {"credential": credential}, follow=True)
    assert page.status_code == 200
    return page.content.decode()
