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
ADD = "/account/2fa/passkeys/add/"
PROVE = "/account/2fa/passkeys/reauthenticate/"
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
        data = {"name": "Key", "credential": self.introduction("")}
        Authenticator.objects.create(user=owner, type="webauthn", data=data)

    def introduction(self, challenge: str) -> dict[str, object]:
        """What it says of itself when it is set up."""
        public = cbor.encode(dict(ES256.from_cryptography_key(self.private.public_key())))
        mine = bytes(16) + len(self.id).to_bytes(2) + self.id + public
        data = self._data(PRESENT | KNOWN | ATTESTED) + mine
        told = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": text(self._client("webauthn.create", challenge)),
            "attestationObject": text(cbor.encode(told)),
        }
        return self._wrapped(response)

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


GARBAGE = {
    "no JSON": "{",
    "nothing": "null",
    "a number": "0",
    "a long number": "9" * 5_000,
    "a list": "[[]]",
    "too deep": "[" * 50_000,
    "too long": json.dumps({"id": "x" * 200_000}),
    "empty": "{}",
    "wrong types": json.dumps({"id": 1, "rawId": 1, "response": 1, "type": 1}),
    "no key": json.dumps({"id": "eA", "rawId": "eA", "response": {}, "type": "public-key"}),
    "no CBOR": json.dumps(
        {
            "id": "eA",
            "rawId": "eA",
            "type": "public-key",
            "response": {
                "clientDataJSON": text(b"[]"),
                "attestationObject": text(b"\x81"),
                "authenticatorData": text(b"\x81"),
                "signature": "",
            },
        }
    ),
}
garbage = pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)


@garbage
def test_garbage_lets_nobody_in_and_is_refused_in_words(client, school, garbage):
    challenged(client)
    assert "This passkey opens nothing here." in _said(client, garbage)


@garbage
def test_garbage_after_the_password_is_refused_in_words(client, school, bob, garbage):
    Key(bob.user)
    asked = client.post("/account/login/", {"login": bob.email, "password": make.PASSWORD})
    client.get(asked["Location"])
    page = client.post(asked["Location"], {"credential": garbage})
    assert page.status_code == 200
    assert "This passkey opens nothing here." in page.content.decode()
    assert not is_in(client)


@garbage
def test_garbage_proves_nothing(login, school, bob, garbage):
    Key(bob.user)
    browser = login(bob)
    browser.get(PROVE)
    page = browser.post(PROVE, {"credential": garbage}, follow=True)
    assert page.status_code == 200
    assert "This passkey opens nothing here." in page.content.decode()


@garbage
def test_garbage_is_no_new_passkey(login, school, bob, garbage):
    browser = login(bob)
    browser.get(ADD)
    page = browser.post(ADD, {"name": "Made up", "credential": garbage})
    assert page.status_code == 200
    assert "No passkey was added" in page.content.decode()
    assert not Authenticator.objects.exists()


def introduced(browser: Client, key: Key, **more: object) -> str:
    """What `key` says of itself to the page that adds it, and `more` that a browser may say."""
    browser.get(ADD)
    return json.dumps(key.introduction(browser.session["mfa.webauthn.state"]["challenge"]) | more)


@pytest.fixture
def new_key(bob) -> Key:
    key = Key(bob.user)
    Authenticator.objects.all().delete()
    return key


@pytest.mark.parametrize(("resident", "badges"), [(True, 1), (False, 0), ({"x": 1}, 0)])
def test_a_passkey_is_added_and_tells_whether_it_needs_no_password(
    login, bob, new_key, resident, badges
):
    browser = login(bob)
    said = {"credProps": {"rk": resident}, "made": "up \0", "much": float("inf")}
    answer = introduced(browser, new_key, clientExtensionResults=said, more="\ud800")
    browser.post(ADD, {"name": "Key", "passwordless": "on", "credential": answer})
    shown = browser.get("/account/2fa/").content.decode()
    assert shown.count("Works without password") == badges
    browser.get(PROVE)
    proof = new_key.answer(browser, flags=PRESENT)
    assert "opens nothing" not in browser.post(PROVE, {"credential": proof}).content.decode()


@pytest.mark.parametrize("said", [None, 1, {"credProps": 1}, {"credProps": None}])
def test_made_up_extensions_add_no_passkey(login, bob, new_key, said):
    browser = login(bob)
    answer = introduced(browser, new_key, clientExtensionResults=said)
    page = browser.post(ADD, {"name": "Key", "credential": answer})
    assert "No passkey was added" in page.content.decode()
    assert browser.get("/account/2fa/").status_code == 200


def test_a_name_has_an_end(login, bob, new_key):
    browser, name = login(bob), "x" * 81
    words = {"name": name, "credential": introduced(browser, new_key)}
    assert "at most 80 characters" in browser.post(ADD, words).content.decode()
    passkey = Authenticator.objects.get(pk=make.second_factors(bob.user).pk)
    url = f"/account/2fa/passkeys/{passkey.pk}/edit/"
    assert "at most 80 characters" in browser.post(url, {"name": name}).content.decode()
    assert browser.post(url, {"name": "Phone"}).status_code == 302
    passkey.refresh_from_db()
    assert passkey.data["name"] == "Phone"


def _said(client: Client, credential: str) -> str:
    page = client.post(LOGIN, {"credential": credential}, follow=True)
    assert page.status_code == 200
    return page.content.decode()
