"""The search for leaks finds what it is there to find: each secret, in each place it must not be."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import make
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.cache import cache
from leaks import FEW, leaks, ledger

from accounts import codes, passwords
from accounts.models import Contact, User
from accounts.models.note import Note
from portal.sealing import seal


def search(stage: object = None) -> set[str]:
    """What is found; then it is forgotten, for what is planted here fails no test."""
    found = leaks(stage, has_database=True)
    ledger.born.clear()
    return found


def test_nothing_is_found_where_nothing_leaks(bob, login):
    login(bob).get("/")
    make.link(bob.user)
    make.second_factors(bob.user)
    assert {"link token", "password", "what was sealed"} <= set(ledger.born.values())
    assert search() == set()


def secret_link(user: User) -> str:
    return make.link(user).token


def secret_code(_user: User) -> str:
    return codes.derive(b"x" * 16)


def shown_code(_user: User) -> str:
    return codes.show(codes.derive(b"x" * 16))


def temporary(user: User) -> str:
    return passwords.derive(b"x" * 16, email=user.email)


def default_password(_user: User) -> str:
    seal("Sourdough-2026", purpose="default_password")
    return "Sourdough-2026"


def chosen(user: User) -> str:
    user.set_password("flour and water")
    return "flour and water"


def typed(user: User) -> str:
    user.check_password("not my password")
    return "not my password"


def key_of_an_app(user: User) -> str:
    make.second_factors(user)
    return next(
        secret
        for secret, kind in ledger.born.items()
        if kind == "what was sealed" and len(secret) == 32
    )


def recovery_code(user: User) -> str:
    make.second_factors(user)
    mine = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    return RecoveryCodes(mine).generate_codes()[3]


SECRETS = [
    secret_link,
    secret_code,
    shown_code,
    temporary,
    default_password,
    chosen,
    typed,
    key_of_an_app,
    recovery_code,
]


@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_is_found_in_a_table(bob, secret):
    Note.objects.create(contact=bob, text=f"Told them {secret(bob.user)} by phone")
    [found] = search()
    assert found.endswith(" in accounts_note")


def in_a_list(bob: Contact, secret: str, _browser) -> None:
    make.student()  # more come and go
    Note.objects.create(contact=bob, text=f"https://portal.example.com/l/{secret}/")


def in_bytes(bob: Contact, secret: str, _browser) -> None:
    link = make.link(bob.user)
    link.nonce = f"{secret[:8]}".encode()
    ledger.note("link token", secret[:8])
    link.save(update_fields=["nonce"])


def in_a_session(_bob: Contact, secret: str, browser) -> None:
    session = browser.session
    session["kept"] = {"for": [secret]}
    session.save()


def in_the_cache(_bob: Contact, secret: str, _browser) -> None:
    cache.set("kept", {"for": secret})


def in_the_log(_bob: Contact, secret: str, _browser) -> None:
    logging.getLogger("anything").warning("They said it is %s-", secret[:63])
    ledger.note("link token", secret[:63])


@pytest.mark.parametrize("many", [0, FEW + 1])
@pytest.mark.parametrize(
    ("plant", "where"),
    [
        (in_a_list, "accounts_note"),
        (in_bytes, "accounts_link, as bytes"),
        (in_a_session, "a session, decoded"),
        (in_the_cache, "the cache"),
        (in_the_log, "the log"),
    ],
)
def test_wherever_one_lies_it_is_found(bob, login, plant, where, many):
    for number in range(many):
        ledger.note("link token", f"{number:064x}")
    plant(bob, make.link(bob.user).token, login(bob))
    assert search() == {f"link token in {where}"}


def test_what_processes_write_is_read_and_their_secrets_are_known(bob, tmp_path):
    stage = SimpleNamespace(folder=tmp_path)
    link = make.link(bob.user)
    ledger.born.clear()  # as if another process had made it
    (tmp_path / "web.log").write_text(f"GET /l/{link.token}/ 200\n")
    assert search(stage) == {"link token in web.log"}


def test_part_of_a_longer_word_is_no_code():
    ledger.note("code", "ABCD2345")
    assert ledger.found_in("xABCD2345 ABCD23456") == set()
    assert ledger.found_in('{"a":"ABCD2345"}') == {"code"}
    ledger.born.clear()
