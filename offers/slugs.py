"""Slugs: addresses made of titles, each its own."""

from __future__ import annotations

from typing import Any

from django.db import connection, models
from django.utils.text import slugify

SLUGS = 7_548_411  # the number of the lock, which nothing else takes


def lock_slugs() -> None:
    """Let nobody else look for a free slug until this transaction ends: what is free stays free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SLUGS])


def free_slug(title: str, *, among: models.QuerySet[Any]) -> str:
    """The slug of `title`, or that with the first number behind it that nobody `among` has."""
    wanted = slugify(title)[:70] or "untitled"
    taken = set(among.filter(slug__startswith=wanted).values_list("slug", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(slug for slug in numbered if slug not in taken)
