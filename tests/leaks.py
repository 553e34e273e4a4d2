"""Every secret is remembered when it is made, and must be nowhere afterwards: no table, no session, no log.

What a test made is looked for when it is over and its database still stands; what was logged meanwhile, by this
process or by those a stage started, is read as well. A secret that is found fails the test that made it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from cryptography.fernet import MultiFernet
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, connection
from stage import Stage, working_on

from accounts import codes, passwords
from accounts.models import Link, Session
from accounts.models import link as links
from notifications.models import Message
from portal.logs import Line

# Shorter ones that a test types ("x", "wrong") are words like any other.
TELLING = 8
FEW = 200  # so many are looked for by PostgreSQL itself, one by one


class Ledger:
    """The secrets of one test, each with what it is, and what was logged meanwhile."""

    def __init__(self) -> None:
        self.born: dict[str, str] = {}
        self.log = io.StringIO()

    def note(self, kind: str, secret: object) -> None:
        if isinstance(secret, bytes):
            secret = secret.decode(errors="replace")
        if isinstance(secret, str) and len(secret) >= TELLING:
            self.born[secret] = kind

    def found_in(self, text: str) -> set[str]:
        """What kinds of secrets stand in `text`: as words of their own, in plain, or as a column of bytes shows them."""
        if not self.born or not text:
            return set()
        if len(self.born) <= FEW:
            standing = [secret for secret in self.born if secret in text]
        else:
            words = {word.strip("-") for word in re.findall(r"[A-Za-z0-9-]+", text)}
            words.update(re.findall(r"[0-9a-f]{64}", text))
            standing = [secret for secret in self.born if secret in words]
        alone = (rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])" for secret in standing)
        return {
            self.born[secret]
            for secret, pattern in zip(standing, alone, strict=True)
            if re.search(pattern, text)
        }


ledger = Ledger()


def listen() -> None:
    """From now on, remember every secret when it is made or typed."""

    def tell(place: object, name: str, kind: str, secrets: Callable[..., Iterable[object]]) -> None:
        original = getattr(place, name)

        @functools.wraps(original)
        def told(*args: Any, **words: Any) -> Any:
            made = original(*args, **words)
            for secret in secrets(made, *args, **words):
                ledger.note(kind, secret)
            return made

        setattr(place, name, told)

    tell(links, "derive", "link token", lambda made, _nonce: [made])
    tell(codes, "derive", "code", lambda made, _nonce: [made, codes.show(made)])
    tell(passwords, "derive", "temporary password", lambda made, *_a, **_w: [made])
    tell(totp, "generate_totp_secret", "key of an authenticator", lambda made, *_a, **_w: [made])
    tell(RecoveryCodes, "generate_codes", "recovery code", lambda made, _self: made)
    tell(MultiFernet, "encrypt", "what was sealed", lambda _made, _self, text, *_a: [text])
    for name in ("set_password", "check_password"):
        tell(AbstractBaseUser, name, "password", lambda _made, _self, typed: [typed])


def places() -> Iterator[tuple[str, str]]:
    """(where, text) of what the tables hold, and of what lies packed in them: bytes, sessions, the cache."""
    quote = connection.ops.quote_name
    tables = [
        name
        for name in connection.introspection.table_names()
        if not name.startswith(("django_", "auth_"))
    ]
    narrow, sought = "", []
    if len(ledger.born) <= FEW:
        patterns = [re.sub(r"([\\%_])", r"\\\1", secret) for secret in ledger.born]
        patterns += [secret.encode().hex() for secret in ledger.born]
        narrow = " WHERE t::text LIKE ANY(%s)"
        sought = [[f"%{pattern}%" for pattern in patterns]] * len(tables)
    rows = [f"SELECT '{name}', t::text FROM {quote(name)} AS t{narrow}" for name in tables]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(rows), sought)
        for name, text in cursor.fetchall():
            yield name, text
            for run in re.findall(r"\\x((?:[0-9a-f]{2}){8,})", text):
                yield f"{name}, as bytes", bytes.fromhex(run).decode(errors="replace")
        cursor.execute("SELECT value FROM portal_cache")
        for (value,) in cursor.fetchall():
            yield "the cache", base64.b64decode(value).decode(errors="replace")
    for session in Session.objects.all():
        yield "a session, decoded", repr(session.get_decoded())


def leaks(stage: Stage | None, *, has_database: bool) -> set[str]:
    """Where secrets of this test stand: in a log, in the database."""
    if stage is not None:
        _remember_what_others_made()
    if not ledger.born:
        return set()
    logs = [("the log", ledger.log.getvalue())]
    if stage is not None:
        logs += [(log.name, log.read_text(errors="replace")) for log in stage.folder.glob("*.log")]
    found = {f"{kind} in {where}" for where, text in logs for kind in ledger.found_in(text)}
    if has_database and not connection.needs_rollback:
        found |= {
            f"{kind} in {where}" for where, text in places() for kind in ledger.found_in(text)
        }
    return found


def leaks_on(stage: Stage) -> set[str]:
    """The same on the database of a stage. A browser test keeps an event loop in its thread, where Django refuses to look."""

    def look() -> set[str]:
        with working_on(stage.environment["DATABASE_URL"]):
            return leaks(stage, has_database=True)

    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(look).result()


def _remember_what_others_made() -> None:
    """What processes of a stage made is made here once more, from the rows they left."""
    for link in Link.objects.all():
        ledger.note("link token", link.token)
        ledger.note("code", codes.derive(bytes(link.nonce)))
    for mail in Message.objects.exclude(user=None).select_related("user"):
        passwords.derive(mail.header_id.bytes, email=mail.user.email)


class Ear(logging.StreamHandler):
    """Hears what the portal would write to its log, as it would write it."""

    def __init__(self) -> None:
        super().__init__(ledger.log)
        self.setFormatter(Line())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Each test has a ledger of its own."""
    ledger.born.clear()
    ledger.log.seek(0)
    ledger.log.truncate()
    ear = Ear()
    loggers = [logging.getLogger(name) for name in ("", "django", "django.server")]
    for logger in loggers:
        logger.addHandler(ear)
    try:
        return (yield)
    finally:
        for logger in loggers:
            logger.removeHandler(ear)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Look for them while the database of the test still stands."""
    has_database = not {"db", "transactional_db"}.isdisjoint(getattr(item, "fixturenames", ()))
    stage = getattr(item, "funcargs", {}).get("stage")
    found: set[str] = set()
    # A stage may have stopped its database for good, and a test broken its transaction.
    with contextlib.suppress(DatabaseError):
        found = leaks_on(stage) if stage else leaks(None, has_database=has_database)
    answer = yield
    assert not found, f"secrets left behind: {', '.join(sorted(found))}"
    return answer


listen()
