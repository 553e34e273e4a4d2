"""System checks: what must not be true in production, each with an id and a hint.

Production is any place whose PORTAL_URL is https, or that has a DATABASE_URL and no DEBUG.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.http.request import validate_host


def is_production() -> bool:
    """Whether this place has anything to lose."""
    named = bool(os.environ.get("DATABASE_URL")) and not (settings.DEBUG or settings.DEMO)
    return (named or settings.SECURE) and not settings.TESTING


@register(Tags.security)
def check_production(**_kwargs: Any) -> list[CheckMessage]:
    """Everything a production must have set."""
    return list(_findings()) if is_production() else []


def _findings() -> Iterator[CheckMessage]:
    if not os.environ.get("DATABASE_URL"):
        yield Error(
            "DATABASE_URL is not set: the embedded PostgreSQL is for trying the portal out.",
            hint="Set DATABASE_URL=postgres://user:password@host/name.",
            id="portal.E001",
        )
    if not os.environ.get("SECRET_KEY"):
        yield Error(
            "SECRET_KEY is not set: every machine would make a key of its own.",
            hint="Set SECRET_KEY to 50 or more random characters, the same for web, worker and clock.",
            id="portal.E002",
        )
    if os.environ.get("LINK_KEY", "") in ("", settings.SECRET_KEY):
        yield Warning(
            "LINK_KEY is not set, or is SECRET_KEY: who learns that can rebuild all mailed links.",
            hint="Set LINK_KEY to 50 or more random characters, others than those of SECRET_KEY.",
            id="portal.W008",
        )
    if not settings.SECURE:
        yield Warning(
            "PORTAL_URL is not https: passwords and links travel readable.",
            hint="Put a proxy with TLS in front and set PORTAL_URL=https://….",
            id="portal.W003",
        )
    elif not settings.TRUSTED_PROXIES:
        yield Warning(
            "TRUSTED_PROXIES is 0: behind a proxy every page would redirect to itself.",
            hint="Set TRUSTED_PROXIES to the number of proxies of yours in front, usually 1.",
            id="portal.W005",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS allows every name: whoever asks decides what the portal is called.",
            hint="Set ALLOWED_HOSTS to the host of PORTAL_URL.",
            id="portal.W007",
        )
    elif not validate_host(urlsplit(settings.PORTAL_URL).hostname or "", settings.ALLOWED_HOSTS):
        yield Error(
            "ALLOWED_HOSTS does not name the host of PORTAL_URL: every page would be refused.",
            hint="Set ALLOWED_HOSTS to the host of PORTAL_URL.",
            id="portal.E006",
        )
    if not (os.environ.get("EMAIL_URL") or os.environ.get("ANYMAIL_PROVIDER")):
        yield Error(
            "No mail server is set: mails would be written to files that nobody reads.",
            hint="Set EMAIL_URL=smtp://user:password@host:587 or ANYMAIL_PROVIDER and its keys.",
            id="portal.E004",
        )
